"""One seed, or program, for every bug that was found: it must stay dead."""

from __future__ import annotations

import pytest

from programs import breathe, numbered, play, simulate, wide
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.messages import ROOT


def current_rank() -> int:
    """The rank that runs the calling task."""
    return context.current().rank


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
    breathe()
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


shared: dict[int, list[tuple[int, int]]] = {}


def append_and_return(n):
    """Returns an object that the next task on this rank changes."""
    breathe()
    log = shared.setdefault(current_rank(), [])
    log.append((current_rank(), n))
    return log


def test_results_are_sent_as_they_were_returned():
    global shared
    shared = {}

    def program():
        pending = [futures.submit(append_and_return, n) for n in range(60)]
        return [future.result()[-1] for future in pending]

    last = play(3, program).result
    remote = [(rank, at, n) for at, (rank, n) in enumerate(last) if rank != ROOT]
    assert remote
    assert all(at == n for _, at, n in remote)


@pytest.mark.parametrize("tick_s", [1e-4, 0.02])
def test_polling_tasks_do_not_wait_for_each_other_for_ever(tick_s):
    """Each worker polled its own unstarted task and waited for another to take it.

    So it was once more if the polls were further apart than the patience.
    """
    assert play(2, lambda: sum(futures.map(poll_one, range(6))), tick_s=tick_s).result == 15


def poll_one(n):
    """Waits for a task of its own by polling."""
    future = futures.submit(slowly, n)
    while not future.done():
        breathe()
    return future.result()


def slowly(n):
    """Returns its argument, after others had a turn."""
    breathe()
    return n


def test_a_program_that_never_blocks_lets_ready_tasks_go_on():
    """Polling, and waiting for tasks that run in place, kept ready greenlets waiting."""
    def program():
        parent = futures.submit(lambda: sum(futures.map(slowly, range(30))))
        futures.submit(slowly, 0).result()
        while not parent.done():
            breathe()
        return parent.result()

    for seed in range(10):
        assert play(3, program, seed).result == sum(range(30))


def test_the_donor_lists_tasks_while_others_are_created():
    """The dict of tasks changed between two C calls of the donor, which ended the job."""
    for seed in range(20):
        simulate(2, seed, numbered(wide("first", 4, 3), [0]), switching=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_who_polls_lets_others_go_on_that_stepped_aside(seed):
    """An old task that got its turn polled one that had stepped aside while it polled itself."""
    simulate(2, seed, numbered(wide("poll", 4, 3), [0]))


def test_a_task_that_stepped_aside_goes_on_behind_a_loop():
    """A task that creates tasks in a loop went on in its place, and never came back."""
    shape = ("map", True, (
        ("first_exception", True, (
            ("wait_timeout", False, (("map", False, ()),)),
            ("luggage_back", False, (("leaf", True, ()),) * 2),
            ("map", False, (("submit", False, ()),)),
        )),
        ("callback_map", False, (
            ("as_completed", True, (("leaf", True, ()),) * 2),
            ("poll", True, (("map_timeout", True, ()),)),
            ("buffered", True, ()),
        )),
    ))
    simulate(5, 400150, numbered(shape, [0]))
