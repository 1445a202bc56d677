"""The one process-wide variable: the scheduler that runs in this process.

Set by ``runtime`` on every rank. Where no launcher was used, the first verb makes
a scheduler without peers, so that the program runs serially in its own process.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import MainGuardError, ThreadError

if TYPE_CHECKING:
    from .scheduler import Scheduler

_scheduler: Scheduler | None = None
_thread: int = 0
_importing = False
_workers = 1
_start_alone: Callable[[], Scheduler] | None = None


def current() -> Scheduler:
    """The running scheduler; starts one without peers if there is none.

    Raises:
        ThreadError: called from another thread than the one that runs tasks
            (greenlets cannot be switched across threads).
        MainGuardError: called while a worker imports the program.
    """
    if _scheduler is None:
        if _importing:
            raise MainGuardError()
        assert _start_alone is not None, "scoop_mpi/__init__ sets it"
        install(_start_alone())
        return current()
    if get_ident() != _thread:
        raise ThreadError(
            "scoop_mpi's futures may be used from one thread only, the one that runs the "
            "program and its tasks; submit there and pass plain values to other threads"
        )
    return _scheduler


def install(scheduler: Scheduler | None) -> None:
    """Makes ``scheduler`` the running one, on the calling thread; None: none is."""
    global _scheduler, _thread
    _scheduler = scheduler
    _thread = get_ident()


def on_first_use(start_alone: Callable[[], Scheduler]) -> None:
    """Sets what makes a scheduler without peers when a verb needs one."""
    global _start_alone
    _start_alone = start_alone


def workers() -> int:
    """Number of workers in the pool; 1 in a process that no launcher has started."""
    return _workers


def set_workers(number: int) -> None:
    """Says how many workers there are, before any code of the program runs."""
    global _workers
    _workers = number


def set_importing(importing: bool) -> None:
    """Says whether a worker is importing the program right now."""
    global _importing
    _importing = importing


def is_importing() -> bool:
    """True while a worker imports the program."""
    return _importing
