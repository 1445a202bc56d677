"""``--strict``: every task is pickled wherever it runs, and must not change its arguments.

Without it, a task that runs on the worker that created it gets the caller's own objects, and
one that travels gets copies. So if a program changes arguments, its results can depend on
where its tasks ran. With it, all tasks get copies, and all callers copies of results. A task
that changed its copies is named in a warning, once for each function and argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base import context
from ..base.frames import Called, calls_user_code
from ..base.log import logger
from ..base.usercode import attempt
from ..identity.definitions import Found
from ..tasks.attributes import Wrapper
from ..tasks.future import name_of
from ..wire.codec import Codec
from ..wire.diagnosis import result_not_picklable, why_not_picklable

_reported: set[tuple[str, object]] = set()


class Strict(Wrapper):
    """Calls ``func`` as if its arguments and its result had travelled."""

    @calls_user_code(Called.FOR_CALLER)
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Makes the call with copies, and returns a copy of its result.

        Raises:
            NotPicklableError: the function, an argument or the result cannot be pickled.
        """
        codec = context.current().codec
        copy, error = attempt(_copy, codec, (self.func, args, kwargs), True)
        if copy is None:
            assert error is not None
            raise why_not_picklable(codec, self.func, args, kwargs, error)
        func, args, kwargs = copy
        before = dict(_pickled(codec, args, kwargs))
        try:
            value = func(*args, **kwargs)
        finally:
            for place, pickled in _pickled(codec, args, kwargs):
                if before[place] != pickled:
                    _report(name_of(self.func), place)
        result, error = attempt(_copy, codec, value)
        if error is not None:
            raise result_not_picklable(value, error)
        return result


def _copy(codec: Codec, obj: Any, elsewhere: bool = False) -> Any:
    found: Found = {}
    pickled = codec.dumps(obj, found)
    return codec.loads(pickled, found.values(), elsewhere)


def _pickled(
    codec: Codec, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[object, bytes]]:
    """Each argument's place and its pickle, which is empty if it has become unpicklable."""
    for place, arg in [*enumerate(args), *kwargs.items()]:
        found: Found = {}
        pickled, _ = attempt(codec.dumps, arg, found)
        yield place, (pickled or b"") + b"".join(sorted(found))


def _report(name: str, place: object) -> None:
    if (name, place) not in _reported:
        _reported.add((name, place))
        logger.warning(
            "task %s changed its argument %s; whether its caller sees that depends on where "
            "the task runs. Return the changed object, or change a copy", name, place,
        )
