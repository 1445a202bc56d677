"""Every verb of scoop_mpi.futures, checked against its serial counterpart."""

import functools
import itertools
import logging
import operator
import os
import time
from concurrent.futures import CancelledError as StandardCancelledError
from concurrent.futures import TimeoutError as StandardTimeoutError

from checking import (
    MANY, assert_raises, assert_spread, doze, nap, run_checks, several_workers, workers,
)

import scoop_mpi
from scoop_mpi import futures

SIZES = (1, 2, 3, 7, 64, 1000)


def square(x):
    return x * x


def fail_on(bad, x):
    if x == bad:
        raise LookupError(f"no {x}")
    return x


def nap_s(seconds):
    time.sleep(seconds)
    return seconds


def fibonacci(n):
    if n < 2:
        return n
    one = futures.submit(fibonacci, n - 1)
    other = futures.submit(fibonacci, n - 2)
    return one.result() + other.result()


def dig(depth):
    return 0 if depth == 0 else 1 + futures.submit(dig, depth - 1).result()


def dig_by_map(depth):
    return 0 if depth == 0 else 1 + sum(futures.map(dig_by_map, [depth - 1]))


def fan(width, depth):
    if depth == 0:
        return 1
    branches = [futures.submit(fan, width, depth - 1) for _ in range(width)]
    return sum(branch.result() for branch in branches)


def multiplication_row(a, count):
    return list(futures.map(operator.mul, itertools.repeat(a, count), range(count)))


def keywords(*args, **kwargs):
    return args, kwargs


# -- who works ----------------------------------------------------------------


def check_map_uses_every_worker():
    pids = [pid for _, pid in futures.map(nap, range(4 * MANY))]
    assert len(set(pids)) == workers(), (len(set(pids)), workers())


def check_submit_uses_several_workers():
    assert_spread(f.result()[1] for f in [futures.submit(nap, n) for n in range(MANY)])


def check_map_as_completed_uses_several_workers():
    assert_spread(pid for _, pid in futures.map_as_completed(nap, range(MANY)))


def check_reductions_use_several_workers():
    def join(one, other):
        return one[0] + other[0], one[1] | other[1]

    def pid_of(x):
        return [x], {nap()[1]}

    values, pids = futures.mapReduce(pid_of, join, range(MANY))
    assert values == list(range(MANY))
    assert_spread(pids)


# -- map ----------------------------------------------------------------------


def check_map_equals_the_builtin():
    for size in SIZES:
        assert list(futures.map(square, range(size))) == list(map(square, range(size)))
    assert list(futures.map(square, [])) == []


def check_map_of_several_iterables_stops_with_the_shortest():
    got = list(futures.map(pow, range(50), iter([2] * 60), (7 for _ in range(40))))
    assert got == [pow(x, 2, 7) for x in range(40)]


def check_map_with_chunksizes():
    for chunksize in (1, 3, 100, 5000):
        assert list(futures.map(square, range(500), chunksize=chunksize)) == [
            x * x for x in range(500)]


def check_map_reads_its_input_at_once():
    read = []
    results = futures.map(square, (read.append(x) or x for x in range(20)))
    assert read == list(range(20))
    assert next(results) == 0
    results.close()


def check_map_of_an_endless_iterable():
    read = []
    endless = (read.append(n) or n for n in itertools.count())
    results = futures.map(square, endless, buffersize=20)
    assert len(read) <= 20
    assert [next(results) for _ in range(300)] == [x * x for x in range(300)]
    assert len(read) <= 320
    results.close()
    assert list(futures.map(square, range(50), buffersize=1)) == [x * x for x in range(50)]


def check_map_as_completed_of_an_endless_iterable():
    results = futures.map_as_completed(square, itertools.count(), buffersize=20)
    got = [next(results) for _ in range(300)]
    assert len(set(got)) == 300
    assert set(got) <= {x * x for x in range(320)}
    results.close()


def check_map_as_completed_yields_everything_once():
    for size in SIZES:
        assert sorted(futures.map_as_completed(square, range(size))) == [
            x * x for x in range(size)]
    assert sorted(futures.map_as_completed(square, range(500), chunksize=7)) == [
        x * x for x in range(500)]
    assert list(futures.map_as_completed(square, [])) == []


def slow_elsewhere(home):
    time.sleep(0.02 if os.getpid() == home else 0.5)
    return os.getpid()


