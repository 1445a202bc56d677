"""Nobody starves: what is old runs within a bounded number of newer tasks, and trees stay trees.

All of it with one worker: the only one who can run what waits.
"""

import pytest

from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.process import alone
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import ForeignTask
from scoop_mpi.workers.reports import Reports

LOOK = 2 * TUNING.tasks_per_look_max
"""Trivial tasks are counted at looks; so many may begin between two of them."""
SOON = TUNING.turn_after + LOOK
"""Newer tasks that may run between two turns, while none of those is unfinished."""

pytestmark = pytest.mark.usefixtures("scheduler", "nobody_to_report_to")


@pytest.fixture
def nobody_to_report_to(monkeypatch):
    """Work of other ranks runs here, but there are none."""
    monkeypatch.setattr(Reports, "add_task", lambda reports, task: None)
    monkeypatch.setattr(Reports, "add_chunk", lambda reports, chunk: None)


def identity(number):
    return number


class Program:
    """Never stops making tasks; ``ran`` counts them."""

    def __init__(self):
        self.ran = 0

    def until(self, is_done, limit):
        """Makes tasks until ``is_done``, at most ``limit``."""
        while not is_done():
            self.step()
            assert self.ran <= limit, "somebody starves"

    def step(self):
        raise NotImplementedError


class Waits(Program):
    """Waits for each of its tasks, which so is run in place."""

    def step(self):
        self.ran += 1
        futures.submit(identity, 1).result()


class Nested(Waits):
    """As before, some waits deep."""

    def step(self):
        futures.submit(self.deep, 5).result()

    def deep(self, levels):
        self.ran += 1
        if levels:
            futures.submit(self.deep, levels - 1).result()


class Maps(Program):
    """Makes maps."""

    def step(self):
        self.ran += len(list(futures.map(identity, range(10))))


class Polls(Program):
    """Asks whether its task is done."""

    def step(self):
        task = futures.submit(identity, 1)
        while not task.done():
            pass
        self.ran += 1


class Timeouts(Program):
    """Waits with a deadline."""

    def step(self):
        futures.submit(identity, 1).result(timeout=10)
        self.ran += 1


class AsCompleted(Program):
    """Waits for several."""

    def step(self):
        made = [futures.submit(identity, 1) for _ in range(3)]
        self.ran += len(list(futures.as_completed(made)))


class Callbacks(Program):
    """Each of its tasks, when done, makes the next one: nothing is waited for but at the end."""

    def until(self, is_done, limit):
        def more(_):
            self.ran += 1
            if not is_done() and self.ran <= limit:
                futures.submit(identity, 1).add_done_callback(more)

        futures.submit(identity, 1).add_done_callback(more)
        while not is_done():
            last = futures.submit(identity, 1)
            while not last.done():
                pass
            assert self.ran <= limit, "somebody starves"


PROGRAMS = [Waits, Nested, Maps, Polls, Timeouts, AsCompleted, Callbacks]


def old_tasks(scheduler, seen):
    for number in range(3):
        futures.submit(seen.append, number)


def old_chain(scheduler, seen):
    def link(future):
        seen.append(0)
        if len(seen) < 3:
            futures.submit(identity, 0).add_done_callback(link)

    futures.submit(identity, 0).add_done_callback(link)


def old_map(scheduler, seen):
    seen.results = futures.map(seen.append, range(3), chunksize=1)


def foreign_tasks(scheduler, seen):
    for number in range(3):
        scheduler.backlog.foreign.append(ForeignTask(number, 7, seen.append, (number,), None))


def foreign_chunks(scheduler, seen):
    for number in range(3):
        scheduler.backlog.chunks.append(Chunk(7, 9, seen.append, False, number, [number], 1.0))


class Seen(list):
    """What has run of the old work."""


@pytest.mark.parametrize("old", [old_tasks, old_chain, old_map, foreign_tasks, foreign_chunks])
@pytest.mark.parametrize("program", PROGRAMS)
def test_old_work_runs_behind_a_program_that_never_stops(scheduler, program, old):
    seen = Seen()
    old(scheduler, seen)
    program().until(lambda: len(seen) == 3, limit=4 * SOON)


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_kinds_of_old_work_have_their_turns(scheduler, program):
    kinds = [Seen() for _ in range(4)]
    for old, seen in zip((old_tasks, old_map, foreign_tasks, foreign_chunks), kinds):
        old(scheduler, seen)
    program().until(lambda: all(len(seen) == 3 for seen in kinds), limit=14 * SOON)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_that_never_stop_get_on_side_by_side(program):
    """Old tasks that make tasks for ever do not keep the program, or each other, waiting."""
    others = [Waits(), Nested(), Waits()]
    over = []

    def run(one):
        while not over:
            one.step()

    for one in others:
        futures.submit(run, one)
    program().until(lambda: all(one.ran > 10 for one in others), limit=100 * SOON)
    over.append(True)


def test_an_old_task_that_waits_does_not_hold_up_the_program(scheduler):
    """It waits for something that only the program does."""
    asked, answers = [], []

    def ask():
        asked.append(True)
        while not answers:
            futures.submit(identity, 1).result()
        return answers[0]

    old = futures.submit(ask)
    Waits().until(lambda: asked, limit=SOON)
    answers.append(5)
    assert old.result() == 5


# -- trees -----------------------------------------------------------------


def tree(depth):
    """2 ** depth leaves; returns their number, and the most that waited or was unstarted."""
    sizes = []

    def node(depth):
        here = futures.context.current()
        sizes.append((len(here.board.asleep), len(here._own)))
        if not depth:
            return 1
        left, right = futures.submit(node, depth - 1), futures.submit(node, depth - 1)
        return left.result() + right.result()

    leaves = futures.submit(node, depth).result()
    return leaves, *(max(column) for column in zip(*sizes))


@pytest.mark.parametrize("stride", [1, TUNING.tasks_per_look_max])
def test_a_tree_is_run_depth_first(stride):
    """So many wait at a time as the tree is deep, and some more for their turns."""
    context.install(alone.start_alone(tuning=Tuning(tasks_per_look_max=stride)))
    depth = 14
    leaves, waiting, unstarted = tree(depth)
    assert leaves == 2 ** depth
    half_done = (2 * 2 ** (depth + 1) / (TUNING.turn_after / 2)) ** 0.5
    assert waiting <= depth + 1.5 * half_done
    assert unstarted <= depth + 2 * half_done


def test_thousands_of_waits_nest():
    def chain(depth):
        return futures.submit(chain, depth - 1).result() + 1 if depth else 0

    assert futures.submit(chain, 5000).result() == 5000
