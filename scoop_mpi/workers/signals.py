"""Signal handlers of the program: called where nothing of ours can be torn by them.

A handler may raise: Ctrl-C does, and so do time limits by SIGALRM. In the middle of our
own steps that would lose a message or a task. So every handler that the program installs
is called through a guard, which looks whose code runs (``frames``):

    user code                   the handler is called at once
    a step of ours              the signal is noted, and sent again in a moment, or dealt
                                with when the worker idles

What the handler raises is meant for whoever has installed it, a task or the program
(Ctrl-C: the program). Where that one

    is running                  it is raised right there
    waits, and another runs     the other one is put aside as if it waited, too, and goes on
                                later; the wait ends with the exception
    waits, and all do           the wait ends with the exception
    waits for a task that       the exception comes when that is over, which is soon as only
    runs on its own stack       quick ones run there; after ``PATIENCE_S`` the task, or
                                callback, is struck as well
    is over                     it is raised in whatever runs, as under plain Python, or
                                logged; Ctrl-C after the program's end ends the job

So no task has an exception for its outcome that was meant for somebody else, none is lost,
and what a wait was for is there when it is asked for again.

Tried and not taken: blocking signals during our steps (a system call each), a flag that is
looked at by every verb (the hot paths pay for it, and a task that computes never looks).
"""

from __future__ import annotations

import _thread
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent

from ..base import context, forks
from ..base.context import here
from ..base.frames import PROGRAM, Called, Scope, Stack, calls_user_code, look_at
from ..base.log import logger
from .switchboard import Parked, Switchboard

if TYPE_CHECKING:
    from greenlet import greenlet

Handler = Callable[[int, FrameType | None], Any]

PATIENCE_S = 0.25
"""Seconds that a signal waits for the end of a task that was taken for a quick one, or for
the standard library to be left, before it strikes there."""
REST_S = 0.002
"""Seconds in which a program can deal with an exception before a signal raises another one:
not in its ``except`` block, however fast they come."""
AGAIN_S = 0.001
"""Seconds after which a signal that was noted is sent again the first time."""
AGAIN_MAX_S = 0.02
"""The longest time between two times that it is sent."""


class Struck(Protocol):
    """What signals interrupt: a scheduler."""

    board: Switchboard

    def program_is_over(self) -> bool:
        """Has the program run here?"""

    def expect_errors(self) -> None:
        """A handler may raise exceptions for the calling greenlet from now on."""

    def interrupt(self, parked: Parked, error: BaseException, at_once: bool) -> None:
        """Raises ``error`` where a greenlet waits."""

    def rouse(self) -> None:
        """Ends a pause that is going on."""


class Place(Enum):
    """Where the owner of a handler is."""

    HERE = "its code runs"
    BENEATH = "it waits for a task that runs, or waits, on its own stack"
    BENEATH_CALLBACK = "the same for a callback"
    WAITING = "it waits"
    OVER = "it is no more"


BENEATH = Place.BENEATH, Place.BENEATH_CALLBACK


class Guarded:
    """A handler of the program, as the system knows it.

    Args:
        handler: the program's.
        owner: the greenlet of whoever has installed it; None: the program's.
        scope: the frame that has called the task that has; ``PROGRAM``.
        replaced: what was in its place before.
    """

    def __init__(
        self, guard: Guard, handler: Handler, owner: greenlet | None, scope: Scope,
        replaced: Guarded | None,
    ) -> None:
        self.handler = handler
        self.owner = owner
        self.scope = scope
        self.replaced = replaced
        self._guard = guard

    def __call__(self, number: int, frame: FrameType | None) -> Any:
        """The system's call."""
        return self._guard.struck(self, number, frame)

    def find(self, scheduler: Struck, stack: Stack | None) -> tuple[Place, Parked | None]:
        """Where the owner is, and its wait if it does not run.

        Args:
            stack: what runs; None: nothing does.
        """
        owner = scheduler.board.main if self.owner is None else self.owner
        parked = scheduler.board.asleep.get(owner)
        if self.scope is PROGRAM and scheduler.program_is_over():
            return Place.WAITING if parked else Place.OVER, parked
        if parked is not None:
            stack = look_at(owner.gr_frame)
        elif stack is None or owner is not getcurrent():
            return Place.OVER, None
        scopes = scopes_of(scheduler, owner, stack)
        if self.scope not in scopes:
            return Place.OVER, None
        if scopes[0] is self.scope:
            return (Place.HERE if parked is None else Place.WAITING), parked
        return (Place.BENEATH_CALLBACK if stack.in_callback else Place.BENEATH), parked

    def bearer(self, scheduler: Struck, stack: Stack | None) -> tuple[Place, Parked | None]:
        """As :meth:`find`, for the newest owner of this handler that is not over."""
        one: Guarded | None = self
        while one is not None and one.handler is self.handler:
            place, parked = one.find(scheduler, stack)
            if place is not Place.OVER:
                return place, parked
            one = one.replaced
        return Place.OVER, None


