"""``mapReduce`` and ``mapScan``: reductions of a map, as a tree of tasks.

Source: SCOOP's manual. Programs call these verbs through ``futures``.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..base.frames import Called, calls_user_code
from ..workers.scheduler import current
from .maps import map, with_kwargs

T = TypeVar("T")


def mapReduce(
    mapFunc: Callable[..., T], reductionFunc: Callable[[T, T], T],
    *iterables: Iterable[Any], timeout: float | None = None, **kwargs: Any,
) -> T:
    """Reduces the results of a map to a single value, by a tree of parallel tasks.

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
    map_func, reduction = _checked_pair("mapReduce", with_kwargs(mapFunc, kwargs), reductionFunc)
    reduce_block = functools.partial(mapReduce_block, map_func, reduction)
    # Only the map refers to its inputs, and drops each one when it is done. The same goes
    # for the levels.
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
    map_func, reduction = _checked_pair("mapScan", with_kwargs(mapFunc, kwargs), reductionFunc)
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


def _checked_pair(
    verb: str, map_func: Callable[..., T], reduction: Callable[[T, T], T]
) -> tuple[Callable[..., T], Callable[[T, T], T]]:
    """The two functions of a reduction, as tasks are to call them (``--strict``)."""
    for func in (map_func, reduction):
        if not callable(func):
            raise TypeError(f"{verb}() needs two callables, not {func!r}")
    scheduler = current()
    return scheduler.guarded(map_func), scheduler.guarded(reduction)


@calls_user_code(Called.FOR_CALLER, own_code=True)
def _blocks(verb: str, iterables: tuple[Iterable[Any], ...]) -> list[list[tuple[Any, ...]]]:
    """The argument tuples, in blocks that are small enough to balance the load."""
    if not iterables:
        raise TypeError(f"{verb}() needs at least one iterable")
    items = list(zip(*iterables))
    if not items:
        raise ValueError(f"{verb}() of no elements has no value")
    size = max(1, len(items) // (16 * current().workers))
    return [items[at:at + size] for at in range(0, len(items), size)]


@calls_user_code(Called.FOR_CALLER, own_code=True)
def mapReduce_block(
    map_func: Callable[..., T], reduction: Callable[[T, T], T], block: list[tuple[Any, ...]]
) -> T:
    return functools.reduce(reduction, itertools.starmap(map_func, block))


@calls_user_code(Called.FOR_CALLER, own_code=True)
def mapScan_block(
    map_func: Callable[..., T], reduction: Callable[[T, T], T], block: list[tuple[Any, ...]]
) -> list[T]:
    return list(itertools.accumulate(itertools.starmap(map_func, block), reduction))


@calls_user_code(Called.FOR_CALLER, own_code=True)
def mapScan_carry(reduction: Callable[[T, T], T], carry: T, scan: list[T]) -> list[T]:
    return [reduction(carry, value) for value in scan]
