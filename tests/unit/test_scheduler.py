"""What a rank that polls or waits runs itself, and when."""

import contextlib

import pytest
from peers import Alone

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.future import Future


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


@pytest.mark.parametrize("timeout, value", [
    (0.9 * TUNING.patience_deadlines_s, None), (3 * TUNING.patience_deadlines_s, 5)])
def test_a_wait_leaves_what_may_outlast_it_to_others_for_a_time(one, timeout, value):
    """But not for ever: all may wait so, for one another."""
    task = one.scheduler.submit(abs, (-5,), None)

    one.idler.step_s = TUNING.patience_deadlines_s / 10
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(task, timeout)
    assert task.value == value


def test_short_waits_leave_work_to_others_no_longer_than_a_long_one(one):
    """All may wait in loops with short timeouts."""
    began = one.idler.now
    task = one.scheduler.submit(abs, (-5,), None)
    one.idler.step_s = TUNING.patience_deadlines_s / 10
    while task.value is None:
        with contextlib.suppress(TimeoutError):
            one.scheduler.wait_for(task, 0.3 * TUNING.patience_deadlines_s)
        assert one.idler.now - began < 2 * TUNING.patience_deadlines_s
    assert one.idler.now - began > TUNING.patience_deadlines_s


def test_a_wait_has_all_its_patience_for_what_was_created_since(one):
    one.idler.step_s = TUNING.patience_deadlines_s / 10
    never = Future(0, abs, (), None, None)
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(never, 0.9 * TUNING.patience_deadlines_s)  # with nothing to leave
    task = one.scheduler.submit(abs, (-5,), None)
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(never, 0.9 * TUNING.patience_deadlines_s)
    assert task.value is None


def test_patience_wears_off_where_nobody_takes_anything(one):
    """In a tree of waits with deadlines each would have to be patient."""
    began = one.idler.now
    one.idler.step_s = TUNING.patience_deadlines_s / 1000
    for number in range(10):
        task = one.scheduler.submit(lambda: None, (), None)
        one.scheduler.backlog.estimates.learn(task.func, 10.0)
        one.scheduler.wait_for(task, 60)
    assert one.idler.now - began < 2 * TUNING.patience_deadlines_s
