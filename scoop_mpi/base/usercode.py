"""The one way to call user code that is no task: what it raises is a value here.

Pickling, unpickling, ``repr``, ``str`` and even asking for an attribute call methods of the
program's objects, in the middle of our own steps; so do callbacks. Whatever they raise,
``SystemExit`` included, belongs to the task or the call they were made for, and never ends
the rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from . import forks
from .frames import Leaving

T = TypeVar("T")


def attempt(
    func: Callable[..., T], *args: Any
) -> tuple[T, None] | tuple[None, BaseException]:
    """Calls ``func(*args)``; returns its value and None, or None and what it raised."""
    try:
        value = func(*args)
    except Leaving:
        raise
    except BaseException as error:
        forks.end_if_forked(error)
        return None, error
    finally:
        del func, args  # else a traceback, which has this frame in it, would keep them
    if forks.stack:
        forks.end_if_forked()
    return value, None


def attribute(obj: object, name: str, default: Any = None) -> Any:
    """An attribute of any object; the default if there is none, or asking for it raises."""
    found, error = attempt(getattr, obj, name, default)
    return default if error is not None else found


def shown(obj: object, how: Callable[[Any], str] = repr) -> str:
    """``repr`` of any object, or a word in its place if that raises."""
    text, error = attempt(how, obj)
    if isinstance(text, str):
        return text
    return f"<no {how.__name__}>"
