"""What the peer programs share: their command line, the clock, the lines they print.

A peer program defines some of these functions and hands them to :func:`run`:

    submit(func, items)         all submitted, then the result of each, in order
    map(func, items)            the peer's map: results in order
    unordered(func, items)      the peer's map whose results come in any order
    as_completed(func, items)   all submitted, then results in order of completion
    fib(n)                      the n-th Fibonacci number, with one task per call
    round_trip(func)            one task, run by another process; func takes no argument

Each returns its results; they are checked outside the measured time. Every program
prints JSON, one object a line: ``start`` (from the launch to the first result), one for
each pass of each workload, and ``done``.

A workload has up to ``PASSES`` passes in one process, none begun after ``BUDGET_S``.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import processes
from workloads import (BY_NAME, EFFICIENCY, FIRST_RESULT, GRANULARITY, LATENCY, PAIR, WORKERS,
                       Workload, busy, fib_value, increment, nap, spin, where)

PASSES = 5
BUDGET_S = 2.0
"""Seconds after which no further pass of a workload begins."""
SAMPLE_S = 0.001
"""A task is timed alone in batches of at least this length ..."""
SAMPLING_S = 0.15
"""... for so long."""
ELSEWHERE = 0.99
"""The part of the single tasks that must have been run by another process."""

METG_WORK_S = 0.3
"""A pass of the search for METG has as many tasks as make so much work ..."""
METG_TASKS = range(50, 300_000)
"""... within these bounds."""
METG_FIRST_US = 4096.0
METG_BOUNDS_US = (0.1, 2e6)
METG_STEPS = 4
"""The bounds of METG are halved, on a logarithmic scale, so often."""

OF_ITEMS = ("submit", "map", "unordered", "as_completed")
"""The verbs that take a function and items."""

Verb = Callable[..., Any]
Prepare = Callable[[str, Verb, Sequence[int]], str]


def arguments() -> argparse.ArgumentParser:
    """The command line of every peer program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--started", type=float, required=True,
                        help="time.monotonic() of when this program was launched")
    parser.add_argument("--launcher", type=int, required=True,
                        help="process of which this job is the only child")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    return parser


def run(
    options: argparse.Namespace, verbs: Mapping[str, Verb], impossible: Mapping[str, str],
    prepare: Prepare | None = None,
) -> None:
    """Measures the workloads in ``options``; prints one line for each pass.

    Args:
        options: of :func:`arguments`.
        verbs: the functions listed above, by name.
        impossible: why the peer has no such verb, by name.
        prepare: is called with verb, function and items before the first pass; what it
            returns is for the table.
    """
    if "submit" in verbs:
        _expect(verbs["submit"](increment, [1]), [2])
        _print(FIRST_RESULT, time.monotonic() - options.started)
    for name in options.workloads:
        workload = BY_NAME[name]
        if workload.verb in impossible:
            _say_why(workload, f"not possible: {impossible[workload.verb]}")
            continue
        _wake_up(verbs.get(workload.verb if workload.verb in OF_ITEMS else "submit"))
        _Measurement(workload, verbs[workload.verb], prepare, options).take()
    print('{"workload": "done"}', flush=True)


def _wake_up(verb: Verb | None) -> None:
    """Short sleeps, so that all workers are up; by the verb to be measured, if possible."""
    if verb is not None:
        naps = [0.02] * 4 * WORKERS
        _expect(list(verb(nap, naps)), naps)


