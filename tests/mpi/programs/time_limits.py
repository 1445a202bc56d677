"""Waits with a time limit are kept while another worker does the work.

With a patient root: on a busy machine the other worker may need a while to begin.
"""

import functools
import re
import time

from checking import assert_raises, run_checks, workers

from scoop_mpi import futures


def sleep_long(seconds):
    time.sleep(seconds)
    return seconds


def sleep_long_or_short(seconds):
    time.sleep(seconds)
    return seconds


def sleep_long_mapped(seconds):
    time.sleep(seconds)
    return seconds


def soon(limit_s, function, *args, **kwargs):
    """It raises TimeoutError, not much later than it should."""
    began = time.monotonic()
    assert_raises(futures.TimeoutError, function, *args, **kwargs)
    took_s = time.monotonic() - began
    assert limit_s <= took_s < 1.5, took_s


def check_limit_of_result():
    future = futures.submit(sleep_long, 3)
    soon(0.3, future.result, timeout=0.3)
    soon(0.1, future.exception, timeout=0.1)
    assert not future.done()
    assert future.result() == 3


def check_limit_after_a_busy_time():
    time.sleep(1)
    future = futures.submit(sleep_long, 2)
    soon(0.3, future.result, timeout=0.3)
    assert future.result() == 2


def check_limit_of_wait():
    future = futures.submit(sleep_long, 2)
    began = time.monotonic()
    assert futures.wait([future], timeout=0.3) == (set(), {future})
    assert futures.wait([future], timeout=0) == (set(), {future})
    assert 0.3 <= time.monotonic() - began < 1.5
    soon(0.1, list, futures.as_completed([future], timeout=0.1))
    assert futures.wait([future], timeout=-1) == ({future}, set())


def check_limit_of_map():
    soon(0.3, list, futures.map(sleep_long_mapped, [2] * workers(), timeout=0.3))
    soon(0.3, list, futures.map_as_completed(sleep_long_mapped, [2] * workers(), timeout=0.3))


def check_limit_though_such_tasks_used_to_be_short():
    assert [f.result() for f in [futures.submit(sleep_long_or_short, 0.01) for _ in range(20)]]
    future = futures.submit(sleep_long_or_short, 2)
    soon(0.3, future.result, timeout=0.3)
    assert future.result() == 2


def check_a_timeout_says_where_it_is():
    future = futures.submit(sleep_long, 0.6)
    while not future.running():
        future.done()
    for wait in (future.result, functools.partial(next_of, futures.as_completed, [future])):
        said = str(assert_raises(futures.TimeoutError, wait, timeout=0.1))
        assert re.search(r"sent to another worker>.*: given to rank 2 \S+ s ago$", said), said
    assert future.result() == 0.6
    for verb in (futures.map, futures.map_as_completed):
        said = str(assert_raises(
            futures.TimeoutError, next_of, verb, sleep_long_mapped, [0.6], timeout=0.2))
        time.sleep(0.6)  # the other worker has begun with it
        assert re.search(r"1 results missing; item 0: given to rank 2 \S+ s ago$", said), said


def next_of(verb, *args, timeout):
    return next(iter(verb(*args, timeout=timeout)))


if __name__ == "__main__":
    run_checks(globals())
