"""Exceptions of signal handlers in real jobs: none strikes a step of ours, none is lost."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest
from launching import PROGRAMS, Finished, Job

LIMITED = """
import signal, sys, time
from scoop_mpi import futures

class TooLong(Exception):
    pass

def ring(number, frame):
    raise TooLong

def nap(s):
    time.sleep(s)
    return s

def limited(_):
    long, short = futures.submit(nap, 2.0), futures.submit(nap, 0.1)
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.6)
    try:
        return short.result(), long.result()
    except TooLong:
        return "too long", long.result()  # what it waited for is still there
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

if __name__ == "__main__":
    future = futures.submit(limited, 0)
    time.sleep(float(sys.argv[1]))
    print(future.result())
    print(sum(futures.map(nap, [0.01] * 20)) > 0)
"""

TOP_LEVEL = """
import os, signal, time
from scoop_mpi import futures

def ring(number, frame):
    raise ValueError("for nobody")

signal.signal(signal.SIGUSR1, ring)

def who(x):
    time.sleep(0.2)
    return os.getpid()

if __name__ == "__main__":
    pids = {future.result() for future in [futures.submit(who, x) for x in range(6)]}
    other = next(pid for pid in pids if pid != os.getpid())
    time.sleep(0.5)
    os.kill(other, signal.SIGUSR1)  # it idles
    time.sleep(0.5)
    print(list(futures.map(abs, range(3))))
"""

ENDS = """
import os, time
from scoop_mpi import futures

def work(x):
    print("task", flush=True)
    for _ in range(200):
        time.sleep(0.01)

if __name__ == "__main__":
    for x in range(100):
        futures.submit(work, x)
    print("root is", os.getpid(), flush=True)
"""

LONG = """
import os, time
from scoop_mpi import futures

def nap(s):
    print("task", flush=True)
    time.sleep(s)
    return s

if __name__ == "__main__":
    print("root is", os.getpid(), flush=True)
    future = futures.submit(nap, 3)
    try:
        future.result()
    except KeyboardInterrupt:
        print("caught", future.running(), flush=True)
    print(future.result())
"""


@pytest.mark.parametrize("ranks, seed", [(2, 1), (3, 2), (5, 3)])
def test_a_storm_of_ctrl_c_loses_nothing(
    run: Callable[..., Finished], ranks: int, seed: int
) -> None:
    done = run(PROGRAMS / "storm.py", "4", str(seed), ranks=ranks, timeout=120)
    assert done.returncode == 0, done
    found = re.search(r"sent (\d+) caught (\d+) rounds \d+ kept \d+ lost \[\]$", done.stdout, re.M)
    assert found and int(found[2]) > 20, done
    assert "map 500500" in done.stdout, done


def test_a_storm_without_a_launcher(run: Callable[..., Finished]) -> None:
    done = run(PROGRAMS / "storm.py", "4", "4", launcher="python", timeout=120,
               env={"PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done
    assert "lost []" in done.stdout and "map 500500" in done.stdout, done


def test_a_storm_under_strict(start: Callable[..., Job]) -> None:
    done = start("--strict", str(PROGRAMS / "storm.py"), "3", "5", ranks=3, launcher="self",
                 timeout=120).finish()
    assert done.returncode == 0, done
    assert "lost []" in done.stdout and "map 500500" in done.stdout, done


@pytest.mark.parametrize("ranks", [2, 3, 5])
@pytest.mark.parametrize("delay", ["0", "1"])
def test_a_time_limit_ends_the_wait_of_its_task(
    run: Callable[..., Finished], ranks: int, delay: str
) -> None:
    done = run(LIMITED, delay, ranks=ranks)
    assert done.returncode == 0, done
    assert done.stdout == "('too long', 2.0)\nTrue\n", done


def test_a_handler_of_nobody_does_not_end_a_worker_that_idles(
    run: Callable[..., Finished]
) -> None:
    done = run(TOP_LEVEL, ranks=3)
    assert done.returncode == 0, done
    assert done.stdout == "[0, 1, 2]\n", done
    assert "for nobody" in done.stderr, done


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_after_the_end_of_the_program(
    start: Callable[..., Job], ranks: int, times: int
) -> None:
    job = start(ENDS, ranks=ranks)
    root = int(job.wait_for_line(r"root is (\d+)")[1])
    job.wait_for_line("task")
    for _ in range(times):
        os.kill(root, signal.SIGINT)
    done = job.finish()
    assert done.returncode == 130, done
    assert done.seconds < 30, done
    assert "Traceback" not in done.stderr, done


@pytest.mark.parametrize("ranks", [2, 3])
def test_ctrl_c_while_a_long_task_runs(start: Callable[..., Job], ranks: int) -> None:
    job = start(LONG, ranks=ranks)
    root = int(job.wait_for_line(r"root is (\d+)")[1])
    job.wait_for_line("task")
    os.kill(root, signal.SIGINT)
    done = job.finish()
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-2:] == ["caught True", "3"], done
