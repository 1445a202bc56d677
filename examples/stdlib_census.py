"""A census of Python's own standard library: how much is in it, and in which files?

    python -m scoop_mpi examples/stdlib_census.py [number of files]

Every file is parsed, what was found in each is added up, first serially, then on all
workers, and both answers are compared. Started with plain ``python`` it works too;
then "all workers" is this one process.
"""

import argparse
import ast
import functools
import operator
import os
import sys
import sysconfig
import time
import warnings
from typing import NamedTuple

import scoop_mpi
from scoop_mpi import futures

STDLIB = sysconfig.get_path("stdlib")
SKIP = {"site-packages", "dist-packages", "__pycache__"}
TOP = 5


class Census(NamedTuple):
    """What was found in one file, or in several. Travels from worker to worker."""

    files: int = 0
    unparsed: int = 0
    functions: int = 0
    classes: int = 0
    imports: int = 0
    lines: int = 0
    longest: tuple[tuple[int, str, int, str], ...] = ()
    """The longest functions: (lines, file, first line, name), longest first."""


def find_files() -> list[str]:
    """All Python files of the standard library, relative to its folder."""
    found = []
    for folder, subfolders, names in os.walk(STDLIB):
        subfolders[:] = [name for name in subfolders if name not in SKIP]
        inside = os.path.relpath(folder, STDLIB)
        found += [os.path.normpath(os.path.join(inside, name))
                  for name in names if name.endswith(".py")]
    return sorted(found)


# Workers import this file, so they know its functions: only the arguments and the
# results travel. Here that is a short file name out and one small tuple back.
def count(file: str) -> Census:
    """The census of a single file."""
    with open(os.path.join(STDLIB, file), "rb") as stream:
        source = stream.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files spell some strings carelessly
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return Census(unparsed=1)  # test data that is wrong on purpose
    functions = classes = imports = 0
    longest = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions += 1
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            longest.append((length, file, node.lineno, node.name))
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            imports += len(node.names)
    return Census(1, 0, functions, classes, imports, source.count(b"\n"), top(longest))


def add(one: Census, other: Census) -> Census:
    """The census of two groups of files together.

    For mapReduce the order of grouping must not matter: (a + b) + c == a + (b + c).
    """
    *sums, _ = map(operator.add, one, other)
    return Census(*sums, top([*one.longest, *other.longest]))


def top(functions: list[tuple[int, str, int, str]]) -> tuple[tuple[int, str, int, str], ...]:
    """The longest ones; equally long ones by name, so that the answer is unique."""
    return tuple(sorted(functions, key=lambda entry: (-entry[0], entry[1:]))[:TOP])


def show(census: Census, serial_s: float, parallel_s: float) -> None:
    """Prints the table."""
    files = census.files + census.unparsed
    print(f"files           {files:>10,}   {census.unparsed:,} of them cannot be parsed")
    print(f"lines           {census.lines:>10,}")
    print(f"definitions     {census.functions + census.classes:>10,}   "
          f"{census.functions:,} functions, {census.classes:,} classes")
    print(f"imports         {census.imports:>10,}")
    print("longest functions")
    for length, file, line, name in census.longest:
        print(f"  {length:>6,} lines  {file}:{line}  {name}")
    print(f"serial          {files / serial_s:>10,.0f} files/s   ({serial_s:.2f} s)")
    print(f"parallel        {files / parallel_s:>10,.0f} files/s   ({parallel_s:.2f} s)")
    print(f"workers         {scoop_mpi.SIZE:>10}")
    print(f"speed-up        {serial_s / parallel_s:>10.2f}")


def main() -> None:
    """Runs on the root only; the other workers wait for tasks meanwhile."""
    parser = argparse.ArgumentParser(description="A census of Python's standard library.")
    parser.add_argument("limit", type=int, nargs="?", help="look at so many files only")
    limit = parser.parse_args().limit
    if limit is not None and limit < 1:
        parser.error("at least one file is needed")
    files = find_files()[:limit]
    if not files:
        sys.exit(f"no Python files in {STDLIB}")

    # Once through all the files, so that neither run below waits for the disk.
    for file in files:
        with open(os.path.join(STDLIB, file), "rb") as stream:
            stream.read()

    began = time.perf_counter()
    serial = functools.reduce(add, map(count, files))
    serial_s = time.perf_counter() - began

    # The parallel version differs by one call. The reductions run on the workers too.
    began = time.perf_counter()
    parallel = futures.mapReduce(count, add, files)
    parallel_s = time.perf_counter() - began

    if parallel != serial:
        sys.exit(f"the two runs disagree:\n{serial}\n{parallel}")
    show(parallel, serial_s, parallel_s)


# Every worker imports this file. What only the root should do stands under this line.
if __name__ == "__main__":
    main()
