"""The scale study's tables (in README.md) and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from report import table, write_between

matplotlib.use("svg")

import matplotlib.pyplot as plt  # noqa: E402

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "scale.svg"
TITLES = {"uniform": "uniform: map", "heavy": "heavy-tailed: map",
          "nested": "nested: a tree of tasks", "submit": "flat: submit from the root"}
PANELS = ("uniform", "heavy", "nested")
COLOURS = {1: "#b35806", 10: "#1b7837", 100: "#2166ac"}

Point = dict[str, Any]


def draw(points: Sequence[Point]) -> None:
    """Writes the picture and the tables."""
    _picture(points)
    tables = report(points)
    print(tables)
    write_between("scale", tables)


def report(points: Sequence[Point]) -> str:
    """Efficiency by workload and workers, and the load of ranks 0 and 1."""
    sizes = sorted({point["workers"] for point in points})
    at = {(point["work"], point["ms"], point["workers"]): point for point in points}
    rows = sorted({(list(TITLES).index(work), work, ms) for work, ms, _ in at})
    parts = []
    for heading, cell in (
        ("Efficiency: the least possible time, divided by the time taken", _efficiency),
        ("Busy time of rank 0 (the broker) and of rank 1 (the root, besides its tasks), in "
         "per cent; messages to each, for each task", _load),
    ):
        lines = [
            [f"{TITLES[work]}, {ms:g} ms",
             *(cell(at[work, ms, size]) if (work, ms, size) in at else "–" for size in sizes)]
            for _, work, ms in rows
        ]
        parts += [f"**{heading}**",
                  table(["workers", *(f"{size:,}" for size in sizes)], lines)]
    return "\n\n".join(parts)


def _efficiency(point: Point) -> str:
    return f"{point['efficiency']:.2f}"


def _load(point: Point) -> str:
    tasks = point["workers"] * point["per_worker"]
    loads = [point["ranks"][rank] for rank in ("0", "1")]
    busy = " + ".join(f"{100 * load['busy']:.0f}" for load in loads)
    messages = " + ".join(f"{sum(load['received'].values()) / tasks:.2f}" for load in loads)
    return f"{busy} %; {messages}"


def _picture(points: Sequence[Point]) -> None:
    with plt.rc_context({"svg.hashsalt": "scale", "font.size": 9}):
        figure, panels = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True,
                                      layout="constrained")
        for panel, work in zip(panels, PANELS):
            _panel(panel, work, [point for point in points if point["work"] == work])
        panels[0].set_ylabel("efficiency")
        panels[0].legend(title="a task takes", frameon=False, loc="upper right")
        figure.savefig(PICTURE, metadata={"Date": None})
        plt.close(figure)


def _panel(panel: Any, work: str, points: Sequence[Point]) -> None:
    for ms in sorted({point["ms"] for point in points}):
        line = sorted((point["workers"], point["efficiency"], point["greedy"])
                      for point in points if point["ms"] == ms)
        workers, efficiency, greedy = zip(*line)
        panel.plot(workers, efficiency, "o-", color=COLOURS.get(ms), label=f"{ms:g} ms",
                   markersize=4, linewidth=1.5)
        if work == "heavy" and ms == 10:
            panel.plot(workers, greedy, ":", color="grey", linewidth=1)
            panel.annotate("costs nothing", (workers[0], greedy[0]), color="grey",
                           xytext=(4, 4), textcoords="offset points")
    panel.set(title=TITLES[work], xscale="log", xlabel="workers", ylim=(0, 1.05),
              xlim=(50, 130_000))
    panel.grid(True, color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
