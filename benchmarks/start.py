"""What a start costs: to the first result, beside a bare mpiexec whose ranks import MPI.

Two workers (three ranks). The commands take turns; medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import environments
import report

from scoop_mpi.process.library import loaded_library

LIMIT_S = 60
ALLOWED_S = 0.6
"""What the start of our own command line may add."""
PROGRAM = """\
from scoop_mpi import futures

def first(x):
    return x

if __name__ == "__main__":
    print(futures.submit(first, 1).result(), flush=True)
"""


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true",
                        help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    mpiexec, environ = environments.mpiexec(ranks=3)
    ranks = [*mpiexec, sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program.py")
        Path(program).write_text(PROGRAM)
        commands = {
            "mpiexec -n 3 python -c 'import mpi4py.MPI, numpy'":
                [*ranks, "-c", "import mpi4py.MPI, numpy"],
            "mpiexec -n 3 python -m scoop_mpi program.py":
                [*ranks, "-m", "scoop_mpi", program],
            "python -m scoop_mpi -n 2 program.py":
                [sys.executable, "-m", "scoop_mpi", "-n", "2", program],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                seconds[name].append(_time(command, environ))
    bare = median(next(iter(seconds.values())))
    lines = []
    for name, times in seconds.items():
        more = median(times) - bare
        lines.append((f"`{name}`", f"{median(times):.2f}", f"{more:+.2f}",
                      f"< {ALLOWED_S}", "hit" if more < ALLOWED_S else "miss"))
    text = f"{report.machine()}; {loaded_library()}; {options.rounds} rounds, seconds from the " \
        "launch to the end of the command.\n\n"
    text += report.table(("command", "s", "more than bare", "reach", ""), lines)
    print(text)
    if options.write:
        report.write_between("start", text)
    return 0


def _time(command: list[str], environ: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
