"""The scale study's pool on virtual time: right results, plausible times."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import scale  # noqa: E402
from virtual import work  # noqa: E402
from virtual.costs import Idling, size_of  # noqa: E402
from virtual.pool import Pool, compute  # noqa: E402

from scoop_mpi import futures  # noqa: E402
from scoop_mpi.base.messages import Grant, Results, Shutdown  # noqa: E402


@pytest.mark.parametrize("name", work.NAMES)
def test_every_workload_ends_with_the_right_result(name: str) -> None:
    """``run_point`` asserts the result; the job ends on every rank."""
    point = scale.run_point(8, name, 10, to_the_end=True)
    assert 0.4 < point["efficiency"] <= 1
    assert point["ranks"]["1"]["received"]["Results"] > 0


def test_eight_workers_are_kept_busy() -> None:
    """At 100 tasks each, start and end are of little weight."""
    assert scale.run_point(8, "uniform", 10, per_worker=100)["efficiency"] > 0.8


def test_no_pool_is_faster_than_possible() -> None:
    """Nor slower than one worker."""
    for ms in (1, 100):
        point = scale.run_point(4, "heavy", ms)
        assert point["ideal_s"] <= point["took_s"] < 4 * point["ideal_s"]


def test_the_same_point_twice_is_the_same() -> None:
    """Nothing in it depends on the machine."""
    first, second = (scale.run_point(16, "nested", 1) for _ in range(2))
    for point in first, second:
        del point["real_s"]
        for load in point["ranks"].values():
            del load["real_s"]
    assert first == second


def test_sleeping_ranks_cost_time_and_a_bell_saves_it() -> None:
    """One task for each worker, after a long wait: all depends on waking up."""
    took = [
        scale.run_point(16, "uniform", 10, 1, Idling(bell_s=bell_s), settle_s=20)["took_s"]
        for bell_s in (math.inf, 50e-6)
    ]
    assert took[1] < took[0] - 0.01


def _busy(seconds: float) -> float:
    compute(seconds)
    return seconds


def test_the_donor_thread_serves_while_the_root_computes() -> None:
    """One long task on the root; the others get theirs meanwhile."""
    pool = Pool(4)

    def program() -> None:
        others = futures.map(_busy, [0.01] * 60)
        compute(0.5)
        list(others)

    pool.run(program)
    assert pool.ended - pool.began < 0.55
    assert sum(worker.task_s for worker in pool.workers[1:]) > 0.5


def test_size_of_a_message() -> None:
    """It grows with payloads and tuples."""
    results = Results((1, 2), 0.1, b"x" * 1000, b"y" * 30, ())
    assert 1030 < size_of(results)[0] < 1200
    assert size_of(Grant(tuple(range(100))))[1] == 100
    assert size_of(Shutdown(0))[0] < 50
