"""What has changed since all ranks had the same: functions, classes, and what they use."""

import sys
import types

import pytest

from scoop_mpi.identity.changes import Changes, is_class, is_named, names_in, stands_for_a_function
from scoop_mpi.identity.names import PROGRAM

PROGRAM_SOURCE = """
import abc
import functools
import operator
import example_beside
import example_installed
from example_beside import helper
from example_installed import Library

def leaf(n, more=1):
    return n

def user(n):
    return leaf(n)

def user_of_user(n):
    return user(n)

def with_inner(n):
    return [leaf(one) for one in n], lambda: leaf(n)

def unrelated(n):
    return n

def uses_a_module(n):
    return example_beside.helper(n)

def uses_an_import(n):
    return helper(n)

def uses_what_is_not_there(n):
    return not_yet(n)

def uses_state(n):
    return counter + n

counter = 0

def closure(function):
    def call(n):
        return function(n)
    return call

closing = closure(leaf)

@functools.wraps(leaf)
def wrapping(n):
    return n

@functools.lru_cache
def cached(n):
    return leaf(n)

class Parent:
    count = 0
    items = []

    def method(self):
        return 1

    @property
    def prop(self):
        return leaf(2)

    @functools.cached_property
    def cached_prop(self):
        return 2

    @functools.singledispatchmethod
    def by_type(self, n):
        return n

    @staticmethod
    def static(n):
        return n

    @classmethod
    def of_class(cls):
        return cls

    def add(self, n, m):
        return n + m

    partial = functools.partialmethod(add, 1)

    class Inner:
        def method(self):
            return 3

class Child(Parent):
    pass

class Uses:
    def method(self):
        return leaf(1)

class UsesInProperty:
    @property
    def prop(self):
        return leaf(1)

class UsesInCachedProperty:
    @functools.cached_property
    def prop(self):
        return leaf(1)

class UsesInPartial:
    method = functools.partialmethod(lambda self, n: leaf(n), 1)

class UsesInStatic:
    @staticmethod
    def static():
        return leaf(1)

class Mine:
    def method(self):
        return "mine"

added = operator.add
twice = functools.partial(leaf, more=2)
hook = None
SERVICE = Uses()

def uses_a_builtin(n):
    return added(n, n)

def uses_a_partial(n):
    return twice(n)

def uses_a_hook(n):
    return hook and hook(n)

def uses_an_instance(n):
    return SERVICE.method()

@functools.singledispatch
def shown(n):
    return n

@shown.register
def _(n: int):
    return leaf(n)

class Shown:
    @functools.singledispatchmethod
    def of(self, n):
        return n

class Shape(abc.ABC):
    pass

class Round(Shape):
    pass
"""
BESIDE = "def helper(n):\n    return n\n\nclass Beside:\n    def method(self):\n        return 1\n"
INSTALLED = "class Library:\n    def method(self):\n        return 1\n"


@pytest.fixture
def program(monkeypatch):
    """The program's namespace; ``changes`` in it was made when all of it had run."""
    modules = {name: types.ModuleType(name)
               for name in ("example_installed", "example_beside", "__main__")}
    modules["example_beside"].__file__ = "/somewhere/example_beside.py"
    modules["example_installed"].__file__ = pytest.__file__
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    exec(INSTALLED, vars(modules["example_installed"]))
    exec(BESIDE, vars(modules["example_beside"]))
    program = modules["__main__"]
    exec(PROGRAM_SOURCE, vars(program))
    note(program)
    return program


def note(program):
    noted = {name: dict(vars(sys.modules[name]))
             for name in ("example_installed", "example_beside", PROGRAM)}
    program.changes = Changes(noted)


def changed(program, *names):
    """Those of the names whose object has changed."""
    return {name for name in names if program.changes.is_changed(vars(program)[name])}


FUNCTIONS = ["leaf", "user", "user_of_user", "with_inner", "unrelated", "uses_a_module",
             "uses_an_import", "uses_what_is_not_there", "uses_state", "closing", "wrapping",
             "cached", "uses_a_builtin", "uses_a_partial", "uses_a_hook", "uses_an_instance",
             "shown"]
