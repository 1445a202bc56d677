"""The cost guard: what the hot paths execute, counted instead of timed.

    python benchmarks/guard.py              compare with the stored figures
    python benchmarks/guard.py --update     store those of this Python

Counted are bytecodes, calls of Python functions and calls of C functions, each by
itself; a path's cost is their weighted sum. Chance plays no part (time is virtual,
messages arrive in order), so two runs agree exactly and one changed line shows,
however noisy the machine. The paths are in ``hot_paths``. Bytecodes differ from one
minor version of Python to the next, so each has figures of its own.

Not seen: how long a C function takes, and what the system does.

Exit code: 0 all as stored or better, 1 a path costs more, 2 nothing to compare with.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import platform
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
STORED = HERE / "guard.json"
TOLERANCE = 0.03
"""Part by which a cost may differ from the stored one."""
LIMIT_S = 300
"""A path that never ends is stopped, and shown, after that."""
CALL_COST = 5
"""Bytecodes that take as long as a call of a function does, beyond what it executes."""
SAME, WORSE, NOT_COMPARABLE = range(3)

Figures = dict[str, dict[str, float]]
"""Of each path: how often, on average, each thing of :class:`Counts` has happened."""


class Counts(NamedTuple):
    """What has been executed."""

    bytecodes: int
    calls: int
    """Python functions called, generators resumed."""
    c_calls: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(one - two for one, two in zip(self, other)))


class Counter:
    """Counts, in a with block, what this process executes, in all its greenlets.

    Only frames that begin in the block are sure to be counted.

    Args:
        without: files whose functions do not count; those of this one never do.
    """

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = frozenset([*without, main.__code__.co_filename])
        self._bytecodes = self._calls = self._c_calls = 0
        self._before: tuple[Any, Any, bool] = None, None, False

    def read(self) -> Counts:
        """The counts so far."""
        return Counts(*self.now())

    def now(self) -> tuple[int, int, int]:
        """The same as a plain tuple: to make one executes nothing that counts."""
        return self._bytecodes, self._calls, self._c_calls

    def __enter__(self) -> Counter:
        self._before = sys.gettrace(), sys.getprofile(), gc.isenabled()
        gc.disable()  # a finalizer would run, and count, anywhere
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            sys.setprofile(self._profile)
            sys.settrace(self._trace)
        return self

    def __exit__(self, *error: object) -> None:
        trace, profile, collecting = self._before
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
            sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
        else:
            sys.settrace(trace)
            sys.setprofile(profile)
        if collecting:
            gc.enable()

    # -- up to Python 3.11 -------------------------------------------------

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A function has been called; the result is told of its bytecodes."""
        if frame.f_code.co_filename in self._without:
            return None
        self._calls += 1
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return self._trace_inside

    def _trace_inside(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            self._bytecodes += 1
        return self._trace_inside

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename not in self._without:
            self._c_calls += 1

    # -- from Python 3.12 on -----------------------------------------------

    def _monitor(self) -> None:
        monitoring = sys.monitoring
        events = monitoring.events
        tool = monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, "guard")

        def when(event: int, count: Callable[[], None]) -> None:
            def told(code: CodeType, *details: Any) -> Any:
                if code.co_filename not in self._without:
                    count()

            monitoring.register_callback(tool, event, told)

        when(events.INSTRUCTION, self._count_bytecode)
        for event in events.PY_START, events.PY_RESUME, events.PY_THROW:
            when(event, self._count_call)
        for event in events.C_RETURN, events.C_RAISE:
            when(event, self._count_c_call)
        # C_RETURN and C_RAISE come with CALL.
        monitoring.set_events(tool, events.INSTRUCTION | events.PY_START | events.PY_RESUME
                              | events.PY_THROW | events.CALL)

    def _count_bytecode(self) -> None:
        self._bytecodes += 1

    def _count_call(self) -> None:
        self._calls += 1

    def _count_c_call(self) -> None:
        self._c_calls += 1


class Meter:
    """Adds up counts under the names of paths.

    Use: ``with meter.cost(name) as cost: ...; cost.times += 1``.
    """

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.costs: dict[str, Cost] = {}

    def cost(self, name: str, times: int = 0) -> Cost:
        """What the path ``name`` costs; ``times``: how often the block goes along it."""
        cost = self.costs.setdefault(name, Cost(self.counter))
        cost.times += times
        return cost


