"""Says what does not pickle, and why: the function, an argument, an item, a result.

Called only after a failure, so it can afford to try each part by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.errors import NotPicklableError
from ..base.usercode import attempt, shown
from ..tasks.future import Future, name_of
from .codec import Codec


def refusal(codec: Codec, obj: object) -> BaseException | None:
    """Why an object does not pickle; None if it does."""
    return attempt(codec.dumps, obj, {})[1]


def short(obj: object) -> str:
    """A repr of at most 100 characters, with the type's name."""
    text = shown(obj)
    text = text if len(text) <= 100 else text[:97] + "..."
    return f"{text} of type {type(obj).__qualname__}"


def call_not_picklable(func: object, why: BaseException) -> NotPicklableError:
    """The error for a call of which each part pickles by itself."""
    return NotPicklableError(f"{short(func)} with its arguments ({shown(why, str)})")


def function_not_picklable(func: object, why: BaseException) -> NotPicklableError:
    """The error for the function of a call."""
    return NotPicklableError(f"the function {short(func)} ({shown(why, str)})")


def result_not_picklable(value: object, why: BaseException) -> NotPicklableError:
    """The error for what a task has returned."""
    return NotPicklableError(f"the result {short(value)} ({shown(why, str)})")


def why_not_picklable(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
    why: BaseException,
) -> NotPicklableError:
    """Names the part of a call that does not pickle, or cannot be rebuilt."""
    return unpicklable_part(codec, func, args, kwargs) or call_not_picklable(func, why)


def unpicklable_part(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
) -> NotPicklableError | None:
    """Names the first part of a call that does not pickle; None if all do."""
    if why := refusal(codec, func):
        return function_not_picklable(func, why)
    for place, arg in [*enumerate(args), *kwargs.items()]:
        if why := refusal(codec, arg):
            what = f"argument {place} of {name_of(func)}: {short(arg)} ({shown(why, str)})"
            return NotPicklableError(what)
    return None


def unpicklable_part_of_task(codec: Codec, task: Future[Any]) -> NotPicklableError | None:
    """The same for a task, and for the callbacks that travel with it."""
    error = unpicklable_part(codec, task.func, task.args, task.kwargs or {})
    for callback in task.send_callbacks():
        if error is None and (why := refusal(codec, callback)):
            what = f"a callback of {task!r}: {shown(callback.func)} ({shown(why, str)})"
            error = NotPicklableError(what)
    return error


def first_unpicklable(
    codec: Codec, what: Callable[[int], str], values: list[Any], start: int
) -> tuple[int, NotPicklableError] | None:
    """The position of the first of ``values`` that does not pickle, and why; None: all do.

    Args:
        what: returns the words for the value with a number.
        start: the number of the first value.
    """
    for at, one in enumerate(values):
        if why := refusal(codec, one):
            text = f"{what(start + at)}: {short(one)} ({shown(why, str)})"
            return at, NotPicklableError(text)
    return None
