"""One seed, or program, for every bug that was found: it must stay dead."""

from __future__ import annotations

from typing import Any

import pytest
from simulation import Simulation
from test_simulation import numbered, simulate, wide

from scoop_mpi import context, futures, scheduler

_simulation: Simulation | None = None


def current_simulation() -> Simulation:
    """The one that :func:`play` runs."""
    assert _simulation is not None
    return _simulation


def current_rank() -> int:
    """The rank that runs the calling task."""
    return context.current().rank


def play(workers: int, program: Any, seed: int = 0) -> Simulation:
    """Runs ``program`` on the root of a pool."""
    global _simulation
    _simulation = simulation = Simulation(workers, seed)
    simulation.run(program)
    return simulation


@pytest.mark.parametrize("verb", ["submit", "as_completed", "wait", "first"])
def test_own_tasks_passed_on_to_their_owner_come_home(verb):
    """A task that was given away, not started and passed on to its owner ran as a copy."""
    simulate(2, 0, numbered(wide(verb, 8, 3), [0]))


def test_an_unmeasured_task_is_not_refused_by_all_near_a_deadline():
    """It might overrun the wait, so its owner did not run it, nor offer it to others."""
    simulation = play(2, lambda: futures.submit(abs, -5).result(timeout=0.5))
    assert simulation.result == 5


def square_inside(x):
    """An item that forks: it once made its map look newly begun all the time."""
    current_simulation().breathe()
    return current_rank(), futures.submit(pow, x, 2).result()


def test_a_map_whose_items_fork_is_shared():
    simulation = play(3, lambda: list(futures.map(square_inside, range(300))))
    assert [square for _, square in simulation.result] == [x * x for x in range(300)]
    assert len({rank for rank, _ in simulation.result}) == 3


def test_a_callback_may_wait_for_a_result_of_the_same_message():
    """The rest of the message was in the frame of the callback that waited for it."""
    def program():
        pending = [futures.submit(slowly, n) for n in range(40)]
        seen = []
        for one, other in zip(pending, pending[1:]):
            one.add_done_callback(lambda _, other=other: seen.append(other.result()))
        futures.wait(pending)
        while len(seen) < 39:  # a callback that waits ends some time later
            futures.submit(slowly, 0).result()
        return sorted(seen)

    for seed in range(10):
        assert play(2, program, seed).result == list(range(1, 40))


shared: dict[int, list[int]] = {}


def append_and_return(n):
    """Returns an object that the next task on this rank changes."""
    current_simulation().breathe()
    log = shared.setdefault(current_rank(), [])
    log.append(n)
    return log


def test_results_are_sent_as_they_were_returned():
    global shared
    shared = {}

    def program():
        pending = [futures.submit(append_and_return, n) for n in range(60)]
        remote = [future for future in pending if future.running()]
        return [(future.result()[-1] == n) for n, future in enumerate(pending)
                if future in remote]

    assert all(play(3, program).result)


def test_polling_tasks_do_not_wait_for_each_other_for_ever(monkeypatch):
    """Each worker polled its own unstarted task and waited for another to take it."""
    monkeypatch.setattr(scheduler, "POLL_PATIENCE_S", 1e-4)  # virtual seconds are short
    assert play(2, lambda: sum(futures.map(poll_one, range(6)))).result == 15


def poll_one(n):
    """Waits for a task of its own by polling."""
    future = futures.submit(slowly, n)
    while not future.done():
        current_simulation().breathe()
    return future.result()


def slowly(n):
    """Returns its argument, after others had a turn."""
    current_simulation().breathe()
    return n


def test_a_program_that_never_blocks_lets_ready_tasks_go_on():
    """Polling, and waiting for tasks that run in place, kept ready greenlets waiting."""
    def program():
        parent = futures.submit(lambda: sum(futures.map(slowly, range(30))))
        futures.submit(slowly, 0).result()
        while not parent.done():
            current_simulation().breathe()
        return parent.result()

    for seed in range(10):
        assert play(3, program, seed).result == sum(range(30))
