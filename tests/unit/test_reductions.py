"""futures.mapReduce and mapScan, beside functools and itertools; serially."""

import functools
import itertools
import operator

import pytest

from scoop_mpi import futures

pytestmark = pytest.mark.usefixtures("scheduler")


class Boom(Exception):
    """Raised by tasks on purpose."""


def square(number):
    return number * number


def fail(error):
    raise error


def fail_at_three(number):
    if number == 3:
        raise Boom(number)
    return number


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
