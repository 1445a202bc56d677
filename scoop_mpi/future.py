"""One task's life: its states, its outcome, those who wait for it.

Where the behaviour comes from: PEP 3148 and ``concurrent.futures.Future``; what
SCOOP's manual says beyond that is named where it applies.

    state       may become                  when
    PENDING     RUNNING, SENT, CANCELLED    a worker starts it; it is given away; cancel()
    SENT        FINISHED, PENDING           its outcome arrives; the receiver could not load it
    RUNNING     FINISHED                    the callable returned or raised
    CANCELLED   -
    FINISHED    -

A foreign task is a ``Future`` too, on the rank that executes it: its ``owner`` is
another rank and its outcome is sent there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from enum import Enum
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from greenlet import GreenletExit

from . import context
from .errors import NotPicklableError

T = TypeVar("T")
_logger = logging.getLogger("scoop_mpi")


class State(Enum):
    """The states of the table above."""

    PENDING = "pending"
    RUNNING = "running"
    SENT = "sent to another worker"
    CANCELLED = "cancelled"
    FINISHED = "finished"


# Module globals: an attribute look-up on the Enum costs as much as a dict insertion.
PENDING = State.PENDING
RUNNING = State.RUNNING
SENT = State.SENT
CANCELLED = State.CANCELLED
FINISHED = State.FINISHED


class Waiter(Protocol):
    """Something that wants to know when a future is done."""

    def notify(self, future: Future[Any], /) -> None:
        """Called once, right after ``future`` is done; must not run user code."""


def name_of(func: Callable[..., Any]) -> str:
    """A readable name for any callable; also the key of its time estimate."""
    name = getattr(func, "__qualname__", None)
    if isinstance(name, str):
        return name
    inner = getattr(func, "func", None)  # functools.partial
    return name_of(inner) if callable(inner) else type(func).__qualname__


class Future(Generic[T]):
    """The outcome of a task that may not have run yet; made by ``futures.submit``.

    The methods and their errors are those of ``concurrent.futures.Future``
    (PEP 3148). A future belongs to the worker that created it and cannot be
    sent to another.
    """

    __slots__ = (
        "id", "owner", "func", "args", "kwargs", "state", "value", "error",
        "alone", "elapsed_s", "_waiters", "_callbacks", "__weakref__",
    )

    def __init__(
        self,
        id_: int,
        owner: int,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
    ) -> None:
        self.id = id_
        self.owner = owner
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.state = PENDING
        self.value: T | None = None
        self.error: BaseException | None = None
        self.alone = False
        """Send in a message of its own: a bundle with it in could not be loaded."""
        self.elapsed_s = 0.0
        self._waiters: list[Waiter] | None = None
        self._callbacks: list[Callable[[Future[T]], object]] | None = None

    def __repr__(self) -> str:
        return f"<Future {self.id} {name_of(self.func)} {self.state.value}>"

    def __reduce__(self) -> NoReturn:
        raise NotPicklableError(f"{self!r}; pass its result() instead")

    # -- what users call ---------------------------------------------------

    def result(self, timeout: float | None = None) -> T:
        """Returns the value that the call returned, waiting for it if need be.

        Args:
            timeout: seconds to wait at most; None: no limit.

        Raises:
            TimeoutError: (``concurrent.futures``) not done within ``timeout``.
            CancelledError: (``concurrent.futures``) the future was cancelled.
            BaseException: whatever the call raised. If it ran on another rank, the
                remote traceback is in ``__cause__`` (:class:`errors.RemoteTraceback`).
        """
        if self.state is not FINISHED:
            self._await(timeout)
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The traceback refers to this frame: break the cycle.
                del self
        return self.value  # type: ignore[return-value]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Returns the exception that the call raised, or None if it returned.

        Args and errors: as :meth:`result`.
        """
        if self.state is not FINISHED:
            self._await(timeout)
        return self.error

    def done(self) -> bool:
        """True if the call finished or was cancelled. Takes in arrived messages."""
        if self.state is FINISHED or self.state is CANCELLED:
            return True
        context.current().poll()
        return self.state is FINISHED or self.state is CANCELLED

    def running(self) -> bool:
        """True if the call is being executed, here or elsewhere, and cannot be cancelled."""
        return self.state is RUNNING or self.state is SENT

    def cancelled(self) -> bool:
        """True if the call was cancelled before it began."""
        return self.state is CANCELLED

    def cancel(self) -> bool:
        """Cancels the call if it has neither begun nor been sent to another worker.

        Returns:
            True if the future is now cancelled, else False (SCOOP's manual: a call
            that was sent for remote execution cannot be cancelled).
        """
        if self.state is PENDING and context.current().claim(self):
            self.state = CANCELLED
            self._done()
        return self.state is CANCELLED

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Calls ``fn(future)`` on this worker when the future is done.

        Callbacks run in the order they were added, at once if the future is done
        already. An ``Exception`` in one is logged and ignored.
        """
        if self.state is FINISHED or self.state is CANCELLED:
            self._call_back(fn)
        elif self._callbacks is None:
            self._callbacks = [fn]
        else:
            self._callbacks.append(fn)

    # -- what the scheduler calls ------------------------------------------

    def run(self) -> None:
        """Makes the call and keeps its outcome; raises nothing of the task's own."""
        self.state = RUNNING
        try:
            if self.kwargs:
                self.value = self.func(*self.args, **self.kwargs)
            else:
                self.value = self.func(*self.args)
        except GreenletExit:
            raise  # the process is leaving: not an outcome
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """After :meth:`run`: tells those who wait. The arguments are let go."""
        self.state = FINISHED
        self.args = ()
        self.kwargs = None
        if self._waiters is not None or self._callbacks is not None:
            self._done()

    def add_waiter(self, waiter: Waiter) -> None:
        """``waiter`` is notified once, when the future is done (it is not yet)."""
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Undoes :meth:`add_waiter`; harmless if it was notified already."""
        if self._waiters is not None and waiter in self._waiters:
            self._waiters.remove(waiter)

    # -- private -----------------------------------------------------------

    def _await(self, timeout: float | None) -> None:
        if self.state is not CANCELLED:
            context.current().wait_for(self, timeout)
        if self.state is CANCELLED:
            raise CancelledError()

    def _done(self) -> None:
        waiters, self._waiters = self._waiters, None
        callbacks, self._callbacks = self._callbacks, None
        for waiter in waiters or ():
            waiter.notify(self)
        for fn in callbacks or ():
            self._call_back(fn)

    def _call_back(self, fn: Callable[[Future[T]], object]) -> None:
        try:
            fn(self)
        except Exception:
            _logger.exception("exception calling callback for %r", self)
