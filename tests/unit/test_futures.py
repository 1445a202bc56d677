"""The verbs of ``futures``, serially in one process: PEP 3148 and SCOOP's manual."""

import concurrent.futures
import functools
import gc
import itertools
import operator
import threading
import time
import weakref

import pytest

from scoop_mpi import DeadlockError, ThreadError
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.verbs import maps

pytestmark = pytest.mark.usefixtures("scheduler")


class Boom(Exception):
    """Raised by tasks on purpose."""


class Hard(BaseException):
    """An exception that is no ``Exception``."""


def square(number):
    return number * number


def fail(error):
    raise error


def fail_at_three(number):
    if number == 3:
        raise Boom(number)
    return number


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


# -- map -------------------------------------------------------------------


def test_map_as_the_builtin():
    assert list(futures.map(square, range(1000))) == list(map(square, range(1000)))


def test_map_over_several_iterables_ends_with_the_shortest():
    assert list(futures.map(pow, [2, 3, 4], itertools.count(1))) == [2, 9, 64]


def test_map_does_not_unpack_items_of_one_iterable():
    assert list(futures.map(len, [(1, 2), (3,)])) == [2, 1]


def test_map_over_nothing():
    assert list(futures.map(abs, [])) == []


def test_map_over_a_generator():
    assert list(futures.map(square, (n for n in range(10)))) == [n * n for n in range(10)]


def test_map_of_a_map():
    assert list(futures.map(abs, futures.map(operator.neg, range(100)))) == list(range(100))


def test_map_of_a_lazy_map():
    inner = futures.map(operator.neg, itertools.count(), buffersize=3)
    outer = futures.map(abs, inner, buffersize=2)
    assert list(itertools.islice(outer, 50)) == list(range(50))


def test_map_returns_before_anything_runs():
    ran = []
    results = futures.map(ran.append, range(5))
    assert ran == []
    list(results)
    assert sorted(ran) == list(range(5))


def test_map_reads_its_inputs_at_once():
    inputs = iter(range(5))
    futures.map(abs, inputs)
    assert next(inputs, "nothing left") == "nothing left"


def test_map_raises_where_the_result_would_come():
    results = futures.map(fail_at_three, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Boom, match="3"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("chunksize", [1, 2, 3, 4, 5, 100])
def test_map_raises_at_the_same_place_whatever_the_chunks(chunksize):
    results = futures.map(fail_at_three, range(6), chunksize=chunksize)
    got = []
    with pytest.raises(Boom, match="3"):
        for value in results:
            got.append(value)
    assert got == [0, 1, 2]


def test_map_raises_the_first_error_of_two():
    results = futures.map(fail, [Boom("first"), Boom("second")])
    with pytest.raises(Boom, match="first"):
        next(results)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), Hard("x")])
def test_map_with_errors_that_are_no_exception(error):
    with pytest.raises(type(error)):
        list(futures.map(fail, [error]))


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
@pytest.mark.parametrize("chunksize", [1, 4])
@pytest.mark.parametrize("bad", [0, 1, 3])
def test_map_whose_function_raises_stop_iteration(verb, chunksize, bad):
    # As in CPython (PEP 479): it neither ends the map silently nor loses what follows.
    iterators = [iter([] if n == bad else [n]) for n in range(4)]
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(verb(next, iterators, chunksize=chunksize))


def test_map_results_can_be_none_and_false():
    assert list(futures.map(dict.get, [{}, {}], ["a", "b"])) == [None, None]
    assert list(futures.map(bool, [0, 1, 0])) == [False, True, False]


def test_map_whose_function_waits():
    def nested(n):
        return sum(futures.map(square, range(n))) + futures.submit(square, n).result()

    expected = [sum(i * i for i in range(n + 1)) for n in range(40)]
    assert list(futures.map(nested, range(40))) == expected


def test_maps_taken_in_turns():
    first = futures.map(square, range(50))
    second = futures.map(operator.neg, range(50))
    assert list(zip(first, second)) == [(n * n, -n) for n in range(50)]


def test_map_that_is_dropped_runs_no_more():
    ran = []
    results = futures.map(ran.append, range(1000))
    next(results)
    results.close()
    futures.submit(abs, 1).result()
    assert list(futures.map(abs, [1])) == [1]
    assert len(ran) < 1000


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
@pytest.mark.parametrize("buffersize", [None, 3])
def test_map_returns_an_iterator_that_can_be_closed(verb, buffersize):
    ran = []
    results = verb(lambda n: ran.append(n) or n, range(1000), chunksize=5, buffersize=buffersize)
    assert isinstance(results, maps.MapResults)
    assert iter(results) is results
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert list(results) == []
    with pytest.raises(StopIteration):
        next(results)
    results.close()
    futures.submit(abs, 1).result()
    assert len(ran) < 20


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_map_closed_before_its_first_result_runs_nothing(verb, scheduler):
    ran = []
    results = verb(ran.append, range(10))
    results.close()
    assert list(results) == []
    assert scheduler.serve() == 0  # all that is left
    assert ran == []


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_map_closed_after_its_end_and_after_an_error(verb):
    results = verb(abs, [1, 2])
    assert list(results) == [1, 2]
    results.close()
    results = verb(fail, [Boom()])
    with pytest.raises(Boom):
        next(results)
    results.close()
    assert list(results) == []


