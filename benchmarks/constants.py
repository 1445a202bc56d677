"""What shared constants cost, beside SCOOP: small ones, and 64 MiB for eight workers."""

from __future__ import annotations

import argparse
import json
import statistics
import sys

import environments
import processes
import report

PROGRAM = environments.HERE / "constants_program.py"
WORKERS = 8
SMALL_NUMBER = 50
LARGE_BYTES = 64 << 20
LIMIT_S = 180
REACH = 50
"""How many times faster than SCOOP a small constant should be defined."""

Figures = dict[str, list[float]]


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="processes for each figure")
    parser.add_argument("--write", action="store_true",
                        help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    pythons = {"scoop_mpi": (sys.executable, "scoop_mpi"),
               "SCOOP": (environments.bench().python, "scoop")}
    figures: dict[str, Figures] = {name: {} for name in pythons}
    for repetition in range(options.repeat):
        for name, (python, module) in pythons.items():
            print(f"{repetition + 1}/{options.repeat} {name}", file=sys.stderr, flush=True)
            for kind, values in _measure([python, "-m", module]).items():
                figures[name].setdefault(kind, []).append(statistics.median(values))
    text = f"{report.machine()}; {WORKERS} workers, medians of {options.repeat} process(es).\n\n"
    text += _table(figures)
    print(text)
    if options.write:
        report.write_between("constants", text)
    return 0


def _measure(start: list[str]) -> Figures:
    command = [*start, "-n", str(WORKERS), str(PROGRAM), str(SMALL_NUMBER), str(LARGE_BYTES)]
    outcome = processes.run(command, environments.environ(), LIMIT_S,
                            lambda line: '"done"' in line, environments.ROOT)
    found: Figures = {}
    for line in outcome.lines:
        if line.startswith("{"):
            for kind, value in json.loads(line).items():
                found.setdefault(kind, []).append(float(value))
    if "done" not in found:
        print(outcome.errors, file=sys.stderr)
    return found


def _table(figures: dict[str, Figures]) -> str:
    kinds = {"small": ("`setConst` of an int", f"≥ {REACH} ×"),
             "set": ("`setConst` of 64 MiB", ""),
             "read": ("64 MiB read by all eight workers, from before `setConst`", "")}
    lines = []
    for kind, (title, reach) in kinds.items():
        seconds = [statistics.median(figures[name][kind]) if kind in figures[name] else None
                   for name in ("scoop_mpi", "SCOOP")]
        cells = ["–" if one is None else f"{1000 * one:,.2f}" for one in seconds]
        ratio = f"{seconds[1] / seconds[0]:,.1f} ×" if None not in seconds else "–"
        lines.append((title, *cells, ratio, reach))
    return report.table(("", "scoop_mpi (ms)", "SCOOP (ms)", "ratio", "reach"), lines)


if __name__ == "__main__":
    sys.exit(main())
