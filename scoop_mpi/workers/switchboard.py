"""Which greenlet runs. Knows no work: what a runner does between two switches is passed in.

The program (on the root) lives in the main greenlet. Tasks are run by *runners*: a runner
runs one piece of work after the other, so a task that waits for nothing costs no greenlet
and no switch. When something must wait, its greenlet is parked and another runner, a spare
or a new one, carries on; when what it waited for is there it is ready, and resumed before
new work begins.

    running     one greenlet
    ready       in ``ready``: goes on when a runner has done with its piece
    parked      in ``asleep``: waits, or was put aside by a signal
    spare       a runner without work

A waiting greenlet may have a deep stack. A new runner therefore starts from the hub, a
greenlet that was created when the stack was shallow. The parent of every greenlet is the
main one: an error that escapes from a runner (a deadlock, a defect of ours) surfaces there.

Tried and not taken: one greenlet per task (8 µs each, against 1 µs for the rest).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from ..base.frames import Leaving
from ..tasks.future import Future

Timer = tuple[float, int, "Parked"]


class Parked:
    """A greenlet that waits; resumed once, however many events wake it.

    ``error``: raised where it waits, when it is resumed.
    """

    __slots__ = ("greenlet", "woken", "error", "_ready")

    def __init__(self, ready: deque[Parked]) -> None:
        self.greenlet = getcurrent()
        self.woken = False
        self.error: BaseException | None = None
        self._ready = ready

    def wake(self) -> None:
        """Makes the greenlet run again soon."""
        if not self.woken:
            self.woken = True
            self._ready.append(self)

    def notify(self, future: Future[Any]) -> None:
        """A future it waits for is done (:class:`scoop_mpi.tasks.future.Waiter`)."""
        self.wake()


class Switchboard:
    """The greenlets of one worker.

    Args:
        run_piece: runs the next piece of work, or waits until there is something to do.
        spare_max: runners kept for later; more are let go.
    """

    __slots__ = ("main", "ready", "asleep", "stepping", "timers", "alarms", "_stepped",
                 "_spare", "_spare_max", "_numbers", "_run_piece", "_hub")

    def __init__(self, run_piece: Callable[[], None], spare_max: int) -> None:
        self.main = getcurrent()
        """The greenlet of the program."""
        self.ready: deque[Parked] = deque()
        self.asleep: dict[greenlet, Parked] = {}
        """The greenlets that wait, or were put aside."""
        self.stepping: list[Parked] = []
        """Those that wait until one more piece of work has been run, or waits itself."""
        self.timers: list[Timer] = []
        """Waits that are to end punctually, by deadline; some may have ended."""
        self.alarms: list[Timer] = []
        """The other waits with deadlines."""
        self._stepped: list[Parked] = []  # their piece has begun
        self._spare: list[greenlet] = []
        self._spare_max = spare_max
        self._numbers = count()  # two timers of one moment must be told apart
        self._run_piece = run_piece
        self._hub = greenlet(self._start_runners, parent=self.main)
        self._hub.switch()

    # -- waiting -----------------------------------------------------------

    def set_timer(self, deadline: float, parked: Parked, punctual: bool) -> None:
        """``parked`` is woken at ``deadline``."""
        timers = self.timers if punctual else self.alarms
        heapq.heappush(timers, (deadline, next(self._numbers), parked))

    def wait(self, parked: Parked, onward: greenlet | None = None) -> None:
        """Suspends the calling greenlet until ``parked``, which is its own, is woken.

        The one place where a greenlet gives up control.

        Args:
            onward: who goes on now; None: a runner.
        """
        if onward is None:
            onward = self._spare.pop() if self._spare else self._hub
        self.asleep[parked.greenlet] = parked
        try:
            onward.switch()
        except BaseException as error:
            # An error of a runner has surfaced here. What this greenlet waited for must
            # not resume it later, out of another wait.
            parked.woken = True
            if parked in self.ready:
                self.ready.remove(parked)
            if type(error) is GreenletExit:
                raise Leaving() from None
            raise
        finally:
            del self.asleep[parked.greenlet]

    def end_wait(self, parked: Parked) -> None:
        """``parked`` is about to be resumed, though nothing has woken it."""
        if parked.woken:
            self.ready.remove(parked)
        parked.woken = True

    def main_frame(self) -> FrameType | None:
        """Where the main greenlet waits; None: it runs."""
        return self.main.gr_frame

    # -- deadlines ---------------------------------------------------------

    def next_deadline(self) -> float | None:
        """The first moment at which a wait is to end; None: no wait has a deadline."""
        if not self.timers:
            return self.alarms[0][0] if self.alarms else None
        if not self.alarms:
            return self.timers[0][0]
        return min(self.timers[0][0], self.alarms[0][0])

    def wake_due(self, now: float) -> None:
        """Wakes those whose deadline has passed."""
        for timers in self.timers, self.alarms:
            while timers and timers[0][0] <= now:
                heapq.heappop(timers)[2].wake()

    def drop_woken(self) -> None:
        """Forgets the next deadlines as long as nobody waits for them any more."""
        for timers in self.timers, self.alarms:
            while timers and timers[0][2].woken:
                heapq.heappop(timers)

    # -- one more piece of work --------------------------------------------

    def piece_begins(self) -> None:
        """The next piece is for those that are stepping."""
        self._stepped, self.stepping = self.stepping, []

    @property
    def has_stepped(self) -> bool:
        """Does somebody wait for the end of the piece that has begun?"""
        return bool(self._stepped)

    def stop_stepping(self) -> None:
        """Wakes those that wait for one more piece, which has not begun."""
        _wake_all(self.stepping)

    # -- runners -----------------------------------------------------------

    def _start_runners(self) -> None:
        """The hub: whoever switches here gets a new runner started."""
        self.main.switch()
        while True:
            greenlet(self._run, parent=self.main).switch()

    def _run(self) -> None:
        """A runner. Ends only to let a ready greenlet continue in its place."""
        me = getcurrent()
        ready, run_piece = self.ready, self._run_piece
        _wake_all(self._stepped)  # the piece of work that they let run waits
        while True:
            if ready:
                if len(self._spare) >= self._spare_max:
                    me.parent = ready.popleft().greenlet
                    return
                self._spare.append(me)
                ready.popleft().greenlet.switch()
                if self._stepped:
                    _wake_all(self._stepped)
                continue
            run_piece()
            if self._stepped:
                _wake_all(self._stepped)


def _wake_all(aside: list[Parked]) -> None:
    while aside:
        aside.pop(0).wake()
