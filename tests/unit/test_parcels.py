"""Work there and back, and what is said when something cannot be sent."""

import os
import sys
import threading
import types

import pytest

from scoop_mpi import NotPicklableError
from scoop_mpi.base.messages import Lacking, RejectedTasks
from scoop_mpi.identity.names import PROGRAM, PROGRAM_MODULE
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import Future
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.frame import pack, unpack
from scoop_mpi.wire.parcels import Parcels

PREFIX = "This element could not be pickled: "
LOCK = threading.Lock()


class Unrebuildable:
    """Pickles, but cannot be rebuilt."""

    def __reduce__(self):
        return int, ("not a number",)


class BadRepr:
    def __repr__(self):
        raise ValueError("no repr")

    def __reduce__(self):
        raise TypeError("cannot pickle this")


class FirstTimeOnly:
    """Fails to pickle once: as a dict that another thread changes meanwhile."""

    def __init__(self):
        self.failed = False

    def __reduce__(self):
        if not self.failed:
            self.failed = True
            raise RuntimeError("dictionary changed size during iteration")
        return FirstTimeOnly, ()


def task(id_, func, *args, **kwargs):
    return Future(id_, func, args, kwargs or None)


def chunk(func, args, start=0, starred=False):
    return Chunk(1, 9, func, starred, start, list(args), 0.5)


def over_the_wire(message):
    return unpack(*pack(message))


@pytest.fixture
def here():
    """The owner: rank 1."""
    return Parcels(Codec(), 1)


@pytest.fixture
def there():
    """The executor: rank 2."""
    return Parcels(Codec(), 2)


# -- tasks -----------------------------------------------------------------


def test_tasks_there_and_back(here, there):
    tasks = [task(1, pow, 2, 3), task(2, int, "ff", base=16), task(5, lambda: 7)]
    message, failed = here.pack_tasks(tasks, 1, 2, 0.25)
    assert failed == []
    assert (message.owner, message.ids, message.estimate_s) == (1, (1, 2, 5), 0.25)
    received = there.unpack_tasks(over_the_wire(message))
    assert [(t.number, t.owner) for t in received] == [(1, 1), (2, 1), (5, 1)]
    for one in received:
        one.run()
    assert [t.value for t in received] == [8, 255, 7]


def test_definitions_travel_with_the_first_tasks_only(here):
    def function(n):
        return n

    first, _ = here.pack_tasks([task(1, function, 1)], 1, 2, 0.0)
    second, _ = here.pack_tasks([task(2, function, 1)], 1, 2, 0.0)
    other, _ = here.pack_tasks([task(3, function, 1)], 1, 3, 0.0)
    assert [len(m.definitions) for m in (first, second, other)] == [1, 0, 1]


@pytest.mark.parametrize("bad, names", [
    (lambda: task(2, LOCK.acquire), ["the function", "acquire"]),
    (lambda: task(2, print, 1, LOCK), ["argument 1 of print", "lock"]),
    (lambda: task(2, print, 1, sep=LOCK), ["argument sep of print", "lock"]),
    (lambda: task(2, print, BadRepr()), ["argument 0 of print", "<no repr>", "BadRepr"]),
    (lambda: task(2, print, [LOCK] * 1000), ["argument 0 of print", "of type list"]),
    (lambda: task(2, lambda: LOCK.locked() and captured), ["the function", "lambda"]),
], ids=["function", "argument", "keyword", "repr", "long", "closure"])
def test_what_cannot_be_pickled_is_named(here, bad, names):
    message, [(failed, error)] = here.pack_tasks([bad()], 1, 2, 0.0)
    assert message is None
    assert failed.number == 2
    assert isinstance(error, NotPicklableError)
    assert str(error).startswith(PREFIX)
    assert str(error).count(PREFIX) == 1
    for name in names:
        assert name in str(error)
    assert len(str(error)) < 500


captured = (n for n in ())


def test_one_bad_task_harms_no_other(here, there):
    tasks = [task(n, abs, LOCK if n in (2, 4) else -n) for n in range(1, 6)]
    message, failed = here.pack_tasks(tasks, 1, 2, 0.0)
    assert [bad.number for bad, _ in failed] == [2, 4]
    assert message.ids == (1, 3, 5)
    received = there.unpack_tasks(over_the_wire(message))
    for one in received:
        one.run()
    assert [one.value for one in received] == [1, 3, 5]


def test_a_future_as_an_argument(here):
    _, [(_, error)] = here.pack_tasks([task(1, print, task(7, abs, 1))], 1, 2, 0.0)
    assert str(error).startswith(PREFIX)
    assert "result()" in str(error)


def test_no_task_gets_lost_when_pickling_fails_once(here):
    tasks = [task(1, abs, -1), task(2, id, FirstTimeOnly())]
    message, failed = here.pack_tasks(tasks, 1, 2, 0.0)
    sent = message.ids if message else ()
    assert sorted([*sent, *(bad.number for bad, _ in failed)]) == [1, 2]


def test_no_task_gets_lost_that_is_too_deep_for_the_bundle(here):
    def nested(depth):
        value = None
        for _ in range(depth):
            value = [value]
        return value

    low, high = 1, 100_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            here.codec.dumps(nested(middle), {})
            low = middle
        except RecursionError:
            high = middle
    for depth in range(low - 8, low + 1):
        message, failed = here.pack_tasks([task(1, id, nested(depth))], 1, 2, 0.0)
        sent = message.ids if message else ()
        assert [*sent, *(bad.number for bad, _ in failed)] == [1]


