"""The work that every peer gets: the task functions, the workloads, their sizes.

A workload is a verb that peers implement (see ``measuring.py``) and a size. All times
are divided by the number of tasks, so that sizes can be compared.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


def increment(number: int) -> int:
    """The trivial task: all that is measured with it is overhead."""
    return number + 1


def nap(duration_s: float) -> float:
    """A task that keeps its worker occupied and the core free."""
    time.sleep(duration_s)
    return duration_s


def fib_value(n: int) -> int:
    """The n-th Fibonacci number, to check results with."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@dataclass(frozen=True)
class Workload:
    """A row of the table.

    Args:
        verb: what a peer does: ``start``, ``map``, ``submit``, ``fib``, ``unordered`` or
            ``as_completed``.
        size: the number of tasks, for ``fib`` its argument.
        quick_size: likewise, for a smoke run.
        title: for the table.
        reach_us: microseconds a task that scoop_mpi should not exceed.
        ours_only: only scoop_mpi runs it, to show that its time is linear in the size.
    """

    verb: str
    size: int
    quick_size: int
    title: str
    reach_us: float | None = None
    ours_only: bool = False


def tasks(verb: str, size: int) -> int:
    """How many tasks the time of one pass is divided by."""
    return 2 * fib_value(size + 1) - 1 if verb == "fib" else size


WORKLOADS = (
    Workload("map", 20_000, 2_000, "`map`, trivial function", reach_us=0.4),
    Workload("submit", 10_000, 1_000, "`submit`, then `result` of each", reach_us=6),
    Workload("fib", 16, 10, "nested: `fib`, a task per call", reach_us=3),
    Workload("unordered", 5_000, 500, "results of a map as they come"),
    Workload("as_completed", 5_000, 500, "`submit`, then `as_completed`"),
    Workload("unordered", 50_000, 5_000, "results of a map as they come", ours_only=True),
    Workload("as_completed", 50_000, 5_000, "`submit`, then `as_completed`", ours_only=True),
)
