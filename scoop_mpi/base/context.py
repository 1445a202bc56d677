"""What is process-wide: the scheduler that runs here, and this process's place in the job.

Set by what runs a rank (``process``). Where no launcher was used, the first verb makes a
scheduler without peers, so that the program runs serially in its own process.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any, Protocol

from . import forks
from .errors import MainGuardError, ThreadError
from .job import Job, Settings


class Scheduler(Protocol):
    """What is asked of the running scheduler from here, and from rooms below its own.

    It is a :class:`scoop_mpi.workers.scheduler.Scheduler`.
    """

    rank: int
    codec: Any
    clock: Callable[[], float]

    def wait_for(self, future: Any, timeout: float | None) -> None:
        """Returns when ``future`` is done."""

    def poll(self) -> None:
        """Takes in what has arrived; lets others go on."""

    def claim(self, future: Any) -> bool:
        """Takes an unstarted task out of the backlog."""

    def creation_time(self, number: int) -> float:
        """When the own task of that number was created, on the clock."""

    def typical_time(self, func: Callable[..., Any]) -> float:
        """Seconds that calls of ``func`` take."""

    def is_stopping(self) -> bool:
        """Has the broker told this worker to stop?"""

    def hold_still(self) -> None:
        """Keeps the donor thread between two looks, until :meth:`go_on`."""

    def go_on(self) -> None:
        """Undoes :meth:`hold_still`."""

    def main_frame(self) -> FrameType | None:
        """Where the main greenlet waits; None: it runs."""

    def drop_chunk(self) -> None:
        """In a forked child: what the running chunk has not reached is for the parent."""

    def close(self) -> None:
        """Lets go of what is the program's."""


class _Here(threading.local):
    scheduler: Any  # a Scheduler
    refused = False
    """Was a verb called on this thread, which may not? (Whoever called it may hide that.)"""


here = _Here()
"""Has the running scheduler, on the thread that runs tasks only. Two look-ups are made
for every task, so those are spelled out where they are made; all else asks :func:`current`."""

_scheduler: Scheduler | None = None
_importing = False
_job = Job()
_start_alone: Callable[[], Scheduler] | None = None


def current() -> Scheduler:
    """The running scheduler; starts one without peers if there is none.

    Raises:
        ThreadError: called from another thread than the one that runs tasks
            (greenlets cannot be switched across threads).
        MainGuardError: called while a worker imports the program.
    """
    try:
        return here.scheduler  # type: ignore[no-any-return]
    except AttributeError:
        pass
    if _scheduler is not None:
        here.refused = True
        raise ThreadError(
            "scoop_mpi's futures may be used from one thread only, the one that runs the "
            "program and its tasks; submit there and pass plain values to other threads"
        )
    if _importing:
        raise MainGuardError()
    assert _start_alone is not None, "scoop_mpi/__init__ sets it"
    scheduler = _start_alone()
    install(scheduler)
    return scheduler


def install(scheduler: Scheduler | None) -> None:
    """Makes ``scheduler`` the running one, on the calling thread; None: none is."""
    global _scheduler
    _scheduler = scheduler
    if scheduler is not None:
        here.scheduler = scheduler
    elif hasattr(here, "scheduler"):
        del here.scheduler


def on_first_use(start_alone: Callable[[], Scheduler]) -> None:
    """Sets what makes a scheduler without peers when a verb needs one."""
    global _start_alone
    _start_alone = start_alone


def job() -> Job:
    """This process's place in the job."""
    return _job


def set_job(job: Job) -> None:
    """Says what this process is, before any code of the program runs."""
    global _job
    _job = job


def is_stopping() -> bool:
    """True when the broker has told this worker to stop."""
    return _scheduler is not None and _scheduler.is_stopping()


def set_importing(importing: bool) -> None:
    """Says whether a worker is importing the program right now."""
    global _importing
    _importing = importing


def is_importing() -> bool:
    """True while a worker imports the program."""
    return _importing


# -- fork ------------------------------------------------------------------


def before_fork() -> None:
    """Holds the donor thread still: a child gets locks and queues as they are now."""
    if _scheduler is not None:
        _scheduler.hold_still()


def after_fork() -> None:
    """In the parent: lets the donor thread go on."""
    if _scheduler is not None:
        _scheduler.go_on()


def become_child(inherit: Callable[[Any], Callable[[], Scheduler]]) -> None:
    """In a child, right after the fork: this process is no rank; see :mod:`forks`.

    Args:
        inherit: takes from its parent's scheduler what the child needs to make one of its
            own, when a verb asks for it.
    """
    global _scheduler, _importing, _job
    forks.renew()
    parents, _scheduler, _importing = _scheduler, None, False
    if parents is None:
        forks.note_stack()
        return
    if hasattr(here, "scheduler"):
        del here.scheduler
    forks.note_stack(parents.main_frame())
    parents.drop_chunk()
    atexit.unregister(parents.close)
    on_first_use(inherit(parents))
    forks.abandon(parents)
    _job = replace(_job, workers=1, running=False, settings=Settings())
