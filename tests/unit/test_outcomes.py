"""What has become of work there and back, and what is said when it cannot be sent."""

import os
import pickle
import threading
import traceback

import pytest

from scoop_mpi import NotPicklableError, RemoteTraceback, TaskError
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import ForeignTask
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.frame import pack, unpack
from scoop_mpi.wire.outcomes import (
    ItemsOutcome, Outcomes, TaskOutcome, outcome_of_chunk, outcome_of_task,
)

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


def chunk(func, args, start=0, starred=False):
    return Chunk(1, 9, func, starred, start, list(args), 0.5)


def over_the_wire(message):
    return unpack(*pack(message))


@pytest.fixture
def here():
    """The owner: rank 1."""
    return Outcomes(Codec(), 1)


@pytest.fixture
def there():
    """The executor: rank 2."""
    return Outcomes(Codec(), 2)


def send_outcomes(there, here, outcomes):
    """What the owner gets to know of these outcomes."""
    records = [there.record(outcome) for outcome in outcomes]
    return here.unpack(over_the_wire(there.pack([], records)))


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


# -- outcomes --------------------------------------------------------------


def test_the_outcome_of_a_task():
    assert outcome_of_task(run(3, abs, -5, elapsed_s=0.25)) == TaskOutcome(3, 0.25, 5, None)


def test_the_outcome_of_a_chunk():
    done = chunk(abs, [-1, -2], start=5)
    done.run(iter(range(9)).__next__)
    assert outcome_of_chunk(done) == ItemsOutcome(9, 5, 2, 1, [1, 2], None)


def test_the_outcome_of_a_chunk_with_an_error():
    done = chunk(abs, [-1, "x", -2, -3], start=5)
    done.run(iter(range(9)).__next__)
    outcome = outcome_of_chunk(done)
    assert (outcome.start, outcome.values, outcome.length) == (5, [1], 4)
    assert isinstance(outcome.error, TypeError)


@pytest.mark.parametrize("value", [
    None, 0, False, 1.5, "text", b"bytes", 2j, [1, [2]], {"a": (1,)}, {3, 4}, "\ud800",
], ids=repr)
def test_values_come_back(here, there, value):
    outcome = TaskOutcome(3, 0.5, value, None)
    assert send_outcome(there, here, outcome) == outcome


def test_values_of_a_chunk_come_back(here, there):
    outcome = ItemsOutcome(3, 7, 3, 0.5, [1, None, [2]], None)
    assert send_outcome(there, here, outcome) == outcome


def test_functions_come_back(here, there):
    assert send_outcome(there, here, TaskOutcome(3, 0.0, lambda: 5, None)).value() == 5


def test_many_outcomes_in_one_message(here, there):
    outcomes = [TaskOutcome(n, 0.0, [n], None) for n in range(50)]
    assert send_outcomes(there, here, outcomes) == outcomes


def test_plain_results_of_tasks_need_no_record(here, there):
    tasks = [run(n, abs, -n, elapsed_s=0.5) for n in range(1, 9)]
    message = over_the_wire(there.pack(tasks, []))
    assert message.ids == tuple(range(1, 9))
    assert list(message.values) == list(range(1, 9))
    assert message.records == b""
    assert message.elapsed_s == 0.5


def test_results_of_tasks_of_every_kind(here, there):
    tasks = [
        run(1, abs, -1), run(2, list, "ab"), run(3, fail, Boom("x")), run(4, lambda: LOCK),
        run(5, lambda: lambda: 6), run(6, str, 7),
    ]
    plain = [one for one in tasks if one.number in (1, 6)]
    outcomes = [outcome_of_task(one) for one in tasks if one not in plain]
    outcomes.append(ItemsOutcome(9, 0, 1, 0.0, [1], None))
    message = over_the_wire(there.pack(plain, [there.record(one) for one in outcomes]))
    assert dict(zip(message.ids, message.values)) == {1: 1, 6: "7"}
    *of_tasks, of_items = here.unpack(message)
    records = {record.number: record for record in of_tasks}
    assert set(records) == {2, 3, 4, 5}
    assert records[2].value == ["a", "b"]
    assert isinstance(records[3].error, Boom)
    assert isinstance(records[4].error, NotPicklableError)
    assert records[5].value() == 6
    assert of_items == ItemsOutcome(9, 0, 1, 0.0, [1], None)


def test_a_result_that_cannot_be_pickled(here, there):
    outcomes = [
        TaskOutcome(1, 0.0, [1], None), TaskOutcome(2, 0.0, LOCK, None),
        TaskOutcome(3, 0.0, [3], None),
    ]
    first, bad, last = send_outcomes(there, here, outcomes)
    assert (first, last) == (outcomes[0], outcomes[2])
    assert bad.value is None
    assert isinstance(bad.error, NotPicklableError)
    assert str(bad.error).startswith(PREFIX + "the result")
    assert "lock" in str(bad.error)


def test_a_result_of_a_chunk_that_cannot_be_pickled(here, there):
    received = send_outcome(there, here, ItemsOutcome(9, 10, 4, 0.0, [1, [2], LOCK, 4], None))
    assert received.values == [1, [2]]
    assert received.length == 4
    assert str(received.error).startswith(PREFIX + "the result of item 12")


def test_a_result_that_cannot_be_pickled_before_an_error(here, there):
    received = send_outcome(there, here, ItemsOutcome(9, 10, 4, 0.0, [1, LOCK], Boom("later")))
    assert (received.values, received.length) == ([1], 4)
    assert isinstance(received.error, NotPicklableError)


def test_a_result_that_cannot_be_rebuilt(here, there):
    outcomes = [TaskOutcome(n, 0.0, [n] if n != 2 else Unrebuildable(), None)
                for n in (1, 2, 3)]
    first, bad, last = send_outcomes(there, here, outcomes)
    assert (first, last) == (outcomes[0], outcomes[2])
    assert bad.value is None
    assert isinstance(bad.error, NotPicklableError)
    assert "not a number" in str(bad.error)


def test_a_result_of_a_chunk_that_cannot_be_rebuilt(here, there):
    outcome = ItemsOutcome(9, 10, 4, 0.0, [1, [2], Unrebuildable(), 4], None)
    received = send_outcome(there, here, outcome)
    assert isinstance(received.error, NotPicklableError)
    assert received.length == 4
    # A map raises where the result would come, and not before.
    assert received.values == [1, [2]]


def test_no_result_gets_lost_when_pickling_fails_once(here, there):
    of_task = send_outcome(there, here, TaskOutcome(3, 0.0, FirstTimeOnly(), None))
    assert of_task.error is not None or of_task.value is not None
    of_items = send_outcome(there, here, ItemsOutcome(3, 5, 2, 0.0, [1, FirstTimeOnly()], None))
    assert of_items.error is not None or len(of_items.values) == 2


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
    other = Outcomes(Codec(), 3)
    twice = send_error(other, there, once)
    assert type(twice) is Boom
    assert twice.__cause__.rank == 3
    assert "raised on rank 2" in twice.__cause__.text


def test_errors_can_be_pickled_again(here, there):
    received = send_error(there, here, Stubborn("refuses"))
    assert str(pickle.loads(pickle.dumps(received))) == str(received)
