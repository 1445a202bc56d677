"""Ranks that have been idle for long, and so sleep, are woken by what comes for them."""

from __future__ import annotations

from collections.abc import Callable

from launching import Finished, tuned

WORKERS = 4
TRIES = 5

PROGRAM = f"""
import time
from scoop_mpi import futures
from scoop_mpi.base import context

def where():
    return context.current().rank, time.monotonic()

def can_ring(seconds):
    time.sleep(seconds)
    scheduler = context.current()
    return scheduler.rank, scheduler.exchange._endpoint.all_can_ring

if __name__ == "__main__":
    print("can ring", sorted(set(futures.map(can_ring, [0.02] * {20 * WORKERS}))))
    time.sleep(1)
    for _ in range({TRIES}):
        began = time.monotonic()
        future = futures.submit(where)
        while not future.done():
            pass
        rank, started = future.result()
        print("try", rank, started - began)
        time.sleep(0.5)
"""


def test_sleeping_workers_take_a_task_at_once(run: Callable[..., Finished]) -> None:
    # What nobody takes within ten milliseconds is else run by the root, and a busy machine can
    # need longer to wake a process.
    finished = run(PROGRAM, ranks=WORKERS + 1, timeout=60, env=tuned(patience_polls_s=5.0))
    assert finished.returncode == 0, finished
    texts = [line for _, line in finished.lines]
    assert texts[0] == f"can ring {[(rank, True) for rank in range(1, WORKERS + 1)]}", finished
    tries = [line.split()[1:] for line in texts[1:]]
    assert len(tries) == TRIES, finished
    for rank, seconds in tries:
        assert int(rank) > 1, finished
        assert float(seconds) < 1, finished
