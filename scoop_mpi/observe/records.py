"""``--debug`` and ``--profile``: what each worker did, written when the job ends.

    debug/worker-2-STATS     pickled dict: task's id → what is known of it (SCOOP's names)
    debug/worker-2-QUEUE     pickled list of (time, pieces of unstarted work, seconds they may take)
    debug/worker-2-STORY     pickled dict: id of a task or map → list of (time, what happened)
    profile/worker-2.prof    for ``pstats``: the time spent in tasks (root: and in the program)

The root's files in ``debug`` start with ``origin-``, as in SCOOP. Times are seconds since
1970. With one of these options, an :class:`Observed` wraps the function of each task.
"""

from __future__ import annotations

import cProfile
import itertools
import os
import pickle
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from ..base import context
from ..base.errors import LaunchError
from ..base.frames import Called, calls_user_code
from ..base.job import Job, WorkerName, worker_name
from ..base.log import logger
from ..base.messages import ROOT
from ..tasks.attributes import Wrapper
from ..tasks.future import name_of
from ..workers.story import Event

TaskId = tuple[Any, ...]


class Observed(Wrapper):
    """Calls ``func``, and tells the observer of the worker that runs it.

    Args:
        id: the task's or map's. The worker that runs an item adds its rank and a number.
        parent: the id of the task that created it.
        created: when it was created, in seconds since 1970.
        is_map: True: ``func`` is called for many items.
    """

    def __init__(
        self, func: Callable[..., Any], id: TaskId, parent: TaskId, created: float, is_map: bool
    ) -> None:
        super().__init__(func)
        self.id = id
        self.parent = parent
        self.created = created
        self.is_map = is_map

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        observer: Observer = context.current().observer  # type: ignore[attr-defined]
        return observer.call(self, args, kwargs)


class _Running:
    """A call that has begun; ``waited_s``: while it waited, or another ran on its stack."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.waited_s = 0.0


class Observer:
    """Collects what one worker does.

    Args:
        queue: returns how many pieces of work are unstarted, and the seconds they may take.
    """

    def __init__(self, job: Job, queue: Callable[[], tuple[int, float]]) -> None:
        self._job = job
        self._queue = queue
        self._statistics: dict[TaskId, dict[str, Any]] = {}
        self._queue_length: list[tuple[float, int, float]] = []
        self._items = itertools.count()
        self._queue_due = 0.0
        self._running: _Running | None = None
        self._profile = cProfile.Profile() if job.settings.profile else None
        self._profiling = False

    @calls_user_code(Called.FOR_CALLER)
    def call(self, task: Observed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Makes the call of a task."""
        outer, outer_profiling = self._running, self._profiling
        me = self._running = _Running(time.time())
        try:
            self._switch_profile(True)
            return task.func(*args, **kwargs)
        finally:
            self._switch_profile(outer_profiling)
            ended = time.time()
            self._running = outer
            if outer is not None:  # which waited, as this one ran on its stack
                outer.waited_s += ended - me.began
            if self._job.settings.debug:
                self._note(task, me, ended)

    def parked(self) -> tuple[_Running | None, bool, float]:
        """The running call begins to wait. Returns what :meth:`resumed` needs."""
        before = self._running, self._profiling, time.time()
        self._running = None
        self._switch_profile(False)
        return before

    def resumed(self, before: tuple[_Running | None, bool, float]) -> None:
        """The call that waited goes on."""
        self._running, profiling, parked_at = before
        if self._running is not None:
            self._running.waited_s += time.time() - parked_at
        self._switch_profile(profiling)

    def program_begins(self) -> None:
        """On the root: from here on the program runs."""
        self._switch_profile(True)

    def program_ends(self) -> None:
        """On the root: the program has ended; tasks of it may still run."""
        self._switch_profile(False)

    def _switch_profile(self, on: bool) -> None:
        if self._profile is None or on == self._profiling:
            return
        self._profiling = on
        if on:
            self._profile.enable()
        else:
            self._profile.disable()

    def _note(self, task: Observed, run: _Running, ended: float) -> None:
        id_ = task.id
        if task.is_map:
            id_ = (*id_, self._job.rank, next(self._items))
        self._statistics[id_] = {
            "start_time": [run.began], "end_time": [ended],
            "executionTime": ended - run.began - run.waited_s,
            "worker": tuple(worker_name(self._job.rank)),
            "creationTime": time.ctime(task.created), "created": task.created,
            "callable": name_of(task.func), "parent": task.parent,
        }
        if ended >= self._queue_due:  # counting may be slow: give it 1 % of the time at most
            self._queue_length.append((ended, *self._queue()))
            self._queue_due = ended + 100 * (time.time() - ended)

    def prepare(self) -> None:
        """On the root: makes the folders; removes what an earlier job has left in them.

        Raises:
            LaunchError: a folder cannot be made, or a file not removed.
        """
        settings = self._job.settings
        try:
            if settings.debug:
                _make_folder(self._folder("debug"), r"(origin-)?worker-\d+-(STATS|QUEUE|STORY)")
            if settings.profile:
                _make_folder(self._folder("profile"), r"worker-\d+\.prof")
        except OSError as error:
            raise LaunchError(
                f"cannot write what --debug or --profile collects: {error}; start the job in "
                "a directory where that is possible"
            ) from None

    def _folder(self, name: str) -> str:
        return os.path.join(self._job.directory, name)

    def write(self, story: Iterable[Event], now: float) -> None:
        """Writes the files, into folders of the directory where the job was started.

        Args:
            story: what has become of work that left this worker.
            now: the time, on the clock of ``story``.
        """
        try:
            self._write(worker_name(self._job.rank), self._by_task(story, time.time() - now))
        except OSError as error:  # the job has run: it need not fail for this
            logger.error("cannot write what --debug or --profile has collected: %s", error)

    def _by_task(
        self, story: Iterable[Event], zero: float
    ) -> dict[TaskId, list[tuple[float, str]]]:
        """``zero``: when the clock of ``story`` was 0, in seconds since 1970."""
        me = str(worker_name(self._job.rank))
        found: dict[TaskId, list[tuple[float, str]]] = {}
        for event in story:
            if event.map_id is None:
                for number in event.numbers:
                    found.setdefault((me, number), []).append((zero + event.at, str(event)))
            else:
                what = f"items {event.numbers[0]} to {event.numbers[-1]}: {event}"
                found.setdefault((me, event.map_id), []).append((zero + event.at, what))
        return found

    def _write(self, name: WorkerName, story: dict[TaskId, list[tuple[float, str]]]) -> None:
        if self._job.settings.debug:
            folder = self._folder("debug")
            os.makedirs(folder, exist_ok=True)
            start = f"origin-{name}" if self._job.rank == ROOT else str(name)
            for kind, data in (("STATS", self._statistics), ("QUEUE", self._queue_length),
                               ("STORY", story)):
                with open(os.path.join(folder, f"{start}-{kind}"), "wb") as file:
                    pickle.dump(data, file)
        if self._profile is not None:
            folder = self._folder("profile")
            os.makedirs(folder, exist_ok=True)
            self._switch_profile(True)  # at least one entry: pstats refuses an empty file
            self._switch_profile(False)
            self._profile.create_stats()
            self._profile.dump_stats(os.path.join(folder, f"{name}.prof"))


def _make_folder(folder: str, ours: str) -> None:
    """Makes a folder, or removes all our files from it (an earlier job had more workers)."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if re.fullmatch(ours, name):
            os.remove(os.path.join(folder, name))
