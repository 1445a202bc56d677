"""What programs call: ``from scoop_mpi import futures``.

The names and their behaviour are those of SCOOP's manual (section 2.4.1), completed
by PEP 3148 and ``concurrent.futures``. Tasks may call everything here as well, to any
depth. All calls must come from the thread that runs the program.

Without a launcher everything runs serially in the program's own process.
"""

from __future__ import annotations

import builtins
import collections
import functools
import itertools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import (
    ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError, TimeoutError,
)
from typing import Any, TypeVar, cast

from . import context
from .completion import DoneAndNotDoneFutures, as_completed, deadline_of, wait
from .context import here
from .errors import NotPicklableError, TaskError
from .frames import Called, calls_user_code
from .future import Future
from .joins import _join, _joinAll, _mapFuture, _startup, _waitAll, _waitAny  # noqa: F401
from .mapcall import Failed, MapCall
from .scheduler import Scheduler

__all__ = [
    "ALL_COMPLETED", "CancelledError", "DoneAndNotDoneFutures", "FIRST_COMPLETED",
    "FIRST_EXCEPTION", "Future",
    "NotPicklableError", "TaskError", "TimeoutError", "as_completed", "map",
    "map_as_completed", "mapReduce", "mapScan", "shutdown", "startup", "submit", "wait",
]

T = TypeVar("T")
R = TypeVar("R")


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
        scheduler = context.current()
    return scheduler.submit(func, args, kwargs or None)


def map(
    func: Callable[..., R], *iterables: Iterable[Any], timeout: float | None = None,
    chunksize: int | None = None, buffersize: int | None = None, **kwargs: Any,
) -> MapResults[R]:
    """As the built-in ``map``, but the calls run concurrently on all workers.

    The call itself returns at once; other workers start on the items right away,
    this one when the first result is asked for.

    Args:
        func: called with one item of each iterable, until the shortest is exhausted.
        timeout: seconds from this call, for all results together; None: no limit.
        chunksize: items in one message; None (best): sized by measured time.
        buffersize: how many items may be read ahead of the results taken, so that
            endless iterables work; None: all are read at once.
        kwargs: further arguments of every call, by name (SCOOP takes them, and drops them).

    Returns:
        An iterator over the results, in the order of the inputs. An exception of a
        call is raised where its result would come, and ends it. So does ``close()``.

    Raises:
        TypeError: ``func`` is not callable, no iterable was given, or one of the sizes
            is not an integer.
        ValueError: ``chunksize`` or ``buffersize`` is less than 1.
        TimeoutError: from the iterator, if ``timeout`` has passed.

    Source: PEP 3148, ``Executor.map``; ``buffersize`` as in Python 3.14.
    """
    scheduler = context.current()
    func = _with(func, kwargs)
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
    scheduler = context.current()
    func = _with(func, kwargs)
    call = _open_map(scheduler, "map_as_completed", func, iterables, chunksize, buffersize)
    chunks = _as_they_come(scheduler, call, deadline_of(scheduler, timeout))
    return _results(scheduler, call, chunks)


