"""A differential fuzzer: random programs give serially and on n workers the same.

    python -m tests.fuzz -N 1000                         # 1000 sections, from seed 0 on
    python -m tests.fuzz --seed tree_17 --workers 4      # one section, as a find names it
    python -m tests.fuzz --seed tree_17 --show           # its text

``make fuzz N=1000 SEED=0`` does the first. A find is printed with the command that shows it
again; programs that went wrong stay in ``--folder``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from .kinds import KINDS, names, section
from .run import Runner, Way
from .section import WITHOUT
from .source import write

WAYS = [Way(2), Way(4), Way(1), Way(3, strict=True), Way(4, alias=True), Way(2), Way(8),
        Way(2, strict=True, alias=True)]
"""How jobs are run, one after the other."""
BATCH = 40
"""Sections in a job."""


def main() -> int:
    """Returns the exit code: 1 if something was found."""
    options = _options()
    kinds, without = options.kinds.split(","), options.without.split(",")
    single = not options.seed.isdecimal()
    if options.show:
        one = section(options.seed, without)
        folder = Path(tempfile.mkdtemp())
        for file in sorted({write([one], folder, "scoop_mpi"), *folder.glob("*.py")}):
            print(file.read_text())
        return 0
    todo = [options.seed] if single else list(islice(names(int(options.seed), kinds), options.N))
    runner = Runner(Path(options.folder or tempfile.mkdtemp(prefix="fuzz-")), without)
    given = Way(options.workers or 2, options.strict, options.alias)
    ways = cycle([given] if options.workers else WAYS)
    found = done = 0
    began = time.monotonic()
    for start in range(0, len(todo), BATCH):
        batch, way = todo[start:start + BATCH], next(ways)
        for find in runner.finds(batch, way, reduce=not options.quick):
            found += 1
            print(find, f"--without {options.without}" if options.without else "", flush=True)
        done += len(batch)
        print(f"{done} of {len(todo)} sections, {found} finds, "
              f"{time.monotonic() - began:.0f} s ({way})", flush=True)
    if found:
        print(f"programs that went wrong: {runner.folder}")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-N", type=int, default=200, help="number of sections")
    parser.add_argument("--seed", default="0", help="a number, or the name of one section")
    parser.add_argument("--kinds", default=",".join(KINDS), help="only these, by commas")
    parser.add_argument("--workers", type=int, help="always so many (else several numbers)")
    parser.add_argument("--strict", action="store_true", help="with --workers: as the option")
    parser.add_argument("--alias", action="store_true", help="with --workers: import scoop")
    parser.add_argument("--without", default="", help=f"by commas, of {', '.join(WITHOUT)}")
    parser.add_argument("--folder", help="where programs that went wrong stay")
    parser.add_argument("--quick", action="store_true", help="do not run finds by themselves")
    parser.add_argument("--show", action="store_true", help="print the section's text only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
