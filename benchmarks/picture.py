"""Draws the picture of the table that stands in README.md: ``docs/benchmark.svg``.

    python benchmarks/picture.py

It shows what the table says, so it can be drawn again at any time. It needs matplotlib,
the extra ``plots``.
"""

from __future__ import annotations

import importlib.util
import sys

import environments
import report
from workloads import BY_NAME, OURS, Workload

PANELS = ("map", "fib", "submit", "round_trip")
FILE = environments.ROOT / "docs" / "benchmark.svg"
ADVICE = "the picture needs matplotlib; install the extra 'plots': pip install '.[plots]'"
COLOURS = {True: "#c2410c", False: "#94a3b8"}
"""Of our bars, and of the others."""
STYLE = {"svg.hashsalt": "scoop_mpi", "svg.fonttype": "none", "font.size": 9,
         "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False}

Bars = list[tuple[str, float | None, str]]
"""Of each line of a table: the peer, its figure, and the text of the cell."""


def check() -> None:
    """Says so if the picture cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        print(ADVICE, file=sys.stderr, flush=True)


def draw() -> bool:
    """Writes the picture, always the same for the same table; False if it cannot."""
    try:
        import matplotlib
    except ImportError:
        print(ADVICE, file=sys.stderr)
        return False
    matplotlib.use("svg")
    from matplotlib import pyplot

    panels = [(workload, bars) for workload in map(BY_NAME.__getitem__, PANELS)
              if (bars := _read(workload))]
    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(2, 2, figsize=(11, 6.6), facecolor="white")
        for axis, (workload, bars) in zip(axes.flat, panels):
            _draw_panel(axis, workload, bars)
        for axis in axes.flat[len(panels):]:
            axis.axis("off")
        figure.suptitle("Time of a task, two workers each (logarithmic; shorter is better)")
        figure.tight_layout()
        figure.savefig(FILE, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    print(f"{FILE.relative_to(environments.ROOT)} is drawn")
    return True


def _read(workload: Workload) -> Bars:
    """The workload's table; empty if README.md has none."""
    bars: Bars = []
    for cells in report.read_table(report.heading(workload)):
        try:
            value = float(cells[1].replace(",", ""))
        except ValueError:
            value = None
        why, _, _ = cells[1].partition(":")
        bars.append((cells[0], value, cells[1] if value is not None else why))
    return bars


def _draw_panel(axis, workload: Workload, bars: Bars) -> None:  # type: ignore[no-untyped-def]
    values = [value for _, value, _ in bars if value is not None]
    smallest = min(values, default=1) / 3
    places = range(len(bars))
    # Bars begin at the left edge, wherever a logarithmic scale has it.
    axis.barh(places, [(value or smallest) - smallest for _, value, _ in bars],
              left=smallest, color=[COLOURS[name == OURS] for name, _, _ in bars])
    axis.set_xscale("log")
    axis.set_xlim(smallest, max(values, default=1) * 6)
    axis.set_yticks(places, [name for name, _, _ in bars])
    axis.tick_params(axis="y", length=0)
    axis.invert_yaxis()
    for place, (_, value, text) in enumerate(bars):
        axis.text((value or smallest) * 1.15, place, text, va="center", fontsize=8,
                  color="#333333" if value is not None else "#777777")
    title = f"{workload.title}: {workload.figure.unit}".replace("`", "")
    axis.set_title(title, fontsize=10, loc="left")


if __name__ == "__main__":
    sys.exit(0 if draw() else 1)
