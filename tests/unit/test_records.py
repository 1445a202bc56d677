"""What ``--debug`` and ``--profile`` know of each call, on a clock that stands still."""

import itertools
import os
import pickle
import pstats
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scoop_mpi.base.job import Job, Settings
from scoop_mpi.observe import records as observe
from scoop_mpi.observe.records import Observed, Observer
from scoop_mpi.workers.story import Event

KEYS = {"start_time", "end_time", "executionTime", "worker", "creationTime", "callable", "parent"}
"""What SCOOP 0.7 writes for each task."""
PROGRAM = ("worker-1", 0)


@pytest.fixture
def clock(monkeypatch):
    """Seconds since 1970, as far as observers know."""
    one = SimpleNamespace(now=1000.0, time=lambda: one.now, ctime=lambda at: f"at {at}")
    monkeypatch.setattr(observe, "time", one)
    return one


@pytest.fixture
def make(tmp_path):
    """Makes an observer: make(rank, debug, profile)."""
    def make(rank=2, debug=True, profile=False):
        settings = Settings(debug=debug, profile=profile)
        job = Job(rank=rank, directory=str(tmp_path), settings=settings)
        return Observer(job, lambda: (3, 0.5))
    return make


def observed(func, number=1, parent=PROGRAM, is_map=False):
    return Observed(func, ("worker-2", number), parent, 900.0, is_map)


def written(folder, name):
    with open(folder / "debug" / name, "rb") as file:
        return pickle.load(file)


# -- statistics ------------------------------------------------------------


def test_a_call(make, clock, tmp_path):
    def work(a, b):
        clock.now += 5
        return a + b

    observer = make()
    assert observer.call(observed(work), (1,), {"b": 2}) == 3
    observer.write([], 0.0)
    assert written(tmp_path, "worker-2-STATS") == {("worker-2", 1): {
        "start_time": [1000.0], "end_time": [1005.0], "executionTime": 5.0,
        "worker": ("worker-2", "broker-0"), "creationTime": "at 900.0", "created": 900.0,
        "callable": "test_a_call.<locals>.work", "parent": PROGRAM,
    }}
    assert written(tmp_path, "worker-2-QUEUE") == [(1005.0, 3, 0.5)]


def test_the_keys_are_those_of_scoop(make, tmp_path):
    observer = make()
    observer.call(observed(int), (), {})
    observer.write([], 0.0)
    [entry] = written(tmp_path, "worker-2-STATS").values()
    assert KEYS <= set(entry)


def test_a_call_that_fails_counts(make, clock, tmp_path):
    def fail():
        clock.now += 2
        raise KeyError("why")

    observer = make()
    with pytest.raises(KeyError, match="why"):
        observer.call(observed(fail), (), {})
    observer.write([], 0.0)
    [entry] = written(tmp_path, "worker-2-STATS").values()
    assert (entry["executionTime"], entry["end_time"]) == (2.0, [1002.0])


def test_items_of_a_map_are_told_apart(make, tmp_path):
    observer = make(rank=3)
    for _ in range(4):
        observer.call(observed(int, 7, is_map=True), (), {})
    observer.call(observed(int, 8), (), {})
    observer.write([], 0.0)
    ids = list(written(tmp_path, "worker-3-STATS"))
    assert len(ids) == 5
    assert all(id_[:3] == ("worker-2", 7, 3) for id_ in ids[:4])
    assert ids[4] == ("worker-2", 8)


def test_a_call_inside_a_call_is_not_the_outer_ones_time(make, clock, tmp_path):
    observer = make()

    def inner():
        clock.now += 10

    def outer():
        clock.now += 1
        observer.call(observed(inner, 2), (), {})
        clock.now += 2
        observer.call(observed(inner, 3), (), {})
        clock.now += 4

    observer.call(observed(outer), (), {})
    observer.write([], 0.0)
    stats = written(tmp_path, "worker-2-STATS")
    assert [stats["worker-2", n]["executionTime"] for n in (1, 2, 3)] == [7.0, 10.0, 10.0]
    assert (stats["worker-2", 1]["start_time"], stats["worker-2", 1]["end_time"]) == (
        [1000.0], [1027.0])


def test_waiting_is_not_execution(make, clock, tmp_path):
    """While one call waits another one begins, and ends before it or after it."""
    observer = make()

    def other():
        clock.now += 10

    def waits():
        clock.now += 1
        before = observer.parked()
        clock.now += 100
        observer.call(observed(other, 2), (), {})
        observer.resumed(before)
        clock.now += 2

    observer.call(observed(waits), (), {})
    observer.write([], 0.0)
    stats = written(tmp_path, "worker-2-STATS")
    assert [stats["worker-2", n]["executionTime"] for n in (1, 2)] == [3.0, 10.0]


def test_waiting_inside_an_inner_call(make, clock, tmp_path):
    observer = make()

    def inner():
        clock.now += 1
        before = observer.parked()
        clock.now += 50
        observer.resumed(before)
        clock.now += 1

    def outer():
        clock.now += 5
        observer.call(observed(inner, 2), (), {})

    observer.call(observed(outer), (), {})
    observer.write([], 0.0)
    stats = written(tmp_path, "worker-2-STATS")
    assert [stats["worker-2", n]["executionTime"] for n in (1, 2)] == [5.0, 2.0]


def test_the_program_waits_too(make, clock):
    observer = make(rank=1)
    before = observer.parked()
    assert observer.call(observed(abs), (-3,), {}) == 3
    observer.resumed(before)


