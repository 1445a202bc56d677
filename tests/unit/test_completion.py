"""Waiting for several futures: ``wait`` and ``as_completed``, serially in one process."""

import gc
import time
import weakref

import pytest

from scoop_mpi import DeadlockError
from scoop_mpi import futures
from scoop_mpi.verbs import completion

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


def test_futures_offers_them():
    for name in ("wait", "as_completed", "DoneAndNotDoneFutures"):
        assert getattr(futures, name) is getattr(completion, name)
        assert name in futures.__all__


# -- wait ------------------------------------------------------------------


def test_wait_returns_a_named_pair_of_sets():
    future = futures.submit(abs, 1)
    both = futures.wait([future])
    assert both == ({future}, set())
    assert both.done == {future}
    assert both.not_done == set()
    done, not_done = both
    assert isinstance(done, set) and isinstance(not_done, set)


def test_wait_for_nothing():
    for when in (futures.ALL_COMPLETED, futures.FIRST_COMPLETED, futures.FIRST_EXCEPTION):
        for timeout in (-1, 0, None, 1):
            assert futures.wait([], timeout, when) == (set(), set())


def test_wait_counts_duplicates_once():
    future = futures.submit(abs, 1)
    assert futures.wait([future, future], timeout=60).done == {future}


def test_wait_takes_any_iterable():
    fs = [futures.submit(square, n) for n in range(5)]
    assert futures.wait(iter(fs)).done == set(fs)


@pytest.mark.parametrize("timeout", [-1, -0.5, None, 60])
def test_wait_without_a_limit_or_with_enough(timeout):
    fs = [futures.submit(square, n) for n in range(20)]
    assert futures.wait(fs, timeout).done == set(fs)


def test_wait_for_all_goes_on_after_an_error():
    fs = [futures.submit(square, 1), futures.submit(fail, Boom()), futures.submit(square, 2)]
    assert futures.wait(fs) == (set(fs), set())


def test_wait_for_the_first():
    fs = [futures.submit(square, n) for n in range(5)]
    done, not_done = futures.wait(fs, return_when=futures.FIRST_COMPLETED)
    assert done and not_done
    assert done | not_done == set(fs)
    assert not done & not_done


def test_wait_for_the_first_with_one_done_already():
    first, second = futures.submit(abs, 1), futures.submit(abs, 2)
    first.result()
    assert futures.wait([first, second], return_when=futures.FIRST_COMPLETED) == (
        {first}, {second})


def test_wait_for_the_first_with_one_cancelled():
    first, second = futures.submit(abs, 1), futures.submit(abs, 2)
    first.cancel()
    assert futures.wait([first, second], return_when=futures.FIRST_COMPLETED).done == {first}


def test_wait_for_the_first_exception():
    fs = [futures.submit(square, n) for n in range(5)]
    bad = futures.submit(fail, Boom())
    fs += [bad, futures.submit(square, 9)]
    done, not_done = futures.wait(fs, return_when=futures.FIRST_EXCEPTION)
    assert bad in done
    assert len(not_done) == 5


def test_wait_for_the_first_exception_is_not_the_first_result():
    fs = [futures.submit(square, n) for n in range(5)]
    assert futures.wait(fs, return_when=futures.FIRST_EXCEPTION) == (set(fs), set())


def test_wait_for_the_first_exception_that_is_there_already():
    bad, other = futures.submit(fail, Boom()), futures.submit(abs, 1)
    assert isinstance(bad.exception(), Boom)
    assert futures.wait([bad, other], return_when=futures.FIRST_EXCEPTION) == ({bad}, {other})


def test_wait_cancelled_is_no_exception():
    cancelled, other = futures.submit(abs, 1), futures.submit(abs, 2)
    cancelled.cancel()
    both = futures.wait([cancelled, other], return_when=futures.FIRST_EXCEPTION)
    assert both.done == {cancelled, other}


def test_wait_counts_cancelled_as_done():
    fs = [futures.submit(abs, n) for n in range(3)]
    fs[1].cancel()
    assert futures.wait(fs) == (set(fs), set())


def test_wait_of_no_time_only_looks():
    done = futures.submit(abs, 1)
    done.result()
    fs = [futures.submit(time.sleep, 0.02) for _ in range(5)]
    both = futures.wait([done, *fs], timeout=0)
    assert done in both.done
    assert both.not_done
    assert both.done | both.not_done == {done, *fs}


def test_wait_of_no_time_in_a_loop_ends():
    fs = [futures.submit(square, n) for n in range(20)]
    rounds = 0
    while futures.wait(fs, timeout=0).not_done:
        rounds += 1
        assert rounds <= 1000


@pytest.mark.parametrize("when", [futures.ALL_COMPLETED, futures.FIRST_EXCEPTION])
def test_wait_ends_at_its_timeout(when):
    fs = [futures.submit(time.sleep, 0.02) for _ in range(30)]
    both = futures.wait(fs, 0.05, when)
    assert both.not_done
    assert both.done | both.not_done == set(fs)


def test_wait_leaves_nothing_behind_at_its_timeout():
    fs = [futures.submit(time.sleep, 0.01) for _ in range(5)]
    futures.wait(fs, timeout=0)
    assert futures.wait(fs) == (set(fs), set())


def test_waits_that_are_over_are_not_told_of_more():
    # Else a loop that looks again and again would fill the memory.
    fs = [futures.submit(abs, n) for n in range(20)]
    futures.wait(fs, timeout=0)
    results = futures.as_completed(fs)
    next(results)
    results.close()
    waiting = [future for future in fs if not future.isDone]
    assert waiting
    assert not any(future.listeners for future in waiting)


