"""What goes wrong in tasks reaches those who wait for them, and harms nobody else."""

import os
import sys
import threading
import traceback

from checking import (
    MANY, assert_raises, assert_spread, doze, nap, run_checks, several_workers,
)

import scoop_mpi
from scoop_mpi import futures

PREFIX = "This element could not be pickled: "
ROOT_PID = os.getpid()


class OwnError(Exception):
    """As programs define them."""


class TwoArguments(Exception):
    """Pickle alone would call it with one argument."""

    def __init__(self, code, reason):
        super().__init__(f"{reason} (code {code})")
        self.code = code


class HoldsALock(Exception):
    """Cannot be pickled at all."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class CannotBeRebuilt(Exception):
    def __reduce__(self):
        return refuse, ("an error",)


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text either")


class Stubborn:
    """Pickles well, but cannot be rebuilt."""

    def __reduce__(self):
        return refuse, ("stubborn",)


def refuse(what):
    raise OSError(f"{what} refuses")


def raise_after_nap(kind, *args):
    doze()
    error = kind(*args)
    error.pid = os.getpid()
    raise error


def raise_from_deep(n):
    doze()
    try:
        {}["missing"]
    except KeyError as error:
        raise OwnError(os.getpid(), n) from error


def raise_in_a_subtask(n):
    return futures.submit(raise_from_deep, n).result()


def exit_after_nap(code):
    doze()
    sys.exit(code)


def use(thing, n=0, **more):
    doze()
    return n, os.getpid()


def make_lock(n):
    doze()
    return threading.Lock()


def make_stubborn(n):
    doze()
    return Stubborn()


def errors_of(function, *argument_tuples):
    """The exceptions of as many tasks, some of which run elsewhere."""
    fs = [futures.submit(function, *args) for args in argument_tuples]
    return [f.exception() for f in fs]


def assert_pool_goes_on():
    """Everybody works after what happened."""
    done = list(futures.map(nap, range(MANY)))
    assert [value for value, _ in done] == list(range(MANY))
    assert_spread(pid for _, pid in done)


def assert_cause(error, *texts):
    """Where it happened: in the cause, and in what is printed."""
    cause = error.__cause__
    assert type(cause) is scoop_mpi.RemoteTraceback, repr(cause)
    assert cause.rank > 1
    assert cause.host == os.uname().nodename
    printed = "".join(traceback.format_exception(error))
    for text in (f"rank {cause.rank}", cause.host, *texts):
        assert text in str(cause), str(cause)
        assert text in printed, printed


def check_same_type_and_arguments():
    for kind in (ValueError, OwnError, KeyError, StopIteration, ZeroDivisionError):
        for error in errors_of(raise_after_nap, *[(kind, "why", n) for n in range(6)]):
            assert type(error) is kind, repr(error)
            assert error.args[0] == "why"
            assert error.pid
    raised = assert_raises(OwnError, futures.submit(raise_after_nap, OwnError, 1).result)
    assert raised.args == (1,)


def check_os_errors_keep_their_fields():
    for error in errors_of(raise_after_nap, *[(FileNotFoundError, 2, "no", "a.txt")] * MANY):
        assert type(error) is FileNotFoundError
        assert (error.errno, error.strerror, error.filename) == (2, "no", "a.txt")


def check_cause_is_the_remote_traceback():
    errors = errors_of(raise_from_deep, *[(n,) for n in range(MANY)])
    assert [error.args[1] for error in errors] == list(range(MANY))
    assert_spread(error.args[0] for error in errors)
    for error in errors:
        if error.args[0] != ROOT_PID:
            assert_cause(error, "raise_from_deep", "KeyError: 'missing'", "errors.py")
        else:
            assert type(error.__cause__) is KeyError


def check_errors_in_maps():
    for verb in (futures.map, futures.map_as_completed):
        error = assert_raises(OwnError, list, verb(raise_from_deep, range(MANY)))
        assert error.args[1] in range(MANY)
        if error.args[0] != ROOT_PID:
            assert_cause(error, "raise_from_deep")
    assert_pool_goes_on()


def check_errors_in_reductions():
    for verb in (futures.mapReduce, futures.mapScan):
        assert_raises(OwnError, verb, raise_from_deep, max, range(MANY))
        assert_raises(ZeroDivisionError, verb, int, lambda a, b: 1 // 0, range(MANY))
    assert_pool_goes_on()


def check_errors_of_subtasks_pass_through():
    for error in errors_of(raise_in_a_subtask, *[(n,) for n in range(MANY)]):
        assert type(error) is OwnError
        printed = "".join(traceback.format_exception(error))
        assert "raise_from_deep" in printed, printed


def check_exit_in_a_task_is_its_outcome():
    for error in errors_of(exit_after_nap, *[(n,) for n in range(MANY)]):
        assert type(error) is SystemExit
    assert_pool_goes_on()


def check_errors_that_cannot_travel():
    for error in errors_of(raise_after_nap, *[(TwoArguments, 7, "too hot")] * MANY):
        assert (type(error), str(error), error.code) == (TwoArguments, "too hot (code 7)", 7)
    for kind, args, text in (
        (CannotBeRebuilt, ("refuses",), "refuses"),
        (HoldsALock, ("locked",), "locked"),
    ):
        errors = errors_of(raise_after_nap, *[(kind, *args)] * MANY)
        own = [error for error in errors if type(error) is kind]
        remote = [error for error in errors if type(error) is scoop_mpi.TaskError]
        assert len(own) + len(remote) == MANY, errors
        assert bool(remote) == several_workers(), errors
        for error in remote:
            assert error.type_name.endswith(kind.__name__), error.type_name
            assert error.message == text
            assert kind.__name__ in str(error)
            assert text in str(error)
            assert "raise_after_nap" in error.traceback
            assert_cause(error, "raise_after_nap")
    assert_pool_goes_on()


def check_error_without_text():
    errors = errors_of(raise_after_nap, *[(NoText,)] * MANY)
    assert all(type(error) in (NoText, scoop_mpi.TaskError) for error in errors), errors
    assert_pool_goes_on()


def check_same_error_again():
    """Each result() raises it; the second no less than the first."""
    future = futures.submit(raise_from_deep, 1)
    for _ in range(2):
        assert_raises(OwnError, future.result)
    assert type(future.exception()) is OwnError


def refused(fs, *names):
    """Those futures that had to travel and could not say so, all of them, readably.

    The others were run by the root itself. There may be none: one worker that asks for
    work is enough to find out of each waiting task that it does not pickle.
    """
    errors = [error for f in fs if (error := f.exception()) is not None]
    for error in errors:
        assert type(error) is scoop_mpi.NotPicklableError, repr(error)
        assert str(error).startswith(PREFIX), error
        for name in names:
            assert name in str(error), error
    assert bool(errors) == several_workers(), errors
    return errors


def check_unpicklable_arguments():
    refused([futures.submit(use, threading.Lock()) for _ in range(MANY)], "lock")
    refused([futures.submit(use, 1, n=threading.Lock()) for _ in range(MANY)], "lock")
    assert_pool_goes_on()


def check_unpicklable_argument_among_good_ones():
    fs = [futures.submit(use, threading.Lock() if n % 3 == 0 else n, n) for n in range(2 * MANY)]
    for n, future in enumerate(fs):
        if n % 3:
            assert future.result()[0] == n
    refused(fs, "lock")
    assert_pool_goes_on()


def check_unpicklable_function():
    lock = threading.Lock()
    refused([futures.submit(lambda: use(lock)) for _ in range(MANY)], "lock")
    refused([futures.submit(use, iter((n for n in range(3)))) for n in range(MANY)], "generator")
    assert_pool_goes_on()


def check_futures_are_not_picklable():
    inner = futures.submit(nap)
    refused([futures.submit(use, inner) for _ in range(MANY)], "Future")
    inner.result()
    assert_pool_goes_on()


def check_unpicklable_item_in_a_map():
    for verb in (futures.map, futures.map_as_completed):
        results = verb(use, [threading.Lock() for _ in range(MANY)])
        if several_workers():
            error = assert_raises(scoop_mpi.NotPicklableError, list, results)
            assert str(error).startswith(PREFIX)
            assert "lock" in str(error)
        else:
            assert len(list(results)) == MANY
    assert_pool_goes_on()


def check_unpicklable_result():
    refused([futures.submit(make_lock, n) for n in range(MANY)], "lock")
    if several_workers():
        error = assert_raises(
            scoop_mpi.NotPicklableError, list, futures.map(make_lock, range(MANY)))
        assert str(error).startswith(PREFIX)
        assert "lock" in str(error)
    assert_pool_goes_on()


def check_arguments_that_cannot_be_rebuilt():
    refused([futures.submit(use, Stubborn()) for _ in range(MANY)], "stubborn refuses")
    fs = [futures.submit(use, Stubborn() if n % 3 == 0 else n, n) for n in range(2 * MANY)]
    for n, future in enumerate(fs):
        if n % 3:
            assert future.result()[0] == n
    if several_workers():
        error = assert_raises(
            scoop_mpi.NotPicklableError, list, futures.map(use, [Stubborn()] * MANY))
        assert str(error).startswith(PREFIX)
    assert_pool_goes_on()


def check_results_that_cannot_be_rebuilt():
    refused([futures.submit(make_stubborn, n) for n in range(MANY)], "stubborn refuses")
    assert_pool_goes_on()


if __name__ == "__main__":
    run_checks(globals())
