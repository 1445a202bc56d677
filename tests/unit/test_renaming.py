"""What a module has made gets the name that the module is given."""

import functools
import pickle
import sys
import types
import typing

import pytest

from scoop_mpi.identity import renaming

MADE = '''
import abc, collections, dataclasses, enum, functools, typing

def plain(): pass
@functools.lru_cache
def cached(x): return x
@functools.singledispatch
def dispatched(x): return x
@dispatched.register
def of_int(x: int): return x

class Empty:
    __slots__ = ()
class Outer:
    class Inner:
        def method(self):
            return lambda: 0
    made = staticmethod(lambda: 0)
class Meta(type):
    def __setattr__(cls, name, value): raise AttributeError(name)
    def __eq__(cls, other): raise TypeError
    __hash__ = None
class Strict(metaclass=Meta): pass
class Abstract(abc.ABC): pass
class Colour(enum.Enum): RED = 1
Functional = enum.Enum("Functional", "A B")
Tuple = collections.namedtuple("Tuple", "a b")
Made = dataclasses.make_dataclass("Made", ["a"], namespace={"__module__": __name__})
@dataclasses.dataclass(order=True)
class Data:
    x: int
class Typed(typing.NamedTuple):
    x: int
T = typing.TypeVar("T")
New = typing.NewType("New", int)
P = typing.ParamSpec("P")
class Generic(typing.Generic[T]): pass

def factory():
    class Local:
        def method(self): pass
    def closure(): return Local
    return closure
closure = factory()
held = [lambda: 1, {"k": lambda: 2}, functools.partial(lambda: 3)]
def wrap(f):
    @functools.wraps(f)
    def inner(): return f()
    return inner
@wrap
def wrapped(): pass
class Proxy:
    def __getattribute__(self, name): raise RuntimeError(name)
proxy = Proxy()
name_then = __name__
'''
NAMES = ["plain", "cached", "dispatched", "of_int", "Empty", "Outer", "Meta", "Strict", "Abstract",
         "Colour", "Functional", "Tuple", "Made", "Data", "Typed", "T", "New", "P", "Generic",
         "closure", "wrapped", "wrap", "factory", "Proxy"]


@pytest.fixture(scope="module")
def made():
    """A module that was renamed after it had run."""
    module = types.ModuleType(renaming.name_to_replace("example_first"))
    sys.modules["example_first"] = module  # dataclasses look there
    exec(MADE, module.__dict__)
    renaming.rename(module, "example_second")
    sys.modules["example_second"] = module
    yield module
    del sys.modules["example_first"], sys.modules["example_second"]


def test_the_name_is_nobody_elses():
    name = "example_first"
    copy = renaming.name_to_replace(name)
    assert copy == name
    assert copy is not name
    assert copy is not sys.intern(copy)


@pytest.mark.parametrize("name", NAMES)
def test_at_the_top_level(made, name):
    assert getattr(made, name).__module__ == "example_second"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "closure"])
def test_what_is_pickled_says_the_new_name(made, name):
    pickled = pickle.dumps(getattr(made, name))
    assert b"example_first" not in pickled
    assert pickle.loads(pickled) is getattr(made, name)


@pytest.mark.parametrize("find", [
    lambda m: m.Outer.Inner, lambda m: m.Outer.Inner.method, lambda m: m.Outer.made,
    lambda m: m.closure(), lambda m: m.closure().method, lambda m: m.held[0],
    lambda m: m.held[1]["k"], lambda m: m.held[2].func, lambda m: m.wrapped.__wrapped__,
    lambda m: m.cached.__wrapped__, lambda m: m.Data.__init__, lambda m: m.Data.__lt__,
    lambda m: m.dispatched.registry[object],
])
def test_wherever_it_is(made, find):
    assert find(made).__module__ == "example_second"


def test_what_is_made_later_says_it_by_itself(made):
    exec("def later(): pass\nclass Later: pass", made.__dict__)
    assert made.later.__module__ == made.Later.__module__ == made.__name__ == "example_second"
    assert made.Outer.Inner().method().__module__ == "example_second"
    assert repr(made.Outer) == "<class 'example_second.Outer'>"
    assert repr(made).startswith("<module 'example_second'")


def test_others_keep_theirs(made):
    assert made.functools.partial is functools.partial
    assert functools.partial.__module__ == "functools"
    assert typing.Generic.__module__ == "typing"
    assert made.name_then == "example_first"  # a value like any other


def test_equal_names_of_others_are_left_alone():
    def mine():
        pass

    mine.__module__ = "".join(["example", "_third"])
    module = types.ModuleType(renaming.name_to_replace("example_third"))
    renaming.rename(module, "example_fourth")
    assert mine.__module__ == "example_third"
    assert module.__name__ == "example_fourth"


def test_modules_that_load_when_they_are_touched_stay_unloaded():
    touched = []

    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            touched.append(name)
            return super().__getattribute__(name)

    module = types.ModuleType(renaming.name_to_replace("example_fifth"))
    module.lazy = Lazy("lazy")
    touched.clear()
    renaming.rename(module, "example_sixth")
    assert touched == []