CLASSES = ["Parent", "Child", "Uses", "UsesInProperty", "UsesInStatic",
           "UsesInCachedProperty", "UsesInPartial", "Mine", "Shown", "Shape",
           "Round"]
ALL = FUNCTIONS + CLASSES
OF_LEAF = {"leaf", "user", "user_of_user", "with_inner", "closing", "wrapping", "cached",
           "Parent", "Child", "Uses", "UsesInProperty", "UsesInStatic", "UsesInCachedProperty",
           "UsesInPartial", "uses_a_partial",
           "uses_an_instance", "shown"}
"""Those that use ``leaf``, by name or otherwise."""


def test_nothing_has_changed_at_first(program):
    assert changed(program, *ALL) == set()


# -- functions -------------------------------------------------------------


@pytest.mark.parametrize("change", [
    "leaf.__code__ = (lambda n, more=1: -n).__code__",
    "leaf.__defaults__ = (2,)",
    "leaf.__kwdefaults__ = {'more': 3}",
])
@pytest.mark.parametrize("looked_at", [True, False])
def test_a_function_that_was_changed_changes_all_that_use_it(program, change, looked_at):
    if looked_at:
        changed(program, *ALL)  # what each uses is known by now
    exec(change, vars(program))
    assert changed(program, *ALL) == OF_LEAF


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_name_that_means_another_function_changes_those_that_use_it_by_name(
        program, looked_at):
    if looked_at:
        changed(program, *ALL)
    old = program.leaf
    exec("def leaf(n): return -n", vars(program))
    assert changed(program, *ALL) == OF_LEAF - {
        "leaf", "closing", "wrapping", "uses_a_partial"}
    assert not program.changes.is_changed(old)
    program.leaf = old
    assert changed(program, *ALL) == set()


def test_a_name_that_is_gone_has_changed(program):
    del program.leaf
    assert changed(program, "user", "unrelated") == {"user"}


@pytest.mark.parametrize("change", [
    "counter = 5", "counter = None", "leaf.attribute = 3", "leaf.__doc__ = 'x'",
    "Parent.count = 1", "Parent.items.append(1)", "Parent.new = 3", "del Parent.count",
    "Parent.__doc__ = 'x'", "example_beside.state = 1",
])
def test_state_is_no_change(program, change):
    changed(program, *ALL)
    exec(change, vars(program))
    assert changed(program, *ALL) == set()


@pytest.mark.parametrize("change, names", [
    ("added = operator.mul", {"uses_a_builtin"}),
    ("twice = functools.partial(leaf, more=3)", {"uses_a_partial"}),
    ("hook = len", {"uses_a_hook"}),
    ("hook = SERVICE.method", {"uses_a_hook"}),
    ("Uses.method = lambda self: 2", {"Uses", "uses_an_instance"}),
    ("shown.register(str, len)", {"shown"}),
    ("Shown.of.register(str, len)", {"Shown"}),
    ("Shown.__dict__['of'].register(str, len)", {"Shown"}),
    ("Shape.register(Mine)", {"Shape", "Round"}),
    ("Round.register(Mine)", {"Round"}),
    ("SERVICE = Uses(); hook = 3; hook = None; isinstance(3, Shape); shown('')", set()),
])
def test_what_programs_change_as_well(program, change, names):
    exec(change, vars(program))
    assert changed(program, *ALL) == names


def test_state_that_becomes_a_function(program):
    exec("def counter(): pass", vars(program))
    assert changed(program, "uses_state", "user") == set()  # it was no function for anybody


def test_a_name_that_is_bound_later(program):
    exec("def not_yet(n): return n", vars(program))
    assert changed(program, *ALL) == set()  # nobody had it


def test_modules_beside_the_program(program):
    exec("def other(n): return -n\nexample_beside.helper = other", vars(program))
    assert changed(program, *ALL) == {"uses_a_module"}
    # The program has the old one by a name of its own.
    exec("helper = other", vars(program))
    assert changed(program, *ALL) == {"uses_a_module", "uses_an_import"}


def test_classes_of_modules_beside_the_program(program):
    beside = program.example_beside.Beside
    assert not program.changes.is_changed(beside)
    beside.method = lambda self: 2
    assert program.changes.is_changed(beside)


# -- classes ---------------------------------------------------------------


