"""What became of work that left: told in error messages, in one line."""

import pytest

from scoop_mpi.base.messages import Lacking, RejectedItems, Tasks
from scoop_mpi.tasks.future import FINISHED, RUNNING, SENT, Future
from scoop_mpi.workers.story import Story


@pytest.fixture
def story():
    return Story(kept=3)


def tasks(*numbers):
    return Tasks(1, numbers, 0.0, b"", ())


def items(map_id, start, length):
    return RejectedItems(map_id, start, length, Lacking((), "", ""), "no module")


def make_task(number=5):
    return Future(number, abs, (-1,), None)


def test_a_task_that_never_left(story):
    task = make_task()
    assert story.of_task(task, 1.0) == "waits here for its turn"
    task.state = RUNNING
    assert story.of_task(task, 1.0) == "runs here"
    task.state = FINISHED
    assert story.of_task(task, 1.0) == ""


def test_a_task_that_is_elsewhere(story):
    task = make_task()
    task.state = SENT
    story.now = 2.0
    story.note_tasks(tasks(4, 5), "given to", 3)
    story.note_tasks(tasks(4), "given to", 2)
    story.note_items(items(5, 0, 10), "given to", 2)
    assert story.of_task(task, 4.5) == "given to rank 3 2.5 s ago"


def test_a_task_that_came_back(story):
    story.now = 2.0
    story.note_tasks(tasks(5), "given to", 3)
    story.now = 3.0
    story.note_tasks(tasks(5), "could not be loaded on", 4)
    assert story.of_task(make_task(), 3.0) == (
        "given to rank 3 1 s ago, could not be loaded on rank 4 0 s ago, waits here for its turn")


def test_old_events_are_dropped(story):
    task = make_task()
    task.state = SENT
    story.note_tasks(tasks(5), "given to", 3)
    for number in range(10, 13):
        story.note_tasks(tasks(number), "given to", 3)
    assert story.of_task(task, 1.0) == "given away"
    assert len(list(story)) == 3


def test_all_events_are_kept():
    story = Story(kept=None)
    story.note_tasks(tasks(5), "given to", 3)
    for number in range(10, 100):
        story.note_tasks(tasks(number), "given to", 3)
    assert len(list(story)) == 91


def test_an_item(story):
    story.note_tasks(tasks(15), "given to", 3)
    story.note_items(items(7, 10, 10), "given to", 2)
    assert story.of_item(7, 15, 1.0) == "given to rank 2 1 s ago"
    assert story.of_item(7, 20, 1.0) == story.of_item(8, 15, 1.0) == "not given away"
