"""By value what neither pickle nor cloudpickle can take so: each there and back."""

import copyreg
import enum
import functools
import gc
import io
import os
import typing
from collections import namedtuple
from dataclasses import dataclass

import cloudpickle
import pytest
from apart import on_rank_of, send

from scoop_mpi.base.messages import Definition
from scoop_mpi.identity import rebuild
from scoop_mpi.wire.codec import Codec


def fill(reduced):
    """What pickle makes of a reduction with an empty object and a state."""
    make, args, state, _, _, setter = reduced
    obj = make(*args)
    setter(obj, state)
    return obj


# -- functions that are wrapped --------------------------------------------


def test_which_functions_are_dispatched():
    assert rebuild.is_dispatch(functools.singledispatch(len))
    assert not rebuild.is_dispatch(len)
    assert not rebuild.is_dispatch(lambda: 1)
    assert not rebuild.is_dispatch(3)


def test_dispatched_functions():
    @functools.singledispatch
    def kind(n):
        "What it is."
        return "object"

    @kind.register
    def _(n: int):
        return "int, not " + kind("")

    received = send(kind)
    assert [received(3), received(True), received(None)] == [
        "int, not object", "int, not object", "object"]
    assert received.__doc__ == "What it is." and received.__name__ == "kind"
    # It is one: the other can learn more.
    received.register(str, lambda text: "str")
    assert (received(""), kind("")) == ("str", "object")


def test_dispatched_methods():
    class Kind:
        @functools.singledispatchmethod
        def of(self, n):
            return "object"

        @of.register
        def _(self, n: int):
            return "int"

    assert [send(Kind)().of(n) for n in (1, "")] == ["int", "object"]


def test_cached_functions():
    calls = []

    @functools.lru_cache(maxsize=7, typed=True)
    def double(n):
        "Twice as much."
        calls.append(n)
        return 2 * n

    double(1)
    received = send(double)
    assert received.cache_parameters() == {"maxsize": 7, "typed": True}
    assert received.cache_info().currsize == 0
    assert (received(4), received(4)) == (8, 8)
    assert received.cache_info().hits == 1
    assert received.__doc__ == "Twice as much." and received.__name__ == "double"
    assert calls == [1]


def test_cached_functions_that_call_themselves():
    @functools.cache
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    received = send(fibonacci)
    assert received(80) == fibonacci(80)
    assert received.cache_info().misses == 81


def test_cached_methods():
    class Adder:
        def __init__(self, more):
            self.more = more

        @functools.lru_cache
        def add(self, n):
            return n + self.more

        @functools.cached_property
        def twice(self):
            "Twice as much."
            return 2 * self.more

    adder = send(Adder)(5)
    assert (adder.add(1), adder.twice, vars(adder)["twice"]) == (6, 10, 10)
    assert type(adder).twice.__doc__ == "Twice as much."


def test_a_reduction_can_be_filled():
    @functools.lru_cache(maxsize=3)
    def one():
        return 1

    assert fill(rebuild.reduce_lru_cache(one))() == 1
    prop = functools.cached_property(lambda self: 5)
    prop.__set_name__(None, "prop")
    again = fill(rebuild.reduce_cached_property(prop))
    assert (again.func, again.attrname) == (prop.func, "prop")


def test_what_is_not_filled_says_so():
    with pytest.raises(AssertionError, match="not filled"):
        rebuild.make_dispatch()(3)


# -- methods ---------------------------------------------------------------


class Parent:
    def name(self):
        return "parent"

    @classmethod
    def made(cls):
        return cls


class Child(Parent):
    def name(self):
        return "child"

    def parents_name(self):
        return super().name


def test_bound_methods_that_pickle_finds():
    assert rebuild.reduce_method(Child().name) is NotImplemented
    assert rebuild.reduce_method(Child.made) is NotImplemented
    assert send(Child.made)() is Child


def test_bound_methods_that_a_subclass_hides():
    method = Child().parents_name()
    assert rebuild.reduce_method(method) is not NotImplemented
    assert send(method)() == "parent"


def test_functions_that_were_bound_by_hand():
    child = Child()
    child.other = Parent.name.__get__(child)
    assert send(child.other)() == "parent"
    assert send((lambda self: self.name()).__get__(child))() == "child"


# -- classes with slots ----------------------------------------------------


def shapes():
    class Base:
        __slots__ = ("a", "__hidden")

        def __init__(self, a=1):
            self.a = a
            self.__hidden = 2

        def hidden(self):
            return self.__hidden

    class Derived(Base):
        __slots__ = "b"

    class Documented:
        __slots__ = {"x": "a number"}

    @dataclass(frozen=True, slots=True)
    class Frozen:
        a: int = 1

    class Pair(typing.NamedTuple):
        a: int = 1
        b: int = 2

    return Base, Derived, Documented, Frozen, Pair


@pytest.mark.parametrize("at", range(5))
def test_slots_stay_slots(at):
    sender, receiver = Codec(), Codec()
    cls = shapes()[at]
    received = send(cls, sender, receiver)
    one = received()
    assert hasattr(one, "__dict__") == hasattr(cls(), "__dict__")
    # Also on the way back.
    assert type(send(send(cls(), sender, receiver), receiver, sender)) is cls


def test_slots_with_private_names():
    assert send(shapes()[0])(3).hidden() == 2


