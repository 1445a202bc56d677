"""What programs call: ``from scoop_mpi import futures``.

The names and their behaviour are those of SCOOP's manual (section 2.4.1), completed
by PEP 3148 and ``concurrent.futures``. Tasks may call everything here as well, to any
depth. All calls must come from the thread that runs the program.

Without a launcher everything runs serially in the program's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import (
    ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError, TimeoutError,
)
from typing import Any, TypeVar

from .base import context
from .base.context import here
from .base.errors import NotPicklableError, TaskError
from .base.frames import Called, calls_user_code
from .tasks.future import Future
from .verbs.completion import DoneAndNotDoneFutures, as_completed, wait
from .verbs.joins import _join, _joinAll, _mapFuture, _startup, _waitAll, _waitAny  # noqa: F401
from .verbs.maps import map, map_as_completed
from .verbs.reductions import mapReduce, mapScan
from .workers.scheduler import current

__all__ = [
    "ALL_COMPLETED", "CancelledError", "DoneAndNotDoneFutures", "FIRST_COMPLETED",
    "FIRST_EXCEPTION", "Future",
    "NotPicklableError", "TaskError", "TimeoutError", "as_completed", "map",
    "map_as_completed", "mapReduce", "mapScan", "shutdown", "startup", "submit", "wait",
]

R = TypeVar("R")

for _verb in map, map_as_completed, mapReduce, mapScan:
    _verb.__module__ = __name__  # where programs find it


def submit(func: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
    """Makes a task of ``func(*args, **kwargs)``, to run here or on another worker.

    Args:
        func: any callable. Importable functions travel by reference, lambdas,
            closures and what the main block defines by value.

    Returns:
        The :class:`Future` of the task.

    Raises:
        TypeError: ``func`` is not callable.

    Source: PEP 3148, ``Executor.submit``; SCOOP's manual.
    """
    if not callable(func):
        raise TypeError(f"submit() needs a callable, not {func!r}")
    try:
        scheduler = here.scheduler
    except AttributeError:
        scheduler = current()
    return scheduler.submit(func, args, kwargs or None)  # type: ignore[no-any-return]


def shutdown(wait: bool = True) -> None:
    """Does nothing; here for programs written for PEP 3148 (as SCOOP's manual says).

    The pool ends with the program, when everything that was submitted has run.
    """


@calls_user_code(Called.FOR_CALLER, own_code=True)
def startup(main: Callable[..., R], *args: Any, **kwargs: Any) -> R | None:
    """Calls ``main(*args, **kwargs)`` on the root, for programs of SCOOP up to 0.5.

    Returns:
        What ``main`` returned; None on the other workers, which only import the program.
    """
    if context.is_importing():
        return None
    return main(*args, **kwargs)
