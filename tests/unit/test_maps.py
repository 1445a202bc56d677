"""futures.map and map_as_completed, as a program uses them; serially."""

import gc
import itertools
import operator
import time
import weakref

import pytest

from scoop_mpi import futures
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
