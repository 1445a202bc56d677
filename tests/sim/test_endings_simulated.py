"""However a job ends, it ends: with the right exit code, one report, nothing in flight."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import programs
from programs import breathe, nodes, numbered, run_node, simulate, wide
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.errors import TIMED_OUT
from scoop_mpi.base.messages import Failure, Left
from simulation import Simulation

SEEDS = range(40)


class End(NamedTuple):
    """How a job ended."""

    exit_code: int
    reports: list[str]
    aborted: bool


def end_of(
    workers: int, seed: int, program: Callable[[], Any], **settings: Any
) -> End:
    """Runs a job to its end, whatever that is."""
    programs._simulation = simulation = Simulation(workers, seed, **settings)
    exit_code = simulation.run_job(program)
    return End(exit_code, simulation.reports, simulation.aborted is not None)


def work_until(seed: int, ending: Callable[[], Any]) -> Callable[[], None]:
    """A program that leaves work behind, and ends somewhere in between."""
    chance = random.Random(seed)
    trees = [numbered(wide(chance.choice(["map", "submit", "wait", "constants", "closures"]), 5, 2),
                      [100 * n]) for n in range(4)]

    def program() -> None:
        pending = [futures.submit(run_node, tree) for tree in trees]
        futures.map(run_node, [tree._replace(number=10_000 + tree.number, children=())
                               for tree in trees])
        for future in pending[:chance.randrange(5)]:
            future.result()
        for _ in range(chance.randrange(50)):
            breathe()
        ending()

    return program


def fail() -> None:
    """The program's end."""
    raise ValueError("the program's")


def linger(until_told: bool) -> None:
    """User code that does not end, or not before the job is about to."""
    while not (until_told and context.is_stopping()):
        breathe()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_that_raises(seed: int) -> None:
    end = end_of(seed % 5 + 1, seed, work_until(seed, fail))
    assert end.exit_code == 1
    assert end.reports[0] == "ValueError(\"the program's\")"
    assert len(end.reports) == 1 + end.aborted


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_that_exits(seed: int) -> None:
    """What it has submitted still runs."""
    last = numbered(wide("forget", 3, 2), [50_000])

    def program() -> None:
        work_until(seed, lambda: None)()
        futures.submit(run_node, last)
        sys.exit(3)

    end = end_of(seed % 5 + 1, seed, program)
    assert end == (3, [], False)
    assert {node.number for node in nodes(last)} <= set(programs.current_simulation().executed)


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_that_cannot_import_the_program(seed: int) -> None:
    chance = random.Random(seed)
    workers = chance.randint(2, 6)
    errors = {rank: f"rank {rank}'s" for rank in range(2, workers + 1) if chance.random() < 0.5}
    errors[workers] = f"rank {workers}'s"
    end = end_of(workers, seed, work_until(seed, lambda: None), troubles={
        rank: Failure(text, 1) for rank, text in errors.items()})
    # It may be told so late that all has been run.
    assert end.exit_code == 1 and end.reports[0] in errors.values() or end == (0, [], False)
    assert len(end.reports) <= 1 + end.aborted


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_that_leave_the_program_at_import(seed: int) -> None:
    """If the root leaves it as well, that end counts; else they have failed."""
    workers, root_leaves = seed % 5 + 2, bool(seed % 2)
    left = {rank: Left(f"rank {rank} left") for rank in range(2, workers + 1, 1 + seed % 3)}
    end = end_of(workers, seed, (lambda: sys.exit(3)) if root_leaves else lambda: linger(True),
                 troubles=left, in_order=True)
    if root_leaves:
        assert end == (3, [], False)
    else:
        assert end.exit_code == 1 and end.reports[0] in [one.text for one in left.values()]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_time_limit_of_the_job(seed: int) -> None:
    limit_s = 10 ** random.Random(seed).uniform(-4, 0)
    end = end_of(seed % 5 + 1, seed, work_until(seed, lambda: None), timeout_s=limit_s)
    late = f"scoop_mpi: the job was ended after --timeout {limit_s:g} s"
    assert end == (0, [], False) or (end.exit_code, end.reports[0]) == (TIMED_OUT, late)
    assert len(end.reports) <= 1 + end.aborted


def test_the_time_limit_is_met_by_some_and_not_by_all() -> None:
    codes = {
        end_of(3, seed, work_until(seed, lambda: None), timeout_s=limit_s).exit_code
        for seed, limit_s in enumerate([1e-4, 1e6] * 3)
    }
    assert codes == {0, TIMED_OUT}


@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_inside_user_code_are_taken_down(seed: int) -> None:
    """After a failure; all others have stopped by then."""
    def program() -> None:
        futures.map(linger, [False] * 2)
        while not any(place.main.in_user_code for place in programs.current_simulation().ranks):
            breathe()
        fail()

    end = end_of(seed % 3 + 2, seed, program)
    assert (end.exit_code, end.aborted) == (1, True)
    failure, abortion = end.reports
    assert failure == "ValueError(\"the program's\")"
    assert "did not stop after the end of the job; aborting" in abortion


@pytest.mark.parametrize("seed", SEEDS)
def test_user_code_that_stops_when_told(seed: int) -> None:
    end = end_of(3, seed, lambda: next(futures.map(linger, [True] * 3)), timeout_s=1.0)
    assert end.exit_code == TIMED_OUT
    assert len(end.reports) == 1 + end.aborted


def test_an_orderly_end_needs_no_abort() -> None:
    """Even if the clock flies."""
    for seed in SEEDS:
        simulation = simulate(5, seed, numbered(wide("forget", 5, 2), [0]), tick_s=1e-3)
        assert simulation.aborted is None
