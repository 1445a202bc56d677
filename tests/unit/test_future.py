"""One future: states, outcome, callbacks, as ``concurrent.futures.Future``."""

import concurrent.futures
import copy
import functools
import logging
import pickle
import time

import pytest

from scoop_mpi import NotPicklableError
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.tasks.future import (
    CANCELLED, FINISHED, PENDING, RUNNING, SENT, Future, State, name_of,
)

pytestmark = pytest.mark.usefixtures("scheduler")


class Boom(Exception):
    """Raised by tasks on purpose."""


class Hard(BaseException):
    """An exception that is no ``Exception``."""


def fail(error):
    raise error


# -- states ----------------------------------------------------------------


def test_life_of_a_future():
    seen = []

    def look():
        seen.append((future.state, future.running(), future.cancelled(), future.cancel()))

    future = futures.submit(look)
    assert (future.state, future.running(), future.cancelled()) == (PENDING, False, False)
    future.result()
    assert seen == [(RUNNING, True, False, False)]
    assert (future.state, future.running(), future.cancelled()) == (FINISHED, False, False)
    assert future.done()


def test_running_while_it_is_elsewhere():
    future = futures.submit(abs, 1)
    future.state = SENT
    assert future.running()
    assert not future.cancel()
    future.state = PENDING
    assert future.result() == 1


def test_done_gets_true_by_asking():
    futures.submit(abs, 2)
    future = futures.submit(abs, 1)
    futures.submit(abs, 3)
    asked = 0
    while not future.done():
        asked += 1
        assert asked <= 100
    assert future.result() == 1


def test_done_after_an_error():
    future = futures.submit(fail, Boom())
    assert isinstance(future.exception(), Boom)
    assert future.done()
    assert not future.running()
    assert not future.cancelled()


def test_done_inside_the_task_itself():
    future = futures.submit(lambda: future.done())
    assert future.result() is False


@pytest.mark.parametrize("state", list(State))
def test_repr_names_the_task_and_its_state(state):
    future = Future(7, abs, (), None)
    future.state = state
    assert "abs" in repr(future)
    assert state.value in repr(future)


# -- result and exception --------------------------------------------------


def test_result_again_and_again():
    future = futures.submit(list, "ab")
    assert future.result() is future.result()


def test_result_of_none_and_false():
    assert futures.submit(print, end="").result() is None
    assert futures.submit(bool, 0).result() is False


def test_exception_is_none_without_one():
    assert futures.submit(abs, 1).exception() is None


@pytest.mark.parametrize("error", [
    Boom("x"), KeyError("k"), Hard("h"), SystemExit(3), KeyboardInterrupt(), StopIteration(1),
], ids=lambda e: type(e).__name__)
def test_errors_of_every_kind(error):
    future = futures.submit(fail, error)
    assert future.exception() is error
    with pytest.raises(type(error)) as raised:
        future.result()
    assert raised.value is error


@pytest.mark.parametrize("error", [Boom("x"), Hard("h")])
def test_errors_in_tasks_of_another_greenlet(error):
    future = futures.submit(fail, error)
    futures.wait([future], timeout=60, return_when=futures.FIRST_COMPLETED)
    assert future.exception() is error


def test_exception_waits():
    future = futures.submit(fail, Boom())
    assert future.state is PENDING
    assert isinstance(future.exception(timeout=60), Boom)


def test_the_traceback_shows_where_it_was_raised():
    with pytest.raises(Boom) as raised:
        futures.submit(fail, Boom()).result()
    assert raised.traceback[-1].name == "fail"


def test_a_task_may_return_an_exception():
    error = Boom()
    future = futures.submit(lambda: error)
    assert future.result() is error
    assert future.exception() is None


@pytest.mark.parametrize("method", ["result", "exception"])
def test_timeout(method):
    holder = []

    def wait_for_self():
        return getattr(holder[0], method)(timeout=0.02)

    holder.append(futures.submit(wait_for_self))
    assert isinstance(holder[0].exception(), concurrent.futures.TimeoutError)


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all(timeout):
    holder = []
    holder.append(futures.submit(lambda: holder[0].result(timeout=timeout)))
    with pytest.raises(futures.TimeoutError):
        holder[0].result()


def test_enough_time():
    assert futures.submit(abs, -4).result(timeout=60) == 4
    assert futures.submit(abs, -4).result(60) == 4


def test_timeout_while_others_run():
    first = futures.submit(abs, -1)
    fs = [futures.submit(time.sleep, 0.02) for _ in range(30)]
    with pytest.raises(futures.TimeoutError):
        first.result(timeout=0.05)
    assert any(not f.done() for f in fs)
    assert first.result() == 1


@pytest.mark.parametrize("timeout", [0.055, 0.065])
def test_timeout_of_a_clock_that_jumps(scheduler, timeout):
    now = [0.0]

    def clock():
        now[0] += 0.01
        return now[0]

    scheduler.clock = clock
    holder = []
    holder.append(futures.submit(lambda: holder[0].result(timeout=timeout)))
    with pytest.raises(futures.TimeoutError):
        holder[0].result()


def test_a_finished_result_needs_no_time():
    future = futures.submit(abs, -1)
    future.result()
    assert future.result(timeout=0) == 1


# -- cancel ----------------------------------------------------------------


def test_cancel():
    ran = []
    future = futures.submit(ran.append, 1)
    assert future.cancel()
    assert future.cancelled()
    assert future.done()
    assert not future.running()
    assert future.state is CANCELLED
    futures.submit(abs, 1).result()
    futures.wait([futures.submit(abs, 1)], return_when=futures.FIRST_COMPLETED)
    assert ran == []


