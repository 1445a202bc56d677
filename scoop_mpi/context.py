"""What is process-wide: the scheduler that runs here, and this process's place in the job.

Set by ``rank`` and ``runtime``. Where no launcher was used, the first verb makes a
scheduler without peers, so that the program runs serially in its own process.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from . import forks
from .errors import MainGuardError, ThreadError
from .job import Job, Settings
from .mapcall import renew_lock

if TYPE_CHECKING:
    from .scheduler import Scheduler


class _Here(threading.local):
    scheduler: Scheduler
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
        return here.scheduler
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
    install(_start_alone())
    return here.scheduler


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
        _scheduler.exchange.hold_still()


def after_fork() -> None:
    """In the parent: lets the donor thread go on."""
    if _scheduler is not None:
        _scheduler.exchange.go_on()


def become_child(inherit: Callable[[Scheduler], Callable[[], Scheduler]]) -> None:
    """In a child, right after the fork: this process is no rank; see :mod:`forks`.

    Args:
        inherit: takes from its parent's scheduler what the child needs to make one of its
            own, when a verb asks for it.
    """
    global _scheduler, _importing, _job
    renew_lock()
    parents, _scheduler, _importing = _scheduler, None, False
    if parents is None:
        forks.note_stack()
        return
    if hasattr(here, "scheduler"):
        del here.scheduler
    forks.note_stack(parents.main_frame())
    if parents.running_chunk is not None:
        parents.running_chunk.take_rest()  # those items are for the parent
    atexit.unregister(parents.close)
    on_first_use(inherit(parents))
    forks.abandon(parents)
    _job = replace(_job, workers=1, running=False, settings=Settings())
