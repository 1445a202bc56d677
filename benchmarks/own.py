"""What only scoop_mpi is asked for: progress while user code runs, and many ranks.

Each row is a part of ``own_program.py``, started once for each repetition. The table says
what was measured, and what to reach.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import environments
import measuring
import processes
import report

PROGRAM = environments.HERE / "own_program.py"
LIMIT_S = 180
FEW, FOUR, MANY = 2, 4, 63
"""Workers: three ranks, five, sixty-four."""
SPIN_US = 1000.0
"""Of a task of the maps with many ranks."""
DONOR_US = (1000.0, 50.0)


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        title: what was measured.
        unit: of the figure.
        limit: what to reach; None: nothing.
        more_is_better: the limit is a lower one.
    """

    title: str
    unit: str
    limit: float | None = None
    more_is_better: bool = False

    def line(self, figures: list[float]) -> tuple[str, ...]:
        """For the table."""
        if not figures:
            return self.title, "–", "", "", "–"
        value = statistics.median(figures)
        spread = f"{report.number(min(figures))} – {report.number(max(figures))}"
        shown = f"{report.number(value)} {self.unit}".strip()
        if self.limit is None:
            return self.title, shown, spread, "", ""
        kept = value >= self.limit if self.more_is_better else value <= self.limit
        limit = f"{'≥' if self.more_is_better else '≤'} {self.limit:g}"
        return self.title, shown, spread, limit, "hit" if kept else "miss"


ROWS = {
    "busy": Row("500 tasks of 10 ms that a busy root holds: the three other workers' time at "
                "work", "of the ideal", 0.9, more_is_better=True),
    "busy_scoop": Row("the same in SCOOP", "of the ideal"),
    "large": Row("64 MiB of a worker that then computes for 2 s: until the root has it", "ms",
                 50),
    "many_spin": Row("`map` of 2,000 × 1 ms: time of 64 ranks to that of 3", "×", 1.3),
    "many_trivial": Row("`map` of 200,000 trivial items, 64 ranks", "µs an item", 2),
    "few_trivial": Row("the same, 3 ranks", "µs an item"),
    "donor_1000": Row("the helper thread: what it adds to tasks of 1 ms", "%", 1),
    "donor_50": Row("... and of 50 µs", "%"),
}
Figures = dict[str, list[float]]
Found = Iterator[tuple[str, float]]


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="processes for each figure")
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of the work, once: does everything run?")
    parser.add_argument("--write", action="store_true",
                        help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    jobs = Jobs(options.quick)
    figures: Figures = {name: [] for name in ROWS}
    repeat = 1 if options.quick else options.repeat
    for repetition in range(repeat):
        for part in (jobs.busy, jobs.large, jobs.many, jobs.donor):
            print(f"{repetition + 1}/{repeat} {part.__name__}", file=sys.stderr,
                  flush=True)
            for name, value in part():
                figures[name].append(value)
    text = f"{report.machine()}; medians of {repeat} process(es).\n\n"
    text += report.table(("what", "figure", "lowest – highest", "reach", ""),
                         [row.line(figures[name]) for name, row in ROWS.items()])
    if options.quick:
        text = f"**A smoke run of a tenth of the work: not a measurement.**\n\n{text}"
    print(text)
    if options.write:
        report.write_between("own", text)
    return 0


class Jobs:
    """Starts the program; each of its parts yields names of rows and figures."""

    def __init__(self, quick: bool) -> None:
        self._tenth = 10 if quick else 1
        self._scoop = environments.bench().python

    def busy(self) -> Found:
        """The root is busy."""
        number = 500 // self._tenth
        for name, python, module in (("busy", sys.executable, "scoop_mpi"),
                                     ("busy_scoop", self._scoop, "scoop")):
            for found in self._run(python, module, FOUR, "busy", number):
                yield name, found["share"]

    def large(self) -> Found:
        """A worker is busy."""
        for found in self._ours(FEW, "large", 2 / self._tenth):
            yield "large", 1000 * found["delay"]

    def many(self) -> Found:
        """Many ranks on few cores."""
        spin = [measuring.iterations(SPIN_US), 2000 // self._tenth]
        trivial = 200_000 // self._tenth
        spinning: dict[int, float] = {}
        for workers, name in ((FEW, "few_trivial"), (MANY, "many_trivial")):
            for found in self._ours(workers, "maps", *spin, trivial):
                spinning[workers] = found["spin"]
                yield name, 1e6 * found["trivial"] / trivial
        if len(spinning) == 2:
            yield "many_spin", spinning[MANY] / spinning[FEW]

    def donor(self) -> Found:
        """With the donor thread and without, by turns."""
        for duration_us in DONOR_US:
            spin = measuring.iterations(duration_us)
            number = int(500_000 / duration_us) // self._tenth
            seconds: dict[str, list[float]] = {"with": [], "without": []}
            for turn in ("with", "without", "without", "with"):
                for found in self._ours(FEW, "donor", turn, spin, number):
                    seconds[turn].append(found["seconds"])
            if all(seconds.values()):
                means = {turn: statistics.mean(values) for turn, values in seconds.items()}
                yield f"donor_{duration_us:g}", 100 * (means["with"] / means["without"] - 1)

    def _ours(self, workers: int, *arguments: object) -> list[dict[str, float]]:
        return self._run(sys.executable, "scoop_mpi", workers, *arguments)

    def _run(
        self, python: str, module: str, workers: int, *arguments: object
    ) -> list[dict[str, float]]:
        """What the program printed: one object, or nothing, and why is on the terminal."""
        command = [python, "-m", module, "-n", str(workers), str(PROGRAM),
                   *map(str, arguments)]
        outcome = processes.run(command, environments.environ(), LIMIT_S,
                                lambda line: line.startswith("{"), environments.ROOT)
        found = [json.loads(line) for line in outcome.lines if line.startswith("{")]
        if not found:
            print(f"no figure: {module} {arguments}\n{outcome.errors[-2000:]}", file=sys.stderr)
        return found


if __name__ == "__main__":
    sys.exit(main())