def check_map_as_completed_yields_what_is_there():
    got = list(futures.map_as_completed(slow_elsewhere, [os.getpid()] * 40))
    assert got[:5] == [os.getpid()] * 5, got
    assert_spread(got)


def check_error_in_a_map_comes_at_its_place():
    results = futures.map(functools.partial(fail_on, 30), range(100))
    assert list(itertools.islice(results, 30)) == list(range(30))
    assert_raises(LookupError, next, results)
    assert_raises(StopIteration, next, results)


def check_error_in_a_map_as_completed():
    error = assert_raises(
        LookupError, list, futures.map_as_completed(functools.partial(fail_on, 30), range(100)))
    assert str(error) == "no 30"


def check_map_left_unfinished():
    for _ in range(5):
        results = futures.map(square, range(1000))
        assert next(results) == 0
        results.close()
    assert sum(futures.map(square, range(10))) == 285


def check_wrong_arguments_are_refused():
    assert_raises(TypeError, futures.submit, 3)
    assert_raises(TypeError, futures.map, 3, [1])
    assert_raises(TypeError, futures.map, square)
    assert_raises(TypeError, futures.mapReduce, square, 3, [1])
    assert_raises(ValueError, futures.map, square, [1], chunksize=0)
    assert_raises(ValueError, futures.map, square, [1], buffersize=0)
    assert_raises(ValueError, futures.wait, [], return_when="SOMETIME")


# -- reductions ---------------------------------------------------------------


def check_map_reduce_keeps_the_order():
    for size in SIZES:
        expected = functools.reduce(operator.add, map(str, range(size)))
        assert futures.mapReduce(str, operator.add, range(size)) == expected
    assert futures.mapReduce(pow, operator.add, iter([2, 3]), iter([5, 2, 9])) == 41


def check_map_scan_keeps_the_order():
    for size in SIZES:
        expected = list(itertools.accumulate(map(str, range(size)), operator.add))
        assert futures.mapScan(str, operator.add, (x for x in range(size))) == expected


def check_reductions_of_nothing():
    for verb in (futures.mapReduce, futures.mapScan):
        error = assert_raises(ValueError, verb, square, operator.add, [])
        assert "no element" in str(error), error


# -- submit, wait, as_completed -----------------------------------------------


def check_submit():
    assert futures.submit(square, 7).result() == 49
    assert futures.submit(keywords, 1, func=2, self=3).result() == ((1,), {"func": 2, "self": 3})
    assert [f.result() for f in [futures.submit(square, n) for n in range(300)]] == [
        n * n for n in range(300)]


def check_states_of_a_future():
    future = futures.submit(square, 7)
    assert not future.cancelled()
    assert future.exception() is None
    assert future.done()
    assert not future.running()
    assert not future.cancel()
    assert future.result() == 49


def check_polling_done_ends():
    future = futures.submit(square, 7)
    stop_by = time.monotonic() + 20
    while not future.done():
        assert time.monotonic() < stop_by
    assert future.result() == 49


def check_as_completed():
    fs = [futures.submit(square, n) for n in range(300)]
    done = list(futures.as_completed(fs + fs))
    assert len(done) == 300
    assert set(done) == set(fs)
    assert all(f.done() for f in done)
    assert list(futures.as_completed([])) == []
    assert list(futures.as_completed(fs[:1])) == fs[:1]


def check_wait_for_all():
    fs = [futures.submit(square, n) for n in range(100)]
    done, not_done = result = futures.wait(fs)
    assert result.done is done
    assert result.not_done is not_done
    assert (done, not_done) == (set(fs), set())
    assert futures.wait(fs, timeout=0) == (set(fs), set())
    assert futures.wait([]) == (set(), set())


def check_wait_for_the_first():
    fs = [futures.submit(nap_s, 0.05) for _ in range(10)]
    done, not_done = futures.wait(fs, return_when=futures.FIRST_COMPLETED)
    assert done
    assert done | not_done == set(fs)
    assert all(f.done() for f in done)
    futures.wait(fs, timeout=None)
    if several_workers():
        quick, slow = futures.submit(nap_s, 0.01), futures.submit(nap_s, 1.5)
        began = time.monotonic()
        done, not_done = futures.wait(
            [quick, slow], timeout=1.0, return_when=futures.FIRST_COMPLETED)
        assert (done, not_done) == ({quick}, {slow})
        assert time.monotonic() - began < 1.0
        slow.result()