def scopes_of(scheduler: Struck, owner: greenlet, stack: Stack) -> list[Scope]:
    """The scopes of a stack, but for those that a forked child has inherited.

    Without a launcher, and in a child, the program has no frame of ours.
    """
    scopes = [scope for scope in stack.scopes if scope not in forks.stack]
    if owner is scheduler.board.main and not context.job().running:
        scopes.append(PROGRAM)
    return scopes


class Guard:
    """Calls the handlers of this process; there is one, :data:`guard`."""

    def __init__(self) -> None:
        self.noted: dict[int, float] = {}
        """Signals that were not dealt with yet: since when, on ``time.monotonic``."""
        self.rest_s = REST_S
        self._sent_again: set[int] = set()
        self._due: set[int] = set()
        self._rests_until = 0.0
        self._signal = signal.signal
        self._getsignal = signal.getsignal

    def install(self) -> None:
        """From here on the handlers of this process are guarded, present and future ones.

        Does nothing in another thread than the main one, where no handler runs.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.signal is self._signal:
            signal.signal = functools.wraps(self._signal)(_set_handler)
            signal.getsignal = functools.wraps(self._getsignal)(_get_handler)
            os.register_at_fork(after_in_child=self._forget)
        for number in signal.valid_signals():
            handler = self._getsignal(number)
            if callable(handler) and not isinstance(handler, Guarded):
                self._signal(number, Guarded(self, handler, None, PROGRAM, None))

    def ignore_ctrl_c(self) -> None:
        """Its last effect has been had: what is left of this process takes a moment."""
        self.noted.clear()
        self._signal(signal.SIGINT, signal.SIG_IGN)

    def _forget(self) -> None:
        self.noted.clear()
        self._due.clear()
        self._sent_again.clear()

    # -- what the program calls --------------------------------------------

    def set_handler(self, signalnum: int, handler: Any) -> Any:
        """``signal.signal``, for the program."""
        current = self._getsignal(signalnum)
        before = current if isinstance(current, Guarded) else None
        if not callable(handler):
            self.noted.pop(signalnum, None)
        elif not isinstance(handler, Guarded):
            handler = self._guarded(handler, before)
        return _plain(self._signal(signalnum, handler))

    def get_handler(self, signalnum: int) -> Any:
        """``signal.getsignal``, for the program."""
        return _plain(self._getsignal(signalnum))

    def _guarded(self, handler: Handler, before: Guarded | None) -> Guarded:
        """The handler, as installed by whoever runs now."""
        scheduler = getattr(here, "scheduler", None)
        stack = look_at(sys._getframe())
        scopes = scopes_of(scheduler, getcurrent(), stack) if scheduler is not None else []
        if scheduler is None or not scopes or handler is signal.default_int_handler:
            return Guarded(self, handler, None, PROGRAM, None)
        scope = scopes[0]
        if before is not None and before.scope is scope:
            older = before.replaced
            if older is not None and handler is older.handler is not before.handler:
                return older  # it is put back, and is whose it was
            before = older
        while before is not None and before.find(scheduler, stack)[0] is Place.OVER:
            before = before.replaced
        if scope is PROGRAM:
            return Guarded(self, handler, None, PROGRAM, before)
        scheduler.expect_errors()
        return Guarded(self, handler, getcurrent(), scope, before)

    # -- when a signal has come --------------------------------------------

    def struck(self, guarded: Guarded, number: int, frame: FrameType | None) -> Any:
        """A signal interrupts ``frame``."""
        was_sent_again = number in self._sent_again
        self._sent_again.discard(number)
        if was_sent_again and number not in self.noted:
            return None  # it has been dealt with in between
        scheduler = getattr(here, "scheduler", None)
        stack = look_at(frame)
        if scheduler is None:  # not yet, no more, or this is a forked child
            return guarded.handler(number, frame) if stack.in_user_code else None
        if not stack.in_user_code or self._must_rest():
            return self._note(number, scheduler)
        place, parked = guarded.bearer(scheduler, stack)
        late = self._is_late(number)
        early = not late and (place in BENEATH or parked is not None and stack.in_library)
        busy = stack.bare if parked is None else parked.error is not None
        if early or busy:
            return self._note(number, scheduler)
        self._settle(number, place)
        if parked is None:
            return self._call(guarded.handler, number, frame)
        return self._end_wait(guarded, scheduler, number, frame, stack)

    def strike_idle(self, scheduler: Struck) -> None:
        """Nothing runs: ends the waits that signals are meant for which were noted."""
        for number in list(self.noted):
            guarded = self._getsignal(number)
            if not isinstance(guarded, Guarded):
                self.noted.pop(number, None)
                continue
            place, parked = guarded.bearer(scheduler, None)
            if parked is not None and parked.error is not None or self._must_rest():
                continue
            if place not in BENEATH or self._is_late(number):
                self._settle(number, place)
                self._end_wait(guarded, scheduler, number, sys._getframe(), None)

    def _end_wait(
        self, guarded: Guarded, scheduler: Struck, number: int, frame: FrameType | None,
        stack: Stack | None,
    ) -> None:
        """Calls the handler; what it raises ends the wait of its owner."""
        try:
            self._call(guarded.handler, number, frame)
            return
        except BaseException as raised:
            error = raised
        _, parked = guarded.bearer(scheduler, stack)  # the handler may have waited itself
        if parked is not None:
            scheduler.interrupt(parked, error, at_once=stack is not None)
        elif stack is not None:
            raise error
        else:
            logger.error("a signal handler has raised an exception for a task that is over",
                         exc_info=error)

    @calls_user_code(Called.FOR_CALLER)
    def _call(self, handler: Handler, number: int, frame: FrameType | None) -> Any:
        try:
            return handler(number, frame)
        except BaseException:
            self.rest()
            raise

    def _settle(self, number: int, place: Place) -> None:
        if place is not Place.BENEATH_CALLBACK:  # else what the handler raises is logged there
            self.noted.pop(number, None)

    def rest(self) -> None:
        """An exception is raised now: the next one must wait a little."""
        self._rests_until = time.monotonic() + self.rest_s

    def _must_rest(self) -> bool:
        return time.monotonic() < self._rests_until

    def _is_late(self, number: int) -> bool:
        noted_at = self.noted.get(number)
        return noted_at is not None and time.monotonic() - noted_at > PATIENCE_S

    def _note(self, number: int, scheduler: Struck) -> None:
        """The signal cannot be dealt with now: it comes again."""
        now = time.monotonic()
        age_s = now - self.noted.setdefault(number, now)
        scheduler.rouse()
        if number not in self._due:
            self._due.add(number)
            nap_s = min(AGAIN_S + age_s / 4, AGAIN_MAX_S)
            try:
                _thread.start_new_thread(self._send_again, (number, nap_s))
            except RuntimeError:
                self._due.discard(number)  # no thread to be had: when the worker idles

    def _send_again(self, number: int, nap_s: float) -> None:
        time.sleep(nap_s)
        self._due.discard(number)
        if number in self.noted:
            self._sent_again.add(number)
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, number)


def _plain(handler: Any) -> Any:
    """A handler as the program knows it."""
    return handler.handler if isinstance(handler, Guarded) else handler


guard = Guard()
"""That of this process."""


# Functions, as those that they stand in for: they go to other workers by name.


def _set_handler(signalnum: int, handler: Any) -> Any:
    return guard.set_handler(signalnum, handler)


def _get_handler(signalnum: int) -> Any:
    return guard.get_handler(signalnum)
