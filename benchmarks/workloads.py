"""The work that every peer gets: the task functions, the workloads, what to reach.

A workload is a verb that peers implement (see ``measuring.py``), applied to tasks, and a
figure that is taken from it. Each has a name, by which peers are asked for it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

WORKERS = 2


def increment(number: int) -> int:
    """The trivial task: all that is measured with it is overhead."""
    return number + 1


def spin(iterations: int) -> int:
    """A task that keeps a core occupied, and the GIL."""
    for _ in range(iterations):
        pass
    return iterations


def busy(duration_us: float) -> float:
    """A task that keeps a core occupied until so much time has passed.

    By the clock: two cores that slow each other down are none of a pool's doing.
    """
    end = time.perf_counter() + 1e-6 * duration_us
    while time.perf_counter() < end:
        pass
    return duration_us


def nap(duration_s: float) -> float:
    """A task that keeps its worker occupied and the core free."""
    time.sleep(duration_s)
    return duration_s


def where() -> int:
    """A task that tells which process runs it."""
    return os.getpid()


def fib_value(n: int) -> int:
    """The n-th Fibonacci number, to check results with."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@dataclass(frozen=True)
class Figure:
    """What is read off a pass.

    Args:
        unit: for the table.
        more_is_better: so that a limit is a lower one.
        divisor: of what is measured, seconds a task but for ``EFFICIENCY``, which has none.
    """

    unit: str
    more_is_better: bool = False
    divisor: float = 1e-6


COST = Figure("µs a task")
"""The time of the pass, divided by the number of tasks."""
LATENCY = Figure("µs")
"""The median of the times of the single tasks."""
EFFICIENCY = Figure("of the ideal", more_is_better=True, divisor=1)
"""The time of the tasks without any library, divided by the workers, to that of the pass."""
GRANULARITY = Figure("µs")
"""METG(50 %), as ``measuring.py`` has it."""
PAIR = Figure("s", divisor=1)
"""The time of the pass; what counts is how often it was too long."""
START = Figure("ms", divisor=1e-3)
"""The time of the start."""


@dataclass(frozen=True)
class Reach:
    """What scoop_mpi should reach.

    Args:
        limit: of the figure; or, if there is a ``peer``, how many times its figure that
            of the peer must be, at least.
        peer: the name of a peer.
        memory: it is about the memory, not the figure.
    """

    limit: float
    peer: str = ""
    memory: bool = False


