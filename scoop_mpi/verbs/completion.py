"""Waiting for several futures: ``wait`` and ``as_completed``.

Each future is looked at once, when it is done: nothing asks all of them again and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, TimeoutError
from typing import Any, NamedTuple, TypeVar

from ..base.frames import Called, calls_user_code
from ..tasks.future import CANCELLED, FINISHED, Future
from ..workers.scheduler import Scheduler, current
from ..workers.switchboard import Parked

R = TypeVar("R")


class DoneAndNotDoneFutures(NamedTuple):
    """What :func:`wait` returns: two sets of futures."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


@calls_user_code(Called.FOR_CALLER)  # `fs` may be a generator
def wait(
    fs: Iterable[Future[Any]], timeout: float | None = -1, return_when: str = ALL_COMPLETED
) -> DoneAndNotDoneFutures:
    """Waits for the futures in ``fs``.

    Args:
        timeout: seconds; negative or None: no limit; 0: does not wait.
        return_when: what to wait for. ``FIRST_COMPLETED``: any is done; ``FIRST_EXCEPTION``:
            any has raised, or all are done; ``ALL_COMPLETED``: all are done.

    Returns:
        The named 2-tuple ``(done, not_done)``.

    Raises:
        ValueError: ``return_when`` is none of the three.

    Source: PEP 3148, ``concurrent.futures.wait``; negative timeouts from SCOOP's manual.
    """
    if return_when not in (FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED):
        raise ValueError(f"return_when is {return_when!r}; it must be FIRST_COMPLETED, "
                         "FIRST_EXCEPTION or ALL_COMPLETED")
    scheduler = current()
    futures = set(fs)
    if timeout is not None and timeout < 0:
        timeout = None
    if timeout is None and return_when == ALL_COMPLETED:
        for future in futures:
            if not _is_done(future):
                scheduler.wait_for(future, None)
        try:
            return DoneAndNotDoneFutures(futures, set())
        finally:  # an error's traceback may refer to this frame: make no cycle
            fs = futures = future = None  # type: ignore[assignment]
    if timeout == 0:
        scheduler.poll()
    deadline = deadline_of(scheduler, timeout)
    with _Completions(scheduler, futures) as completions:
        while not completions.suffice(return_when) and completions.wait(deadline):
            pass
    done = {future for future in futures if _is_done(future)}
    return DoneAndNotDoneFutures(done, futures - done)


@calls_user_code(Called.FOR_CALLER)  # `fs` may be a generator
def as_completed(
    fs: Iterable[Future[R]], timeout: float | None = None
) -> Generator[Future[R], None, None]:
    """Yields the futures in ``fs`` as they are done; first those that are done already.

    Args:
        timeout: seconds from the first ``next()``, for all; None: no limit.

    Raises:
        TimeoutError: not all were done within ``timeout``.

    Source: PEP 3148, ``concurrent.futures.as_completed``.
    """
    scheduler = current()
    deadline = deadline_of(scheduler, timeout)
    futures = set(fs)
    total = len(futures)
    with _Completions(scheduler, futures) as completions:
        del fs, futures  # refer to no future that was yielded: the caller may drop it
        for number in range(total):
            while not completions.fresh:
                if not completions.wait(deadline) and not completions.fresh:
                    raise TimeoutError(
                        f"{total - number} (of {total}) futures unfinished; {completions.story()}")
            yield completions.fresh.popleft()


def deadline_of(scheduler: Scheduler, timeout: float | None) -> float | None:
    """The moment, on the scheduler's clock, at which a timeout from now on has passed."""
    return None if timeout is None else scheduler.clock() + timeout


class _Completions:
    """Collects futures as they are done: constant work for each, no scan.

    ``fresh``: done futures that were not looked at yet. Those already done come first.
    """

    def __init__(self, scheduler: Scheduler, futures: set[Future[Any]]) -> None:
        self.fresh: deque[Future[Any]] = deque(f for f in futures if _is_done(f))
        self._scheduler = scheduler
        self._pending = {future for future in futures if not _is_done(future)}
        self._parked: Parked | None = None

    def __enter__(self) -> _Completions:
        for future in self._pending:
            future.add_waiter(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for future in self._pending:
            future.remove_waiter(self)

    def notify(self, future: Future[Any]) -> None:
        """A future is done (:class:`scoop_mpi.tasks.future.Waiter`)."""
        self._pending.discard(future)
        self.fresh.append(future)
        if self._parked is not None:
            self._parked.wake()

    def wait(self, deadline: float | None) -> bool:
        """Waits for a further future until ``deadline``; False if that had passed before."""
        if deadline is not None and self._scheduler.clock() >= deadline:
            self._scheduler.look()
            return False
        self._parked = self._scheduler.parked()
        self._scheduler.park(self._parked, deadline)
        self._parked = None
        return True

    def story(self) -> str:
        """Where the oldest future that is not done is."""
        first = min(self._pending)
        return f"{first!r}: {self._scheduler.story_of(first)}"

    def suffice(self, return_when: str) -> bool:
        """True if ``return_when`` is met; empties ``fresh``."""
        fresh, self.fresh = self.fresh, deque()
        return (
            not self._pending
            or (return_when == FIRST_COMPLETED and bool(fresh))
            or (return_when == FIRST_EXCEPTION and any(f.error is not None for f in fresh))
        )


def _is_done(future: Future[Any]) -> bool:
    return future.state is FINISHED or future.state is CANCELLED
