"""SCOOP's verbs with an underscore, which are not public, but which programs use.

Unlike the public ones, these raise the exception of a child when they come to it.
Source: SCOOP 0.7, ``scoop.futures``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ..tasks.future import Future
from ..workers.scheduler import current
from .completion import as_completed

T = TypeVar("T")


def _startup(rootFuture: Callable[..., T], *args: Any, **kargs: Any) -> T:
    """Calls ``rootFuture(*args, **kargs)`` as a task and returns its result."""
    value: T = current().submit(rootFuture, args, kargs or None).result()
    return value


def _mapFuture(callable_: Callable[..., T], *iterables: Any) -> list[Future[T]]:
    """A list with a future for each call of ``callable_``."""
    return [current().submit(callable_, args, None) for args in zip(*iterables)]


def _waitAny(*children: Future[T]) -> Generator[Future[T], None, None]:
    """Yields futures as they are done; raises the exception of the first that has raised."""
    for future in as_completed(children):
        future.result()
        yield future


def _waitAll(*children: Future[T]) -> Generator[Future[T], None, None]:
    """Yields futures in the order given, each when it is done; raises as :func:`_waitAny`."""
    for future in children:
        future.result()
        yield future


def _join(child: Future[T]) -> T:
    """Waits for one future; returns its result."""
    return child.result()


def _joinAll(*children: Future[T]) -> list[T]:
    """Waits for several futures; returns their results."""
    return [future.result() for future in children]
