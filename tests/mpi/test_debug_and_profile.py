"""``--debug`` and ``--profile``: what each worker did, in files that need nothing of ours."""

from __future__ import annotations

import os
import pickle
import re
import pstats
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launching import Finished

Run = Callable[..., Finished]
RunObserved = Callable[..., Finished]
TaskId = tuple[Any, ...]
PROGRAM = ("worker-1", 0)
KEYS = {"start_time", "end_time", "executionTime", "worker", "creationTime", "callable", "parent"}

WORK = """
import time
from scoop_mpi import futures

def nap(n):
    time.sleep(0.01)
    return n

def parent(n):
    return sum(futures.map(child, range(n))) + futures.submit(leaf, n).result()

def child(n):
    time.sleep(0.005)
    return n

def leaf(n):
    time.sleep(0.01)
    return 0

def fail(n):
    raise KeyError(n)

def chain(n):
    return futures.submit(chain, n - 1).result() + 1 if n else 0

if __name__ == "__main__":
    assert list(futures.map(nap, range(40))) == list(range(40))
    assert sorted(futures.map_as_completed(nap, range(20))) == list(range(20))
    made = [futures.submit(nap, n) for n in range(20)]
    parents = [futures.submit(parent, n) for n in range(1, 9)]
    failing = [futures.submit(fail, n) for n in range(5)]
    futures.wait(made + parents + failing)
    assert futures.submit(chain, 12).result() == 12
    futures.submit(leaf, 0)  # never waited for
"""
CALLS = Counter(nap=80, parent=8, child=36, leaf=9, fail=5, chain=13)
"""What the program calls in tasks."""


@pytest.fixture
def observe(run: Run, tmp_path: Path) -> RunObserved:
    """Runs a program: observe(text, ranks, option, ...)."""
    def observe(text: str, ranks: int, *options: str) -> Finished:
        (tmp_path / "observed.py").write_text(text)
        first, *others = options
        return run(first, *others, "observed.py", ranks=ranks)
    return observe


def workers(ranks: int) -> list[str]:
    """The names of the workers of a job."""
    return [f"worker-{rank}" for rank in range(1, max(2, ranks))]


def files_of(ranks: int) -> list[str]:
    """The names of the files in debug/."""
    starts = [name if name != "worker-1" else "origin-worker-1" for name in workers(ranks)]
    return sorted(f"{start}-{kind}" for start in starts for kind in ("STATS", "QUEUE", "STORY"))


