"""A rank that is killed takes the whole job down, soon and with an exit code."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from launching import Job

PROGRAM = """
import os, time
from scoop_mpi import futures

def work(x):
    print(f"task of {{os.getpid()}}")
    time.sleep(60)

if __name__ == "__main__":
    print(f"root is {{os.getpid()}}", flush=True)
    fs = [futures.submit(work, x) for x in range(10)]
    {then}
    print("not reached")
"""


@pytest.mark.parametrize("launcher", ["mpirun", "self"])
def test_killed_worker(start: Callable[..., Job], launcher: str) -> None:
    job = start(PROGRAM.format(then="time.sleep(60)"), ranks=4, launcher=launcher)
    worker = int(job.wait_for_line(r"task of (\d+)")[1])
    assert worker in job.pids()
    assert worker != int(job.wait_for_line(r"root is (\d+)")[1])
    os.kill(worker, signal.SIGKILL)
    finished = job.finish()
    assert finished.returncode != 0, finished
    assert finished.seconds < 30, finished
    assert "not reached" not in finished.stdout


def test_killed_root(start: Callable[..., Job]) -> None:
    job = start(PROGRAM.format(then="futures.wait(fs)"), ranks=3)
    job.wait_for_line("task of")
    os.kill(int(job.wait_for_line(r"root is (\d+)")[1]), signal.SIGKILL)
    finished = job.finish()
    assert finished.returncode != 0, finished
    assert finished.seconds < 30, finished


@pytest.mark.parametrize("number, exit_code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_to_our_launcher_end_the_job(
    start: Callable[..., Job], number: int, exit_code: int
) -> None:
    job = start(PROGRAM.format(then="futures.wait(fs)"), launcher="self", timeout=20)
    job.wait_for_line("task of")
    os.kill(job.pid, number)
    finished = job.finish()
    assert finished.returncode == exit_code, finished
