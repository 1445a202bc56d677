"""``map`` and ``map_as_completed``: how results are handed to the consumer.

Source: PEP 3148 and SCOOP's manual. Programs call these verbs through ``futures``.
"""

from __future__ import annotations

import builtins
import collections
import functools
import itertools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import TimeoutError
from typing import Any, TypeVar, cast

from ..tasks.mapcall import MapCall
from ..workers.scheduler import Scheduler, current
from .completion import deadline_of

R = TypeVar("R")


def map(
    func: Callable[..., R], *iterables: Iterable[Any], timeout: float | None = None,
    chunksize: int | None = None, buffersize: int | None = None, **kwargs: Any,
) -> MapResults[R]:
    """As the built-in ``map``, but the calls run concurrently on all workers.

    The call itself returns at once. Other workers start on the items right away; this
    worker does when the first result is asked for.

    Args:
        func: called with one item of each iterable, until the shortest is exhausted.
        timeout: seconds from this call, for all results together; None: no limit.
        chunksize: items in one message; None (best): as many as their measured time allows.
        buffersize: how many items may be read ahead of the results taken, so that
            endless iterables work; None: all are read at once.
        kwargs: further arguments of every call, by name (SCOOP accepts and ignores them).

    Returns:
        An iterator over the results, in the order of the inputs. The exception of a call
        is raised in place of its result, and ends the map. ``close()`` ends it, too.

    Raises:
        TypeError: ``func`` is not callable, no iterable was given, or one of the sizes
            is not an integer.
        ValueError: ``chunksize`` or ``buffersize`` is less than 1.
        TimeoutError: from the iterator, if ``timeout`` has passed.

    Source: PEP 3148, ``Executor.map``; ``buffersize`` as in Python 3.14.
    """
    scheduler = current()
    func = with_kwargs(func, kwargs)
    call = _open_map(scheduler, "map", func, iterables, chunksize, buffersize)
    chunks = _in_order(scheduler, call, deadline_of(scheduler, timeout))
    return _results(scheduler, call, chunks)


def map_as_completed(
    func: Callable[..., R], *iterables: Iterable[Any], timeout: float | None = None,
    chunksize: int | None = None, buffersize: int | None = None, **kwargs: Any,
) -> MapResults[R]:
    """As :func:`map`, but yields results as they come, in any order.

    Source: SCOOP's manual.
    """
    scheduler = current()
    func = with_kwargs(func, kwargs)
    call = _open_map(scheduler, "map_as_completed", func, iterables, chunksize, buffersize)
    chunks = _as_they_come(scheduler, call, deadline_of(scheduler, timeout))
    return _results(scheduler, call, chunks)


# -- consuming a map -------------------------------------------------------


def with_kwargs(func: Callable[..., R], kwargs: dict[str, Any]) -> Callable[..., R]:
    """``func`` with arguments given by name. If it cannot be called: as it is, refused later."""
    return functools.partial(func, **kwargs) if kwargs and callable(func) else func


def _open_map(
    scheduler: Scheduler, verb: str, func: Callable[..., Any],
    iterables: tuple[Iterable[Any], ...], chunksize: int | None, buffersize: int | None,
) -> MapCall:
    if not callable(func):
        raise TypeError(f"{verb}() needs a callable, not {func!r}")
    if not iterables:
        raise TypeError(f"{verb}() needs at least one iterable")
    for name, size in (("chunksize", chunksize), ("buffersize", buffersize)):
        if size is not None and not isinstance(size, int):
            raise TypeError(f"{name} must be an integer or None, not {size!r}")
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")
    starred = len(iterables) > 1
    inputs = zip(*iterables) if starred else iterables[0]
    return scheduler.open_map(func, inputs, starred, chunksize, buffersize)


class MapResults(itertools.chain[R]):
    """The results of a map, one by one. As a generator, but as fast as a loop in C."""

    _abandon: Callable[[], None]
    _chunks: Generator[Iterable[R], None, None]
    _forget: Callable[[], None] = staticmethod(lambda: None)

    def __del__(self) -> None:
        # If no result was ever taken, nothing else tells the map that nobody wants any: the
        # `finally` of a generator that has not begun does not run.
        self._forget()

    def close(self) -> None:
        """Ends the map, as a generator's does: calls that have not begun are not made."""
        self._chunks.close()  # raises, and changes nothing, while somebody waits for the map
        self._abandon()
        collections.deque(self, 0)


def _results(
    scheduler: Scheduler, call: MapCall, chunks: Generator[list[R], None, None]
) -> MapResults[R]:
    taken = _one_by_one(chunks) if call.exhausted else _each_by_itself(chunks, call)
    results = cast("MapResults[R]", MapResults.from_iterable(taken))
    results._abandon = call.abandon
    results._chunks = taken
    results._forget = call.forget
    return results


def _one_by_one(chunks: Iterable[list[R]]) -> Generator[Iterable[R], None, None]:
    """Refers to no result any more once it was taken: results may be large."""
    for values in chunks:
        values.reverse()
        yield builtins.map(list.pop, itertools.repeat(values, len(values)))


def _each_by_itself(
    chunks: Iterable[list[R]], call: MapCall
) -> Generator[Iterable[R], None, None]:
    """Reads one more input for each result that is taken."""
    for values in chunks:
        values.reverse()
        while values:
            # Not a tuple of one value: it would live until the next value is taken.
            yield builtins.map(list.pop, (values,))
            call.read_more(1)


def _in_order(
    scheduler: Scheduler, call: MapCall, deadline: float | None
) -> Generator[list[Any], None, None]:
    """The results in the order of the inputs, a chunk at a time."""
    try:
        position = 0
        while call.unfinished or position in call.results or not call.exhausted:
            if position not in call.results:
                _wait_for_results(scheduler, call, deadline, position)
                continue
            values = call.take(position)
            position += len(values)
            yield values
    finally:
        call.abandon()


def _as_they_come(
    scheduler: Scheduler, call: MapCall, deadline: float | None
) -> Generator[list[Any], None, None]:
    """The results in the order in which they come, a chunk at a time."""
    try:
        while call.unfinished or call.arrived or not call.exhausted:
            if call.arrived:
                yield call.take_next()
            else:
                _wait_for_results(scheduler, call, deadline)
    finally:
        call.abandon()


def _wait_for_results(
    scheduler: Scheduler, call: MapCall, deadline: float | None, missing: int | None = None
) -> None:
    """``missing``: the index of the item that is waited for; None: any will do."""
    if deadline is not None and scheduler.clock() >= deadline:
        before = len(call.arrived)
        scheduler.look()
        if len(call.arrived) == before:
            missing = call.first_lent() if missing is None else missing
            where = "" if missing is None else (
                f"; item {missing}: {scheduler.story_of_item(call, missing)}")
            raise TimeoutError(f"map of {call.func!r}: {call.unfinished} results missing{where}")
        return
    scheduler.wait_for_map(call, deadline)
