"""Forked children of tasks and programs on real ranks end as under plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import PROGRAMS, Finished, checks_in

Run = Callable[..., Finished]


@pytest.mark.parametrize("check", [*checks_in("forks.py"), "the end"])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_forks(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("forks.py", ranks, check)


PROGRAM_THAT_FORKS = """
import atexit, os, sys, time
from scoop_mpi import futures

me, way = os.getpid(), sys.argv[1]
atexit.register(lambda: os.getpid() == me or print("exit of the child", flush=True))

def waits(n):
    return futures.submit(time.sleep, 0.3).result() or n

if __name__ == "__main__":
    fs = [futures.submit(waits, n) for n in range(3)]
    fs[0].result()
    pid = os.fork()
    if pid == 0:
        print("child", *futures.map(abs, [-1, -2]), flush=True)
        if way == "exit":
            sys.exit(5)
        if way == "raise":
            raise ValueError("in the child")
    else:
        status = os.waitpid(pid, 0)[1]
        print("parent", os.waitstatus_to_exitcode(status), *(f.result() for f in fs), flush=True)
"""


@pytest.mark.parametrize("way, code", [("exit", 5), ("raise", 1), ("fall", 0)])
@pytest.mark.parametrize("ranks", [1, 3])
def test_a_program_that_forks(run: Run, way: str, code: int, ranks: int) -> None:
    finished = run(PROGRAM_THAT_FORKS, way, ranks=ranks)
    assert finished.returncode == 0, finished
    assert finished.stdout.splitlines() == [
        "child 1 2", "exit of the child", f"parent {code} 0 1 2"], finished
    assert finished.stderr.count("ValueError: in the child") == (way == "raise"), finished


IMPORT_THAT_FORKS = """
import os
from scoop_mpi import futures

pid = os.fork()
if pid == 0:
    assert list(futures.map(abs, [-1])) == [1]
    raise ValueError("in the child")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def answer(_):
    return code

if __name__ == "__main__":
    print(set(futures.map(answer, range(50))))
"""


@pytest.mark.parametrize("option", ["--strict", "--debug", "--profile"])
def test_while_tasks_are_looked_at(run: Run, tmp_path: Path, option: str) -> None:
    report = tmp_path / "report"
    finished = run(option, PROGRAMS / "forks.py", str(report), launcher="self", ranks=3)
    assert finished.returncode == 0, finished
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    ended = {name: trouble for kind, name, trouble in entries if kind == "ended"}
    assert ended == dict.fromkeys(checks_in("forks.py"), "")


def test_a_program_that_forks_when_it_is_imported(run: Run) -> None:
    finished = run(IMPORT_THAT_FORKS, ranks=3)
    assert (finished.returncode, finished.stdout) == (0, "{1}\n"), finished
    assert finished.stderr.count("ValueError: in the child") == 2, finished