@pytest.mark.parametrize("change", [
    "Parent.method = lambda self: 2", "Parent.added = lambda self: 2", "del Parent.method",
    "Parent.prop = property(lambda self: 3)", "Parent.static = staticmethod(lambda n: -n)",
    "Parent.of_class = classmethod(lambda cls: 1)", "Parent.Inner = Mine",
    "Parent.cached_prop = functools.cached_property(lambda self: 3)",
    "Parent.by_type = functools.singledispatchmethod(lambda self, n: -n)",
    "Parent.partial = functools.partialmethod(Parent.add, 2)",
    "Parent.method.__code__ = (lambda self: 5).__code__",
    "Parent.static.__defaults__ = (5,)",
    "Parent.Inner.method = lambda self: 5",
])
def test_a_class_that_was_patched(program, change):
    changed(program, *ALL)
    exec(change, vars(program))
    assert changed(program, *ALL) == {"Parent", "Child"}


def test_a_patch_that_was_undone(program):
    old = program.Parent.method
    program.Parent.method = lambda self: 2
    program.Parent.method = old
    assert changed(program, *ALL) == set()


def test_attributes_as_they_were_made(program):
    old = program.Parent.method
    static = program.Parent.static
    program.Parent.method = program.Parent.static = None
    at = program.changes.attribute_as_made
    assert at(program.Parent, "method", None) is old
    assert at(program.Parent, "static", None) is static
    assert at(program.Parent, "nothing", 5) == 5
    assert at(program.Child, "count", None) == 0
    assert at(3, "real", None) == 3


# -- classes of libraries --------------------------------------------------


def test_a_library_class_that_is_patched_later(program):
    library = program.example_installed.Library
    assert not program.changes.is_changed(library)
    exec("Library.more = Mine.method", vars(program))
    assert program.changes.is_changed(library)


def test_a_library_class_that_was_patched_at_top_level(program):
    """As on every rank; so it is as it was."""
    exec("Library.more = Mine.method", vars(program))
    note(program)
    library = program.example_installed.Library
    assert not program.changes.is_changed(library)
    exec("Library.method = Mine.method", vars(program))
    assert program.changes.is_changed(library)


def test_what_libraries_do_to_themselves_is_their_affair(program):
    exec("Library.method = lambda self: 2", vars(program.example_installed))
    assert not program.changes.is_changed(program.Library)


def test_what_nobody_has_noted_has_not_changed(program):
    assert not program.changes.is_changed(lambda: 1)
    assert not program.changes.is_changed(type("New", (), {}))
    assert not program.changes.is_changed(len)


# -- what is what ----------------------------------------------------------


def hostile():
    """An object and a class that raise when they are looked at. (pytest looks at globals.)"""
    class Proxy:
        @property
        def __class__(self):
            raise SystemExit

        def __getattribute__(self, name):
            raise SystemExit

        def __call__(self):
            pass

    class OddMeta(type):
        def __getattribute__(cls, name):
            raise SystemExit

    class Odd(metaclass=OddMeta):
        pass

    return Proxy(), Odd


def test_functions_and_classes_are_named():
    def wrapper():
        pass

    wrapper.__wrapped__ = len
    proxy, odd = hostile()
    assert all(map(is_named, (wrapper, type(proxy), odd, type(odd), lambda: 1)))
    assert not any(map(is_named, (3, proxy, len, "".join, [].append)))
    assert is_class(odd) and not is_class(proxy)
    assert stands_for_a_function(wrapper) and not stands_for_a_function(len)


def test_a_bound_method_stands_for_no_function():
    class Has:
        __wrapped__ = 3

        def method(self):
            pass

    assert not stands_for_a_function(Has().method)


def test_hostile_objects_at_top_level(program):
    program.proxy, program.Odd = hostile()
    exec("def looks(n):\n    return proxy, Odd", vars(program))
    note(program)
    assert changed(program, "looks", *ALL) == set()
    program.Odd = type("Mine", (), {})
    assert changed(program, "looks", "leaf") == {"looks"}


def test_names_of_modules_and_of_what_is_none():
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            raise SystemExit

    lazy = Lazy("lazy")
    assert names_in(lazy)["__name__"] == "lazy"
    assert names_in(3) == names_in(None) == {}
