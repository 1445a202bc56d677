"""When it is the turn of the oldest piece of work."""

import pytest

from scoop_mpi.tasks.future import FINISHED, RUNNING, Future
from scoop_mpi.tasks.turns import Turns

AFTER = 100


@pytest.fixture
def turns():
    return Turns(AFTER)


def running(number):
    task = Future(number, abs, (), None)
    task.state = RUNNING
    return task


def test_after_so_many_others(turns):
    assert turns.look_at == AFTER
    assert turns.look(AFTER, True)
    assert not turns.look(2 * AFTER - 1, True)
    assert turns.look(2 * AFTER, True)


def test_nobody_is_passed_over_without_work(turns):
    assert not turns.look(10 * AFTER, False)
    assert turns.look_at == 11 * AFTER


def test_who_is_unfinished_delays_the_next(turns):
    elders = [running(number) for number in range(2)]
    for elder in elders:
        turns.had(elder)
    assert not turns.look(AFTER, True)
    assert not turns.look(3 * AFTER - 1, True)
    assert turns.look(3 * AFTER, True)


def test_who_is_done_or_gone_delays_nobody(turns):
    done = running(1)
    turns.had(done)
    turns.had(running(2))  # gone
    done.state = FINISHED
    assert turns.look(AFTER, True)


def test_it_looks_again_before_the_turn_is_due(turns):
    """Some of those who delay it may be done by then."""
    elders = [running(number) for number in range(5)]
    for elder in elders:
        turns.had(elder)
    turns.look(AFTER, True)
    assert turns.look_at == 2 * AFTER
