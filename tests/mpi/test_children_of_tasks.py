"""Processes that tasks start by other means than fork; what tasks pickle for others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import PACKAGE_FOLDER, Finished, checks_in

Run = Callable[..., Finished]


@pytest.mark.parametrize("check", [*checks_in("children.py"), "the end"])
@pytest.mark.parametrize("ranks", [1, 3])
def test_children(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("children.py", ranks, check)


IN_A_PACKAGE = """
import multiprocessing, os, sys, time
from scoop import futures
from .sibling import Thing

class Own:
    def __init__(self, n):
        self.n = n

def square(thing):
    [n] = futures.map(abs, [-thing.n])
    return type(thing)(n * n)

def work(n):
    time.sleep(0.05)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map_async(square, [Own(n), Thing(n)]).get(timeout=30)
    assert [type(one) for one in found] == [Own, Thing]
    return [one.n for one in found], os.getpid()

if __name__ == "__main__":
    found = list(futures.map(work, range(6)))
    assert len({pid for _, pid in found}) == 2
    print([values for values, _ in found])
"""


def test_a_program_in_a_package_beside_the_original_scoop(run: Run, tmp_path: Path) -> None:
    package, original = tmp_path / "package", tmp_path / "site" / "scoop"
    package.mkdir()
    original.mkdir(parents=True)
    (original / "__init__.py").write_text("raise SystemExit('this is the original')\n")
    (package / "__init__.py").touch()
    (package / "program.py").write_text(IN_A_PACKAGE)
    (package / "sibling.py").write_text("class Thing:\n    def __init__(self, n): self.n = n\n")
    search = f"{original.parent}:{PACKAGE_FOLDER}"
    finished = run("-m", "package.program", ranks=3, env={"PYTHONPATH": search})
    assert finished.returncode == 0, finished
    assert finished.stdout == f"{[[n * n] * 2 for n in range(6)]}\n"
    assert finished.stderr == ""


CHECKPOINTS = """
import enum, functools, os, pickle, sys, time
from collections import namedtuple
from dataclasses import dataclass
from typing import TypeVar
try:
    from scoop import futures
except ImportError:
    futures = None

class Colour(enum.Enum):
    RED = 1

@dataclass
class Result:
    n: int

class Outer:
    class Inner:
        pass

Pair = namedtuple("Pair", "a b")
T = TypeVar("T")

@functools.lru_cache
def cached(n):
    return n

def everything(n):
    return [Result(n), Result, Colour.RED, Outer.Inner, Pair(n, n), T, cached, everything]

def work(n):
    time.sleep(0.02)
    with open(f"{n}.pkl", "wb") as file:
        pickle.dump(everything(n), file)
    return repr(Result), repr(Colour.RED), work.__module__, os.getpid()

if __name__ == "__main__":
    if sys.argv[1:]:
        for n in range(20):
            with open(f"{n}.pkl", "rb") as file:
                assert pickle.load(file) == everything(n)
        print("all")
    else:
        found = set(futures.map(work, range(20)))
        print(len(found), {one[:-1] for one in found})
"""


@pytest.mark.parametrize("options", [[], ["--strict"]])
def test_what_tasks_pickle_is_read_by_plain_python(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    program = tmp_path / "checkpoints.py"
    program.write_text(CHECKPOINTS)
    finished = run(*options, program, launcher="self", ranks=3)
    assert finished.returncode == 0, finished
    said = {("<class '__main__.Result'>", "<Colour.RED: 1>", "__main__")}
    assert finished.stdout == f"2 {said}\n", finished
    # Without the job, and without this package.
    read = subprocess.run([sys.executable, "-S", program, "load"], cwd=tmp_path, timeout=30,
                          capture_output=True, text=True)
    assert (read.stdout, read.stderr) == ("all\n", "")


GUARDS = """
import inspect, sys
from scoop_mpi import futures

ran = []

def automain(function):
    \"\"\"As sacred's: a decorator that runs the program.\"\"\"
    if function.__module__ == "__main__":
        assert inspect.currentframe().f_back.f_globals["__name__"] == "__main__"
        ran.append(function())
    return function

def look(_):
    return __name__, look.__module__, ran[:]

@automain
def main():
    for one in futures.map(look, range(40)):
        assert one == ("__main__", "__main__", []), one
    print("all", flush=True)
    return 5

assert ran == ([5] if __name__ == "__main__" else [])
"""


def test_a_guard_that_is_a_decorator(run: Run) -> None:
    finished = run(GUARDS, ranks=3)
    assert (finished.returncode, finished.stdout) == (0, "all\n"), finished


OUTLIVES = """
import os, threading, time
from scoop_mpi import ThreadError, futures

log, done = [], threading.Event()

def verbs():
    for verb in (lambda: futures.submit(abs, 1), lambda: futures.map(abs, [1]),
                 lambda: futures.mapReduce(abs, max, [1]), lambda: futures.wait([])):
        try:
            verb()
        except ThreadError:
            log.append("ThreadError")
    time.sleep(0.2)
    log.append("over")
    done.set()

def begins(_):
    time.sleep(0.05)
    if not log:
        log.append("begun")
        threading.Thread(target=verbs).start()
    return os.getpid()

def tells(_):
    time.sleep(0.05)
    done.wait()
    return tuple(log), os.getpid()

if __name__ == "__main__":
    pids = set(futures.map(begins, range(10)))
    found = {pid: what for what, pid in futures.map(tells, range(10)) if pid in pids}
    assert found and set(found.values()) == {("begun", *["ThreadError"] * 4, "over")}, found
    threading.Thread(target=lambda: (time.sleep(0.5), print("the last word"))).start()
"""


def test_threads_that_outlive_their_task(run: Run) -> None:
    finished = run(OUTLIVES, ranks=3)
    assert (finished.returncode, finished.stdout) == (0, "the last word\n"), finished
