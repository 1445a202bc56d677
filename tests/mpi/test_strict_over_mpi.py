"""``--strict``: changed arguments are named on whichever worker; else nothing is different."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Finished

Run = Callable[..., Finished]

CHANGES = """
import functools, os, time
from scoop_mpi import futures, shared

def append_to(things):
    time.sleep(0.02)
    things.append(1)
    return os.getpid()

def update(first, *, second):
    time.sleep(0.01)
    second["a"] = first

class Account:
    def __init__(self):
        self.money = 0

    def put(self, much):
        self.money += much
        return self.money

def nested(n):
    return futures.submit(change_inside, [n]).result()

def change_inside(things):
    things.clear()
    return 5

def join(a, b):
    a.extend(b)
    return a

def accumulate(a, b):
    a.extend(b)
    return a

def lists_of(n):
    return [n]

if __name__ == "__main__":
    pids = set(futures.map(append_to, [[] for _ in range(30)]))
    print("workers", len(pids))
    futures.wait([futures.submit(update, n, second={}) for n in range(10)])
    account = Account()
    for future in [futures.submit(account.put, n) for n in range(1, 6)]:
        assert future.result() in range(1, 6)
    assert account.money == 0
    assert list(futures.map(nested, range(20))) == [5] * 20
    assert futures.mapReduce(lists_of, join, range(100)) == list(range(100))
    assert futures.mapScan(lists_of, accumulate, range(50))[-1] == list(range(50))
    mine = []
    futures.submit(append_to, mine).result()
    print("mine", mine)
"""


def reports_in(finished: Finished) -> list[tuple[str, str, str]]:
    """(worker, task, argument) of each report."""
    return re.findall(r"(worker-\d+) .*task (\S+) changed its argument (\S+);", finished.stderr)


@pytest.fixture
def run_strict(run: Run, tmp_path: Path) -> Callable[..., Finished]:
    """run_strict(text, ranks): runs a program with --strict."""
    def run_strict(text: str, ranks: int, *options: str) -> Finished:
        (tmp_path / "strict_program.py").write_text(text)
        return run("--strict", *options, "strict_program.py", ranks=ranks)
    return run_strict


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_changed_arguments_are_reported_once_a_worker(
    run_strict: Callable[..., Finished], ranks: int
) -> None:
    finished = run_strict(CHANGES, ranks)
    assert finished.returncode == 0, finished
    assert "mine []" in finished.stdout, finished
    reports = reports_in(finished)
    assert len(reports) == len(set(reports)), finished
    assert {(task, argument) for _, task, argument in reports} >= {
        ("append_to", "0"), ("update", "second"), ("change_inside", "0"), ("join", "0"),
        ("accumulate", "0")}, finished
    names = {task for _, task, _ in reports}
    assert names <= {"append_to", "update", "Account.put", "change_inside", "join", "accumulate"}
    workers = int(re.findall(r"workers (\d+)", finished.stdout)[0])
    assert (workers > 1) == (ranks > 2), finished
    of_append = {worker for worker, task, _ in reports if task == "append_to"}
    assert len(of_append) >= workers, finished
    assert of_append <= {f"worker-{rank}" for rank in range(1, max(2, ranks))}


@pytest.mark.parametrize("ranks", [1, 3])
def test_without_it_nothing_is_reported(run: Run, ranks: int) -> None:
    # What it computes depends on where its tasks run: the reason for --strict.
    finished = run(CHANGES.replace("assert ", ""), ranks=ranks)
    assert finished.returncode == 0, finished
    assert finished.stderr == "", finished


NO_CHANGES = """
import functools, operator, time
from scoop_mpi import futures, shared

class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def norm(self):
        return abs(self.x) + abs(self.y)

    def moved(self, by):
        return Point(self.x + by, self.y + by)

def look_at(number, text, things, table, some, point, function):
    time.sleep(0.005)
    return (number, text.upper(), sorted(things), sorted(table.items()), sorted(some),
            point.norm(), point.moved(1).norm(), function(number))

def tree(depth):
    if depth == 0:
        return 1
    return sum(futures.map(tree, [depth - 1] * 2)) + futures.submit(tree, depth - 1).result()

if __name__ == "__main__":
    class Local(Point):
        def norm(self):
            return super().norm() * 10

    bonus = 3
    functions = [lambda n: n + bonus, functools.partial(pow, 2), abs, Point(1, 2).moved]
    for point in Point(1, -2), Local(3, 4):
        for n in range(20):
            futures.submit(abs, n)
        args = [(n, "text", [3, 1, 2], {"a": [n]}, {1, 2}, point) for n in range(12)]
        for function in functions[:3]:
            print([futures.submit(look_at, *arg, function=function).result() for arg in args])
    print([f.result().norm() for f in [futures.submit(functions[3], n) for n in range(5)]])
    print(tree(4))
    print(list(futures.map(Point.norm, [Local(n, n) for n in range(5)])))
    print(futures.mapReduce(str, operator.add, range(50)))
    print(futures.mapScan(lambda n: [n], lambda a, b: a + b, range(20)))
    print(sorted(futures.map_as_completed(divmod, range(20), [7] * 20)))
    shared.setConst(limits=(1, 9))
    print(list(futures.map(lambda n: shared.getConst("limits")[n % 2], range(6))))
"""


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_program_that_changes_nothing(
    run: Run, run_strict: Callable[..., Finished], ranks: int
) -> None:
    usual = run(NO_CHANGES, ranks=ranks)
    assert usual.returncode == 0, usual
    strict = run_strict(NO_CHANGES, ranks)
    assert (strict.returncode, strict.stderr) == (0, ""), strict
    assert strict.stdout == usual.stdout


UNPICKLABLE = """
import threading
from scoop_mpi import NotPicklableError, futures

def take(thing):
    return 1

def make(n):
    return threading.Lock()

if __name__ == "__main__":
    lock = threading.Lock()
    errors = [
        futures.submit(take, lock).exception(),
        futures.submit(make, 1).exception(),
        futures.submit(lambda: take(lock)).exception(),
    ]
    for verb in futures.map, futures.map_as_completed:
        for function, item in (take, lock), (make, 1):
            try:
                list(verb(function, [item]))
            except NotPicklableError as error:
                errors.append(error)
    for error in errors:
        print(type(error).__name__, error)
    print(sum(futures.map(take, range(20))))
"""


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_what_cannot_be_pickled_is_an_error_wherever_it_runs(
    run: Run, run_strict: Callable[..., Finished], ranks: int
) -> None:
    strict = run_strict(UNPICKLABLE, ranks)
    assert strict.returncode == 0, strict
    *errors, total = strict.stdout.splitlines()
    assert len(errors) == 7, strict
    for line in errors:
        assert line.startswith("NotPicklableError This element could not be pickled: "), strict
        assert "lock" in line, strict
    assert total == "20"
