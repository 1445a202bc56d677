"""The workloads: programs whose tasks take virtual time, and what they would take at best."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple

from scoop_mpi import futures

from .costs import Costs
from .pool import compute, spend

FAN_OUT = 8
"""Children of a node of the tree."""
ALPHA = 1.5
"""Of the Pareto distribution of the heavy tail: the mean exists, the variance does not."""
LONGEST = 10
"""The longest task of the heavy tail, in means."""

JITTER = 0.02
"""By how much tasks of equal length differ: without it a pool runs in lockstep."""

_seconds: list[float] = []
"""Of each task; every rank is in this process, so nobody has to send it."""


class Work(NamedTuple):
    """A program to run on the root, and what it comes to."""

    program: Callable[[], object]
    expected: object
    """What it returns."""
    total_s: float
    """Seconds of all tasks."""
    longest_s: float
    greedy_s: float
    """The time of a scheduler that costs nothing and knows no task's length beforehand."""


def item(number: int) -> int:
    """A task of the flat workloads."""
    compute(_seconds[number])
    return number


def tree(first: int, leaves: int) -> int:
    """A task of the tree: submits its children and waits for them, or computes."""
    if leaves == 1:
        compute(_seconds[first])
        return 1
    spend(Costs.submit_s * FAN_OUT)
    bounds = [first + leaves * part // FAN_OUT for part in range(FAN_OUT + 1)]
    children = [futures.submit(tree, start, stop - start)
                for start, stop in zip(bounds, bounds[1:]) if stop > start]
    return sum(child.result() for child in children)


def _map(number: int) -> object:
    spend(Costs.map_item_s / 2 * number)
    total = 0
    for value in futures.map(item, range(number)):
        spend(Costs.map_item_s / 2)
        total += value
    return total


def _submit(number: int) -> object:
    tasks = []
    for one in range(number):
        spend(Costs.submit_s)
        tasks.append(futures.submit(item, one))
    return sum(task.result() for task in tasks)


def make(name: str, workers: int, seconds: float, per_worker: int) -> Work:
    """The workload of that name: uniform, heavy, submit or nested.

    Args:
        seconds: of a task, on average.
        per_worker: tasks (leaves of the tree) for each worker.
    """
    number = workers * per_worker
    chance = random.Random(1)
    if name == "heavy":
        shortest = seconds * (ALPHA - 1) / ALPHA
        lengths = [min(shortest * chance.paretovariate(ALPHA), LONGEST * seconds)
                   for _ in range(number)]
    else:
        lengths = [seconds * chance.uniform(1 - JITTER, 1 + JITTER) for _ in range(number)]
    _seconds[:] = lengths
    greedy_s = _greedy(lengths, workers)
    if name == "nested":
        return Work(lambda: tree(0, number), number, sum(lengths), max(lengths), greedy_s)
    run = _submit if name == "submit" else _map
    return Work(lambda: run(number), number * (number - 1) // 2, sum(lengths), max(lengths),
                greedy_s)


def _greedy(lengths: list[float], workers: int) -> float:
    """Whoever is free takes the next task."""
    free = [0.0] * workers
    for seconds in lengths:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


NAMES = ("uniform", "heavy", "nested", "submit")
