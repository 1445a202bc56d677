"""Shared constants as programs use them, in a process of its own."""

import functools
import io
import sys
import threading
import time
from types import ModuleType

import pytest

from scoop_mpi import futures, shared
from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.broker import registry

pytestmark = pytest.mark.usefixtures("scheduler")

MANY_QUESTIONS = 1000


@pytest.fixture(autouse=True)
def program(monkeypatch):
    """The globals of the program, and an end to endless questions."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.setattr(shared, "_encapsulated", {})
    return vars(module)


@pytest.fixture(autouse=True)
def questions(monkeypatch):
    """All that the broker's table is asked."""
    asked = []
    usual = registry.Registry.handle

    def handle(self, source, message):
        asked.append(message)
        assert len(asked) < MANY_QUESTIONS, "there is no end to the questions"
        return usual(self, source, message)

    monkeypatch.setattr(registry.Registry, "handle", handle)
    return asked


class Box:
    """An object with a method."""

    def __init__(self, content):
        self.content = content

    def plus(self, n, step=1):
        return self.content + step * n


class Stubborn:
    """Pickles well, but cannot be rebuilt."""

    def __reduce__(self):
        return refuse, ()


def refuse():
    raise OSError("refused")


# -- setConst, getConst ----------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, False, "", [], (), {}, set(), 5, {"a": [1]}, len, Box])
def test_a_value(value):
    shared.setConst(x=value)
    found = shared.getConst("x", timeout=0)
    assert (found, type(found)) == (value, type(value))


def test_none_is_a_value(questions):
    """Which is found at once, not waited for."""
    shared.setConst(x=None)
    count = len(questions)
    assert shared.getConst("x", timeout=None) is None
    assert len(questions) == count


def test_several_at_once():
    shared.setConst(x=1, y=2)
    assert (shared.getConst("x"), shared.getConst("y")) == (1, 2)


def test_nothing_to_set(questions):
    assert shared.setConst() is None
    assert questions == []


def test_a_constant_is_a_copy_of_what_it_was():
    value = [1]
    shared.setConst(x=value)
    value.append(2)
    assert shared.getConst("x") == [1]
    assert shared.getConst("x") is shared.getConst("x")


def test_lambdas_and_partials():
    bonus = 4
    shared.setConst(f=lambda n: n + bonus, g=functools.partial(pow, 2), h=Box(3).plus)
    assert [shared.getConst(name)(3) for name in "fgh"] == [7, 8, 6]


def test_an_open_file(tmp_path):
    (tmp_path / "data").write_bytes(b"0123456789")
    with open(tmp_path / "data", "rb") as file:
        file.seek(4)
        shared.setConst(file=file)
        assert file.read(1) == b"4"
    copy = shared.getConst("file")
    assert type(copy) is io.BytesIO
    assert (copy.tell(), copy.read(2), copy.getvalue()) == (4, b"45", b"0123456789")


def test_a_name_is_given_once():
    shared.setConst(x=None)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"^This constant already exists: x\.$"):
            shared.setConst(x=2)
    assert shared.getConst("x") is None


def test_all_names_or_none():
    shared.setConst(y=1)
    with pytest.raises(TypeError, match=r"^This constant already exists: y\.$"):
        shared.setConst(x=1, y=2, z=3)
    assert shared.getConst("x", 0) is shared.getConst("z", 0) is None


def test_a_value_that_cannot_be_pickled_defines_nothing(questions):
    expected = "^This element could not be pickled: the constant y: .*lock"
    with pytest.raises(NotPicklableError, match=expected):
        shared.setConst(x=1, y=threading.Lock())
    assert questions == []
    shared.setConst(x=1, y=2)


def test_a_value_that_cannot_be_rebuilt():
    shared.setConst(x=Stubborn(), y=2)
    for _ in range(2):
        with pytest.raises(NotPicklableError, match="the constant x.*refused"):
            shared.getConst("x", timeout=0)
    assert shared.getConst("y", timeout=0) == 2


def test_a_callable_becomes_a_global(program):
    shared.setConst(f=lambda: 5, x=5)
    assert program["f"]() == 5
    assert "x" not in program
    shared.delConst("f")
    assert "f" not in program


# -- waiting ---------------------------------------------------------------


@pytest.mark.parametrize("options, at_least_s", [
    ({}, 0.1), ({"timeout": 0}, 0), ({"timeout": -1}, 0), ({"timeout": 0.15}, 0.15),
])
def test_a_constant_that_nobody_defines(options, at_least_s):
    began = time.perf_counter()
    assert shared.getConst("x", **options) is None
    assert time.perf_counter() - began >= at_least_s


@pytest.mark.parametrize("timeout", [10, None, float("inf")])
def test_other_tasks_run_while_it_waits(timeout):
    futures.submit(shared.setConst, x=5)
    assert shared.getConst("x", timeout) == 5


