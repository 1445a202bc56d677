"""``--strict``: every task is pickled wherever it runs, and must leave its arguments alone.

A task that runs on the worker which created it gets the caller's own objects, one that
travels gets copies. A program that changes arguments can therefore give results that
depend on where its tasks ran. Here all of them get copies, also of their results, and
a task that changed its copies is named, once for each function and argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import context
from .attributes import Wrapper
from .codec import Codec
from .future import name_of
from .log import logger
from .parcels import result_not_picklable, why_not_picklable

_reported: set[tuple[str, object]] = set()


class Strict(Wrapper):
    """Calls ``func`` as if its arguments and its result had travelled."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """
        Raises:
            NotPicklableError: the function, an argument or the result cannot be pickled.
        """
        codec = context.current().codec
        try:
            func, args, kwargs = _copy(codec, (self.func, args, kwargs))
        except Exception as error:
            raise why_not_picklable(codec, self.func, args, kwargs, error) from None
        before = dict(_pickled(codec, args, kwargs))
        try:
            value = func(*args, **kwargs)
        finally:
            for place, pickled in _pickled(codec, args, kwargs):
                if before[place] != pickled:
                    _report(name_of(self.func), place)
        try:
            return _copy(codec, value)
        except Exception as error:
            raise result_not_picklable(value, error) from None


def _copy(codec: Codec, obj: Any) -> Any:
    found: dict[bytes, bytes] = {}
    pickled = codec.dumps(obj, found)
    codec.learn(found.items())
    return codec.loads(pickled)


def _pickled(
    codec: Codec, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[object, bytes]]:
    """Each argument's place and its pickle; empty if it has become unpicklable."""
    for place, arg in [*enumerate(args), *kwargs.items()]:
        found: dict[bytes, bytes] = {}
        try:
            yield place, codec.dumps(arg, found) + b"".join(sorted(found))
        except Exception:
            yield place, b""


def _report(name: str, place: object) -> None:
    if (name, place) not in _reported:
        _reported.add((name, place))
        logger.warning(
            "task %s changed its argument %s; whether its caller sees that depends on where "
            "the task runs. Return the changed object, or change a copy", name, place,
        )
