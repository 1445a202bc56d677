"""The scheduler that looks closely: results as usual, each call written down once."""

import operator
import os
import pickle
import time

import pytest

from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.base.job import Job, Settings
from scoop_mpi.observe import strict
from scoop_mpi.observe.instruments import InstrumentedScheduler
from scoop_mpi.process.alone import Alone
from scoop_mpi.wire.codec import Codec
from scoop_mpi.workers.scheduler import Scheduler

PROGRAM = ("worker-1", 0)


class NoPause:
    """There is nobody to wait for."""

    spin_s = 0.0

    def pause(self, waited_s, limit_s):
        time.sleep(limit_s or 0)

    def resume(self):
        pass


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts an instrumented scheduler without peers: start(strict=True, ...)."""
    monkeypatch.setattr(strict, "_reported", set())

    def start(**settings):
        job = Job(directory=str(tmp_path), settings=Settings(**settings))
        scheduler = InstrumentedScheduler(
            Alone(), Codec(), time.perf_counter, NoPause(), True, job=job)
        context.install(scheduler)
        return scheduler

    yield start
    context.install(None)


@pytest.fixture
def statistics(tmp_path):
    """What has been written: statistics(scheduler), {id: entry}."""
    def statistics(scheduler):
        scheduler.close()
        with open(tmp_path / "debug" / "origin-worker-1-STATS", "rb") as file:
            return pickle.load(file)
    return statistics


ALL_SETTINGS = [
    {"strict": True}, {"debug": True}, {"profile": True},
    {"strict": True, "debug": True, "profile": True},
]


def fib(n):
    if n < 2:
        return n
    both = [futures.submit(fib, n - 1), futures.submit(fib, n - 2)]
    return sum(future.result() for future in both)


def calls_of_fib(n):
    return 1 if n < 2 else 1 + calls_of_fib(n - 1) + calls_of_fib(n - 2)


def square_and_submit(n):
    return futures.submit(pow, n, 2).result()


def compute():
    """Something of everything, which changes nothing."""
    bonus = 5
    return [
        futures.submit(fib, 7).result(),
        list(futures.map(lambda x: x + bonus, range(10))),
        sorted(futures.map_as_completed(square_and_submit, range(10))),
        list(futures.map(pow, range(5), range(5))),
        futures.mapReduce(abs, operator.add, range(-20, 0)),
        futures.mapReduce(str, lambda a, b: a + b, range(20)),
        futures.mapScan(abs, operator.add, range(-20, 0)),
        futures.submit(dict, [(1, 2)], b=3).result(),
        type(futures.submit(operator.truediv, 1, 0).exception()),
        [future.result() for future in futures.as_completed([futures.submit(divmod, 7, 2)])],
    ]


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
def test_results_are_the_usual_ones(start, scheduler, settings, capsys):
    assert type(scheduler) is Scheduler
    usual = compute()
    start(**settings)
    assert compute() == usual
    assert capsys.readouterr().err == ""


def test_changes_are_reported_with_the_users_names(start, capsys):
    def append_to(things):
        things.append(1)

    def extend(a, b):
        a.extend(b)
        return a

    def nested(things):
        return futures.submit(append_to, things).result()

    start(strict=True)
    futures.submit(append_to, []).result()
    list(futures.map(nested, [[], []]))
    assert futures.mapReduce(list, extend, ["a", "b", "c"] * 50) == ["a", "b", "c"] * 50
    futures.mapScan(list, extend, ["a", "b", "c"] * 50)
    lines = capsys.readouterr().err.splitlines()
    names = [line.partition(" task ")[2].split(" ")[0].rpartition(".")[2] for line in lines]
    assert sorted(names) == ["append_to", "extend"], lines


def test_a_caller_does_not_see_changes(start):
    start(strict=True)
    mine = []
    futures.submit(mine.append, 1).result()
    assert list(futures.map(lambda _: mine.append(1), range(3))) == [None] * 3
    assert futures.mapReduce(lambda _: mine.append(1), lambda a, b: mine.append(1), "ab") is None
    assert mine == []


def test_what_cannot_be_pickled_is_an_error_of_the_task(start):
    start(strict=True)
    generator = (n for n in "a")
    assert type(futures.submit(list, generator).exception()) is NotPicklableError
    assert type(futures.submit(lambda: generator).exception()) is NotPicklableError
    with pytest.raises(NotPicklableError):
        list(futures.map(iter, [(n for n in "a")]))
    assert futures.submit(abs, -1).result() == 1


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
def test_only_what_was_asked_for_is_written(start, tmp_path, settings):
    one = start(**settings)
    futures.submit(abs, 1).result()
    one.close()
    expected = [name for name in ("debug", "profile") if settings.get(name)]
    assert sorted(os.listdir(tmp_path)) == expected


def test_each_call_is_written_down_once(start, statistics):
    one = start(debug=True)
    futures.submit(fib, 6).result()
    list(futures.map(square_and_submit, range(9)))
    list(futures.map_as_completed(abs, range(4)))
    names = [entry["callable"] for entry in statistics(one).values()]
    assert {name: names.count(name) for name in names} == {
        "fib": calls_of_fib(6), "square_and_submit": 9, "pow": 9, "abs": 4}


def test_ids_are_those_of_the_futures(start, statistics):
    one = start(debug=True)
    made = [futures.submit(abs, n) for n in range(3)]
    futures.wait(made)
    assert set(statistics(one)) == {(str(future.id[0]), future.id[1]) for future in made}


def test_parents_lead_to_the_program(start, statistics):
    one = start(debug=True)
    futures.submit(fib, 5).result()
    list(futures.map(square_and_submit, range(5)))
    entries = statistics(one)
    known = {PROGRAM} | {id_[:2] for id_ in entries}
    assert {entry["parent"] for entry in entries.values()} <= known
    [root] = [id_ for id_, entry in entries.items()
              if entry["callable"] == "fib" and entry["parent"] == PROGRAM]
    assert sum(entry["parent"] == root for entry in entries.values()) == 2
    [call] = {id_[:2] for id_, entry in entries.items()
              if entry["callable"] == "square_and_submit"}
    inner = [entry["parent"] for entry in entries.values() if entry["callable"] == "pow"]
    assert inner == [call] * 5


def test_times_follow_each_other(start, statistics):
    one = start(debug=True)
    futures.submit(fib, 6).result()
    list(futures.map(square_and_submit, range(5)))
    before = time.time()
    for entry in statistics(one).values():
        [began], [ended] = entry["start_time"], entry["end_time"]
        assert entry["created"] <= began <= ended <= before
        assert 0 <= entry["executionTime"] <= ended - began + 1e-6


def test_a_task_that_waits_does_not_execute(start, statistics):
    def child():
        time.sleep(0.05)

    def parent():
        futures.wait([futures.submit(child), futures.submit(child)])
        futures.submit(child).result()
        list(futures.map(lambda _: child(), range(1)))

    one = start(debug=True)
    futures.submit(parent).result()
    [entry] = [entry for entry in statistics(one).values() if entry["callable"].endswith("parent")]
    [began], [ended] = entry["start_time"], entry["end_time"]
    assert ended - began >= 0.2
    assert entry["executionTime"] < (ended - began) / 2


def test_tasks_that_fail_or_are_cancelled(start, statistics):
    one = start(debug=True)
    failing = futures.submit(operator.truediv, 1, 0)
    cancelled = futures.submit(abs, 1)
    assert cancelled.cancel()
    assert isinstance(failing.exception(), ZeroDivisionError)
    assert [entry["callable"] for entry in statistics(one).values()] == ["truediv"]


def test_names_are_those_of_the_users_functions(start, statistics):
    one = start(debug=True, strict=True)
    futures.submit(fib, 1).result()
    list(futures.map(fib, [1]))
    assert [entry["callable"] for entry in statistics(one).values()] == ["fib", "fib"]


def test_the_program_runs_as_usual(start):
    one = start(profile=True)
    assert one.run_program(lambda: 5) == 5
    with pytest.raises(KeyError):
        one.run_program({}.popitem)
