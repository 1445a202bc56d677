"""One task's life: its states, its outcome, those who wait for it.

Where the behaviour comes from: PEP 3148 and ``concurrent.futures.Future``; what
SCOOP's manual says beyond that is named where it applies.

On the rank that executes a task of another rank, it is a :class:`ForeignTask`: the same
life, but its outcome is sent to its owner.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from enum import Enum
from types import FunctionType
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from ..base import context, forks
from ..base.context import here
from ..base.errors import NotPicklableError
from ..base.frames import Called, Leaving, calls_user_code
from ..base.log import logger
from ..base.usercode import attempt, attribute
from .attributes import CallbackEntry, CallbackType, ScoopAttributes, WorkId

T = TypeVar("T")


class State(Enum):
    """What may follow on which: :data:`TRANSITIONS`."""

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


TRANSITIONS: dict[State, dict[State, str]] = {
    PENDING: {
        RUNNING: "started here",
        SENT: "given away",
        CANCELLED: "cancel(); too late once RUNNING or SENT",
        FINISHED: "could not be pickled or rebuilt",
    },
    SENT: {
        FINISHED: "its outcome came back",
        PENDING: "came back unstarted",
    },
    RUNNING: {FINISHED: "the callable returned or raised"},
    CANCELLED: {},
    FINISHED: {},
}
"""The life of a task: from a state to others, and when.

