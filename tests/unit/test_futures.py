"""The verbs of ``futures``, serially in one process: PEP 3148 and SCOOP's manual."""

import concurrent.futures
import gc
import operator
import threading
import weakref

import pytest

from scoop_mpi import DeadlockError, ThreadError
from scoop_mpi import futures
from scoop_mpi.base import context

pytestmark = pytest.mark.usefixtures("scheduler")


class Boom(Exception):
    """Raised by tasks on purpose."""


def square(number):
    return number * number


def fail(error):
    raise error


def reference(obj):
    """A weak reference, for those that must not keep ``obj`` alive."""
    return weakref.ref(obj)


class Thing:
    def __init__(self, number=0):
        self.number = number


# -- names -----------------------------------------------------------------


def test_exports_the_names_of_the_standard_library():
    for name in ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "CancelledError",
                 "TimeoutError"):
        assert getattr(futures, name) is getattr(concurrent.futures, name)


def test_everything_in_all_exists():
    assert all(hasattr(futures, name) for name in futures.__all__)


def test_the_names_of_the_manual_are_there():
    assert {"as_completed", "map", "map_as_completed", "mapReduce", "mapScan", "shutdown",
            "startup", "submit", "wait"} <= set(futures.__all__)


# -- submit ----------------------------------------------------------------


def test_submit_returns_a_future_of_the_result():
    future = futures.submit(pow, 2, 5)
    assert isinstance(future, futures.Future)
    assert future.result() == 32


def test_submit_passes_keywords():
    assert futures.submit(int, "ff", base=16).result() == 255


def test_submit_passes_keywords_that_are_names_of_its_own():
    def echo(**kwargs):
        return kwargs

    given = {"func": 1, "fn": 2, "self": 3, "args": 4, "kwargs": 5, "timeout": 6}
    assert futures.submit(echo, **given).result() == given


def test_submit_does_not_run_the_task_yet():
    ran = []
    futures.submit(ran.append, 1)
    assert ran == []


@pytest.mark.parametrize("func", [None, 3, "abs"])
def test_submit_wants_a_callable(func):
    with pytest.raises(TypeError):
        futures.submit(func)


def test_submit_of_a_callable_object():
    class Adder:
        def __call__(self, a, b):
            return a + b

    assert futures.submit(Adder(), 1, 2).result() == 3


def test_submit_many_and_wait_for_all():
    fs = [futures.submit(square, n) for n in range(10_000)]
    assert [f.result() for f in fs] == [n * n for n in range(10_000)]


def test_a_task_may_submit_tasks():
    def fib(n):
        if n < 2:
            return n
        left = futures.submit(fib, n - 1)
        return fib(n - 2) + left.result()

    assert futures.submit(fib, 15).result() == 610


def test_two_thousand_nested_waits():
    def descend(levels):
        return futures.submit(descend, levels - 1).result() + 1 if levels else 0

    assert futures.submit(descend, 2000).result() == 2000


def test_a_thousand_nested_maps():
    def descend(levels):
        return sum(futures.map(descend, [levels - 1])) + 1 if levels else 0

    assert futures.submit(descend, 1000).result() == 1000


def test_wide_and_nested():
    def outer(n):
        return sum(f.result() for f in [futures.submit(square, i) for i in range(n)])

    fs = [futures.submit(outer, 50) for _ in range(100)]
    assert {f.result() for f in fs} == {outer_sum := sum(i * i for i in range(50))}
    assert outer_sum == 40425


def test_tasks_that_wait_for_the_same_future():
    shared = futures.submit(square, 7)

    def use(n):
        return shared.result() + n

    fs = [futures.submit(use, n) for n in range(20)]
    assert [f.result() for f in fs] == [49 + n for n in range(20)]


def test_a_task_gets_no_reference_kept_after_its_result():
    future = futures.submit(Thing)
    thing = reference(future.result())
    del future
    gc.collect()
    assert thing() is None


def test_a_task_that_another_greenlet_ran_is_let_go():
    future = futures.submit(Thing)
    futures.wait([future], timeout=5, return_when=futures.FIRST_COMPLETED)
    thing = reference(future.result())
    del future
    gc.collect()
    assert thing() is None


def test_arguments_are_let_go_with_the_result():
    thing = Thing()
    argument = reference(thing)
    future = futures.submit(id, thing)
    del thing
    future.result()
    gc.collect()
    assert argument() is None


# -- threads and deadlocks -------------------------------------------------


@pytest.mark.parametrize("verb", [
    lambda: futures.submit(abs, 1),
    lambda: futures.map(abs, [1]),
    lambda: futures.map_as_completed(abs, [1]),
    lambda: futures.mapReduce(abs, operator.add, [1]),
    lambda: futures.mapScan(abs, operator.add, [1]),
    lambda: futures.wait([]),
    lambda: next(futures.as_completed([]), None),
], ids=["submit", "map", "map_as_completed", "mapReduce", "mapScan", "wait", "as_completed"])
def test_verbs_of_another_thread_raise(verb):
    raised = []

    def call():
        try:
            verb()
        except ThreadError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(raised) == 1
    assert "one thread" in str(raised[0])


def test_waiting_in_another_thread_raises():
    future = futures.submit(abs, 1)
    raised = []

    def call():
        try:
            future.result()
        except ThreadError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(raised) == 1
    assert future.result() == 1


def test_a_task_that_waits_for_itself():
    mine = []
    mine.append(futures.submit(lambda: mine[0].result()))
    with pytest.raises(DeadlockError):
        mine[0].result()


def test_a_task_that_waits_for_its_ancestor():
    family = []

    def child():
        return family[0].result()

    def parent():
        return futures.submit(child).result()

    family.append(futures.submit(parent))
    with pytest.raises(DeadlockError):
        family[0].result()


def test_two_tasks_that_wait_for_each_other():
    pair = []

    def wait_for_other(at):
        return pair[1 - at].result()

    pair += [futures.submit(wait_for_other, at) for at in (0, 1)]
    with pytest.raises(DeadlockError):
        pair[0].result()


def test_work_goes_on_after_a_deadlock():
    mine = []
    mine.append(futures.submit(lambda: mine[0].result()))
    with pytest.raises(DeadlockError):
        futures.wait(mine, return_when=futures.FIRST_COMPLETED)
    assert list(futures.map(square, range(5))) == [0, 1, 4, 9, 16]


# -- the rest --------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), (True,), (False,)])
def test_shutdown_does_nothing(arguments):
    future = futures.submit(abs, -1)
    assert futures.shutdown(*arguments) is None
    assert future.result() == 1
    assert futures.submit(abs, -2).result() == 2


def test_startup_calls_the_main_function():
    assert futures.startup(pow, 2, 3) == 8
    assert futures.startup(int, "11", base=2) == 3


def test_startup_does_nothing_on_a_worker():
    context.set_importing(True)
    try:
        assert futures.startup(fail, Boom()) is None
    finally:
        context.set_importing(False)
