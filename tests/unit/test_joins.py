"""SCOOP's verbs with an underscore."""

import types

import pytest

from scoop_mpi import futures
from scoop_mpi.base.job import worker_name
from scoop_mpi.verbs import joins

pytestmark = pytest.mark.usefixtures("scheduler")

NAMES = ["_join", "_joinAll", "_mapFuture", "_startup", "_waitAll", "_waitAny"]


class Boom(Exception):
    """Raised by tasks on purpose."""


def square(number):
    return number * number


def fail(error):
    raise error


@pytest.mark.parametrize("name", NAMES)
def test_futures_has_them(name):
    assert getattr(futures, name) is getattr(joins, name)
    assert name not in futures.__all__


# -- _startup --------------------------------------------------------------


def test_startup_returns_the_result():
    assert futures._startup(pow, 2, 5) == 32
    assert futures._startup(int, "ff", base=16) == 255


def test_startup_runs_a_task():
    def main():
        return futures.submit(abs, 1).parentId

    assert futures._startup(main) != (worker_name(1), 0)
    assert main() == (worker_name(1), 0)


def test_startup_raises_what_the_task_raises():
    with pytest.raises(Boom, match="why"):
        futures._startup(fail, Boom("why"))


def test_startup_passes_keywords_of_any_name():
    def echo(**kargs):
        return kargs

    assert futures._startup(echo, func=1, args=2, timeout=3) == dict(func=1, args=2, timeout=3)


# -- _mapFuture ------------------------------------------------------------


def test_map_future_makes_a_future_of_each_call():
    fs = futures._mapFuture(pow, [2, 3, 4], [5, 2])
    assert isinstance(fs, list)
    assert all(isinstance(future, futures.Future) for future in fs)
    assert not any(future.isDone for future in fs)
    assert [future.result() for future in fs] == [32, 9]


def test_map_future_of_nothing():
    assert futures._mapFuture(abs, []) == []


# -- _join and _joinAll ----------------------------------------------------


def test_join():
    assert futures._join(futures.submit(square, 4)) == 16
    done = futures.submit(square, 5)
    done.result()
    assert futures._join(done) == 25


def test_join_raises():
    with pytest.raises(Boom, match="why"):
        futures._join(futures.submit(fail, Boom("why")))


def test_join_all_in_the_order_given():
    fs = [futures.submit(square, n) for n in range(10)]
    fs.reverse()
    assert futures._joinAll(*fs) == [n * n for n in reversed(range(10))]
    assert futures._joinAll() == []


def test_join_all_raises():
    with pytest.raises(Boom, match="why"):
        futures._joinAll(futures.submit(abs, 1), futures.submit(fail, Boom("why")))


def test_join_of_what_was_cancelled():
    future = futures.submit(abs, 1)
    future.cancel()
    for join in futures._join, futures._joinAll:
        with pytest.raises(futures.CancelledError):
            join(future)


# -- _waitAny and _waitAll -------------------------------------------------


@pytest.mark.parametrize("verb", [futures._waitAny, futures._waitAll])
def test_waits_yield_every_future_when_it_is_done(verb):
    fs = [futures.submit(square, n) for n in range(10)]
    results = verb(*fs)
    assert isinstance(results, types.GeneratorType)
    got = []
    for future in results:
        assert future.isDone
        got.append(future)
    assert len(got) == 10
    assert set(got) == set(fs)


@pytest.mark.parametrize("verb", [futures._waitAny, futures._waitAll])
def test_waits_for_nothing(verb):
    assert list(verb()) == []


def test_wait_all_keeps_the_order():
    fs = [futures.submit(square, n) for n in range(10)]
    fs[7].result()
    assert list(futures._waitAll(*fs)) == fs


def test_wait_any_yields_what_is_done_first():
    fs = [futures.submit(square, n) for n in range(10)]
    fs[3].result()
    assert next(futures._waitAny(*fs)) is fs[3]


@pytest.mark.parametrize("verb", [futures._waitAny, futures._waitAll])
def test_waits_raise_what_a_future_raised(verb):
    good, bad = futures.submit(square, 3), futures.submit(fail, Boom("why"))
    good.result()
    results = verb(good, bad)
    assert next(results) is good
    with pytest.raises(Boom, match="why"):
        next(results)


def test_verbs_inside_tasks():
    def tree(depth):
        if not depth:
            return 1
        children = futures._mapFuture(tree, [depth - 1] * 2)
        return (sum(f.result() for f in futures._waitAny(*children))
                + sum(futures._joinAll(*children)))

    assert futures._startup(tree, 4) == 4 ** 4