def test_map_close_lets_go_of_results_that_were_not_taken():
    made = []

    def make(n):
        thing = Thing()
        made.append(weakref.ref(thing))
        return thing

    results = futures.map(make, range(10), chunksize=10)
    first = next(results)
    assert len(made) == 10
    results.close()
    gc.collect()
    assert [ref() for ref in made] == [first] + [None] * 9


def test_map_after_an_error_runs_no_more():
    ran = []

    def work(n):
        ran.append(n)
        raise Boom(n)

    with pytest.raises(Boom):
        list(futures.map(work, range(1000)))
    assert list(futures.map(abs, [1])) == [1]
    assert len(ran) < 1000


def test_map_keeps_no_reference_to_results_that_were_taken():
    for thing in futures.map(Thing, range(10), chunksize=5):
        taken = reference(thing)
        del thing
        gc.collect()
        assert taken() is None


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_map_wants_a_callable(verb):
    with pytest.raises(TypeError, match="callable"):
        verb(None, [1])


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_map_wants_an_iterable(verb):
    with pytest.raises(TypeError, match="iterable"):
        verb(abs)
    with pytest.raises(TypeError):
        verb(abs, 3)


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
@pytest.mark.parametrize("option", ["chunksize", "buffersize"])
@pytest.mark.parametrize("size", [0, -1])
def test_map_sizes_below_one(verb, option, size):
    with pytest.raises(ValueError, match=option):
        verb(abs, [1], **{option: size})


@pytest.mark.parametrize("size", ["2", 2.0])
def test_map_buffersize_of_another_type(size):
    # As in CPython 3.14: TypeError("buffersize must be an integer or None").
    with pytest.raises(TypeError, match="buffersize"):
        futures.map(abs, [1], buffersize=size)


def test_map_inputs_that_raise():
    def inputs():
        yield 1
        raise Boom("input")

    with pytest.raises(Boom, match="input"):
        futures.map(abs, inputs())


def test_map_inputs_that_raise_while_being_buffered():
    def inputs():
        yield from range(5)
        raise Boom("input")

    results = futures.map(abs, inputs(), buffersize=2)
    with pytest.raises(Boom, match="input"):
        list(results)
    assert list(futures.map(abs, [-1])) == [1]


@pytest.mark.parametrize("buffersize", [1, 2, 4, 8])
@pytest.mark.parametrize("chunksize", [None, 1, 3])
def test_map_buffersize(buffersize, chunksize):
    results = futures.map(str, range(4), buffersize=buffersize, chunksize=chunksize)
    assert list(results) == ["0", "1", "2", "3"]


def test_map_over_endless_inputs():
    results = futures.map(operator.add, itertools.count(), itertools.count(1), buffersize=5)
    assert list(itertools.islice(results, 100)) == [2 * n + 1 for n in range(100)]
    results.close()


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_map_reads_no_more_than_buffersize_ahead(verb):
    inputs = itertools.count()
    results = verb(abs, inputs, buffersize=4)
    assert next(inputs) == 4
    results.close()


def test_map_reads_one_for_each_result_taken():
    read = []

    def inputs():
        for n in itertools.count():
            read.append(n)
            yield n

    results = futures.map(abs, inputs(), buffersize=4)
    for taken in range(1, 30):
        next(results)
        assert taken + 3 <= len(read) <= taken + 4
    results.close()


@pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])
def test_endless_map_takes_no_more_and_more_memory(scheduler, verb):
    results = verb(abs, itertools.count(), buffersize=4)
    for _ in range(1000):
        next(results)
    [call] = scheduler.exchange.ledger.maps.values()
    assert len(call.results) <= 4
    assert len(call.arrived) <= 4
    results.close()
    scheduler.look()
    assert not scheduler.exchange.ledger.maps


def test_map_in_time():
    assert list(futures.map(square, range(100), timeout=60)) == [n * n for n in range(100)]


def test_map_timeout():
    results = futures.map(time.sleep, [0.02] * 30, timeout=0.05)
    with pytest.raises(futures.TimeoutError):
        list(results)


def test_map_timeout_counts_from_the_call():
    results = futures.map(time.sleep, [0.02] * 30, timeout=0.05)
    time.sleep(0.06)
    with pytest.raises(futures.TimeoutError):
        list(results)


def test_map_timeout_of_a_result_that_is_there_already():
    results = futures.map(abs, [-1, -2], timeout=0.05, chunksize=2)
    assert next(results) == 1
    time.sleep(0.06)
    assert next(results) == 2