class Cost:
    """The sum of what was executed in with blocks; ``times``: the path was gone along."""

    def __init__(self, counter: Counter) -> None:
        self.times = 0
        self._counter = counter
        self._sum = self._began = (0, 0, 0)

    def __enter__(self) -> Cost:
        self._began = self._counter.now()
        return self

    def __exit__(self, *error: object) -> None:
        bytecodes, calls, c_calls = (
            total + now - began
            for total, now, began in zip(self._sum, self._counter.now(), self._began))
        self._sum = bytecodes, calls, c_calls

    def average(self) -> dict[str, float]:
        """The counts each time, to five digits."""
        return {name: float(f"{count / self.times:.5g}")
                for name, count in zip(Counts._fields, self._sum)}


class NotReproducible(Exception):
    """Two runs of a path have executed different things."""


def measure(paths: Collection[Callable[[Meter], None]], without: Collection[str]) -> Figures:
    """Goes along each path three times: the first warms up, the others must agree.

    Raises:
        NotReproducible: they do not.
    """
    figures: Figures = {}
    for path in paths:
        runs: list[Figures] = []
        for _ in range(3):
            gc.collect()
            with Counter(without) as counter:
                meter = Meter(counter)
                path(meter)
            runs.append({name: cost.average() for name, cost in meter.costs.items()})
        _, first, second = runs
        for name in first:
            if first[name] != second.get(name):
                raise NotReproducible(f"{name}: {first[name]}, then {second.get(name)}")
        figures.update(first)
    return figures


def weighted(counts: dict[str, float]) -> float:
    """The cost of a path, in bytecodes."""
    return counts["bytecodes"] + CALL_COST * (counts["calls"] + counts["c_calls"])


def compare(stored: Figures, measured: Figures) -> tuple[int, list[str], list[str]]:
    """Returns the exit code, the lines of the table and what is to be said below it."""
    wide = max(map(len, [*measured, *stored]))
    lines = [f"{'path':{wide}}  bytecodes     calls   C calls      cost  stored  ratio"]
    worse, better = [], []
    for name, counts in measured.items():
        cost = weighted(counts)
        line = (f"{name:{wide}}  {counts['bytecodes']:9.4g} {counts['calls']:9.4g} "
                f"{counts['c_calls']:9.4g} {cost:9.4g}")
        if name in stored:
            before = weighted(stored[name])
            ratio = cost / before
            line += f" {before:7.4g}  {ratio:5.3f}"
            if ratio > 1 + TOLERANCE:
                worse.append(f"{name} costs {ratio:.3f} times the stored figure")
            elif ratio < 1 - TOLERANCE:
                better.append(f"{name}: better: run with --update")
        lines.append(line)
    unmatched = [f"{name}: stored or measured, not both: run with --update"
                 for name in sorted(set(stored) ^ set(measured))]
    code = WORSE if worse else NOT_COMPARABLE if unmatched else SAME
    return code, lines, [*better, *unmatched, *worse]


def main(arguments: list[str], stored_in: Path = STORED) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Counts what the hot paths execute.")
    parser.add_argument("--update", action="store_true", help="store the figures")
    options = parser.parse_args(arguments)
    version = ".".join(platform.python_version_tuple()[:2])
    everything = json.loads(stored_in.read_text()) if stored_in.exists() else {}
    if version not in everything and not options.update:
        print(f"no figures of Python {version} are stored in {stored_in.name}: "
              "make them with --update, from a source tree that is known to be good")
        return NOT_COMPARABLE

    # The source tree, not what is installed.
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    import hot_paths

    try:
        measured = measure(hot_paths.PATHS, hot_paths.NOT_COUNTED)
    except NotReproducible as error:
        print(f"not reproducible: {error}")
        return NOT_COMPARABLE
    code, table, remarks = compare(everything.get(version, {}), measured)
    print(*table, sep="\n")
    if not options.update:
        print(*remarks or [f"all within {TOLERANCE:.0%} of what is stored"], sep="\n")
        return code
    everything[version] = measured
    stored_in.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
    print(f"stored for Python {version} in {stored_in.name}")
    return SAME


if __name__ == "__main__":
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    sys.exit(main(sys.argv[1:]))
