"""``make tune``: what moving one figure of ``scoop_mpi.base.tuning`` does to its rows.

Each figure is multiplied by each factor, and the workloads that it is about run with it, on
two workers, by turns with the figure as it is. The table has the rows' figures as ratios to
that: above 1 is worse, whatever the row measures.

    make tune                                     all of them; takes half an hour
    make tune FIGURES=piece_s,gifts_in_a_share    these
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict

import environments
import processes
import report
from peers import PEERS
from results import Results
from workloads import BY_NAME, WORKERS, Workload

from scoop_mpi.base.tuning import TUNING

ROWS: dict[str, tuple[str, ...]] = {
    "look_every_s": ("submit", "fib", "map_100"),
    "tasks_per_look_max": ("submit", "fib"),
    "inline_depth": ("fib",),
    "spare_runners": ("fib",),
    "unseen_work_s": ("tail", "tail_reversed"),
    "share_after_s": ("map", "fib", "round_trip"),
    "ask_ahead_s": ("submit_100", "map_100"),
    "ask_late_s": ("submit_1000", "pair"),
    "ask_with_results_s": ("submit_100", "submit"),
    "wait_after_gift_s": ("round_trip", "submit_100"),
    "report_every_s": ("submit_100", "map_100"),
    "piece_s": ("map_100", "submit_100", "tail"),
    "piece_max_s": ("tail", "tail_reversed"),
    "costs_in_a_piece": ("map_100", "submit_100", "tail"),
    "cost_learning": ("map_100", "submit_100"),
    "gifts_in_a_share": ("tail", "tail_reversed", "map_100"),
    "bundle_max": ("submit", "submit_100"),
    "light_item_s": ("map", "million"),
    "small_gift_s": ("fib", "submit"),
    "ration_s": ("fib", "submit"),
    "ration_max_s": ("fib", "submit"),
    "turn_after": ("fib", "submit"),
    "yield_s": ("round_trip", "submit_100"),
    "donor_nap_s": ("tail_reversed", "pair", "map_100"),
}
"""Figures that two workers can show, and the workloads to look at. Those of large pools are
measured by ``scale.py``, those of constants by ``constants.py``, the sleeps by ``idle.py``."""
FACTORS = (0.25, 4.0)
LIMIT_S = 120

Figures = dict[tuple[str, str, float], list[float]]
"""By (name of the figure of the tuning, workload, factor)."""


def main() -> int:
    """Runs the command line."""
    options = _parse()
    began = time.monotonic()
    found: Figures = defaultdict(list)
    for repetition in range(options.repeat):
        for name in options.figures:
            for workload in ROWS[name]:
                for factor in (1.0, *FACTORS):
                    print(f"[{time.monotonic() - began:4.0f} s] {repetition + 1}/"
                          f"{options.repeat} {name} × {factor:g}: {workload}", file=sys.stderr)
                    found[name, workload, factor] += _run(name, BY_NAME[workload], factor)
    lines = [_line(name, workload, found) for name in options.figures for workload in ROWS[name]]
    header = ("figure", "row", "as it is", *(f"× {factor:g}" for factor in FACTORS))
    print(f"{report.machine()}; medians of {options.repeat} processes; ratios, above 1 is worse\n")
    print(report.table(header, lines))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Moves one figure of the tuning at a time.")
    parser.add_argument("--repeat", type=int, default=3, help="processes for each figure")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="of " + ", ".join(ROWS))
    options = parser.parse_args()
    options.figures = options.figures or list(ROWS)
    if unknown := set(options.figures) - set(ROWS):
        parser.error(f"no rows show these figures: {', '.join(sorted(unknown))}")
    return options


def _run(name: str, workload: Workload, factor: float) -> list[float]:
    """The workload's figure with the one of that name multiplied; none if the job failed."""
    value = getattr(TUNING, name)
    moved = int(max(value * factor, 1)) if isinstance(value, int) else value * factor
    environ = environments.environ()
    environ["PYTHONPATH"] += os.pathsep + str(environments.HERE / "tuned")
    environ["SCOOP_MPI_BENCH_TUNING"] = json.dumps({name: moved})
    command = PEERS[0].command(sys.executable, [], WORKERS, [
        "--started", repr(time.monotonic()), "--launcher", str(os.getpid()), workload.name])
    outcome = processes.run(command, environ, LIMIT_S, lambda line: '"done"' in line,
                            environments.ROOT)
    results = Results()
    results.add(PEERS[0].name, workload, outcome, LIMIT_S)
    return results.cell(PEERS[0].name, workload).figures


def _line(name: str, workload: str, found: Figures) -> tuple[str, ...]:
    figure = BY_NAME[workload].figure
    medians = {factor: statistics.median(values) for factor in (1.0, *FACTORS)
               if (values := found[name, workload, factor])}
    usual = medians.get(1.0)
    cells = [f"{name} = {getattr(TUNING, name)}", BY_NAME[workload].title,
             f"{report.number(usual)} {figure.unit}"]
    for factor in FACTORS:
        if usual is None or factor not in medians:
            cells.append("–")
        else:
            ratio = medians[factor] / usual
            cells.append(f"{1 / ratio if figure.more_is_better else ratio:.2f}")
    return tuple(cells)


if __name__ == "__main__":
    sys.exit(main())
