"""What does not pickle is named: the function, an argument, a callback, an item."""

import threading

import pytest

from scoop_mpi.tasks.future import Future
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.diagnosis import (
    first_unpicklable, refusal, short, unpicklable_part, unpicklable_part_of_task,
    why_not_picklable,
)

LOCK = threading.Lock()


def test_why_something_is_refused():
    assert refusal(Codec(), [1, "a"]) is None
    assert "lock" in str(refusal(Codec(), [LOCK]))


@pytest.mark.parametrize("obj, text", [
    (5, "5 of type int"), ("x" * 200, "'" + "x" * 96 + "... of type str"),
])
def test_objects_are_shown_briefly(obj, text):
    assert short(obj) == text


@pytest.mark.parametrize("func, args, kwargs, text", [
    (LOCK.acquire, (), {}, "the function <built-in method acquire"),
    (print, (1, LOCK), {}, "argument 1 of print: <unlocked"),
    (print, (1,), {"sep": LOCK}, "argument sep of print: <unlocked"),
])
def test_the_first_part_that_does_not_pickle(func, args, kwargs, text):
    error = unpicklable_part(Codec(), func, args, kwargs)
    assert text in str(error)
    assert str(why_not_picklable(Codec(), func, args, kwargs, ValueError("x"))) == str(error)


def test_parts_that_pickle_one_by_one():
    assert unpicklable_part(Codec(), print, (1,), {"sep": ""}) is None
    error = why_not_picklable(Codec(), print, (1,), {}, RecursionError("too deep"))
    assert "<built-in function print>" in str(error)
    assert "with its arguments (too deep)" in str(error)


def test_a_callback():
    task = Future(1, abs, (-1,), None)
    assert unpicklable_part_of_task(Codec(), task) is None


@pytest.mark.parametrize("values, at", [([1, LOCK, LOCK], 1), ([LOCK], 0)])
def test_the_first_item(values, at):
    found, error = first_unpicklable(Codec(), "item {}".format, values, 10)
    assert found == at
    assert f"item {10 + at}: <unlocked" in str(error)


def test_all_items_pickle():
    assert first_unpicklable(Codec(), "item {}".format, [1, 2], 0) is None