def check_wait_for_the_first_exception():
    fs = [futures.submit(fail_on, n, n) for n in (1, 2)]
    fs += [futures.submit(square, n) for n in range(10)]
    done, not_done = futures.wait(fs, return_when=futures.FIRST_EXCEPTION)
    assert any(f.exception() for f in done)
    assert done | not_done == set(fs)
    good = [futures.submit(square, n) for n in range(50)]
    assert futures.wait(good, return_when=futures.FIRST_EXCEPTION) == (set(good), set())


def check_callbacks():
    seen, logged = [], []
    handler = logging.Handler()
    handler.emit = logged.append
    scoop_mpi.logger.addHandler(handler)
    try:
        future = futures.submit(square, 3)
        future.add_done_callback(lambda f: seen.append(("first", f.result())))
        future.add_done_callback(lambda f: seen.append(1 / 0))
        future.add_done_callback(lambda f: seen.append(("last", f is future)))
        assert future.result() == 9
        assert seen == [("first", 9), ("last", True)]
        future.add_done_callback(lambda f: seen.append("late"))
        assert seen[-1] == "late"
        assert len(logged) == 1
        assert logged[0].exc_info[0] is ZeroDivisionError
    finally:
        scoop_mpi.logger.removeHandler(handler)


def check_callbacks_may_submit():
    further = []
    fs = [futures.submit(square, n) for n in range(20)]
    for future in fs:
        future.add_done_callback(
            lambda f: further.append(futures.submit(square, f.result())))
    futures.wait(fs)
    assert sorted(f.result() for f in further) == [n ** 4 for n in range(20)]


def check_cancel():
    fs = [futures.submit(nap_s, 0.02) for _ in range(20)]
    told = []
    fs[-1].add_done_callback(lambda f: told.append(f.cancelled()))
    said = [f.cancel() for f in reversed(fs)][::-1]
    assert said[-1]
    assert told == [True]
    for future, cancelled in zip(fs, said):
        assert future.cancelled() == cancelled
        if cancelled:
            assert future.done()
            assert future.cancel()
            assert_raises(futures.CancelledError, future.result)
            assert_raises(futures.CancelledError, future.exception)
        else:
            assert future.result() == 0.02
    assert futures.wait(fs).done == set(fs)
    assert set(futures.as_completed(fs)) == set(fs)


def check_names_are_the_standard_ones():
    assert futures.CancelledError is StandardCancelledError
    assert futures.TimeoutError is StandardTimeoutError
    futures.shutdown(wait=False)
    assert futures.submit(square, 2).result() == 4
    assert futures.startup(keywords, 1, a=2) == ((1,), {"a": 2})


# -- tasks that make tasks ----------------------------------------------------


def check_fork_and_join():
    assert fibonacci(13) == 233
    assert futures.submit(fibonacci, 13).result() == 233


def check_2000_nested_waits():
    assert futures.submit(dig, 2000).result() == 2000


def check_2000_nested_maps():
    assert futures.submit(dig_by_map, 2000).result() == 2000


def check_fan_out():
    assert futures.submit(fan, 12, 3).result() == 12 ** 3
    assert futures.submit(fan, 3000, 1).result() == 3000


def check_map_inside_map():
    table = list(futures.map(multiplication_row, range(30), [40] * 30))
    assert table == [[a * b for b in range(40)] for a in range(30)]


def check_all_verbs_inside_tasks():
    """Every other check once more, each inside a task, many of them at the same time."""
    inside = [name for name in globals()
              if name.startswith("check_") and name not in NOT_INSIDE and "_use" not in name]
    assert_spread(futures.map(run_inside, inside))


NOT_INSIDE = {
    "check_all_verbs_inside_tasks",
    # With all workers busy there is no telling who does what, and when.
    "check_large_values_travel", "check_map_as_completed_yields_what_is_there",
    "check_wait_for_the_first", "check_cancel",
    # It counts the records of all tasks of the process.
    "check_callbacks",
}


def run_inside(name):
    globals()[name]()
    return nap()[1]


# -- data ---------------------------------------------------------------------


def check_large_values_travel():
    blocks = [bytes([n]) * 3_000_000 for n in range(2 * workers() + 2)]
    out = list(futures.map(swap_ends, blocks, chunksize=1))
    assert [value for value, _ in out] == blocks
    assert_spread(pid for _, pid in out)


def swap_ends(data):
    doze()
    return data[::-1], os.getpid()


if __name__ == "__main__":
    run_checks(globals())
