"""Threads that do not run tasks: the program's, and those that a program or task has started.

A visitor creates tasks and maps, and its waits block its thread. Meanwhile the thread that
runs tasks, or the donor thread, takes in what comes (``exchange``). So results arrive, and
time limits are kept, whatever those two threads do.

A task of a function that was quick so far is run on the spot by who waits for it: it takes
less than to wake another thread. Other tasks never run on a visitor's thread.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError
from itertools import count
from types import FrameType, SimpleNamespace
from typing import Any, Protocol

from greenlet import getcurrent

from ..base.errors import DeadlockError, ForkError
from ..base.frames import Called, calls_user_code
from ..base.tuning import Tuning
from ..tasks.attributes import WorkId
from ..tasks.backlog import Backlog
from ..tasks.estimates import holds_nothing
from ..tasks.future import CANCELLED, FINISHED, Future
from ..tasks.mapcall import MapCall
from ..wire.codec import Codec
from .desk import Desk
from .exchange import Exchange

MANY = 10**12
"""More tasks than one thread ever creates: where the numbers of the others begin."""
TIMED_EVERY = 64
"""Of the tasks that run on the spot one in so many is timed."""


class Worker(Protocol):
    """What visitors ask of the scheduler (:class:`scoop_mpi.workers.scheduler.Scheduler`)."""

    rank: int
    workers: int
    alone: bool
    codec: Codec
    clock: Callable[[], float]
    tuning: Tuning
    backlog: Backlog
    exchange: Exchange
    visits: Visits

    def wrapped(
        self, func: Callable[..., Any], number: int, parent: WorkId, is_map: bool
    ) -> Callable[..., Any]:
        """``func`` as the task or map of that number calls it."""

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """See :meth:`Desk.guarded`."""

    def creation_time(self, number: int) -> float:
        """When the own task of that number was created, on the clock."""

    def program_is_over(self) -> bool:
        """Has the program run here?"""

    def donate(self) -> None:
        """Takes in what has come."""


class Blocked:
    """A thread that waits, or is about to; ``error``: raised where it waits."""

    __slots__ = ("error", "must_end", "_event")

    def __init__(self, event: threading.Event) -> None:
        self.must_end = False
        """Does the wait have no time limit?"""
        self.error: BaseException | None = None
        self._event = event

    def wake(self) -> None:
        """Ends the wait. Any thread may call this, as often as it likes."""
        self._event.set()

    def notify(self, future: Future[Any]) -> None:
        """A future it waits for is done (:class:`scoop_mpi.tasks.future.Waiter`)."""
        self._event.set()

    @property
    def woken(self) -> bool:
        return self._event.is_set()

    @calls_user_code(Called.FOR_CALLER, own_code=True)  # a signal handler may raise: see signals
    def sleep(self, seconds: float | None) -> None:
        """Returns when it is woken, or after ``seconds``."""
        self._event.wait(seconds)


class Visits:
    """What the visitors of one worker have in common.

    Args:
        first: the number of the first task or map that one of them creates.
        firsts: the first numbers of both sequences; those below are of a forked child's parent.
        nudge: called when there is something to do for the thread that runs tasks.
        event: makes a ``threading.Event``.
    """

    def __init__(
        self, first: int, firsts: tuple[int, int], nudge: Callable[[], None],
        event: Callable[[], threading.Event],
    ) -> None:
        self.event = event
        self.nudge = nudge
        self.numbers = count(first)
        self.newest = first - 1
        """The last number given out."""
        self.noted = first - 1
        """The same at the last look at the network."""
        self._first = first
        self._firsts = firsts
        self.own_threads = 1
        """Threads of this package, which wait for nobody."""
        self.blocked: dict[Blocked, None] = {}
        self.at_work = 0
        """Tasks that run on visitors' threads."""
        self.over = False
        """Is the worker's job over?"""

    @property
    def created(self) -> int:
        """Tasks and maps created so far."""
        return self.newest - self._first + 1

    def check_own(self, number: int) -> None:
        """Is this task or map of this process?

        Raises:
            ForkError: its parent has created it.
        """
        if number < self._firsts[number >= MANY]:
            raise ForkError()

    def notice_deadlock(self, waits: int, has_work: Callable[[], bool]) -> None:
        """The thread that runs tasks finds nothing to do, and there are no other ranks.

        If all other threads wait for it, nothing can end their waits.

        Args:
            waits: of tasks.
            has_work: asked last, as those who wait now may have made some just before.
        """
        blocked = [one for one in list(self.blocked) if not one.woken and one.must_end]
        others = threading.active_count() - self.own_threads
        if blocked and not self.at_work and len(blocked) >= others and not has_work():
            self.fail(deadlock(waits + len(blocked)))

    def fail(self, error: BaseException) -> None:
        """Raises ``error`` where visitors wait."""
        for one in list(self.blocked):
            one.error = error
            one.wake()

    def close(self) -> None:
        """The job is over: nobody needs to wait any more."""
        self.over = True
        self.fail(_over())


def deadlock(waits: int) -> DeadlockError:
    """The error for waits that nothing can end."""
    return DeadlockError(f"deadlock: {waits} wait(s) left, and no task that could end one")


def _over() -> RuntimeError:
    return RuntimeError("cannot wait for futures, or make new ones, after the job has ended")


