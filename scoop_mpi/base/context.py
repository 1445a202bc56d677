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
from .errors import MainGuardError
from .job import Job, Settings


class Scheduler(Protocol):
    """What is asked of the running scheduler from here.

    It is a :class:`scoop_mpi.workers.scheduler.Scheduler`.
    """

    beside: bool
    """Does the program run on another thread than its tasks?"""

    def visitor(self) -> Any:
        """A desk for the calling thread, which does not run tasks."""

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
    scheduler: Any  # a Desk


here = _Here()
"""Has this thread's desk at the running scheduler, once it has asked for it. Two look-ups are
made for every task, so those are spelled out where they are made; all else asks
:func:`current`."""

_scheduler: Scheduler | None = None
_importing = False
_job = Job()
_start: Callable[[], Scheduler] | None = None
_of_job = False
_starting = threading.RLock()
"""Held while the scheduler is made: two threads may be the first."""


def current() -> Any:
    """This thread's :class:`scoop_mpi.workers.desk.Desk` at the running scheduler.

    Starts a scheduler without peers if there is none.

    Raises:
        MainGuardError: called while a worker imports the program.
    """
    try:
        return here.scheduler
    except AttributeError:
        pass
    scheduler = running()
    if not hasattr(here, "scheduler"):
        here.scheduler = scheduler.visitor()
    return here.scheduler


def running() -> Any:
    """The running scheduler, a :class:`scoop_mpi.workers.scheduler.Scheduler`.

    Starts one without peers if there is none. Raises as :func:`current`.
    """
    if _scheduler is not None:
        return _scheduler
    if _importing:
        raise MainGuardError()
    with _starting:
        if _scheduler is None:
            assert _start is not None, "scoop_mpi/__init__ sets it"
            install(_start())
        return _scheduler


def install(scheduler: Scheduler | None) -> None:
    """Makes ``scheduler`` the running one; None: none is.

    The calling thread is the one that runs tasks, but for a scheduler whose program runs
    beside them.
    """
    global _scheduler
    _scheduler = scheduler
    if scheduler is not None and not scheduler.beside:
        here.scheduler = scheduler
    elif hasattr(here, "scheduler"):
        del here.scheduler


def enter(desk: Any) -> None:
    """The calling thread uses this desk."""
    here.scheduler = desk


def on_first_use(start: Callable[[], Scheduler], of_job: bool = False) -> None:
    """Sets what makes the scheduler when a verb needs one; ``of_job``: there is a broker."""
    global _start, _of_job
    _start, _of_job = start, of_job


def job() -> Job:
    """This process's place in the job."""
    return _job


def set_job(job: Job) -> None:
    """Says what this process is, before any code of the program runs."""
    global _job
    _job = job


def is_stopping() -> bool:
    """True when the broker has told this worker to stop."""
    return (_scheduler is not None or _of_job) and bool(running().is_stopping())


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