@pytest.mark.parametrize("when", ["", "SOMETIME", None, 1])
def test_wait_wants_one_of_three(when):
    with pytest.raises(ValueError, match="return_when"):
        futures.wait([], return_when=when)


def test_wait_inside_tasks():
    def wait_for_children(n):
        done, _ = futures.wait([futures.submit(square, i) for i in range(n)])
        return sum(f.result() for f in done)

    fs = [futures.submit(wait_for_children, n) for n in range(20)]
    futures.wait(fs)
    assert [f.result() for f in fs] == [sum(i * i for i in range(n)) for n in range(20)]


# -- as_completed ----------------------------------------------------------


def test_as_completed_yields_each_once():
    fs = [futures.submit(square, n) for n in range(100)]
    got = list(futures.as_completed(fs))
    assert len(got) == 100
    assert set(got) == set(fs)


def test_as_completed_yields_only_done_ones():
    for future in futures.as_completed([futures.submit(square, n) for n in range(10)]):
        assert future.done()


def test_as_completed_of_duplicates():
    future = futures.submit(abs, 1)
    assert list(futures.as_completed([future, future])) == [future]


def test_as_completed_of_nothing():
    assert list(futures.as_completed([])) == []
    assert list(futures.as_completed([], timeout=0)) == []


def test_as_completed_yields_those_that_are_done_first():
    fs = [futures.submit(abs, n) for n in range(5)]
    fs[1].result()
    assert next(futures.as_completed(fs)) is fs[1]


def test_as_completed_with_errors_and_cancelled():
    fs = [futures.submit(abs, 1), futures.submit(fail, Boom()), futures.submit(abs, 2)]
    fs[0].cancel()
    assert set(futures.as_completed(fs)) == set(fs)


def test_as_completed_notices_a_cancel_while_it_runs():
    first, second = futures.submit(abs, 1), futures.submit(abs, 2)
    results = futures.as_completed([first, second])
    got = [next(results)]
    (second if got == [first] else first).cancel()
    got += results
    assert set(got) == {first, second}


def test_as_completed_timeout():
    fs = [futures.submit(time.sleep, 0.02) for _ in range(30)]
    with pytest.raises(futures.TimeoutError, match=r"\(of 30\) futures unfinished"):
        list(futures.as_completed(fs, timeout=0.05))


def test_as_completed_of_no_time_yields_what_is_done():
    done = futures.submit(abs, 1)
    done.result()
    fs = [futures.submit(time.sleep, 0.02) for _ in range(5)]
    results = futures.as_completed([done, *fs], timeout=0)
    assert next(results) is done
    with pytest.raises(futures.TimeoutError):
        list(results)


def test_as_completed_that_is_dropped():
    fs = [futures.submit(square, n) for n in range(5)]
    results = futures.as_completed(fs)
    next(results)
    results.close()
    assert futures.wait(fs).done == set(fs)


def test_as_completed_lets_go_of_what_it_yielded():
    fs = [futures.submit(square, n) for n in range(10)]
    for future in futures.as_completed(fs):
        fs.remove(future)
        yielded = reference(future)
        del future
        gc.collect()
        assert yielded() is None


def test_as_completed_is_lazy():
    ran = []
    results = futures.as_completed([futures.submit(ran.append, 1)])
    assert ran == []
    next(results)
    assert ran == [1]


def test_as_completed_with_its_deadline_at_each_step():
    # Results that are there are yielded even when the time is over.
    fs = [futures.submit(abs, n) for n in range(3)]
    for future in fs:
        future.result()
    results = futures.as_completed(fs, timeout=0)
    assert set(results) == set(fs)


# -- nesting and deadlocks -------------------------------------------------


def test_two_thousand_nested_waits_for_several():
    def descend(levels):
        if not levels:
            return 0
        [future] = futures.wait([futures.submit(descend, levels - 1)], timeout=None,
                                return_when=futures.FIRST_COMPLETED).done
        return future.result() + 1

    assert futures.submit(descend, 2000).result() == 2000


@pytest.mark.parametrize("waiting", [
    lambda f: futures.wait([f], return_when=futures.FIRST_COMPLETED),
    lambda f: list(futures.as_completed([f])),
], ids=["wait", "as_completed"])
def test_a_deadlock_seen_by_waits_for_several(waiting):
    mine = []
    mine.append(futures.submit(lambda: mine[0].result()))
    with pytest.raises(DeadlockError, match="deadlock"):
        waiting(mine[0])


def test_waits_of_several_tasks_for_the_same_futures():
    shared = [futures.submit(square, n) for n in range(5)]

    def use(_):
        return sorted(f.result() for f in futures.as_completed(shared))

    def wait_for_first(_):
        return len(futures.wait(shared, return_when=futures.FIRST_COMPLETED).done) > 0

    fs = [futures.submit(use, n) for n in range(5)]
    firsts = [futures.submit(wait_for_first, n) for n in range(5)]
    assert [f.result() for f in fs] == [[0, 1, 4, 9, 16]] * 5
    assert all(f.result() for f in firsts)


# -- moments ---------------------------------------------------------------


def test_the_deadline_of_a_timeout(scheduler):
    scheduler.clock = lambda: 100.0
    assert completion.deadline_of(scheduler, 2.5) == 102.5
    assert completion.deadline_of(scheduler, 0) == 100.0
    assert completion.deadline_of(scheduler, None) is None
