"""What the peer programs share: their command line, the clock, the lines they print.

A peer program defines some of these functions and hands them to :func:`run`:

    submit(func, items)         all submitted, then the result of each, in order
    map(func, items)            the peer's map: results in order
    unordered(func, items)      the peer's map whose results come in any order
    as_completed(func, items)   all submitted, then results in order of completion
    fib(n)                      the n-th Fibonacci number, with one task per call

Each returns its results; they are checked outside the measured time. Every program
prints JSON, one object a line: ``start`` (seconds from the launch to the first
result), one for each pass of each workload, and ``done``.

A workload has up to ``PASSES`` passes in one process, none begun after ``BUDGET_S``.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workloads import fib_value, increment, nap

WORKERS = 2
PASSES = 5
BUDGET_S = 2.0
"""Seconds after which no further pass of a workload begins."""

Verb = Callable[..., Any]


def arguments() -> argparse.ArgumentParser:
    """The command line of every peer program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--started", type=float, required=True,
                        help="time.monotonic() of when this program was launched")
    parser.add_argument("workloads", nargs="*", metavar="verb:size")
    return parser


def run(
    options: argparse.Namespace, verbs: Mapping[str, Verb], impossible: Mapping[str, str]
) -> None:
    """Measures the workloads in ``options``; prints one line for each pass.

    Args:
        options: of :func:`arguments`.
        verbs: the functions listed above, by name.
        impossible: why the peer has no such verb, by name.
    """
    _expect(verbs["submit"](increment, [1]), [2])
    _print(verb="start", size=1, seconds=time.monotonic() - options.started)
    _expect(verbs["submit"](nap, [0.02] * 4 * WORKERS), [0.02] * 4 * WORKERS)
    for workload in options.workloads:
        verb, size = workload.split(":")
        if verb in impossible:
            _print(verb=verb, size=int(size), impossible=impossible[verb])
        else:
            _measure(verbs[verb], verb, int(size))
    _print(verb="done")


def _measure(function: Verb, verb: str, size: int) -> None:
    is_fib = verb == "fib"
    call_arguments = (size,) if is_fib else (increment, range(size))
    expected = fib_value(size) if is_fib else list(range(1, size + 1))
    in_order = verb in ("fib", "map", "submit")
    began = time.monotonic()
    for _ in range(PASSES):
        gc.collect()
        before = time.perf_counter()
        result = function(*call_arguments)
        seconds = time.perf_counter() - before
        _expect(result if in_order else sorted(result), expected)
        _print(verb=verb, size=size, seconds=seconds)
        if time.monotonic() - began > BUDGET_S:
            break


def submit_each(submit: Callable[..., Any], func: Verb, items: Iterable[Any]) -> list[Any]:
    """The verb ``submit``, for peers with futures."""
    futures = [submit(func, item) for item in items]
    return [future.result() for future in futures]


def _expect(result: Any, expected: Any) -> None:
    if result != expected:
        raise SystemExit(f"wrong result: {str(result)[:200]}")


def _print(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)
