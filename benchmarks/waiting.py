"""A program that waits in two ways and announces each; ``idle.py`` runs it.

    python -m scoop_mpi -n 63 benchmarks/waiting.py SECONDS

Prints JSON, one object a line: ``wait`` (what it does from now on) and ``delay`` (what was
measured after it, with the seconds).
"""

from __future__ import annotations

import json
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


def start() -> tuple[float, int]:
    """When it started, by a clock that all processes of a machine share, and where."""
    return time.monotonic(), os.getpid()


def main() -> None:
    """Waits twice."""
    wait_s = float(sys.argv[1])
    sum(futures.map(abs, range(1000)))
    say(wait="the root sleeps in the program")
    time.sleep(wait_s)
    delay_of_own()
    delay_of_polled()
    task = futures.submit(nap, wait_s + HAND_OUT_S)
    time.sleep(HAND_OUT_S)
    say(wait="the root waits for a task that sleeps on another rank")
    if task.result() == os.getpid():
        raise SystemExit("the root ran the task itself")
    delay_of_own()
    delay_elsewhere()


def delay_of_own() -> None:
    """Of a task that the root waits for."""
    submitted = time.monotonic()
    started, _ = futures.submit(start).result()
    say(delay="then the start of a task that the root waits for", seconds=started - submitted)


def delay_of_polled() -> None:
    """Of a task that the root asks for, again and again, whoever runs it."""
    submitted = time.monotonic()
    future = futures.submit(start)
    while not future.done():
        pass
    started, _ = future.result()
    say(delay="then the start of a task that the root polls for", seconds=started - submitted)


def delay_elsewhere() -> None:
    """Of a task that another rank has to run, as the root is busy."""
    submitted = time.monotonic()
    future = futures.submit(start)
    time.sleep(HAND_OUT_S)
    started, process = future.result()
    if process == os.getpid():
        raise SystemExit("the root ran the task itself")
    say(delay="then the start of a task while the root is busy", seconds=started - submitted)


def say(**fields: object) -> None:
    """Prints one line."""
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
