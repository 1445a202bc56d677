"""What a rank that polls or waits runs itself, and when."""

import pytest
from peers import Alone

from scoop_mpi.base.tuning import TUNING


@pytest.fixture
def one():
    return Alone()


def poll_for(one, seconds):
    """Polls every now and then, for so long."""
    for _ in range(round(seconds / (TUNING.patience_polls_s / 10))):
        one.scheduler.poll()
        one.idler.now += TUNING.patience_polls_s / 10


def test_a_program_that_polls_runs_what_nobody_takes(one):
    task = one.scheduler.submit(abs, (-5,), None)
    poll_for(one, 0.8 * TUNING.patience_polls_s)
    assert task.value is None
    poll_for(one, 0.5 * TUNING.patience_polls_s)
    assert task.value == 5


def test_a_new_task_restarts_the_patience(one):
    first = one.scheduler.submit(abs, (-5,), None)
    poll_for(one, 1.5 * TUNING.patience_polls_s)
    assert first.value == 5
    for _ in range(3):
        task = one.scheduler.submit(abs, (-6,), None)
        poll_for(one, 0.8 * TUNING.patience_polls_s)
        assert task.value is None
        poll_for(one, 0.5 * TUNING.patience_polls_s)
        assert task.value == 6


def test_polls_that_are_far_apart_run_what_nobody_takes(one):
    """A program may sleep between them."""
    task = one.scheduler.submit(abs, (-5,), None)
    one.scheduler.poll()
    one.idler.now += 3 * TUNING.patience_polls_s
    assert task.value is None
    one.scheduler.poll()
    assert task.value == 5