Not looked at while tasks run, of which each step is worth 20 ns: the simulation does it."""


class Waiter(Protocol):
    """Something that wants to know when a future is done."""

    def notify(self, future: Future[Any], /) -> None:
        """Called once, right after ``future`` is done."""


def name_of(func: Callable[..., Any]) -> str:
    """A readable name for any callable."""
    if type(func) is FunctionType:
        return func.__qualname__
    name = attribute(func, "__qualname__")
    if isinstance(name, str):
        return name
    inner = attribute(func, "func")  # functools.partial
    return name_of(inner) if callable(inner) else type(func).__qualname__


class Future(ScoopAttributes, Generic[T]):
    """The outcome of a task that may not have run yet; made by ``futures.submit``.

    The methods and their errors are those of ``concurrent.futures.Future``
    (PEP 3148). A future belongs to the worker that created it and cannot be
    sent to another. What SCOOP's futures have beyond that is in ``attributes``.
    """

    # One of these is made for every task: each slot that is set costs some 20 ns. The
    # last three are set only where the scheduler knows: the rank that ran it, when it
    # began (on the scheduler's clock), how many seconds the call took.
    __slots__ = (
        "number", "func", "args", "kwargs", "state", "value", "error", "parent",
        "listeners", "__weakref__", "ran_on", "began_at", "elapsed_s",
    )
    ran_on: int
    began_at: float
    elapsed_s: float

    def __init__(
        self, number: int, func: Callable[..., T], args: tuple[Any, ...],
        kwargs: dict[str, Any] | None, parent: WorkId = None,
    ) -> None:
        self.number = number
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.state = PENDING
        self.value: T | None = None
        self.error: BaseException | None = None
        self.parent = parent
        self.listeners: list[Waiter] | None = None
        """Who waits, and callbacks; None: nobody, and none."""

    def __repr__(self) -> str:
        return f"<Future {self.number} {name_of(self.func)} {self.state.value}>"

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
            try:
                scheduler = here.scheduler
            except AttributeError:
                scheduler = context.current()
            scheduler.wait_for(self, timeout)
            if self.state is CANCELLED:
                raise CancelledError()
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
            context.current().wait_for(self, timeout)
            if self.state is CANCELLED:
                raise CancelledError()
        try:
            return self.error
        finally:
            del self  # as in result()

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
            self.args = ()
            self.kwargs = None
            self._tell_listeners()
        return self.state is CANCELLED

    def add_done_callback(
        self, fn: Callable[[Future[T]], object],
        inCallbackType: str = CallbackType.standard, inCallbackGroup: Any = None,
    ) -> None:
        """Calls ``fn(future)`` when the future is done.

        Callbacks run in the order they were added, at once if the future is done
        already. Whatever one raises is logged and ignored: nobody called it who could take
        it, so ``SystemExit`` does not end the program, nor a task that happens to run.

        Args:
            inCallbackType: ``CallbackType.standard``: on this worker;
                ``CallbackType.universal``: on the one that runs the call, if ``fn`` was
                added before the task was sent there (SCOOP). It travels with the task,
                and gets a future of that worker.
            inCallbackGroup: told in :attr:`executor` (SCOOP).
        """
        callback = _Callback(fn, inCallbackType, inCallbackGroup)
        self.add_waiter(callback)
        if self.state is FINISHED or self.state is CANCELLED:
            callback.notify(self)

    def callback_entries(self) -> list[CallbackEntry]:
        """All callbacks, called or not; see :attr:`callback`."""
        return [one.entry for one in self.listeners or () if isinstance(one, _Callback)]

    def send_callbacks(self) -> list[CallbackEntry]:
        """Those that go where the task goes now, and are called there."""
        travelling = [one for one in self.listeners or () if isinstance(one, _Callback)
                      and one.entry.callbackType == CallbackType.universal]
        for one in travelling:
            one.travels = True
        return [one.entry for one in travelling]

    # -- what the scheduler calls ------------------------------------------

    @calls_user_code(Called.TASK)
    def run(self) -> None:
        """Makes the call and keeps its outcome; raises nothing of the task's own."""
        self.state = RUNNING
        try:
            if self.kwargs:
                self.value = self.func(*self.args, **self.kwargs)
            else:
                self.value = self.func(*self.args)
        except Leaving:
            raise  # not an outcome
        except BaseException as error:
            forks.end_if_forked(error)
            self.error = error
        self.state = FINISHED
        # The future may be kept for long, its arguments need not.
        self.args = ()
        self.kwargs = None
        if self.listeners is not None:
            self._tell_listeners()
        del self  # the error's traceback may refer to this frame: no cycle

    def finish(self, value: T | None, error: BaseException | None) -> None:
        """The outcome, from wherever the call was made."""
        self.value = value
        self.error = error
        ran_elsewhere = self.state is SENT
        self.state = FINISHED
        self.args = ()
        self.kwargs = None
        if self.listeners is not None:
            self._tell_listeners(ran_elsewhere)

    def add_waiter(self, waiter: Waiter) -> None:
        """``waiter`` is notified once, when the future is done (it is not yet)."""
        if self.listeners is None:
            self.listeners = [waiter]
        else:
            self.listeners.append(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Undoes :meth:`add_waiter`; harmless if it was notified already."""
        if self.listeners is not None and waiter in self.listeners:
            self.listeners.remove(waiter)

    def _tell_listeners(self, ran_elsewhere: bool = False) -> None:
        if forks.stack:
            forks.end_if_forked(depth=2)  # it was run() that has called the task
        listeners = self.listeners or []
        callbacks = [one for one in listeners if isinstance(one, _Callback)]
        self.listeners = list(callbacks) or None
        # Those who wait first: a callback may wait for one of them.
        for listener in listeners:
            if not isinstance(listener, _Callback):
                listener.notify(self)
        for callback in callbacks:
            if not (ran_elsewhere and callback.travels):
                callback.notify(self)
        del self  # as in run(): a callback may have raised what this task has raised


class ForeignTask(Future[T]):
    """A task of rank ``owner`` that is, or will be, run here."""

    __slots__ = ("owner",)

    def __init__(
        self, number: int, owner: int, func: Callable[..., T], args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
    ) -> None:
        super().__init__(number, func, args, kwargs)
        self.owner = owner
        self.elapsed_s = 0.0


class _Callback:
    """A callback as a :class:`Waiter`; ``travels``: it was sent along with the task."""

    def __init__(self, fn: Callable[[Future[Any]], object], type_: str, group: Any) -> None:
        self.entry = CallbackEntry(fn, type_, group)
        self.travels = False

    @calls_user_code(Called.CALLBACK)
    def _call(self, future: Future[Any]) -> None:
        try:
            self.entry.func(future)
        finally:
            del future  # as in _tell_listeners

    def notify(self, future: Future[Any]) -> None:
        _, error = attempt(self._call, future)
        if error is not None:
            logger.error("exception calling callback for %r", future, exc_info=error)
        del future  # as in _tell_listeners