def test_classes_with_slots_that_others_make_anew():
    class Colour(enum.Enum):
        __slots__ = ()
        RED = 1

    Pair = namedtuple("Pair", "a b")
    received = send(Colour)
    assert [one.name for one in received] == ["RED"]
    assert send(Pair)(1, 2) == (1, 2)


def test_what_cloudpickle_does_not_make_is_left_as_it_is():
    for reduced in (NotImplemented, (type, (None,))):
        assert rebuild.reduce_class(int, reduced) is reduced


# -- classes that change ---------------------------------------------------


def family():
    class Base:
        def value(self):
            return "old"

    class Derived(Base):
        def value(self):
            return "derived", super().value()

        def __add__(self, other):
            return "sum"

    return Base, Derived


def test_a_class_that_changes_stays_one_object():
    sender, receiver = Codec(), Codec()
    _, cls = family()
    first, one = send((cls, cls()), sender, receiver)
    first.counted_here = 3
    cls.level, cls.value = 2, lambda self: "new"
    second = send(cls, sender, receiver)
    assert second is first and isinstance(one, second)
    assert (second.level, one.value()) == (2, "new")
    assert second.counted_here == 3  # what tasks have set belongs to the rank


def test_what_a_class_has_lost_is_gone_elsewhere_too():
    sender, receiver = Codec(), Codec()
    _, cls = family()
    cls.level = 1
    one = send(cls(), sender, receiver)
    del cls.value, cls.__add__, cls.level
    send(cls, sender, receiver)
    assert one.value() == "old"
    assert not hasattr(one, "level")
    with pytest.raises(TypeError):
        one + one


def test_bases_that_change():
    sender, receiver = Codec(), Codec()
    base, cls = family()
    one = send(cls(), sender, receiver)

    class Other:
        def value(self):
            return "other"

    cls.__bases__ = (Other,)
    assert type(send(cls(), sender, receiver)) is type(one)
    assert one.value() == ("derived", "other")
    cls.__bases__ = (Other, base)
    send(cls, sender, receiver)
    assert [parent.__name__ for parent in type(one).__bases__] == ["Other", "Base"]


def test_bases_that_instances_have_no_room_for():
    sender, receiver = Codec(), Codec()

    class Narrow:
        __slots__ = ("a",)

    class Wide:
        __slots__ = ("a", "b")

    def make(bases):
        reduced = rebuild.reduce_class(Holder, dynamic)
        return rebuild.make_class(reduced[1][0], 2, (type, "Holder", bases, {}, "tracked", None))

    class Holder(Narrow):
        __slots__ = ()

    dynamic = cloudpickle.CloudPickler(io.BytesIO()).reducer_override(Holder)
    first, second = make((Narrow,)), make((Wide,))
    assert first.__bases__ == (Narrow,) and second.__bases__ == (Wide,)
    assert make((Narrow,)) is first
    assert send(Holder, sender, receiver).__name__ == "Holder"


def test_an_older_form_that_comes_late_changes_nothing():
    author, first, second = Codec(), Codec(), Codec()
    _, cls = family()
    older: dict[bytes, Definition] = {}
    with on_rank_of(author):
        pickled = author.dumps(cls, older)
    with on_rank_of(first):
        passed_on = first.loads(pickled, older.values())
    cls.value = lambda self: "new"
    newest = send(cls, author, second)
    with on_rank_of(second):
        late = second.loads(pickled, older.values())
    assert late is newest and late().value() == "new"
    assert passed_on().value() == ("derived", "old")
    # And what has it goes back as the author's class.
    assert type(send(late(), second, author)) is cls


def test_an_older_form_is_made_when_the_newer_one_has_gone():
    author, receiver = Codec(), Codec()
    _, cls = family()
    older: dict[bytes, Definition] = {}
    with on_rank_of(author):
        pickled = author.dumps(cls, older)
    cls.value = lambda self: "new"
    send(cls, author, receiver)
    receiver.definitions._kept.clear()
    gc.collect()
    with on_rank_of(receiver):
        assert receiver.loads(pickled, older.values())().value() == ("derived", "old")
    assert len(receiver.definitions._newest) == len(older)


# -- errors ----------------------------------------------------------------


class KeywordOnly(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code


class OwnWay(KeywordOnly):
    def __reduce_ex__(self, protocol):
        return OSError, (self.code, "by its own way")


class Registered(KeywordOnly):
    pass


def test_errors_whose_init_takes_something_else():
    received = send(KeywordOnly("text", code=3))
    assert (type(received), received.args, received.code) == (KeywordOnly, ("text",), 3)


def test_errors_with_a_way_of_their_own(monkeypatch):
    assert str(send(OwnWay("text", code=3))) == "[Errno 3] by its own way"
    monkeypatch.setitem(copyreg.dispatch_table, Registered, lambda one: (KeyError, (one.code,)))
    assert repr(send(Registered("text", code=3))) == "KeyError(3)"


# -- files -----------------------------------------------------------------


def test_files_keep_their_contents_and_position(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with open(path, "rb") as file:
        file.seek(4)
        received = send(file)
        assert received.read() == b"456789"
        assert file.tell() == 4
        received.seek(0)
        assert received.read(2) == b"01"
        assert isinstance(received, io.BytesIO)


def test_files_that_can_be_read_once_only():
    reader, writer = os.pipe()
    os.close(writer)
    with open(reader, "rb") as file, pytest.raises(TypeError, match="cannot be read twice"):
        send(file)
