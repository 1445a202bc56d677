"""Ranks that have been idle for long, and so sleep, are woken by what comes for them."""

from __future__ import annotations

from collections.abc import Callable

from launching import Finished

WORKERS = 4
TRIES = 5

PROGRAM = f"""
import time
from scoop_mpi import futures
from scoop_mpi.base import context

def where(seconds):
    began = time.monotonic()
    time.sleep(seconds)
    return context.running().rank, began

def can_ring(seconds):
    time.sleep(seconds)
    scheduler = context.running()
    return scheduler.rank, scheduler.exchange._endpoint.all_can_ring

if __name__ == "__main__":
    print("can ring", sorted(set(futures.map(can_ring, [0.02] * {20 * WORKERS}))))
    time.sleep(1)
    for _ in range({TRIES}):
        began = time.monotonic()
        tasks = [futures.submit(where, 0.4) for _ in range({WORKERS})]
        found = [task.result() for task in tasks]
        print("try", len(set(rank for rank, _ in found)), max(at for _, at in found) - began)
        time.sleep(0.5)
"""


def test_sleeping_workers_take_a_task_at_once(run: Callable[..., Finished]) -> None:
    finished = run(PROGRAM, ranks=WORKERS + 1, timeout=60)
    assert finished.returncode == 0, finished
    texts = [line for _, line in finished.lines]
    assert texts[0] == f"can ring {[(rank, True) for rank in range(1, WORKERS + 1)]}", finished
    tries = [line.split()[1:] for line in texts[1:]]
    assert len(tries) == TRIES, finished
    for ranks, seconds in tries:
        assert int(ranks) == WORKERS, finished  # each has one: nobody slept on
        assert float(seconds) < 0.4, finished
