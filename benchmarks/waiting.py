"""A program that waits in two ways and announces each; ``idle.py`` runs it.

    python -m scoop_mpi -n 63 benchmarks/waiting.py SECONDS
"""

from __future__ import annotations

import os
import sys
import time

from scoop_mpi import futures

HAND_OUT_S = 2.0
"""Seconds within which another worker has taken a task from a root that sleeps."""


def nap(duration_s: float) -> int:
    """Sleeps, and tells which process did."""
    time.sleep(duration_s)
    return os.getpid()


def main() -> None:
    """Waits twice."""
    wait_s = float(sys.argv[1])
    sum(futures.map(abs, range(1000)))
    print("the root sleeps in the program", flush=True)
    time.sleep(wait_s)
    task = futures.submit(nap, wait_s + HAND_OUT_S)
    time.sleep(HAND_OUT_S)
    print("the root waits for a task that sleeps on another rank", flush=True)
    if task.result() == os.getpid():
        raise SystemExit("the root ran the task itself")


if __name__ == "__main__":
    main()