def test_cancel_twice():
    future = futures.submit(abs, 1)
    assert future.cancel()
    assert future.cancel()


@pytest.mark.parametrize("timeout", [None, 0, 1])
def test_outcome_of_a_cancelled_future(timeout):
    future = futures.submit(abs, 1)
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout)
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception(timeout)


def test_cancel_too_late():
    future = futures.submit(abs, -1)
    future.result()
    assert not future.cancel()
    assert not future.cancelled()
    assert future.result() == 1


def test_cancel_of_a_failed_one():
    future = futures.submit(fail, Boom())
    future.exception()
    assert not future.cancel()
    assert isinstance(future.exception(), Boom)


def test_cancel_wakes_a_task_that_waits():
    target = futures.submit(abs, 1)
    waiting = futures.submit(lambda: target.exception(timeout=60))
    cancelling = futures.submit(target.cancel)
    futures.wait([waiting, cancelling], timeout=60)
    if cancelling.result():
        assert isinstance(waiting.exception(), concurrent.futures.CancelledError)
    else:
        assert waiting.result() is None


# -- callbacks -------------------------------------------------------------


def test_callbacks_in_the_order_they_were_added():
    called = []
    future = futures.submit(abs, 1)
    for n in range(5):
        future.add_done_callback(functools.partial(lambda n, f: called.append((n, f)), n))
    assert called == []
    future.result()
    assert called == [(n, future) for n in range(5)]


def test_callback_of_a_done_future_is_called_at_once():
    future = futures.submit(abs, 1)
    future.result()
    called = []
    future.add_done_callback(called.append)
    assert called == [future]


def test_callback_sees_the_outcome():
    seen = []
    future = futures.submit(abs, -3)
    future.add_done_callback(lambda f: seen.append((f.done(), f.result(), f.exception())))
    future.result()
    assert seen == [(True, 3, None)]


def test_callback_after_an_error():
    seen = []
    future = futures.submit(fail, Boom())
    future.add_done_callback(lambda f: seen.append(type(f.exception())))
    future.exception()
    assert seen == [Boom]


def test_callback_when_cancelled():
    called = []
    future = futures.submit(abs, 1)
    future.add_done_callback(called.append)
    assert future.cancel()
    assert called == [future]
    future.add_done_callback(called.append)
    assert called == [future, future]
    future.cancel()
    assert called == [future, future]


def test_callback_added_twice_is_called_twice():
    called = []
    future = futures.submit(abs, 1)
    future.add_done_callback(called.append)
    future.add_done_callback(called.append)
    future.result()
    assert called == [future, future]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()],
                         ids=lambda error: type(error).__name__)
def test_a_callback_ends_neither_the_program_nor_a_task(caplog, error):
    future = futures.submit(abs, -1)
    called = []
    future.add_done_callback(lambda f: fail(error))
    future.add_done_callback(called.append)
    assert future.result() == 1
    future.add_done_callback(lambda f: fail(error))
    assert called == [future]
    assert caplog.text.count(type(error).__name__) >= 2


def test_callback_errors_are_logged_and_ignored(caplog):
    called = []
    future = futures.submit(abs, -1)
    future.add_done_callback(lambda f: fail(Boom("in a callback")))
    future.add_done_callback(called.append)
    with caplog.at_level(logging.ERROR):
        assert future.result() == 1
    assert called == [future]
    assert "in a callback" in caplog.text


def test_callback_errors_of_a_done_future_are_logged(caplog):
    future = futures.submit(abs, -1)
    future.result()
    with caplog.at_level(logging.ERROR):
        future.add_done_callback(lambda f: fail(Boom("too late")))
    assert "too late" in caplog.text


def test_callback_that_adds_a_callback():
    called = []
    future = futures.submit(abs, 1)
    future.add_done_callback(lambda f: f.add_done_callback(called.append))
    future.result()
    assert called == [future]


def test_callback_that_submits_and_waits():
    sums = []
    future = futures.submit(abs, -4)
    future.add_done_callback(lambda f: sums.append(futures.submit(pow, f.result(), 2).result()))
    future.result()
    while not sums:  # those who wait for the future may go on before
        context.current().poll()
    assert sums == [16]


def test_callback_that_waits_for_one_who_waits_for_the_future():
    # As in CPython: those who wait are told first, then callbacks run.
    gate = futures.submit(abs, -1)
    waiting = futures.submit(lambda: future.result() + 1)
    future = futures.submit(lambda: gate.result(timeout=60))
    seen = []
    future.add_done_callback(lambda f: seen.append(waiting.result()))
    futures.wait([future, waiting], return_when=futures.FIRST_COMPLETED)
    assert waiting.result() == 2
    assert seen == [2]


# -- the rest --------------------------------------------------------------


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_future_cannot_be_sent(copying):
    with pytest.raises(NotPicklableError, match=r"could not be pickled: <Future.*result\(\)"):
        copying(futures.submit(abs, 1))


def test_futures_are_keys():
    first, second = futures.submit(abs, 1), futures.submit(abs, 1)
    assert first != second
    assert len({first, second, first}) == 2


def test_names_of_callables():
    class Callable:
        def __call__(self):
            return None

    def local():
        return None

    assert name_of(abs) == "abs"
    assert name_of(local).endswith("local")
    assert name_of(functools.partial(functools.partial(abs), 1)) == "abs"
    assert name_of(Callable()).endswith("Callable")
    assert name_of([].append) == "list.append"
