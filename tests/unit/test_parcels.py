"""Work and outcomes there and back, and what is said when something cannot be sent."""

import os
import pickle
import sys
import threading
import traceback
import types

import pytest

from scoop_mpi import NotPicklableError, RemoteTraceback, TaskError
from scoop_mpi.codec import Codec, pack, unpack
from scoop_mpi.future import ForeignTask, Future
from scoop_mpi.mapcall import Chunk
from scoop_mpi.messages import Rejected
from scoop_mpi.names import PROGRAM, PROGRAM_MODULE
from scoop_mpi.parcels import Outcome, Parcels, outcome_of_chunk, outcome_of_task

PREFIX = "This element could not be pickled: "
LOCK = threading.Lock()


class Boom(Exception):
    """Raised by tasks on purpose."""


class TwoArguments(Exception):
    """Pickle alone would call it with one argument."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def refuse(*args):
    raise OSError("refused")


class Stubborn(Exception):
    """Cannot be rebuilt."""

    def __reduce__(self):
        return refuse, self.args


class WithLock(Exception):
    """Cannot be pickled."""

    def __init__(self):
        super().__init__("holds a lock")
        self.lock = LOCK


class NoText(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


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


def fail(error):
    raise error


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


def send_outcomes(there, here, outcomes):
    """What the owner gets to know of these outcomes."""
    records = [there.record(outcome) for outcome in outcomes]
    return here.unpack_records(over_the_wire(there.pack_results([], records)))


def send_outcome(there, here, outcome):
    [received] = send_outcomes(there, here, [outcome])
    return received


def send_error(there, here, error):
    """An error as it is when a task has raised it."""
    return send_outcome(there, here, outcome_of_task(run(1, fail, error))).error


def run(id_, func, *args, elapsed_s=0.0):
    """A task of rank 1 that has run."""
    one = ForeignTask(id_, 1, func, args, None)
    one.run()
    one.elapsed_s = elapsed_s
    return one


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
    assert isinstance(rejected, Rejected)
    assert rejected.ids == (1, 2)
    assert rejected.start == -1
    assert (rejected.missing, rejected.module, rejected.name) == ((), "", "")
    assert "rank 2" in rejected.reason
    assert "ValueError" in rejected.reason and "not a number" in rejected.reason
    assert os.uname().nodename in rejected.reason


def test_a_missing_definition_is_asked_for(here, there):
    function = (lambda: 1)
    lost, _ = here.pack_tasks([task(1, function)], 1, 2, 0.0)
    message, _ = here.pack_tasks([task(2, function)], 1, 2, 0.0)
    rejected = there.unpack_tasks(over_the_wire(message))
    assert rejected.missing == (lost.definitions[0].key,)
    here.codec.definitions.is_lacking(2, rejected.missing)
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
    assert set(rejected.missing) == {one.key for one in first.definitions}


def test_whole_brings_all_definitions(here, there):
    function = (lambda: 1)
    here.pack_tasks([task(1, function)], 1, 2, 0.0)
    again, _ = here.pack_tasks([task(1, function)], 1, 2, 0.0, whole=True)
    assert (len(again.definitions), again.needs) == (1, ())
    chunked, _, _ = here.pack_chunk(chunk(function, [(), ()]), 2, whole=True)
    assert len(chunked.definitions) == 1


def test_a_global_that_the_worker_lacks_is_named(here, there, monkeypatch):
    program = types.ModuleType("__main__")
    exec("def only_here(): pass", program.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", program)
    message, _ = here.pack_tasks([task(1, program.only_here)], 1, 2, 0.0)
    worker = types.ModuleType(PROGRAM_MODULE)
    monkeypatch.setitem(sys.modules, "__main__", worker)
    rejected = there.unpack_tasks(over_the_wire(message))
    assert (rejected.module, rejected.name) == (PROGRAM, "only_here")
    assert rejected.missing == ()


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
    assert (rejected.ids, rejected.start, rejected.length) == ((9,), 6, 2)
    assert "not a number" in rejected.reason


# -- outcomes --------------------------------------------------------------


def test_the_outcome_of_a_task():
    assert outcome_of_task(run(3, abs, -5, elapsed_s=0.25)) == Outcome(3, -1, 0.25, 5, None, 1)


def test_the_outcome_of_a_chunk():
    done = chunk(abs, [-1, -2], start=5)
    done.run(iter(range(9)).__next__)
    assert outcome_of_chunk(done) == Outcome(9, 5, 1, [1, 2], None, 2)


def test_the_outcome_of_a_chunk_with_an_error():
    done = chunk(abs, [-1, "x", -2, -3], start=5)
    done.run(iter(range(9)).__next__)
    outcome = outcome_of_chunk(done)
    assert (outcome.start, outcome.value, outcome.length) == (5, [1], 4)
    assert isinstance(outcome.error, TypeError)


@pytest.mark.parametrize("value", [
    None, 0, False, 1.5, "text", b"bytes", 2j, [1, [2]], {"a": (1,)}, {3, 4}, "\ud800",
], ids=repr)
def test_values_come_back(here, there, value):
    outcome = Outcome(3, -1, 0.5, value, None, 1)
    assert send_outcome(there, here, outcome) == outcome


def test_values_of_a_chunk_come_back(here, there):
    outcome = Outcome(3, 7, 0.5, [1, None, [2]], None, 3)
    assert send_outcome(there, here, outcome) == outcome


def test_functions_come_back(here, there):
    assert send_outcome(there, here, Outcome(3, -1, 0.0, lambda: 5, None, 1)).value() == 5


def test_many_outcomes_in_one_message(here, there):
    outcomes = [Outcome(n, -1, 0.0, [n], None, 1) for n in range(50)]
    assert send_outcomes(there, here, outcomes) == outcomes


def test_plain_results_of_tasks_need_no_record(here, there):
    tasks = [run(n, abs, -n, elapsed_s=0.5) for n in range(1, 9)]
    message = over_the_wire(there.pack_results(tasks, []))
    assert message.ids == tuple(range(1, 9))
    assert list(message.values) == list(range(1, 9))
    assert here.unpack_records(message) == []
    assert message.elapsed_s == 0.5


def test_results_of_tasks_of_every_kind(here, there):
    tasks = [
        run(1, abs, -1), run(2, list, "ab"), run(3, fail, Boom("x")), run(4, lambda: LOCK),
        run(5, lambda: lambda: 6), run(6, str, 7),
    ]
    plain = [one for one in tasks if one.number in (1, 6)]
    outcomes = [outcome_of_task(one) for one in tasks if one not in plain]
    outcomes.append(Outcome(9, 0, 0.0, [1], None, 1))
    message = over_the_wire(there.pack_results(plain, [there.record(one) for one in outcomes]))
    assert dict(zip(message.ids, message.values)) == {1: 1, 6: "7"}
    records = {record.id: record for record in here.unpack_records(message)}
    assert set(records) == {2, 3, 4, 5, 9}
    assert records[2].value == ["a", "b"]
    assert isinstance(records[3].error, Boom)
    assert isinstance(records[4].error, NotPicklableError)
    assert records[5].value() == 6
    assert (records[9].start, records[9].value) == (0, [1])


def test_a_result_that_cannot_be_pickled(here, there):
    outcomes = [
        Outcome(1, -1, 0.0, [1], None, 1), Outcome(2, -1, 0.0, LOCK, None, 1),
        Outcome(3, -1, 0.0, [3], None, 1),
    ]
    first, bad, last = send_outcomes(there, here, outcomes)
    assert (first, last) == (outcomes[0], outcomes[2])
    assert bad.value is None
    assert isinstance(bad.error, NotPicklableError)
    assert str(bad.error).startswith(PREFIX + "the result")
    assert "lock" in str(bad.error)


def test_a_result_of_a_chunk_that_cannot_be_pickled(here, there):
    received = send_outcome(there, here, Outcome(9, 10, 0.0, [1, [2], LOCK, 4], None, 4))
    assert received.value == [1, [2]]
    assert received.length == 4
    assert str(received.error).startswith(PREFIX + "the result of item 12")


def test_a_result_that_cannot_be_pickled_before_an_error(here, there):
    received = send_outcome(there, here, Outcome(9, 10, 0.0, [1, LOCK], Boom("later"), 4))
    assert (received.value, received.length) == ([1], 4)
    assert isinstance(received.error, NotPicklableError)


def test_a_result_that_cannot_be_rebuilt(here, there):
    outcomes = [Outcome(n, -1, 0.0, [n] if n != 2 else Unrebuildable(), None, 1)
                for n in (1, 2, 3)]
    first, bad, last = send_outcomes(there, here, outcomes)
    assert (first, last) == (outcomes[0], outcomes[2])
    assert bad.value is None
    assert isinstance(bad.error, NotPicklableError)
    assert "not a number" in str(bad.error)


def test_a_result_of_a_chunk_that_cannot_be_rebuilt(here, there):
    outcome = Outcome(9, 10, 0.0, [1, [2], Unrebuildable(), 4], None, 4)
    received = send_outcome(there, here, outcome)
    assert isinstance(received.error, NotPicklableError)
    assert received.length == 4
    # A map raises where the result would come, and not before.
    assert received.value == [1, [2]]


def test_no_result_gets_lost_when_pickling_fails_once(here, there):
    for start, value in ((-1, FirstTimeOnly()), (5, [1, FirstTimeOnly()])):
        received = send_outcome(there, here, Outcome(3, start, 0.0, value, None, 2))
        assert received.error is not None or received.value is not None


# -- errors ----------------------------------------------------------------


@pytest.mark.parametrize("error", [
    Boom("x", 3), KeyError("k"), OSError(2, "No such file", "name"), SystemExit(3),
    KeyboardInterrupt(), StopIteration(1), UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
], ids=lambda error: type(error).__name__)
def test_errors_keep_their_type_and_arguments(here, there, error):
    received = send_error(there, here, error)
    assert type(received) is type(error)
    assert received.args == error.args
    assert str(received) == str(error)


def test_errors_defined_locally(here, there):
    class Local(Boom):
        pass

    received = send_error(there, here, Local("text"))
    assert type(received).__name__ == "Local"
    assert isinstance(received, Boom)
    assert received.args == ("text",)


def test_the_remote_traceback_is_the_cause(here, there):
    cause = send_error(there, here, Boom("x")).__cause__
    assert isinstance(cause, RemoteTraceback)
    assert (cause.rank, cause.host) == (2, os.uname().nodename)
    assert "in fail" in cause.text
    assert cause.text.rstrip().endswith("Boom: x")


def test_the_remote_traceback_is_readable_when_printed(here, there):
    error = send_error(there, here, Boom("x"))
    try:
        raise error
    except Boom:
        printed = traceback.format_exc()
    assert "raised on rank 2" in printed
    assert "raise error" in printed
    assert "in fail\n" in printed
    assert "direct cause of the following exception" in printed
    assert "\\n" not in printed


def test_the_remote_traceback_tells_of_earlier_errors(here, there):
    def chain():
        try:
            raise KeyError("first")
        except KeyError as error:
            raise Boom("second") from error

    received = send_outcome(there, here, outcome_of_task(run(1, chain))).error
    assert "KeyError: 'first'" in received.__cause__.text


@pytest.mark.parametrize("error, message", [
    (Stubborn("refuses"), "refuses"), (WithLock(), "holds a lock"),
], ids=["cannot be rebuilt", "cannot be pickled"])
def test_errors_that_cannot_travel_become_task_errors(here, there, error, message):
    received = send_error(there, here, error)
    assert isinstance(received, TaskError)
    assert received.type_name.endswith(type(error).__qualname__)
    assert received.message == message
    assert "in fail" in received.traceback
    assert isinstance(received.__cause__, RemoteTraceback)


def test_an_error_whose_init_takes_something_else(here, there):
    received = send_error(there, here, TwoArguments("a", "b"))
    assert type(received) is TwoArguments
    assert received.args == ("a and b",)


def test_builtin_errors_are_named_without_their_module(here, there):
    error = ValueError("x")
    error.lock = LOCK
    assert send_error(there, here, error).type_name == "ValueError"


def test_an_error_without_text(here, there):
    received = send_error(there, here, NoText())
    assert isinstance(received, (NoText, TaskError))
    assert isinstance(received.__cause__, RemoteTraceback)


def test_an_error_that_turns_into_something_else(here, there):
    class Odd(Exception):
        def __reduce__(self):
            return str, ("not an error",)

    assert isinstance(send_error(there, here, Odd("odd")), TaskError)


def test_an_error_passed_on_twice(here, there):
    once = send_error(there, here, Boom("x"))
    other = Parcels(Codec(), 3)
    twice = send_error(other, there, once)
    assert type(twice) is Boom
    assert twice.__cause__.rank == 3
    assert "raised on rank 2" in twice.__cause__.text


def test_errors_can_be_pickled_again(here, there):
    received = send_error(there, here, Stubborn("refuses"))
    assert str(pickle.loads(pickle.dumps(received))) == str(received)
