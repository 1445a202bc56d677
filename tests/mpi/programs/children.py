"""Processes that tasks start by multiprocessing: they find the program, and ``scoop``."""

import concurrent.futures
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass

from checking import MANY, nap, run_checks

from scoop import futures, shared

CHILD_S = 20


@dataclass
class Point:
    """Made by the program, its workers and their children."""

    x: int

    def __add__(self, other):
        return Point(self.x + other.x)


def square(point):
    assert type(point) is Point
    return Point(point.x ** 2)


def verbs(n):
    """Verbs in a child: serial, and without a word."""
    import scoop

    mine = os.getpid()
    assert futures.submit(os.getpid).result() == mine
    assert list(futures.map(abs, range(-n, 0))) == list(range(n, 0, -1))
    assert (scoop.SIZE, scoop.IS_RUNNING) == (1, False)
    assert scoop.__name__ == futures.__name__.rpartition(".")[0] == "scoop_mpi"
    shared.setConst(childs=n)
    return shared.getConst("childs")


def in_pool(method, n):
    time.sleep(0.02)
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        points = pool.map_async(square, [Point(n), Point(n + 1)]).get(CHILD_S)
        counted = pool.apply_async(verbs, (n,)).get(CHILD_S)
    return points, counted


def in_executor(method, n):
    time.sleep(0.02)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(square, Point(n)).result(CHILD_S), \
            executor.submit(verbs, n).result(CHILD_S)


def tried(method):
    fs = [futures.submit(in_pool, method, n) for n in range(4)]
    for n, f in enumerate(fs):
        points, counted = f.result()
        assert points == [Point(n ** 2), Point((n + 1) ** 2)], points
        assert all(type(point) is Point for point in points)
        assert counted == n
    fs = [futures.submit(in_executor, method, n) for n in range(4)]
    assert [f.result() for f in fs] == [(Point(n ** 2), n) for n in range(4)]


def check_spawn():
    tried("spawn")


def check_forkserver():
    tried("forkserver")


def check_fork():
    tried("fork")


def check_children_of_the_program():
    assert in_pool("spawn", 3) == ([Point(9), Point(16)], 3)


def other_program(n):
    """A program that has nothing to do with the job."""
    done = subprocess.run([sys.executable, "-c", f"print({n} + 1)"], capture_output=True)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                               stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    sleeper.send_signal(2)
    return int(done.stdout), done.stderr, sleeper.wait(CHILD_S)


def check_other_programs():
    """Ctrl-C ends them, wherever they were started."""
    assert list(futures.map(other_program, range(4))) == [(n + 1, b"", -2) for n in range(4)]


def pickled(n):
    return nap((pickle.dumps(Point(n)), pickle.dumps(square), repr(Point), repr(square)[:19]))


def check_what_tasks_pickle():
    for n, (found, _) in enumerate(futures.map(pickled, range(MANY))):
        assert all(b"scoop_main" not in one for one in found[:2])
        assert pickle.loads(found[0]) == Point(n)
        assert pickle.loads(found[1]) is square
        assert found[2:] == ("<class '__main__.Point'>", "<function square at")


if __name__ == "__main__":
    run_checks(globals(), limit_s=60)
