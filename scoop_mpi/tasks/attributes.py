"""What SCOOP's futures tell of themselves, computed when a program asks.

Nothing here costs a task anything. What a worker does not measure of each task is told
as well as it is known: see :attr:`ScoopAttributes.executionTime`. The files that
``--debug`` writes have the times of every single call.

Source: SCOOP 0.7, ``scoop._types.Future``.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, NamedTuple, Union, cast

from ..base import context
from ..base.job import WorkerName, worker_name
from ..base.messages import ROOT

TaskId = tuple[WorkerName, int]
WorkId = Union[int, tuple[int, int], None]
"""What a worker runs: the number of an own task, (owner, number) of another worker's task
or of a map, None for the program. (A reference would keep all ancestors of a task alive.)"""


class CallbackType:
    """On which worker a callback runs: on the one that made the future, or that ran it."""

    standard = "standard"
    universal = "universal"


class CallbackEntry(NamedTuple):
    """A callback as SCOOP's futures list it."""

    func: Callable[..., object]
    callbackType: str
    groupID: Any


class StopWatch:
    """Seconds that pass, not counting those while it is halted (SCOOP's)."""

    def __init__(self) -> None:
        self.reset()

    def get(self) -> float:
        """The seconds so far."""
        return self.totalTime + (0 if self.halted else time.time() - self.startTime)

    def halt(self) -> None:
        """Stops it."""
        self.totalTime = self.get()
        self.halted = True

    def resume(self) -> None:
        """Lets it go on."""
        self.halted = False
        self.startTime = time.time()

    def reset(self) -> None:
        """Starts it anew, from 0."""
        self.totalTime = 0.0
        self.halted = False
        self.startTime = time.time()


def id_of(work: WorkId) -> TaskId:
    """The id of what runs or has run: a task, a map call for its items, the program."""
    if work is None:
        return worker_name(ROOT), 0
    owner, number = work if isinstance(work, tuple) else (context.current().rank, work)
    return worker_name(owner), number


class Wrapper:
    """Stands in for a task's function, ``func``, to do something around its calls."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func


class ScoopAttributes:
    """The part of a future that only programs written for SCOOP use."""

    __slots__ = ()

    @property
    def _me(self) -> Any:
        """It is a :class:`scoop_mpi.tasks.future.Future`."""
        return self

    @property
    def _key(self) -> WorkId:
        owner = getattr(self, "owner", None)
        return self._me.number if owner is None else (owner, self._me.number)

    def __lt__(self, other: ScoopAttributes) -> bool:
        """Futures are ordered by creation."""
        return bool(self._me.number < other._me.number)

    @property
    def id(self) -> TaskId:
        """(worker that created it, its number there): unique in the pool."""
        return id_of(self._key)

    @property
    def parentId(self) -> TaskId:
        """The id of the task that created this one; of the program: (root, 0).

        Tasks created by an item of a ``map`` have the map's id for parent.
        """
        return id_of(self._me.parent)

    @property
    def children(self) -> dict[Any, None]:
        """Futures that this task created here and that are not done."""
        # Not isinstance: that asks other people's objects for their __class__.
        found = [one._me for one in gc.get_objects() if issubclass(type(one), ScoopAttributes)]
        return {one: None for one in sorted(found)
                if one.parent == self._key and not one.isDone}

    @property
    def executor(self) -> tuple[WorkerName, Any] | None:
        """(worker that runs or ran it, group of its first callback); None: nobody yet."""
        me = self._me
        rank: int | None = getattr(me, "ran_on", None)
        if rank is None:
            if me.state.name not in ("RUNNING", "FINISHED"):
                return None
            rank = context.current().rank
        groups = [entry.groupID for entry in self.callback]
        return worker_name(rank), groups[0] if groups else None

    @property
    def creationTime(self) -> str:
        """When it was created, as ``time.ctime()`` gives it; to about a second."""
        return time.ctime(time.time() - (context.current().clock() - self._created_at()))

    @property
    def waitTime(self) -> float:
        """Seconds from creation to the call; 0.0 if that was not measured (see executionTime)."""
        began_at: float | None = getattr(self._me, "began_at", None)
        return 0.0 if began_at is None else max(0.0, began_at - self._created_at())

    @property
    def executionTime(self) -> float:
        """Seconds that the call took; 0.0 before its end, or if it was cancelled.

        Short calls are not timed one by one: theirs is the mean of such calls.
        """
        if self._me.state.name != "FINISHED":
            return 0.0
        measured: float | None = getattr(self._me, "elapsed_s", None)
        if measured is None:
            return context.current().typical_time(self._me.func)
        return measured

    @property
    def stopWatch(self) -> StopWatch:
        """Measures since the creation; when the call is over, it shows what that took."""
        watch = StopWatch()
        watch.startTime -= context.current().clock() - self._created_at()
        if self.isDone:
            watch.halted = True
            watch.totalTime = self.executionTime
        return watch

    @property
    def isDone(self) -> bool:
        """Is it done? Unlike ``done()``, does not take in messages first."""
        return self._me.state.name in ("FINISHED", "CANCELLED")

    @property
    def resultValue(self) -> Any:
        """What the call returned; None before."""
        return self._me.value

    @property
    def exceptionValue(self) -> BaseException | None:
        """What the call raised, if it did; a ``CancelledError`` if it was cancelled."""
        return CancelledError() if self._me.state.name == "CANCELLED" else self._me.error

    @property
    def exceptionTraceback(self) -> str | None:
        """The traceback of that, as text, the remote one included."""
        error = self._me.error
        if error is None:
            return None
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))

    @property
    def callback(self) -> list[CallbackEntry]:
        """Its callbacks, in the order in which they were added."""
        return cast("list[CallbackEntry]", self._me.callback_entries())

    @property
    def callable(self) -> Callable[..., Any]:
        """The function of the task."""
        func: Any = self._me.func
        while isinstance(func, Wrapper):
            func = func.func
        return cast("Callable[..., Any]", func)

    @property
    def kargs(self) -> dict[str, Any]:
        """Its keyword arguments; none after the call."""
        return self._me.kwargs or {}

    def _created_at(self) -> float:
        """On the scheduler's clock. Of a task of another worker: when it began here."""
        scheduler = context.current()
        if hasattr(self, "owner"):
            return float(getattr(self, "began_at", scheduler.clock()))
        return scheduler.creation_time(self._me.number)
