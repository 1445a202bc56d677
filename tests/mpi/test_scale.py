"""Many more ranks than cores: 64 of them on whatever this machine has."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from launching import Finished, Job
from test_census import CENSUS, figures

RANKS = 64
WINDOW_S = 4.0
"""Seconds over which the CPU time of an idle pool is taken."""

WARM_UP_AND_IDLE = """
import os, time
from scoop_mpi import futures

def square(x):
    return x * x

def where(x):
    time.sleep(0.1)
    return os.getpid()

if __name__ == "__main__":
    print("sum", sum(futures.map(square, range(2000))))
    print("pids", len(set(futures.map(where, range(64 * 10)))))
    print("idle", flush=True)
    time.sleep(7)
    print("sum", sum(futures.map(square, range(2000))))
"""


def test_64_ranks_and_idle_ones_are_quiet(
    start: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    job = start(WARM_UP_AND_IDLE, ranks=RANKS, timeout=120)
    job.wait_for_line("^idle")
    time.sleep(2)  # the naps between their polls grow with the wait
    before_s, began = job.cpu_s(), time.monotonic()
    time.sleep(WINDOW_S)
    cores = (job.cpu_s() - before_s) / (time.monotonic() - began)
    finished = job.finish()
    with capsys.disabled():
        print(f"\n{RANKS} ranks, idle: {cores:.3f} of one core; job: {finished.seconds:.1f} s")
    assert finished.returncode == 0, finished
    total = sum(x * x for x in range(2000))
    texts = [line for _, line in finished.lines]
    assert texts[0] == texts[-1] == f"sum {total}", finished
    assert texts[1] == f"pids {RANKS - 1}", finished
    assert 0 < cores < 0.5, cores


def test_census_on_64_ranks(run: Callable[..., Finished]) -> None:
    found = figures(run(CENSUS, "100", ranks=RANKS, timeout=120))
    assert (found["files"], found["workers"]) == (100, RANKS - 1)
