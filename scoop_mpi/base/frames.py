"""Whose code runs? Told from the frames of a stack, as a signal handler finds them.

The few functions of this package that call code of the user are marked with
:func:`calls_user_code`. Going outwards from where a signal has struck, the first frame of
ours decides: if it is one of those, the user's code is on top of it, and may be left by an
exception at any point; else one of our own steps is being done, be it by a library that we
have called or by a method of the user's that a library calls (``__reduce__``, ``__del__``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import CodeType, FrameType
from typing import Any, TypeVar

from greenlet import GreenletExit

from .uncaught import HERE

F = TypeVar("F", bound=Callable[..., Any])

_CHECK = os.path.join(HERE, "check") + os.sep
"""Programs of ours, which run as those of users do."""
_IMPORT = "<frozen importlib."
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PACKAGES = tuple(os.path.join(_LIBRARY, name) for name in ("site-packages", "dist-packages"))


class Leaving(GreenletExit):
    """Raised where a greenlet waits, because it is being taken apart with the process.

    Not by user code: a ``GreenletExit`` that a task raises is an outcome like any other.
    """


class Called(Enum):
    """What a marked function calls."""

    TASK = "a task, or items of a map"
    CALLBACK = "a callback of a future"
    PROGRAM = "the program"
    FOR_CALLER = "code on behalf of the user's code that has called it"


PROGRAM = None
"""Stands for the program among the scopes of a :class:`Stack`."""
Scope = FrameType | None
"""The frame that has called a task or a callback; or the program."""

_marked: dict[CodeType, tuple[Called, bool]] = {}


def calls_user_code(what: Called, own_code: bool = False) -> Callable[[F], F]:
    """Marks a function; it is called as before.

    Args:
        own_code: an exception may strike the function's own code as well: nothing is lost.
    """
    def mark(func: F) -> F:
        _marked[func.__code__] = what, own_code
        return func

    return mark


@dataclass
class Stack:
    """What :func:`look_at` has found."""

    in_user_code: bool = True
    """Is the user's code on top, or a marked function that may just be calling it?"""
    bare: bool = False
    """Is the marked function itself on top, so that no exception may be raised there?"""
    in_callback: bool = False
    """Is a callback the innermost of the scopes?"""
    in_library: bool = False
    """Is the standard library on top, which may hold locks, or an import going on?"""
    scopes: list[Scope] = field(default_factory=list)
    """On whose behalf the code runs: a task, callback or program, then who waits for it
    on the same stack, and so on."""


def look_at(frame: FrameType | None) -> Stack:
    """Goes through a stack, from its innermost frame outwards."""
    stack = Stack()
    innermost, decided, on_top = frame, False, True
    while frame is not None:
        code = frame.f_code
        if is_ours(code):
            what, own_code = _marked.get(code, (None, False))
            if not decided:
                decided = True
                stack.in_user_code = stack.in_user_code and what is not None
                stack.bare = frame is innermost and not own_code
            if what is Called.PROGRAM:
                stack.scopes.append(PROGRAM)
            elif what is Called.TASK or what is Called.CALLBACK:
                stack.in_callback |= what is Called.CALLBACK and not stack.scopes
                stack.scopes.append(frame)
        elif not decided:
            if code.co_name == "__del__":
                stack.in_user_code = False  # an exception would only be printed
            on_top = on_top and _is_library(code)
            stack.in_library |= on_top or code.co_filename.startswith(_IMPORT)
        frame = frame.f_back
    return stack


def is_ours(code: CodeType) -> bool:
    """True for code of this package."""
    name = code.co_filename
    return name.startswith(HERE) and not name.startswith(_CHECK)


def _is_library(code: CodeType) -> bool:
    name = code.co_filename
    return name.startswith("<frozen ") or (
        name.startswith(_LIBRARY) and not name.startswith(_PACKAGES)
    )