def test_one_look_does_not_wait():
    task = futures.submit(shared.setConst, x=5)
    shared.getConst("x", timeout=0)
    task.result()
    assert shared.getConst("x", timeout=0) == 5


def test_many_tasks_wait():
    waiting = [futures.submit(shared.getConst, "x", None) for _ in range(10)]
    list(futures.map(abs, range(10)))
    shared.setConst(x=5)
    assert [task.result() for task in waiting] == [5] * 10


def test_the_answer_to_one_task_is_no_news_for_another(questions):
    """Else they would ask in turn, for ever."""
    other = futures.submit(shared.getConst, "x", 0.1)
    futures.wait([other], timeout=0.01)
    assert shared.getConst("x", timeout=0.05) is None
    assert other.result() is None
    assert len(questions) <= 5


def test_it_asks_once_more_before_it_gives_up(questions):
    assert shared.getConst("x", timeout=0.01) is None
    assert len(questions) == 2


# -- delConst --------------------------------------------------------------


def test_a_name_can_be_used_again():
    for n in range(5):
        shared.setConst(x=n)
        assert shared.getConst("x") == n
        shared.delConst("x")
        assert shared.getConst("x", timeout=0) is None


@pytest.mark.parametrize("name", ["never", "once"])
def test_only_what_is_there_can_be_freed(name):
    shared.setConst(once=1)
    shared.delConst("once")
    with pytest.raises(KeyError, match=name):
        shared.delConst(name)


def test_what_a_task_has_got_stays_its_own():
    shared.setConst(x=[1])
    mine = shared.getConst("x")
    shared.delConst("x")
    assert mine == [1]


def test_those_set_with_it_stay():
    shared.setConst(x=1, y=2)
    shared.delConst("x")
    assert (shared.getConst("x", 0), shared.getConst("y", 0)) == (None, 2)


# -- elements --------------------------------------------------------------


def test_elements():
    assert shared.elements == {}
    shared.setConst(x=1, y=None)
    shared.setConst(z=[3])
    assert shared.elements == {("worker-1", "broker-0"): {"x": 1, "y": None, "z": [3]}}
    assert str(next(iter(shared.elements))) == "worker-1"
    shared.delConst("x")
    assert [list(constants) for constants in shared.elements.values()] == [["y", "z"]]


def test_elements_is_a_copy():
    shared.setConst(x=1)
    shared.elements.clear()
    next(iter(shared.elements.values())).clear()
    assert shared.getConst("x", 0) == 1


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'element'"):
        shared.element


# -- SharedElementEncapsulation --------------------------------------------


def test_a_name_stands_for_its_constant():
    shared.setConst(f=lambda n: n + 1)
    stand_in = shared.SharedElementEncapsulation("f")
    assert repr(stand_in) == stand_in.__name__() == stand_in.uniqueID == "f"
    assert stand_in(2) == 3
    assert list(futures.map(stand_in, range(3))) == [1, 2, 3]


def test_a_name_must_be_known():
    with pytest.raises(AssertionError, match="f"):
        shared.SharedElementEncapsulation("f")


def test_a_callable_is_shared():
    stand_in = shared.SharedElementEncapsulation(lambda n, step=1: n + step)
    assert (stand_in(2), stand_in(2, step=5)) == (3, 7)
    assert shared.getConst(repr(stand_in), timeout=0)(2) == 3


def test_of_a_method_its_object_is_shared():
    box = Box(5)
    stand_in = shared.SharedElementEncapsulation(box.plus)
    assert (stand_in(2), stand_in(2, step=3)) == (7, 11)
    assert shared.getConst(repr(stand_in), timeout=0).content == 5


def test_the_same_object_is_shared_once(questions):
    box, function = Box(5), functools.partial(pow, 2)
    names = {repr(shared.SharedElementEncapsulation(one))
             for _ in range(3) for one in (box.plus, function)}
    assert len(names) == len(questions) == 2


def test_it_is_small_wherever_it_travels(scheduler):
    stand_in = shared.SharedElementEncapsulation(functools.partial(len, bytes(10**6)))
    found = {}
    assert len(scheduler.codec.dumps(stand_in, found)) < 500
    assert not found
    assert scheduler.codec.loads(scheduler.codec.dumps(stand_in, {}))() == 10**6


def test_a_long_wait_that_has_ended_holds_nothing_up(run_python):
    done = run_python(
        "from scoop_mpi import futures, shared\n"
        "waiting = [futures.submit(shared.getConst, 'x', 60) for _ in range(3)]\n"
        "futures.submit(shared.setConst, x=5)\n"
        "print([future.result() for future in waiting])\n", "-W", "ignore", timeout=15,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[5, 5, 5]\n", "", 0)
