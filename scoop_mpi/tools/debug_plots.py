"""Pictures of what ``--debug`` has written: ``python -m scoop_mpi.tools.debug_plots debug/``.

timeline.png   when each worker ran which function
queue.png      unstarted work of each worker over time
durations.png  how long the calls of each function took

Needs matplotlib (``pip install 'scoop_mpi[plots]'``).
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.errors import LaunchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FUNCTIONS_MAX = 9
"""So many functions, those that took the most time, get a colour of their own."""
OTHERS = "others"


class Call(NamedTuple):
    """One call of a task: times in seconds since the job's first call began."""

    worker: str
    function: str
    start_s: float
    end_s: float


class Statistics(NamedTuple):
    """A folder's contents; ``queues``: worker → [(time in seconds, unstarted work)]."""

    calls: list[Call]
    queues: dict[str, list[tuple[float, int]]]


def read(folder: Path) -> Statistics:
    """Reads what ``--debug`` has written.

    Raises:
        LaunchError: there are no such files, or one cannot be read.
    """
    if not folder.is_dir():
        raise LaunchError(f"there is no folder {folder}; a run with --debug writes one")
    calls: list[Call] = []
    for file in sorted(folder.glob("*-STATS")):
        for one in _load(file).values():
            calls.append(Call(one["worker"][0], one["callable"],
                              one["start_time"][0], one["end_time"][0]))
    if not calls:
        raise LaunchError(f"{folder} has no statistics of tasks (files worker-...-STATS, "
                          "written by a run with --debug)")
    began = min(call.start_s for call in calls)
    queues: dict[str, list[tuple[float, int]]] = {}
    for file in sorted(folder.glob("*-QUEUE")):
        worker = file.name.removeprefix("origin-").removesuffix("-QUEUE")
        queues[worker] = [(at - began, length) for at, length, _ in _load(file)]
    calls = [call._replace(start_s=call.start_s - began, end_s=call.end_s - began)
             for call in calls]
    return Statistics(sorted(calls, key=lambda call: call.start_s), queues)


def _load(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            return pickle.load(stream)
    except (OSError, pickle.UnpicklingError, EOFError) as error:
        raise LaunchError(f"cannot read {file}: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scoop_mpi.tools.debug_plots", description=(__doc__ or "").split("\n")[0],
    )
    parser.add_argument("folder", type=Path, help="the folder that a run with --debug wrote")
    parser.add_argument("-o", "--output", type=Path, default=Path("."),
                        help="folder for the pictures (default: this one)")
    options = parser.parse_args(argv)
    try:
        for file in draw(read(options.folder), options.output):
            print(file)
    except LaunchError as error:
        print(f"debug_plots: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def draw(statistics: Statistics, output: Path) -> list[Path]:
    """Draws the pictures into the folder ``output``; returns their files.

    Raises:
        LaunchError: matplotlib is missing, or the folder cannot be written to.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise LaunchError(
            f"drawing needs matplotlib ({error}): pip install 'scoop_mpi[plots]'"
        ) from None
    pictures = {"timeline": _timeline, "queue": _queue, "durations": _durations}
    files: list[Path] = []
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(f"cannot write {output}: {error.strerror}") from None
    for name, picture in pictures.items():
        figure = Figure(figsize=(11, 6), layout="constrained")
        picture(figure.subplots(), statistics)
        files.append(output / f"{name}.png")
        try:
            figure.savefig(files[-1], dpi=120)
        except OSError as error:
            raise LaunchError(f"cannot write {files[-1]}: {error.strerror}") from None
    return files


def _by_function(calls: Sequence[Call]) -> dict[str, list[Call]]:
    """Calls by function, the one with the most time first; the rest is in ``OTHERS``."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        found.setdefault(call.function, []).append(call)
    names = sorted(found, key=lambda name: -sum(c.end_s - c.start_s for c in found[name]))
    kept = {name: found[name] for name in names[:FUNCTIONS_MAX]}
    if rest := [call for name in names[FUNCTIONS_MAX:] for call in found[name]]:
        kept[OTHERS] = rest
    return kept


def _workers(statistics: Statistics) -> list[str]:
    names = {call.worker for call in statistics.calls} | set(statistics.queues)
    return sorted(names, key=lambda name: (len(name), name))


def _timeline(axes: Axes, statistics: Statistics) -> None:
    rows = {name: row for row, name in enumerate(_workers(statistics))}
    for colour, (function, calls) in enumerate(_by_function(statistics.calls).items()):
        spans: dict[str, list[tuple[float, float]]] = {}
        for call in calls:
            spans.setdefault(call.worker, []).append((call.start_s, call.end_s - call.start_s))
        for worker, bars in spans.items():
            axes.broken_barh(bars, (rows[worker] - 0.4, 0.8), color=f"C{colour}", alpha=0.7)
        axes.plot([], [], color=f"C{colour}", linewidth=6, alpha=0.7,
                  label=" " + function)  # matplotlib leaves out labels that start with _
    axes.set_yticks(list(rows.values()), list(rows))
    axes.invert_yaxis()
    axes.set(title="Tasks on each worker", xlabel="time (s)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _queue(axes: Axes, statistics: Statistics) -> None:
    for worker in _workers(statistics):
        points = statistics.queues.get(worker, [])
        axes.step([at for at, _ in points], [length for _, length in points],
                  where="post", label=worker)
    axes.set(title="Unstarted work on each worker", xlabel="time (s)", ylabel="tasks")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _durations(axes: Axes, statistics: Statistics) -> None:
    functions = _by_function(statistics.calls)
    seconds = [[max(call.end_s - call.start_s, 1e-7) for call in calls]
               for calls in functions.values()]
    axes.boxplot(seconds)
    labels = [f"{name} ({len(calls)})" for name, calls in functions.items()]
    axes.set_xticks(range(1, len(labels) + 1), labels, rotation=20, ha="right")
    axes.set_yscale("log")
    axes.set(title="Time that calls took (waiting included)", ylabel="time (s)")


if __name__ == "__main__":
    sys.exit(main())