def test_map_timeout_inside_a_task_that_waits_for_itself():
    mine = []

    def wait_for_self(_):
        return mine[0].result()

    mine.append(futures.submit(lambda: list(futures.map(wait_for_self, [1], timeout=0.05))))
    with pytest.raises(futures.TimeoutError):
        mine[0].result()


# -- map_as_completed ------------------------------------------------------


def test_map_as_completed_yields_every_result():
    assert sorted(futures.map_as_completed(square, range(500))) == [n * n for n in range(500)]


def test_map_as_completed_of_several_iterables():
    assert set(futures.map_as_completed(pow, [2, 3], [3, 2, 1])) == {8, 9}


def test_map_as_completed_over_nothing():
    assert list(futures.map_as_completed(abs, [])) == []


def test_map_as_completed_does_not_wait_for_a_blocked_item():
    mine = []

    def wait_if_zero(n):
        if n == 0:
            # Only the end of the whole map could end this before its time.
            assert isinstance(mine[0].exception(timeout=0.2), Boom)
        return n

    def consume():
        results = futures.map_as_completed(wait_if_zero, range(5))
        first = next(results)
        with pytest.raises(futures.TimeoutError):
            list(results)
        return first

    mine.append(futures.submit(consume))
    assert mine[0].result() != 0


def test_map_as_completed_raises():
    with pytest.raises(Boom):
        list(futures.map_as_completed(fail_at_three, range(6)))


def test_map_as_completed_over_endless_inputs():
    results = futures.map_as_completed(square, itertools.count(), buffersize=3)
    got = set(itertools.islice(results, 30))
    results.close()
    assert {n * n for n in range(27)} <= got


def test_map_as_completed_timeout():
    with pytest.raises(futures.TimeoutError):
        list(futures.map_as_completed(time.sleep, [0.02] * 30, timeout=0.05))


# -- reductions ------------------------------------------------------------

SIZES = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 50, 100, 257]


@pytest.mark.parametrize("size", SIZES)
def test_map_reduce_as_functools(size):
    assert futures.mapReduce(square, operator.add, range(size)) == functools.reduce(
        operator.add, map(square, range(size)))


@pytest.mark.parametrize("size", SIZES)
def test_map_reduce_that_does_not_commute(size):
    assert futures.mapReduce(str, operator.add, range(size)) == "".join(map(str, range(size)))


@pytest.mark.parametrize("size", SIZES)
def test_map_scan_as_itertools(size):
    assert futures.mapScan(str, operator.add, range(size)) == list(
        itertools.accumulate(map(str, range(size)), operator.add))


def test_map_reduce_of_one_element_does_not_call_the_reduction():
    assert futures.mapReduce(square, fail, [7]) == 49
    assert futures.mapScan(square, fail, [7]) == [49]


@pytest.mark.parametrize("verb", [futures.mapReduce, futures.mapScan])
def test_reduction_of_no_element(verb):
    with pytest.raises(ValueError, match=verb.__name__):
        verb(abs, operator.add, [])
    with pytest.raises(ValueError):
        verb(pow, operator.add, [1, 2], [])


@pytest.mark.parametrize("verb", [futures.mapReduce, futures.mapScan])
def test_reduction_of_generators(verb):
    assert verb(str, operator.add, (n for n in range(40))) == verb(str, operator.add, range(40))


def test_reduction_of_several_iterables():
    assert futures.mapReduce(operator.mul, operator.add, range(20), itertools.count(1)) == sum(
        n * (n + 1) for n in range(20))
    assert futures.mapScan(operator.mul, max, [3, 1, 4], [2, 9, 1]) == [6, 9, 9]


@pytest.mark.parametrize("verb", [futures.mapReduce, futures.mapScan])
def test_reduction_with_errors(verb):
    with pytest.raises(Boom):
        verb(fail_at_three, operator.add, range(40))
    with pytest.raises(TypeError):
        verb(square, lambda a, b: None + 1, range(40))


@pytest.mark.parametrize("verb", [futures.mapReduce, futures.mapScan])
def test_reduction_wants_two_callables_and_an_iterable(verb):
    for arguments in ((None, operator.add, [1]), (abs, None, [1]), (abs, operator.add)):
        with pytest.raises(TypeError, match=verb.__name__):
            verb(*arguments)


def test_reduction_of_falsy_values():
    assert futures.mapReduce(bool, operator.or_, [0] * 40) is False
    assert futures.mapScan(lambda n: None, lambda a, b: None, range(40)) == [None] * 40


@pytest.mark.parametrize("verb", [futures.mapReduce, futures.mapScan])
def test_reduction_inside_a_task(verb):
    inside = futures.submit(verb, str, operator.add, range(30)).result()
    assert inside == verb(str, operator.add, range(30))


def test_reduction_whose_functions_wait():
    def double(n):
        return futures.submit(operator.add, n, n).result()

    def add(a, b):
        return futures.submit(operator.add, a, b).result()

    assert futures.mapReduce(double, add, range(50)) == 2 * sum(range(50))


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