class Visitor(Desk):
    """One thread's way to the worker whose tasks another thread runs."""

    def __init__(self, scheduler: Worker) -> None:
        self.rank = scheduler.rank
        self.workers = scheduler.workers
        self.codec = scheduler.codec
        self.clock = scheduler.clock
        self.tuning = scheduler.tuning
        self.exchange = scheduler.exchange
        self.backlog = scheduler.backlog
        self.running: WorkId = None
        """What runs on this thread: None, or a task that is run on the spot."""
        self.board = SimpleNamespace(main=getcurrent(), asleep={})
        """For :mod:`signals`: nothing is ever put aside here."""
        self.on_the_spot = True
        """May quick tasks run on this thread?"""
        self._scheduler = scheduler
        self._visits = scheduler.visits
        self._own = scheduler.backlog.own
        self._number = scheduler.visits.numbers.__next__
        self._quick: Callable[..., Any] | None = None
        self._countdown = TIMED_EVERY

    # -- creating work -----------------------------------------------------

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Future[Any]:
        """See :meth:`Desk.submit`."""
        visits = self._visits
        if visits.over:
            raise _over()
        visits.newest = number = self._number()
        func = self._scheduler.wrapped(func, number, self.running, is_map=False)
        self._own[number] = future = Future(number, func, args, kwargs, self.running)
        visits.nudge()
        return future

    def open_map(
        self, func: Callable[..., Any], inputs: Iterable[Any], starred: bool,
        chunksize: int | None, buffersize: int | None,
    ) -> MapCall:
        """See :meth:`Desk.open_map`."""
        visits = self._visits
        if visits.over:
            raise _over()
        visits.newest = number = self._number()
        func = self._scheduler.wrapped(func, number, self.running, is_map=True)
        call = MapCall(
            number, self.rank, func, inputs, starred, workers=self.workers,
            chunksize=chunksize, buffersize=buffersize, tuning=self.tuning,
        )
        self.exchange.ledger.open_map(call)
        visits.nudge()
        return call

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """See :meth:`Desk.guarded`."""
        return self._scheduler.guarded(func)

    def creation_time(self, number: int) -> float:
        """When the own task of that number was created: at the next look, on the clock."""
        return self._scheduler.creation_time(number)

    # -- waiting -----------------------------------------------------------

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """See :meth:`Desk.wait_for`."""
        if (
            timeout is None and future.func is self._quick and future.listeners is None
            and self._own.pop(future.number, None) is not None
        ):
            self.run_on_the_spot(future)
            return
        if future.state is FINISHED or future.state is CANCELLED:
            return
        self._visits.check_own(future.number)
        deadline = None if timeout is None else self.clock() + timeout
        blocked = self.parked()
        future.add_waiter(blocked)
        try:
            while future.state is not FINISHED and future.state is not CANCELLED:
                if deadline is not None and self.clock() >= deadline:
                    told = self.story_of(future)
                    raise TimeoutError(f"{future!r} is not done after {timeout} s: {told}")
                self.park(blocked, deadline)
        finally:
            future.remove_waiter(blocked)
        func = future.func
        if self.on_the_spot and holds_nothing(func) and self.estimates.is_quick(func):
            self._quick = func

    def run_on_the_spot(self, future: Future[Any]) -> None:
        """Runs a task that was taken out of the backlog."""
        visits = self._visits
        outer, self.running = self.running, future.number
        visits.at_work += 1
        try:
            self._countdown -= 1
            if self._countdown:
                future.run()
            else:
                self._run_timed(future)
        finally:
            visits.at_work -= 1
            self.running = outer
        del future  # its error's traceback may refer to this frame: no cycle

    def _run_timed(self, future: Future[Any]) -> None:
        self._countdown = TIMED_EVERY
        future.began_at = began = self.clock()
        future.run()
        future.elapsed_s = elapsed_s = self.clock() - began
        self.estimates.learn(future.func, elapsed_s)
        if elapsed_s > self.tuning.quick_call_s:
            self._quick = None
        del future  # as in run_on_the_spot

    def check_own(self, number: int) -> None:
        """See :meth:`Desk.check_own`."""
        self._visits.check_own(number)

    def parked(self) -> Blocked:
        """See :meth:`Desk.parked`."""
        return Blocked(self._visits.event())

    def park(self, parked: Blocked, deadline: float | None = None) -> None:
        """See :meth:`Desk.park`."""
        visits = self._visits
        parked.must_end = deadline is None
        visits.blocked[parked] = None
        if self._scheduler.alone:
            self._scheduler.donate()  # what is asked is answered here, and at once
        try:
            visits.nudge()
            if visits.over:
                raise _over()
            parked.sleep(None if deadline is None else max(0.0, deadline - self.clock()))
        finally:
            del visits.blocked[parked]
        if parked.error is not None:
            raise parked.error

    def poll(self) -> None:
        """See :meth:`Desk.poll`. Others see to it that something happens."""

    def look(self) -> None:
        """See :meth:`Desk.look`. Others take in what comes."""

    # -- for signals -------------------------------------------------------

    def program_is_over(self) -> bool:
        """See :class:`signals.Struck`."""
        return self._scheduler.program_is_over()

    def expect_errors(self) -> None:
        """See :class:`signals.Struck`. Tasks of others never run here, but for quick ones."""

    def interrupt(self, parked: Any, error: BaseException, at_once: bool) -> None:
        """See :class:`signals.Struck`."""
        raise AssertionError("nobody is put aside here")

    def rouse(self) -> None:
        """See :class:`signals.Struck`. A signal ends a wait of its thread by itself."""

    # -- for context -------------------------------------------------------

    def main_frame(self) -> FrameType | None:
        """See :class:`scoop_mpi.base.context.Scheduler`."""
        return sys._getframe()
