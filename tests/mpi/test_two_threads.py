"""The thread that runs tasks and the donor thread, switched after every microsecond."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import Finished

PROGRAM = """
import sys
import threading
import time
from collections import Counter

from scoop_mpi import futures, shared
from scoop_mpi.base import context


def watch():
    '''Once on each rank: switches threads all the time, and counts who exchanges.'''
    one = context.current().exchange
    if not hasattr(one, "exchanges_of"):
        sys.setswitchinterval(1e-6)
        one.exchanges_of = counts = Counter()
        exchange = one.exchange

        def counted(*args, **kwargs):
            counts[threading.current_thread().name] += 1
            return exchange(*args, **kwargs)

        one.exchange = counted
    return context.current().rank, dict(one.exchanges_of)


def compute(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(20))


def item(n):
    watch()
    compute(0.015 if n % 50 == 0 else 0.0001)
    return n


def parent(n):
    watch()
    children = [futures.submit(item, n * 100 + k) for k in range(20)]
    compute(0.0003)
    half = sum(futures.map(item, range(20)))
    return half + sum(child.result() for child in children)


def closure(n):
    return futures.submit(lambda: item(n) + bonus).result() - bonus


bonus = 7

if __name__ == "__main__":
    watch()
    assert list(futures.map(item, range(2000))) == list(range(2000))
    expected = [190 + sum(n * 100 + k for k in range(20)) for n in range(40)]
    assert list(futures.map(parent, range(40))) == expected
    pending = [futures.submit(parent, n) for n in range(40)]
    shared.setConst(limit=5)
    compute(0.05)
    assert [future.result() for future in pending] == expected
    assert sorted(futures.map_as_completed(closure, range(200))) == list(range(200))
    assert futures.mapReduce(item, max, range(500)) == 499
    assert [future.result() for future in
            futures.wait([futures.submit(item, 3) for _ in range(300)]).done] == [3] * 300

    def tell(_):
        time.sleep(0.02)
        return watch()

    for rank, counts in sorted(dict(futures.map(tell, range(200))).items()):
        print("rank", rank, counts.get("scoop_mpi donor", 0), counts.get("MainThread", 0))
"""


@pytest.mark.parametrize("workers", [2, 4])
def test_both_threads_take_part_and_all_is_right(
    run: Callable[..., Finished], workers: int
) -> None:
    finished = run(PROGRAM, ranks=workers + 1, timeout=90)
    assert finished.returncode == 0, finished
    told = [list(map(int, line.split()[1:])) for _, line in finished.lines]
    assert [rank for rank, *_ in told] == list(range(1, workers + 1)), finished
    assert all(donor > 0 and main > 0 for _, donor, main in told), finished