def test_tasks_that_cannot_be_rebuilt_are_rejected(here, there):
    message, _ = here.pack_tasks([task(1, abs, -1), task(2, abs, Unrebuildable())], 1, 2, 0.0)
    rejected = there.unpack_tasks(over_the_wire(message))
    assert isinstance(rejected, RejectedTasks)
    assert rejected.ids == (1, 2)
    assert rejected.lacking == Lacking((), "", "")
    assert "rank 2" in rejected.reason
    assert "ValueError" in rejected.reason and "not a number" in rejected.reason
    assert os.uname().nodename in rejected.reason


def test_a_missing_definition_is_asked_for(here, there):
    function = (lambda: 1)
    lost, _ = here.pack_tasks([task(1, function)], 1, 2, 0.0)
    message, _ = here.pack_tasks([task(2, function)], 1, 2, 0.0)
    rejected = there.unpack_tasks(over_the_wire(message))
    assert rejected.lacking.keys == (lost.definitions[0].key,)
    here.codec.definitions.note_lacking(2, rejected.lacking.keys)
    again, _ = here.pack_tasks([task(2, function)], 1, 2, 0.0)
    assert again.definitions == lost.definitions
    [received] = there.unpack_tasks(over_the_wire(again))
    assert received.func() == 1


def test_definitions_are_sent_once(here, there):
    function, other = (lambda: 1), (lambda: 2)
    first, _ = here.pack_tasks([task(1, function)], 1, 2, 0.0)
    assert (len(first.definitions), first.needs) == (1, ())
    second, _ = here.pack_tasks([task(2, function), task(3, other)], 1, 2, 0.0)
    assert first.definitions[0].key not in {one.key for one in second.definitions}
    assert second.needs == (first.definitions[0].key,)
    there.unpack_tasks(over_the_wire(first))
    assert [one.func() for one in there.unpack_tasks(over_the_wire(second))] == [1, 2]


def test_all_that_is_lacking_is_named(here, there):
    """Also what the receiver would not have come to: it is sent once more, not twice."""
    tasks = [task(1, lambda: 1), task(2, lambda: 2)]
    first, _ = here.pack_tasks(tasks, 1, 2, 0.0)
    again, _ = here.pack_tasks(tasks, 1, 2, 0.0)
    rejected = there.unpack_tasks(over_the_wire(again))
    assert set(rejected.lacking.keys) == {one.key for one in first.definitions}


def test_it_can_bring_all_definitions(here, there):
    function = (lambda: 1)
    here.pack_tasks([task(1, function)], 1, 2, 0.0)
    again, _ = here.pack_tasks([task(1, function)], 1, 2, 0.0, all_definitions=True)
    assert (len(again.definitions), again.needs) == (1, ())
    chunked, _, _ = here.pack_chunk(chunk(function, [(), ()]), 2, all_definitions=True)
    assert len(chunked.definitions) == 1


def test_a_global_that_the_worker_lacks_is_named(here, there, monkeypatch):
    program = types.ModuleType("__main__")
    exec("def only_here(): pass", program.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", program)
    message, _ = here.pack_tasks([task(1, program.only_here)], 1, 2, 0.0)
    worker = types.ModuleType(PROGRAM_MODULE)
    monkeypatch.setitem(sys.modules, "__main__", worker)
    rejected = there.unpack_tasks(over_the_wire(message))
    assert (rejected.lacking.module, rejected.lacking.name) == (PROGRAM, "only_here")
    assert rejected.lacking.keys == ()


# -- chunks ----------------------------------------------------------------


def test_chunks_there_and_back(here, there):
    message, args, error = here.pack_chunk(chunk(abs, [-1, -2, -3], start=4), 2)
    assert (args, error) == ([-1, -2, -3], None)
    assert (message.map_id, message.start, message.length) == (9, 4, 3)
    received = there.unpack_chunk(over_the_wire(message))
    assert (received.owner, received.map_id, received.start, received.stop) == (1, 9, 4, 7)
    assert received.estimate_s == 0.5
    received.run(iter(range(9)).__next__)
    assert received.values == [1, 2, 3]


def test_starred_chunks(here, there):
    message, _, _ = here.pack_chunk(chunk(pow, [(2, 3), (3, 2)], starred=True), 2)
    received = there.unpack_chunk(over_the_wire(message))
    received.run(iter(range(9)).__next__)
    assert received.values == [8, 9]


def test_an_item_that_cannot_be_pickled(here):
    message, before, error = here.pack_chunk(chunk(abs, [1, 2, LOCK, 4], start=10), 2)
    assert message is None
    assert before == [1, 2]
    assert str(error).startswith(PREFIX)
    assert "item 12 for abs" in str(error)
    assert "lock" in str(error)


def test_a_mapped_function_that_cannot_be_pickled(here):
    message, before, error = here.pack_chunk(chunk(LOCK.acquire, [1, 2]), 2)
    assert message is None
    assert before == []
    assert str(error).startswith(PREFIX + "the function")


def test_no_item_gets_lost_when_pickling_fails_once(here):
    message, before, error = here.pack_chunk(chunk(id, [1, FirstTimeOnly(), 3]), 2)
    assert message is not None or error is not None


def test_chunks_that_cannot_be_rebuilt_are_rejected(here, there):
    message, _, _ = here.pack_chunk(chunk(abs, [1, Unrebuildable()], start=6), 2)
    rejected = there.unpack_chunk(over_the_wire(message))
    assert (rejected.map_id, rejected.start, rejected.length) == (9, 6, 2)
    assert "not a number" in rejected.reason