@dataclass(frozen=True)
class Workload:
    """A row of the table.

    Args:
        name: its key, here and on the command lines of the peers' programs.
        verb: what a peer does: ``map``, ``submit``, ``fib``, ``unordered``,
            ``as_completed`` or ``round_trip``.
        title: for the table.
        figure: what is measured.
        size: the number of trivial tasks, for ``fib`` its argument.
        quick_size: likewise, for a smoke run.
        work: in place of the size: busy tasks, their numbers and durations in µs.
        reach: what scoop_mpi should reach.
        only: the keys of the peers that are asked; None: all that can.
        why_only: why the others are not.
        memory: the growth of the memory of all processes is measured too.
        passes: so many, however long they take; None: as ``measuring.py`` has it.
        processes: at most so many in one run, if passes take long; None: no limit.
        tenth: the name of the workload that does the same with a tenth of the tasks.
    """

    name: str
    verb: str
    title: str
    figure: Figure = COST
    size: int = 0
    quick_size: int = 0
    work: tuple[tuple[int, float], ...] = ()
    reach: tuple[Reach, ...] = ()
    only: tuple[str, ...] | None = None
    why_only: str = ""
    memory: bool = False
    passes: int | None = None
    processes: int | None = None
    tenth: str = ""

    def argument(self, quick: bool) -> int:
        """The size that is in force."""
        return self.quick_size if quick else self.size

    def durations(self, quick: bool) -> list[float]:
        """Those of the busy tasks that are in force, in µs."""
        return [duration for number, duration in self.work
                for _ in range(max(WORKERS, number // 10) if quick else number)]

    def tasks(self, quick: bool) -> int:
        """How many tasks one pass has; METG: 0, as their number varies."""
        if self.verb == "fib":
            return 2 * fib_value(self.argument(quick) + 1) - 1
        return self.argument(quick) or len(self.durations(quick))


POOL = "multiprocessing.Pool"
EXECUTOR = "ProcessPoolExecutor"
SCOOP = "SCOOP"
OURS = "scoop_mpi"
ONLY_OURS = (OURS,)
LONG_PAIR_S = 0.45
"""A pass of two equal tasks that takes longer has run them one after the other."""

WORKLOADS = (
    Workload("map", "map", "`map`, trivial function", size=20_000, quick_size=2_000,
             reach=(Reach(0.2), Reach(1, POOL))),
    Workload("million", "map", "`map`, trivial function", size=1_000_000, quick_size=100_000,
             reach=(Reach(0.2), Reach(1, POOL), Reach(1, POOL, memory=True)), memory=True,
             only=(OURS, "mpi4py_futures", "pool", "joblib"), why_only="it would take minutes"),
    Workload("submit", "submit", "`submit`, then `result` of each", size=10_000,
             quick_size=1_000, reach=(Reach(4), Reach(15, EXECUTOR))),
    Workload("fib", "fib", "nested: `fib`, a task per call", size=18, quick_size=12,
             reach=(Reach(1.5), Reach(100, SCOOP))),
    Workload("round_trip", "round_trip", "one task to another process and back", LATENCY,
             size=2_000, quick_size=200, reach=(Reach(40),)),
    Workload("map_100", "map", "`map` of 100 µs", EFFICIENCY, work=((5_000, 100),),
             reach=(Reach(0.95),)),
    Workload("map_1000", "map", "`map` of 1 ms", EFFICIENCY, work=((5_000, 1_000),),
             reach=(Reach(0.98),), processes=2),
    Workload("submit_100", "submit", "`submit` of 100 µs", EFFICIENCY, work=((5_000, 100),),
             reach=(Reach(0.95),)),
    Workload("submit_1000", "submit", "`submit` of 1 ms", EFFICIENCY, work=((5_000, 1_000),),
             reach=(Reach(0.98),), processes=2),
    Workload("tail", "map", "`map`, heavy tail", EFFICIENCY, reach=(Reach(0.93),),
             work=((2_000, 200), (8, 50_000))),
    Workload("tail_reversed", "map", "`map`, heavy tail, reversed", EFFICIENCY,
             reach=(Reach(0.93),), work=((8, 50_000), (2_000, 200))),
    Workload("metg_map", "map", "METG(50 %), `map`", GRANULARITY, processes=1),
    Workload("metg_submit", "submit", "METG(50 %), `submit`", GRANULARITY, processes=1,
             only=ONLY_OURS),
    Workload("pair", "map", "two equal tasks of 0.3 s, 20 times", PAIR, work=((2, 300_000),),
             reach=(Reach(0),), passes=20, processes=1),
    Workload("unordered", "unordered", "results of a map as they come", size=5_000,
             quick_size=500),
    Workload("as_completed", "as_completed", "`submit`, then `as_completed`", size=5_000,
             quick_size=500),
    Workload("unordered_tenfold", "unordered", "results of a map as they come", size=50_000,
             quick_size=5_000, only=ONLY_OURS, tenth="unordered"),
    Workload("as_completed_tenfold", "as_completed", "`submit`, then `as_completed`",
             size=50_000, quick_size=5_000, only=ONLY_OURS, tenth="as_completed"),
)
FIRST_RESULT = Workload("start", "start", "From the launch to the first result of one task",
                        START)
"""Measured by every process, not asked for."""
BY_NAME = {workload.name: workload for workload in (*WORKLOADS, FIRST_RESULT)}