class _Measurement:
    """Of one workload in this process."""

    def __init__(
        self, workload: Workload, verb: Verb, prepare: Prepare | None,
        options: argparse.Namespace,
    ) -> None:
        self._workload = workload
        self._verb = verb
        self._prepare = prepare
        self._options = options

    def take(self) -> None:
        """Prints one line for each pass."""
        figure = self._workload.figure
        if figure is GRANULARITY:
            if (granularity := self._metg()) is None:
                _say_why(self._workload, "not even long tasks are half efficient")
            else:
                _print(self._workload, granularity)
        elif figure is LATENCY:
            self._round_trips()
        elif self._workload.verb == "fib":
            self._fib()
        else:
            self._tasks()

    def _passes(self) -> Iterator[None]:
        """One for each pass."""
        passes, quick = self._workload.passes, self._options.quick
        if passes is not None and quick:
            passes = max(2, passes // 10)
        began = time.monotonic()
        for _ in range(passes or PASSES):
            gc.collect()
            yield
            if passes is None and time.monotonic() - began > BUDGET_S:
                break

    def _fib(self) -> None:
        n = self._workload.argument(self._options.quick)
        for _ in self._passes():
            seconds, result = _time(self._verb, n)
            _expect(result, fib_value(n))
            _print(self._workload, seconds / self._workload.tasks(self._options.quick))

    def _round_trips(self) -> None:
        number = self._workload.argument(self._options.quick)
        for _ in self._passes():
            trips = [_time(self._verb, where) for _ in range(number)]
            elsewhere = sum(result != where() for _, result in trips)
            if elsewhere < ELSEWHERE * number:
                _say_why(self._workload, f"not measured: {number - elsewhere:,} of {number:,} "
                         "tasks were run by the process that submitted them")
                break
            _print(self._workload, statistics.median(seconds for seconds, _ in trips))

    def _tasks(self) -> None:
        workload = self._workload
        func: Verb = increment
        items: Sequence[float] = range(workload.argument(self._options.quick))
        if workload.work:
            func, items = busy, workload.durations(self._options.quick)
        expected = [func(item) for item in items] if func is increment else list(items)
        in_order = workload.verb in ("map", "submit")
        note = self._prepare(workload.verb, func, items) if self._prepare else ""
        for _ in self._passes():
            memory = processes.Memory(self._options.launcher) if workload.memory else None
            seconds, result = _time(self._verb, func, items)
            more = {"mebibytes": memory.growth()} if memory else {}
            _expect(result if in_order else sorted(result), expected)
            del result
            value = seconds / len(items)
            if workload.figure is EFFICIENCY:
                value = 1e-6 * sum(items) / WORKERS / seconds
            elif workload.figure is PAIR:
                value = seconds
            _print(workload, value, note=note, **more)

    def _metg(self) -> float | None:
        """The smallest granularity, in seconds, at which half the time is work; or None.

        As Task Bench defines it (Slaughter et al., SC20): granularity is elapsed time,
        times workers, divided by tasks. So half of METG(50 %) is the work of a task.
        """
        bounds = METG_BOUNDS_US
        fine, granularity = METG_FIRST_US, self._granularity(METG_FIRST_US)
        while granularity is None and fine < bounds[1]:
            fine *= 2
            granularity = self._granularity(fine)
        coarse = fine / 2
        if fine == METG_FIRST_US:
            while coarse > bounds[0] and (found := self._granularity(coarse)) is not None:
                fine, granularity, coarse = coarse, found, coarse / 2
        # From here on: ``fine`` is efficient, the shorter ``coarse`` is not.
        for _ in range(METG_STEPS if granularity is not None else 0):
            middle = (fine * coarse) ** 0.5
            if (found := self._granularity(middle)) is None:
                coarse = middle
            else:
                fine, granularity = middle, found
        return granularity

    def _granularity(self, duration_us: float) -> float | None:
        """Seconds a task at this duration of the work; None if less than half is work."""
        work_us = 1e6 * METG_WORK_S / (10 if self._options.quick else 1)
        number = int(work_us / duration_us)
        number = min(max(number, METG_TASKS.start), METG_TASKS.stop)
        items = [iterations(duration_us)] * number
        if self._prepare:
            self._prepare(self._workload.verb, spin, items)
        alone = number * _call_s(items[0])
        elapsed = []
        for _ in range(3):
            gc.collect()
            seconds, result = _time(self._verb, spin, items)
            _expect(result, items)
            elapsed.append(seconds)
        granularity = statistics.median(elapsed) * WORKERS / number
        return granularity if alone / number >= 0.5 * granularity else None


def iterations(duration_us: float) -> int:
    """The item of ``spin`` that takes so long here and now."""
    sample = 10_000
    return max(1, round(duration_us * sample / (1e6 * _call_s(sample))))


def _call_s(iterations: int) -> float:
    """The median time of such a call of ``spin``."""
    calls = 1
    samples: list[float] = []
    end = time.monotonic() + SAMPLING_S
    while time.monotonic() < end or len(samples) < 2:
        before = time.perf_counter()
        for _ in range(calls):
            spin(iterations)
        seconds = time.perf_counter() - before
        if seconds < SAMPLE_S:
            calls *= 2
        else:
            samples.append(seconds / calls)
    return statistics.median(samples)


def _time(function: Verb, *args: Any) -> tuple[float, Any]:
    before = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - before, result


def submit_each(submit: Callable[..., Any], func: Verb, items: Iterable[Any]) -> list[Any]:
    """The verb ``submit``, for peers with futures."""
    futures = [submit(func, item) for item in items]
    return [future.result() for future in futures]


def submit_one(submit: Callable[..., Any], func: Verb) -> Any:
    """The verb ``round_trip``, for peers with futures whose tasks run elsewhere."""
    return submit(func).result()


def polled_one(submit: Callable[..., Any], func: Verb) -> Any:
    """The verb ``round_trip``, for peers whose futures would run it where they wait."""
    future = submit(func)
    while not future.done():
        pass
    return future.result()


def _expect(result: Any, expected: Any) -> None:
    if result != expected:
        raise SystemExit(f"wrong result: {str(result)[:200]}")


def _say_why(workload: Workload, why: str) -> None:
    """Prints why there is no figure."""
    print(json.dumps({"workload": workload.name, "why": why}), flush=True)


def _print(workload: Workload, value: float, **fields: Any) -> None:
    print(json.dumps({"workload": workload.name, "value": value, **fields}), flush=True)
