"""A forked child of a rank is not the rank, and does not go on as one.

fork copies all of a rank: its scheduler, its place in MPI, its greenlets, and the stack of
the task that called it, with our functions at the bottom. User code on that stack goes on
in the child, as under plain Python; ours must not. So what was there when it was forked
is out of bounds for the child:

    our frames     remembered (:func:`note_stack`). When user code returns to one of them,
                   or raises into one, the child ends there, as a program ends that is over
                   (:func:`end_if_forked`, :func:`leave`)
    the scheduler  out of bounds as a whole (:func:`abandon`): whatever reads an attribute
                   of it belongs to one of those frames, and the child ends, or it is a verb
                   of the child on what its parent has begun, which fails with ForkError

Nothing else is needed on the way back, and nothing at all in a process that does not fork.
Copies of greenlets are never resumed, nor collected: their tasks would see GreenletExit.

Tried and not taken: a look at ``os.getpid()`` around each task (every task would pay);
raising out of the child's task to the end of the stack (each frame of ours and of the
program's main block on the way would take it for its own).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from .errors import ForkError
from .streams import flush_output
from .uncaught import HERE, exit_code_of, users_part

stack: set[FrameType] = set()
"""Calls of this package's functions that were being made when this process was forked."""
_abandoned: list[object] = []
_renewals: list[Callable[[], None]] = []
_FLUSH_FAILED = 120  # as Python has it


def renew_in_child(renew: Callable[[], None]) -> None:
    """``renew`` is called in each forked child, at once: for locks of ours."""
    _renewals.append(renew)


def renew() -> None:
    """In a child, right after the fork."""
    for one in _renewals:
        one()


def note_stack(suspended: FrameType | None = None) -> None:
    """In a child, right after the fork: remembers which calls are not its own.

    Args:
        suspended: the innermost frame of the greenlet into which exceptions escape.
    """
    innermost: list[FrameType | None] = [sys._getframe(), suspended]
    for frame in innermost:
        while frame is not None:
            if _is_ours(frame):
                stack.add(frame)
            frame = frame.f_back


def end_if_forked(error: BaseException | None = None, depth: int = 1) -> None:
    """Ends this process if the call of the caller is its parent's; else returns at once.

    Args:
        error: what user code has raised; None: it has returned.
        depth: whose call it is: 1 the caller's, 2 the caller's caller's ...
    """
    if stack and sys._getframe(depth) in stack:
        leave(error)


def abandon(thing: Any) -> None:
    """In a child: nobody may use this object of the parent's any more. It is kept for ever."""
    made_of = type(thing)
    _abandoned.append(thing)
    thing.__class__ = type(made_of.__name__, (made_of,), {
        "__slots__": (), "__getattribute__": _refuse, "__module__": made_of.__module__,
    })


def _refuse(thing: object, name: str) -> NoReturn:
    """Who reads an attribute: user code by a verb, or one of the parent's calls by ours?"""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        if frame in stack:
            leave(_passing(frame))
        frame = frame.f_back
    raise ForkError()


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(HERE)


def _passing(frame: FrameType) -> BaseException | None:
    """The error that is on its way through a frame; others may be dealt with further out."""
    error = sys.exc_info()[1]
    if error is None or error.__traceback__ is None or error.__traceback__.tb_frame is not frame:
        return None
    return error


def leave(error: BaseException | None) -> NoReturn:
    """Ends this process as the interpreter does when a program is over.

    Not by the interpreter's own way out, which would finalize MPI and finish tasks that
    are none of this process.

    Args:
        error: what ended the program; None: it has come to its end.
    """
    code = 1
    try:
        code = _exit_code_for(error)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        code = code if flush_output() else _FLUSH_FAILED
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        os._exit(code)


def _exit_code_for(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return exit_code_of(error)
    error.__traceback__ = users_part(error.__traceback__)
    # At exit they say how the program has ended.
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    sys.excepthook(sys.last_type, error, sys.last_traceback)
    return 1