def load(path: Path) -> Any:
    """Unpickles a file in a Python that cannot import scoop_mpi; plain types only."""
    program = (
        "import ast, pickle, sys\n"
        "sys.modules['scoop_mpi'] = None\n"
        "with open(sys.argv[1], 'rb') as file:\n"
        "    data = pickle.load(file)\n"
        "assert repr(ast.literal_eval(repr(data))) == repr(data)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=20,
                          capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    with open(path, "rb") as file:
        return pickle.load(file)


def statistics(folder: Path) -> dict[str, dict[TaskId, dict[str, Any]]]:
    """{worker: its statistics}, from all files."""
    return {path.name.removeprefix("origin-").removesuffix("-STATS"): load(path)
            for path in (folder / "debug").iterdir() if path.name.endswith("-STATS")}


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_statistics(observe: RunObserved, tmp_path: Path, ranks: int) -> None:
    finished = observe(WORK, ranks, "--debug")
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    assert sorted(os.listdir(tmp_path / "debug")) == files_of(ranks)
    assert not (tmp_path / "profile").exists()
    by_worker = statistics(tmp_path)
    assert_all_counted_once(by_worker, ranks)
    entries = {id_: entry for stats in by_worker.values() for id_, entry in stats.items()}
    for worker, stats in by_worker.items():
        for entry in stats.values():
            assert entry["worker"] == (worker, "broker-0")
            assert_times(entry)
    assert_parents(entries)
    for path in (tmp_path / "debug").glob("*-QUEUE"):
        assert_queue(load(path), len(by_worker[path.name.removeprefix("origin-")[:-6]]))
    assert_stories(tmp_path, entries)


def assert_stories(tmp_path: Path, entries: dict[TaskId, dict[str, Any]]) -> None:
    """Each task that has run on another worker was given away by its own before."""
    stories: dict[TaskId, list[tuple[float, str]]] = {}
    for path in (tmp_path / "debug").glob("*-STORY"):
        stories.update(load(path))
    for (owner, *number), entry in entries.items():
        if len(number) == 1 and entry["worker"][0] != owner:
            when, what = stories[owner, number[0]][0]
            assert re.fullmatch(r"given to rank \d", what), what
            assert when <= entry["start_time"][0] + 0.1


def assert_all_counted_once(
    by_worker: dict[str, dict[TaskId, dict[str, Any]]], ranks: int
) -> None:
    assert sorted(by_worker) == workers(ranks)
    ids = [id_ for stats in by_worker.values() for id_ in stats]
    assert len(ids) == len(set(ids)) == CALLS.total()
    assert Counter(entry["callable"] for stats in by_worker.values()
                   for entry in stats.values()) == CALLS
    busy = [worker for worker, stats in by_worker.items() if stats]
    assert (len(busy) > 1) == (ranks > 2), busy


def assert_times(entry: dict[str, Any]) -> None:
    assert KEYS <= set(entry)
    [began], [ended] = entry["start_time"], entry["end_time"]
    # All ranks have one clock here. A clock that is set has microseconds to spare.
    assert entry["created"] <= began + 1e-3
    assert began <= ended
    assert -1e-6 <= entry["executionTime"] <= ended - began + 1e-6
    at_least = {"nap": 0.01, "child": 0.005, "leaf": 0.01}.get(entry["callable"], 0)
    assert entry["executionTime"] >= at_least


def assert_parents(entries: dict[TaskId, dict[str, Any]]) -> None:
    """Each is the program, a task, or the map that an item is of; who made what is known."""
    known = {id_[:2]: entry["callable"] for id_, entry in entries.items()}
    made_by = Counter((known.get(entry["parent"], entry["parent"]), entry["callable"])
                      for entry in entries.values())
    assert made_by == {
        (PROGRAM, "nap"): 80, (PROGRAM, "parent"): 8, (PROGRAM, "fail"): 5, (PROGRAM, "chain"): 1,
        (PROGRAM, "leaf"): 1, ("parent", "child"): 36, ("parent", "leaf"): 8,
        ("chain", "chain"): 12,
    }
    for id_, entry in entries.items():
        if entry["parent"] != PROGRAM:
            [parent] = [one for one in entries if one[:2] == entry["parent"]]
            assert entries[parent]["start_time"] <= entry["start_time"]
            assert entry["end_time"] <= entries[parent]["end_time"]


def assert_queue(queue: list[tuple[float, int, float]], calls: int) -> None:
    # Samples are left out if taking them would cost more than a hundredth of the time.
    assert min(calls, 1) <= len(queue) <= calls
    times = [at for at, _, _ in queue]
    assert times == sorted(times)
    assert all(length >= 0 and seconds >= 0 for _, length, seconds in queue)


WAITING = """
import time
from scoop_mpi import futures, shared

def child(n):
    time.sleep(0.1)

def waits_for_children(_):
    time.sleep(0.02)
    list(futures.map(child, range(6)))
    futures.submit(child, 0).result()
    futures.wait([futures.submit(child, n) for n in range(2)])

def waits_for_a_constant(_):
    shared.getConst("nobody_has_it", timeout=0.3)

if __name__ == "__main__":
    futures.submit(waits_for_children, 0).result()
    list(futures.map(waits_for_children, range(2)))
    futures.submit(waits_for_a_constant, 0).result()
"""


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_waiting_is_not_execution(observe: RunObserved, tmp_path: Path, ranks: int) -> None:
    finished = observe(WAITING, ranks, "--debug")
    assert finished.returncode == 0, finished
    entries = [entry for stats in statistics(tmp_path).values() for entry in stats.values()]
    waiting = [entry for entry in entries if entry["callable"].startswith("waits")]
    assert len(waiting) == 4
    for entry in waiting:
        [began], [ended] = entry["start_time"], entry["end_time"]
        assert ended - began >= 0.3
        assert entry["executionTime"] < (ended - began) / 2, entry


@pytest.mark.parametrize("ranks", [1, 3])
def test_all_options_at_once(observe: RunObserved, tmp_path: Path, ranks: int) -> None:
    finished = observe(WORK, ranks, "--debug", "--profile", "--strict")
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    assert_all_counted_once(statistics(tmp_path), ranks)
    assert sorted(os.listdir(tmp_path / "profile")) == [
        f"{worker}.prof" for worker in workers(ranks)]


ENDINGS = {
    "exception": ('raise ValueError("on purpose")', 1),
    "exit": ("sys.exit(7)", 7),
    "error of a task": ("futures.submit(fail, 1).result()", 1),
    "another folder": ('os.chdir("/")', 0),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_files_are_left_however_it_ends(
    observe: RunObserved, tmp_path: Path, ranks: int, ending: str
) -> None:
    last_line, exit_code = ENDINGS[ending]
    text = "import os, sys\n" + WORK.replace(
        "    futures.submit(leaf, 0)  # never waited for\n", f"    {last_line}\n")
    finished = observe(text, ranks, "--debug", "--profile")
    assert finished.returncode == exit_code, finished
    assert sorted(os.listdir(tmp_path / "debug")) == files_of(ranks)
    assert len(os.listdir(tmp_path / "profile")) == len(workers(ranks))
    counted = Counter(entry["callable"] for stats in statistics(tmp_path).values()
                      for entry in stats.values())
    extra = Counter(fail=1) if ending == "error of a task" else Counter()
    assert counted + Counter(leaf=1) == CALLS + extra


def profiled(path: Path) -> dict[str, tuple[int, float]]:
    """{name of a function of the program: (calls, seconds in it and below)} of a profile."""
    return {name: (calls, below) for (file, _, name), (_, calls, _, below, _)
            in pstats.Stats(str(path)).stats.items() if file.endswith("observed.py")}


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_profiles(observe: RunObserved, tmp_path: Path, ranks: int) -> None:
    finished = observe(WORK, ranks, "--profile")
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    assert not (tmp_path / "debug").exists()
    names = sorted(os.listdir(tmp_path / "profile"))
    assert names == [f"{worker}.prof" for worker in workers(ranks)]
    profiles = [profiled(tmp_path / "profile" / name) for name in names]
    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for profile in profiles:
        calls.update({name: one for name, (one, _) in profile.items()})
        seconds.update({name: one for name, (_, one) in profile.items()})
    assert {name: calls[name] for name in CALLS} == CALLS
    assert calls["<module>"] == 1
    assert seconds["nap"] >= 80 * 0.01 * 0.9
    assert sum("nap" in profile for profile in profiles) > (ranks > 2)


def test_workers_without_work_leave_readable_files(observe: RunObserved, tmp_path: Path) -> None:
    finished = observe("# It does nothing.\n", 4, "--debug", "--profile")
    assert finished.returncode == 0, finished
    assert statistics(tmp_path) == {worker: {} for worker in workers(4)}
    for worker in workers(4):
        pstats.Stats(str(tmp_path / "profile" / f"{worker}.prof"))


def test_without_the_options_nothing_is_written(run: Run, tmp_path: Path) -> None:
    finished = run(WORK, ranks=3)
    assert finished.returncode == 0, finished
    assert os.listdir(tmp_path) == ["program.py"]


@pytest.mark.parametrize("option", ["--debug", "--profile"])
def test_a_folder_that_cannot_be_made(
    run: Run, tmp_path: Path, option: str
) -> None:
    (tmp_path / option.strip("-")).write_text("a file is in the way\n")
    (tmp_path / "program.py").write_text("if __name__ == '__main__':\n    print('ran')\n")
    finished = run(option, "program.py", launcher="self")
    assert finished.returncode == 2, finished
    assert finished.stdout == "", "nothing of the program has run"
    assert "scoop_mpi: cannot write what --debug or --profile collects" in finished.stderr
    assert "Traceback" not in finished.stderr