def test_the_queue_over_time(clock, tmp_path):
    lengths = itertools.count(5, -1)
    job = Job(rank=2, directory=str(tmp_path), settings=Settings(debug=True))
    observer = Observer(job, lambda: (next(lengths), 0.25))
    for _ in range(3):
        clock.now += 1
        observer.call(observed(int), (), {})
    observer.write([], 0.0)
    assert written(tmp_path, "worker-2-QUEUE") == [
        (1001.0, 5, 0.25), (1002.0, 4, 0.25), (1003.0, 3, 0.25)]


def test_what_became_of_work_that_left(make, clock, tmp_path):
    make().write([
        Event(4.0, None, (5, 6), "given to", 3), Event(4.5, 7, range(10, 20), "given to", 1),
        Event(4.5, None, (6,), "could not be loaded on", 3),
    ], now=6.0)
    assert written(tmp_path, "worker-2-STORY") == {
        ("worker-2", 5): [(998.0, "given to rank 3")],
        ("worker-2", 6): [(998.0, "given to rank 3"), (998.5, "could not be loaded on rank 3")],
        ("worker-2", 7): [(998.5, "items 10 to 19: given to rank 1")],
    }


# -- files -----------------------------------------------------------------


@pytest.mark.parametrize("rank, start", [(1, "origin-worker-1"), (2, "worker-2")])
def test_names_of_the_files(make, tmp_path, rank, start):
    make(rank, profile=True).write([], 0.0)
    assert sorted(os.listdir(tmp_path / "debug")) == [
        f"{start}-{kind}" for kind in ("QUEUE", "STATS", "STORY")]
    assert os.listdir(tmp_path / "profile") == [f"worker-{rank}.prof"]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("profile", [False, True])
def test_only_what_was_asked_for(make, tmp_path, debug, profile):
    observer = make(debug=debug, profile=profile)
    observer.call(observed(int), (), {})
    observer.write([], 0.0)
    assert sorted(os.listdir(tmp_path)) == ["debug"] * debug + ["profile"] * profile


def test_a_worker_without_any_task(make, tmp_path):
    make().write([], 0.0)
    assert written(tmp_path, "worker-2-STATS") == {}
    assert written(tmp_path, "worker-2-QUEUE") == []


def test_the_files_need_nothing_of_ours(make, tmp_path):
    observer = make()
    for is_map in (False, True):
        observer.call(observed(lambda: 5, is_map=is_map), (), {})
    observer.write([], 0.0)
    program = (
        "import pickle, sys\n"
        "sys.modules['scoop_mpi'] = None  # from here on, importing it fails\n"
        "for name in ('STATS', 'QUEUE', 'STORY'):\n"
        "    with open(f'debug/worker-2-{name}', 'rb') as file:\n"
        "        print(len(pickle.load(file)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=20,
                          capture_output=True, text=True)
    statistics, samples, stories = map(int, done.stdout.split())
    assert statistics == 2 and samples >= 1 and stories == 0, done.stderr


def test_a_second_run_replaces_the_files(make, tmp_path):
    observer = make()
    observer.call(observed(int), (), {})
    observer.write([], 0.0)
    make().write([], 0.0)
    assert written(tmp_path, "worker-2-STATS") == {}


# -- profiles --------------------------------------------------------------


def functions_in(path):
    """{name of a function: how often it was called} of a profile."""
    return {name: calls for (_, _, name), (calls, *_) in pstats.Stats(str(path)).stats.items()}


def burn(n):
    return sum(map(abs, range(n)))


def not_in_a_task():
    return burn(1)


def test_a_profile_shows_the_tasks(make, tmp_path):
    observer = make(debug=False, profile=True)
    for _ in range(3):
        observer.call(observed(burn), (10,), {})
        not_in_a_task()
    observer.write([], 0.0)
    functions = functions_in(tmp_path / "profile" / "worker-2.prof")
    assert functions["burn"] == 3
    assert "not_in_a_task" not in functions


def test_a_profile_shows_the_program_of_the_root(make, tmp_path):
    observer = make(rank=1, debug=False, profile=True)
    observer.program_begins()
    not_in_a_task()
    observer.call(observed(burn), (10,), {})
    not_in_a_task()
    observer.program_ends()
    burn(2)
    observer.write([], 0.0)
    functions = functions_in(tmp_path / "profile" / "worker-1.prof")
    assert (functions["burn"], functions["not_in_a_task"]) == (3, 2)


def test_a_profile_shows_nothing_of_waits(make, tmp_path):
    observer = make(debug=False, profile=True)

    def waits():
        burn(1)
        before = observer.parked()
        not_in_a_task()
        observer.resumed(before)
        burn(1)

    observer.call(observed(waits), (), {})
    observer.write([], 0.0)
    functions = functions_in(tmp_path / "profile" / "worker-2.prof")
    assert functions["burn"] == 2
    assert "not_in_a_task" not in functions


def test_a_call_that_fails_ends_its_part_of_the_profile(make, tmp_path):
    observer = make(debug=False, profile=True)

    def fail():
        burn(1)
        raise KeyError

    with pytest.raises(KeyError):
        observer.call(observed(fail), (), {})
    not_in_a_task()
    observer.write([], 0.0)
    assert "not_in_a_task" not in functions_in(tmp_path / "profile" / "worker-2.prof")


def test_the_profile_of_a_worker_without_any_task_is_readable(make, tmp_path):
    make(debug=False, profile=True).write([], 0.0)
    pstats.Stats(str(tmp_path / "profile" / "worker-2.prof"))