def mapReduce(
    mapFunc: Callable[..., T], reductionFunc: Callable[[T, T], T],
    *iterables: Iterable[Any], timeout: float | None = None, **kwargs: Any,
) -> T:
    """Reduces the results of a map to a single value, as a tree run in parallel.

    Equal to ``functools.reduce(reductionFunc, map(mapFunc, *iterables))`` for an
    associative ``reductionFunc``; it need not be commutative.

    Args:
        mapFunc: as ``func`` of :func:`map`.
        reductionFunc: called with two results, the earlier one first.
        timeout: seconds for each level of the tree; None: no limit.
        kwargs: further arguments of every call of ``mapFunc``, by name.

    Raises:
        ValueError: there is no element.

    Source: SCOOP's manual, section 2.2.4.
    """
    map_func, reduction = _checked_pair("mapReduce", _with(mapFunc, kwargs), reductionFunc)
    reduce_block = functools.partial(mapReduce_block, map_func, reduction)
    # The inputs are the map's alone, which lets go of them one by one; so are those of the
    # levels.
    blocks = map(reduce_block, _blocks("mapReduce", iterables), timeout=timeout)
    del iterables
    level = list(blocks)
    while len(level) > 1:
        odd = level[len(level) // 2 * 2:]
        pairs = map(reduction, level[:-1:2], level[1::2], timeout=timeout)
        level.clear()
        level += pairs
        level += odd
    return level[0]


@calls_user_code(Called.FOR_CALLER)
def mapScan(
    mapFunc: Callable[..., T], reductionFunc: Callable[[T, T], T],
    *iterables: Iterable[Any], timeout: float | None = None, **kwargs: Any,
) -> list[T]:
    """As :func:`mapReduce`, but keeps every intermediate value.

    Returns:
        A list as long as the input; equal to
        ``list(itertools.accumulate(map(mapFunc, *iterables), reductionFunc))``.

    Raises:
        ValueError: there is no element.

    Source: SCOOP's manual. (SCOOP 0.7 does not carry the left half's value into the
    right half; this does.)
    """
    map_func, reduction = _checked_pair("mapScan", _with(mapFunc, kwargs), reductionFunc)
    scan_block = functools.partial(mapScan_block, map_func, reduction)
    blocks = map(scan_block, _blocks("mapScan", iterables), timeout=timeout)
    del iterables  # as in mapReduce
    first, *others = blocks
    ends = [scan[-1] for scan in (first, *others)][:-1]
    carries = itertools.accumulate(ends, reduction)
    carry_block = functools.partial(mapScan_carry, reduction)
    rest = map(carry_block, carries, others, timeout=timeout)
    del ends, carries
    others.clear()
    for scan in rest:
        first += scan
    return first


def shutdown(wait: bool = True) -> None:
    """Does nothing; here for programs written for PEP 3148 (as SCOOP's manual says).

    The pool ends with the program, when everything that was submitted has run.
    """


@calls_user_code(Called.FOR_CALLER, whole=True)
def startup(main: Callable[..., R], *args: Any, **kwargs: Any) -> R | None:
    """Calls ``main(*args, **kwargs)`` on the root, for programs of SCOOP up to 0.5.

    Returns:
        What ``main`` returned; None on the other workers, which only import the program.
    """
    if context.is_importing():
        return None
    return main(*args, **kwargs)


# -- consuming a map -------------------------------------------------------


def _with(func: Callable[..., R], kwargs: dict[str, Any]) -> Callable[..., R]:
    """``func`` with arguments given by name; what is no callable is left to be refused."""
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
    """The results of a map, one by one, at the cost of a C loop; otherwise as a generator."""

    _abandon: Callable[[], None]
    _chunks: Generator[Iterable[R], None, None]
    _forget: Callable[[], None] = staticmethod(lambda: None)

    def __del__(self) -> None:
        # If nothing was ever taken, nobody else says so: a generator that has not begun
        # does not end either.
        self._forget()

    def close(self) -> None:
        """Ends the map, as that of a generator: calls that have not begun are not made."""
        self._chunks.close()  # fails, and changes nothing, while the map is waited for
        self._abandon()
        collections.deque(self, 0)


def _results(
    scheduler: Scheduler, call: MapCall, chunks: Generator[list[R], None, None]
) -> MapResults[R]:
    taken = _one_by_one(chunks) if call.exhausted else _each_by_itself(chunks, call)
    results = cast("MapResults[R]", MapResults.from_iterable(taken))
    results._abandon = functools.partial(scheduler.abandon_map, call)
    results._chunks = taken
    results._forget = functools.partial(scheduler.forget_map, call)
    return results


def _one_by_one(chunks: Iterable[list[R]]) -> Generator[Iterable[R], None, None]:
    """Lets go of each result as it is taken: those of a chunk may be large."""
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
            # No tuple of one: it would be kept, with its value, until the next one is taken.
            yield builtins.map(list.pop, (values,))
            call.read_more(1)


def _in_order(
    scheduler: Scheduler, call: MapCall, deadline: float | None
) -> Generator[list[Any], None, None]:
    """The results, a chunk at a time."""
    try:
        position = 0
        while call.unfinished or position in call.results or not call.exhausted:
            if position not in call.results:
                _wait_for_results(scheduler, call, deadline)
                continue
            values = _taken(call, position)
            position += len(values)
            call.arrived.clear()  # only of use out of order
            yield values
    finally:
        scheduler.abandon_map(call)


def _as_they_come(
    scheduler: Scheduler, call: MapCall, deadline: float | None
) -> Generator[list[Any], None, None]:
    """The results, a chunk at a time."""
    try:
        while call.unfinished or call.arrived or not call.exhausted:
            if call.arrived:
                yield _taken(call, call.arrived.popleft())
            else:
                _wait_for_results(scheduler, call, deadline)
    finally:
        scheduler.abandon_map(call)


def _taken(call: MapCall, start: int) -> list[Any]:
    """The values that have come for ``start``; raises if they stand for an error."""
    values = call.results.pop(start)
    if isinstance(values, Failed):
        try:
            raise values.error
        finally:
            del values  # the traceback refers to this frame: no cycle
    return values


def _wait_for_results(scheduler: Scheduler, call: MapCall, deadline: float | None) -> None:
    if deadline is not None and scheduler.clock() >= deadline:
        before = len(call.arrived)
        scheduler.look()
        if len(call.arrived) == before:
            raise TimeoutError(f"map of {call.func!r}: {call.unfinished} results missing")
        return
    scheduler.wait_for_map(call, deadline)


# -- reductions ------------------------------------------------------------


def _checked_pair(
    verb: str, map_func: Callable[..., T], reduction: Callable[[T, T], T]
) -> tuple[Callable[..., T], Callable[[T, T], T]]:
    """The two functions of a reduction as tasks are to call them."""
    for func in (map_func, reduction):
        if not callable(func):
            raise TypeError(f"{verb}() needs two callables, not {func!r}")
    scheduler = context.current()
    return scheduler.guarded(map_func), scheduler.guarded(reduction)


@calls_user_code(Called.FOR_CALLER, whole=True)
def _blocks(verb: str, iterables: tuple[Iterable[Any], ...]) -> list[list[tuple[Any, ...]]]:
    """The argument tuples, in runs that are short enough to balance the load."""
    if not iterables:
        raise TypeError(f"{verb}() needs at least one iterable")
    items = list(zip(*iterables))
    if not items:
        raise ValueError(f"{verb}() of no elements has no value")
    size = max(1, len(items) // (16 * context.current().workers))
    return [items[at:at + size] for at in range(0, len(items), size)]


@calls_user_code(Called.FOR_CALLER, whole=True)
def mapReduce_block(
    map_func: Callable[..., T], reduction: Callable[[T, T], T], block: list[tuple[Any, ...]]
) -> T:
    return functools.reduce(reduction, itertools.starmap(map_func, block))


@calls_user_code(Called.FOR_CALLER, whole=True)
def mapScan_block(
    map_func: Callable[..., T], reduction: Callable[[T, T], T], block: list[tuple[Any, ...]]
) -> list[T]:
    return list(itertools.accumulate(itertools.starmap(map_func, block), reduction))


@calls_user_code(Called.FOR_CALLER, whole=True)
def mapScan_carry(reduction: Callable[[T, T], T], carry: T, scan: list[T]) -> list[T]:
    return [reduction(carry, value) for value in scan]
