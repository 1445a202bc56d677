"""A worker's state machine: which greenlet runs next.

No MPI here: the endpoint, the clock and what to do while idle are passed in, so the
same object runs over MPI, in one process without peers, and in simulations.

Greenlets
    The program (on the root) lives in the main greenlet. Tasks are run by *runners*:
    a runner loops over the backlog and calls one task after the other, so a task that
    waits for nothing costs no greenlet and no switch. When something must wait, its
    greenlet is parked and another runner, a spare or a new one, carries on; when what
    it waited for is there it goes to ``ready`` and is resumed before new work begins.

    A waiting greenlet may have a deep stack. A new runner therefore starts from the
    hub, a greenlet that was created when the stack was shallow.

    Waiting for a single task that nobody has started yet runs it right there, in the
    waiting greenlet: it could do nothing else. That is what makes fork-join cheap.
    It nests, so after ``INLINE_DEPTH`` levels a fresh runner takes over.

    Whoever a signal handler may raise an exception for (``signals``: the program, and tasks
    that have installed one) does so only with functions that were quick so far: the
    exception must not strike another task that happens to run on its stack.

    The parent of every greenlet is the main one: an error that escapes from a runner (a
    deadlock, a defect of ours) surfaces there.

Tried and not taken: one greenlet per task (8 µs each, against 1 µs for the rest).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError
from itertools import count
from operator import itemgetter
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any, Protocol, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from .attributes import Work
from .backlog import Backlog
from .codec import Codec
from .errors import DeadlockError
from .frames import Leaving
from .future import CANCELLED, FINISHED, ForeignTask, Future
from .mapcall import Chunk, MapCall
from .messages import BROKER, ROOT, Define, Drained, Lookup, Message, Undefine
from .parcels import Parcels
from .signals import guard
from .trader import Trader
from .transport.endpoint import Endpoint

T = TypeVar("T")

INLINE_DEPTH = 8
"""Nested waits that run their task on the waiting stack (six frames a level)."""
SPARE_RUNNERS = 64
"""Runners kept for later; more are let go."""
SHARE_AFTER_S = 0.0003
"""Seconds that a worker must have had work before it offers some: what is done sooner
takes less time than a message to a worker that sleeps."""
HIDDEN_S = 0.01
"""Seconds that user code must have run before work may go that was taken for trivial ..."""
HIDDEN_CROWDED_S = 0.1
"""... where other ranks may have had the core meanwhile."""
POLL_PATIENCE_S = 0.01
"""Seconds for which work may wait for other workers while a task here only polls."""
DEADLINE_PATIENCE_S = 1.0
"""Seconds of waits with deadlines for which work that may outlast them is left to others ..."""
PATIENCE_WEAR = 0.25
"""... and what remains of that patience when nobody has taken any; if one has, it returns."""
STRIDE_MAX = 1024
"""Most tasks between two looks at the network."""
STRIDE_S = 0.005
"""Seconds between two looks at the network to aim at. (A look takes some 50 µs when the
program has had the caches for itself.)"""
LOG_LENGTH = 4096
"""Looks at the network for which it is remembered how many tasks there were."""
UNKNOWN_TASK_S = 1.0
"""How long a task of an unmeasured function is assumed to take, near a deadline."""
DEADLINE_MARGIN = 100
"""While a wait has a deadline, work is started only if there is time for it so many times
over: calls of one function can differ much."""


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
        """A future it waits for is done (:class:`scoop_mpi.future.Waiter`)."""
        self.wake()


class Idler(Protocol):
    """What a scheduler does while there is nothing to do.

    ``spin_s``: seconds of a wait that are spent looking again and again.
    """

    spin_s: float

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """Lets a little time pass.

        Args:
            waited_s: seconds that there has been nothing to do.
            limit_s: seconds until something is due; None: nothing is.
        """

    def resume(self) -> None:
        """There is something to do again."""

    def rouse(self) -> None:
        """Ends a pause that is going on. Called by signal handlers."""


class Scheduler:
    """The worker on the endpoint's rank.

    Args:
        clock: monotonic seconds.
        idler: what to do while there is nothing to do.
        alone: there is no broker and no other rank.
    """

    # With more than 30 attributes in a __dict__, Python 3.11 takes 0.5 µs more for a task.
    __slots__ = (
        "rank", "workers", "clock", "codec", "backlog", "trader", "running", "running_chunk",
        "created", "main", "asleep", "ended_by", "_alone", "_idler", "_ready", "_spare",
        "_stepping", "_stepped", "_timers", "_alarms", "_timer_number", "_tickets", "_news",
        "_room", "_quick", "_stride",
        "_countdown", "_looked_at", "_busy_since", "_share_from", "_polling_since",
        "_refused_at", "_had_work", "_patience_s", "_taken",
        "_polled_with", "_creations", "_leaver", "_hub", "_own", "_measure",
    )

    def __init__(
        self, endpoint: Endpoint, codec: Codec, clock: Callable[[], float],
        idler: Idler, alone: bool = False,
    ) -> None:
        self.rank = endpoint.rank
        self.workers = endpoint.size - 1
        self.clock = clock
        self.backlog = Backlog(self.workers)
        self.trader = Trader(endpoint, Parcels(codec, endpoint.rank), self.backlog)
        self.codec = codec
        self.running: Work = None
        """What runs on the thread of tasks."""
        self.running_chunk: Chunk | None = None
        self.created = 0
        """Tasks and maps created so far; the last id given out."""
        self.main = getcurrent()
        """The greenlet of the program."""
        self.asleep: dict[greenlet, Parked] = {}
        """The greenlets that wait, or were put aside."""
        self.ended_by: BaseException | None = None
        """What a signal handler of the program has raised after its end."""
        self._alone = alone
        self._idler = idler
        self._ready: deque[Parked] = deque()
        self._spare: list[greenlet] = []
        self._stepping: list[Parked] = []
        self._stepped: list[Parked] = []
        self._timers: list[tuple[float, int, Parked]] = []
        self._alarms: list[tuple[float, int, Parked]] = []
        self._news = self.trader.constants.fresh
        self._own = self.backlog.own
        self._measure = True
        self._polled_with = 0
        self._timer_number = count()
        self._tickets = count(1)
        self._room: int | None = INLINE_DEPTH
        self._quick: Callable[..., Any] | None = None
        self._stride = 1
        self._countdown = 1
        self._looked_at = clock()
        self._busy_since = self._looked_at
        self._share_from = self._looked_at
        self._polling_since = self._looked_at
        self._refused_at: float | None = None
        self._had_work = False
        self._patience_s = DEADLINE_PATIENCE_S
        self._taken = 0
        self._creations: deque[tuple[int, float]] = deque([(0, self._looked_at)], LOG_LENGTH)
        self._leaver: Parked | None = None
        self._hub = greenlet(self._start_runners, parent=self.main)
        self._hub.switch()

    # -- creating work -----------------------------------------------------

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Future[Any]:
        """Creates a task; it may start here or elsewhere from now on."""
        self.created = id_ = self.created + 1
        self._own[id_] = future = Future(id_, func, args, kwargs, self.running)
        self._countdown -= 1
        if self._countdown < 0:
            self.look(keep=0)
        return future

    def open_map(
        self, func: Callable[..., Any], inputs: Iterable[Any], starred: bool,
        chunksize: int | None, buffersize: int | None,
    ) -> MapCall:
        """Creates a map call; its items may start here or elsewhere from now on."""
        self.created += 1
        if not self.backlog:
            self._busy_since = self.clock()
        call = MapCall(
            self.created, self.rank, func, inputs, starred, workers=self.workers,
            chunksize=chunksize, buffersize=buffersize,
        )
        self.trader.open_map(call)
        self.look(keep=0)
        return call

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as tasks should call it (:mod:`scoop_mpi.strict`); here: as it is."""
        return func

    def creation_time(self, number: int) -> float:
        """When the own task of that number was created: at the next look, on the clock."""
        looks = list(self._creations)
        at = bisect_left(looks, number, key=itemgetter(0))
        return looks[at][1] if at < len(looks) else self.clock()

    def typical_time(self, func: Callable[..., Any]) -> float:
        """Seconds that calls of ``func`` take by the newest measurements; 0.0: none."""
        return self.backlog.estimates.get(func)

    def claim(self, future: Future[Any]) -> bool:
        """Takes an unstarted task out of the backlog; False if it is too late."""
        return self.backlog.claim(future)

    # -- waiting -----------------------------------------------------------

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """Returns when ``future`` is done.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        if timeout is None:
            if self.backlog.turn:
                self._step()
            room = self._room  # None: errors of signal handlers are to be expected
            if (
                (room or future.func is self._quick and room is None
                 and future.listeners is None)
                and not self._ready  # whoever is ready goes first
                and not (self._news and self._take_news())
                and self._own.pop(future.number, None) is not None
            ):
                outer, self.running = self.running, future.number
                self._room = room - 1 if room else INLINE_DEPTH
                try:
                    if self._measure:
                        self._run_timed(future)
                    else:
                        future.run()
                finally:
                    self._room = room
                    self.running = outer
                del future  # its error's traceback may refer to this frame: no cycle
                self._countdown -= 1
                if self._countdown < 0:
                    self.look(keep=0)
            elif room is None:
                self._wait_apart(future)
            else:
                self._wait(future)
            return
        if future.state is CANCELLED:
            return
        deadline = self.clock() + timeout
        if timeout <= 0 or not self.trader.peers:
            self.poll()
        else:
            self.look()
        while future.state is not FINISHED and future.state is not CANCELLED:
            if self.clock() >= deadline:
                raise TimeoutError(f"{future!r} is not done after {timeout} s")
            parked = Parked(self._ready)
            future.add_waiter(parked)
            try:
                self.park(parked, deadline)
            finally:
                future.remove_waiter(parked)

    def _wait(self, future: Future[Any]) -> None:
        while future.state is not FINISHED and future.state is not CANCELLED:
            parked = Parked(self._ready)
            future.add_waiter(parked)
            self.park(parked)

    def _wait_apart(self, future: Future[Any]) -> None:
        """As :meth:`_wait`; the task runs next, on another stack, if it does so here."""
        if self._own.pop(future.number, None) is not None:
            self._own[future.number] = future  # now the newest
            self._measure = True
        self._wait(future)
        func = future.func
        if _holds_nothing(func) and self.backlog.estimates.is_quick(func):
            self._quick = func

    def expect_errors(self) -> None:
        """From now on a signal handler may raise exceptions for the calling greenlet, until
        its task is over."""
        self._room = None

    def wait_for_map(self, call: MapCall, deadline: float | None) -> None:
        """Returns when further results of ``call`` have come, or at ``deadline``."""
        parked = Parked(self._ready)
        call.on_arrival = parked.wake
        try:
            self.park(parked, deadline)
        finally:
            call.on_arrival = None

    def parked(self) -> Parked:
        """A handle on the calling greenlet, for :meth:`park`."""
        return Parked(self._ready)

    def park(
        self, parked: Parked, deadline: float | None = None, punctual: bool = True,
        onward: greenlet | None = None,
    ) -> None:
        """Suspends the calling greenlet until it is woken or ``deadline`` has passed.

        The one place where a task gives up control.

        Args:
            punctual: start nothing meanwhile that may take longer than the deadline.
            onward: who goes on now; None: a runner.

        Raises:
            BaseException: what a signal handler has raised for the calling greenlet.
        """
        room, chunk, running = self._room, self.running_chunk, self.running
        self._release_rest()
        self.running_chunk = None
        if deadline is not None:
            timers = self._timers if punctual else self._alarms
            heapq.heappush(timers, (deadline, next(self._timer_number), parked))
            self._countdown = 0
        if onward is None:
            onward = self._spare.pop() if self._spare else self._hub
        self.asleep[parked.greenlet] = parked
        try:
            onward.switch()
        except BaseException as error:
            # An error of a runner has surfaced here. What this greenlet waited for must
            # not resume it later, out of another wait.
            parked.woken = True
            if parked in self._ready:
                self._ready.remove(parked)
            if type(error) is GreenletExit:
                raise Leaving() from None
            raise
        finally:
            del self.asleep[parked.greenlet]
            self._room, self.running_chunk, self.running = room, chunk, running
        if parked.error is not None:
            guard.rest()
            raise parked.error

    def interrupt(self, parked: Parked, error: BaseException, at_once: bool) -> None:
        """Raises ``error`` where a greenlet waits.

        What it waited for is not touched, and can be waited for again.

        Args:
            at_once: the calling greenlet is put aside for it, and goes on later.
        """
        if parked is self._leaver:
            self.ended_by = error
        else:
            parked.error = error
        if not at_once:
            parked.wake()
            return
        if parked.woken:
            self._ready.remove(parked)
        parked.woken = True
        aside = Parked(self._ready)
        aside.wake()
        self.park(aside, onward=parked.greenlet)

    def rouse(self) -> None:
        """Ends a pause that is going on. Called by signal handlers."""
        self._countdown = 0  # what runs here may take longer than it was taken for
        self._idler.rouse()

    def _take_news(self) -> bool:
        """Constants have come, which tasks that start now must see; is anybody ready?"""
        self.look()
        return bool(self._ready)

    def consult(self, ask: Callable[[int], Define | Lookup | Undefine]) -> Message:
        """Asks the broker about constants; other tasks run until it has answered.

        Args:
            ask: makes the question, given its ticket.
        """
        parked = Parked(self._ready)
        ticket = next(self._tickets)
        self.trader.ask_broker(ticket, ask(ticket), parked.wake)
        try:
            self.park(parked)
        except BaseException:
            self.trader.ignore_answer(ticket)
            raise
        return self.trader.answer(ticket)

    def poll(self) -> None:
        """Takes in what has arrived, lets greenlets go on that are ready, and runs one
        piece of work if nobody else does.

        (Else a program that polls ``done()`` would wait for ever.)
        """
        self.look(eager=True, hold=True)
        now = self.clock()
        # However far apart the polls are: each may come after a sleep.
        if self.created != self._polled_with:
            self._polling_since, self._polled_with = now, self.created
        nobody_helps = now - self._polling_since > POLL_PATIENCE_S
        # Others that poll may have stepped aside for this one, which waits for one of them.
        can_step = self.backlog or self._stepping
        if self._ready or not self.trader.peers or nobody_helps and can_step:
            self._step()

    def _step(self) -> None:
        """Lets greenlets go on that are ready, and one piece of work run until it waits."""
        parked = Parked(self._ready)
        self._stepping.append(parked)
        self.park(parked)

    def serve(self) -> int:
        """Runs tasks until the broker ends the job; returns the exit code.

        Without a broker: until what was submitted has run as far as it can. In either case
        until a signal handler of the program has raised something (:attr:`ended_by`).
        """
        while self.trader.shutdown is None:
            self._leaver = Parked(self._ready)
            self.park(self._leaver)
            if self._alone or self.ended_by is not None:
                return 0
        return self.trader.shutdown.exit_code

    def await_shutdown(self) -> int:
        """Runs nothing more; returns the exit code when the broker has ended the job."""
        began = self.clock()
        while self.trader.shutdown is None:
            self.look()
            self._idler.pause(self.clock() - began, None)
        return self.trader.shutdown.exit_code

    def program_is_over(self) -> bool:
        """True when the program has run here, and :meth:`serve` does what it has left."""
        return self._leaver is not None and (self._alone or self.rank == ROOT)

    def run_program(self, run: Callable[[], T]) -> T:
        """Calls ``run``, which is the user's program."""
        return run()

    def main_frame(self) -> FrameType | None:
        """Where the main greenlet waits, in which errors of others surface; None: it runs."""
        return self.main.gr_frame

    def close(self) -> None:
        """The job is over on this rank: nothing of the program is kept alive any more."""
        self.codec.names.forget()

    def donate(self) -> None:
        """Deals with other ranks while this one is inside user code.

        Called by the donor thread.
        """
        now = self.clock()
        chunk = self.running_chunk
        # Light items are left alone, unless one of them is not what they were taken for.
        patience_s = HIDDEN_S if self._idler.spin_s else HIDDEN_CROWDED_S
        thrifty = now - self._looked_at < patience_s
        release = None if thrifty and chunk is not None and chunk.light else self._release_rest
        self.trader.exchange(
            now, keep=0, share=True, thrifty=thrifty, asks=False, donor=True,
            on_shortage=release,
        )
        self._countdown = 0  # a task takes long: tasks are not as short as they were

    def _release_rest(self) -> None:
        """Makes what the running chunk has not started available to others."""
        chunk = self.running_chunk
        if chunk is not None and (rest := chunk.take_rest()) is not None:
            self.backlog.chunks.append(rest)

    # -- running -----------------------------------------------------------

    def _start_runners(self) -> None:
        """The hub: whoever switches here gets a new runner started."""
        self.main.switch()
        while True:
            greenlet(self._run, parent=self.main).switch()

    def _run(self) -> None:
        """A runner. Ends only to let a ready greenlet continue in its place."""
        me = getcurrent()
        ready = self._ready
        self._wake_stepped()
        while True:
            if ready:
                if len(self._spare) >= SPARE_RUNNERS:
                    me.parent = ready.popleft().greenlet
                    return
                self._spare.append(me)
                ready.popleft().greenlet.switch()
                if self._stepped:
                    self._wake_stepped()
                continue
            self._countdown -= 1
            if self._countdown < 0 or self._news:
                self.look(keep=1)
                continue
            if self._stepping:  # the next piece is for them
                self._stepped, self._stepping = self._stepping, []
            if self._timers and not self._may_start(now_begins=True) or not self._run_one():
                self._idle()
            if self._stepped:
                self._wake_stepped()

    def _run_one(self) -> bool:
        """Runs the next piece of work; False if there is none.

        A frame of its own: nothing refers to a task once it is over.
        """
        work = self.backlog.take()
        if work is None:
            return False
        self._room = INLINE_DEPTH
        try:
            if isinstance(work, Chunk):
                self.running = work.owner, work.map_id
                self._run_chunk(work)
            elif isinstance(work, ForeignTask):
                self.running = work.owner, work.number
                self._run_foreign(work)
            else:
                self.running = work.number
                if self._measure:
                    self._run_timed(work)
                else:
                    work.run()
        finally:
            self.running = None
        del work  # its error's traceback may refer to this frame: no cycle
        return True

    def _run_timed(self, task: Future[Any]) -> None:
        self._measure = False
        task.began_at = began = self.clock()
        task.run()
        task.elapsed_s = elapsed_s = self.clock() - began
        self.backlog.estimates.learn(task.func, elapsed_s)
        del task  # as in _run_one

    def _run_foreign(self, task: ForeignTask[Any]) -> None:
        if not self.trader.asked and self.backlog.low():
            self.trader.ask_ahead(self.backlog.estimates.get(task.func))
        task.began_at = began = self.clock()
        task.run()
        task.elapsed_s = self.clock() - began
        self.trader.report_task(task)
        if task.elapsed_s > STRIDE_S:
            self._countdown = 0  # its owner should not wait for the end of another one
        del task  # as in _run_one

    def _run_chunk(self, chunk: Chunk) -> None:
        if self.trader.is_unwanted(chunk):
            return
        if not self.trader.asked and self.backlog.low():
            self.trader.ask_ahead(chunk.estimate_s * len(chunk))
        self.running_chunk = chunk
        chunk.run(self.clock)
        self.running_chunk = None
        self.trader.report_chunk(chunk)
        self._countdown = 0
        del chunk  # as in _run_one

    def _may_start(self, now_begins: bool = False) -> bool:
        """False if the next piece of work would make a wait overrun its deadline.

        Tasks cannot be interrupted, so that work is left to other workers; but if none takes
        it for long, all may wait with deadlines for one another: each in many short waits, or
        each in a tree of long ones. So the patience is not that of one wait, and it wears off.

        Args:
            now_begins: if it may, it does.
        """
        timers = self._timers
        _drop_woken(timers)
        if not timers or not self.trader.peers:
            return True
        now = self.clock()
        left_s = (timers[0][0] - now) / DEADLINE_MARGIN
        if self.backlog.turn:
            # What is too long loses its turn until the next look.
            self.backlog.turn = (self.backlog.peek_oldest_s() or UNKNOWN_TASK_S) < left_s
        fits = (self.backlog.peek_estimate_s() or UNKNOWN_TASK_S) < left_s
        patience_is_over = not fits and not self.backlog.turn and self._patience_is_over(now)
        if now_begins and (fits or self.backlog.turn or patience_is_over):
            self._refused_at = None
            self._patience_s *= PATIENCE_WEAR if patience_is_over else 1.0
        return fits or self.backlog.turn or patience_is_over

    def _patience_is_over(self, now: float) -> bool:
        """Has work been left to others, of which they took none, for long enough?"""
        has_work = bool(self.backlog)
        if self._taken != self.trader.gifts:
            self._taken = self.trader.gifts
            self._refused_at = now
            self._patience_s = min(self._patience_s / PATIENCE_WEAR, DEADLINE_PATIENCE_S)
        elif self._refused_at is None or has_work and not self._had_work:
            self._refused_at = now
        self._had_work = has_work
        return now - self._refused_at > self._patience_s

    def _idle(self) -> None:
        """Returns when there is something to do."""
        began = now = self.clock()
        try:
            while True:
                spins = now - began < self._idler.spin_s
                may_start = not self._timers or self._may_start()
                _drop_woken(self._alarms)
                self.look(keep=1 if may_start else 0, eager=not may_start, hold=spins)
                if guard.noted:
                    guard.strike_idle(self)
                if self._ready or (self.backlog and may_start):
                    break
                if self._stepped or self._stuck():
                    break
                self._answer_drain()
                if may_start:
                    self.trader.ask()
                now = self.clock()
                if now - began >= self._idler.spin_s and self.trader.has_due():
                    continue  # a sleep would keep others waiting
                if self.trader.transferring():
                    began = now
                due = [timers[0][0] - now for timers in (self._timers, self._alarms) if timers]
                self._idler.pause(now - began, min(due, default=None))
        finally:
            self._idler.resume()
        self._stride = 1
        self._busy_since = self.clock()

    def _stuck(self) -> bool:
        """Without other ranks, nothing can come of waiting: leave, or say so."""
        if self.trader.peers or self._timers or self._alarms or self.trader.questions:
            return False
        if self._leaver is None:
            raise DeadlockError(
                f"deadlock: {len(self.asleep)} wait(s) left, and no task that could end one"
            )
        if not self._alone:
            return False  # the broker says when
        self._leaver.wake()
        return True

    def _answer_drain(self) -> None:
        turn = self.trader.drain_turn
        # The one who waits is the main greenlet, in serve().
        if turn is not None and len(self.asleep) == 1 and not self.trader.unfinished():
            self.trader.drain_turn = None
            self.trader.tell(BROKER, Drained(turn, self.created))

    def look(self, keep: int = 0, eager: bool = False, hold: bool = False) -> None:
        """Looks at the network and the clock; sets when to do so again.

        Args:
            keep: pieces of work that are about to be run here.
            eager: nothing is: give away what there is, however new or small.
            hold: the next look follows at once; see :meth:`Trader.exchange`.
        """
        now = self.clock()
        passed_s, self._looked_at = now - self._looked_at, now
        if self.created != self._creations[-1][0]:
            self._creations.append((self.created, now))
        if passed_s < STRIDE_S / 2:
            self._stride = min(2 * self._stride, STRIDE_MAX)
        elif passed_s > STRIDE_S:
            self._stride = max(1, int(self._stride * STRIDE_S / passed_s))
            self._quick = None
        self._measure = True  # one task between two looks: the clock is not free
        # Near a deadline, look at the clock after each piece of work.
        self._countdown = 1 if self._timers else self._stride
        backlog, trader = self.backlog, self.trader
        if self.created - len(self._own) + backlog.pieces >= backlog.turn_at:
            backlog.note_turn(self.created)
            # Whoever went on in their place may wait in a loop for what it runs itself.
            self._wake_all(self._stepping)
        if not backlog:
            self._busy_since = now
        # The first pieces are short, so that others get some soon.
        backlog.run_s = max(SHARE_AFTER_S, now - self._busy_since)
        share = now > self._share_from and now - self._busy_since > SHARE_AFTER_S
        gifts = trader.gifts
        trader.exchange(now, keep, share or eager, thrifty=not eager, hold=hold)
        if trader.gifts != gifts:
            backlog.learn_cost((self.clock() - now) / (trader.gifts - gifts))
            if trader.small_gift:
                self._share_from = now + trader.ration_s
        if trader.has_mail():
            self._idler.resume()  # user code may run: the donor must be awake
            trader.take_in()
        if self._timers or self._alarms:
            self._wake_due(now)
        if trader.shutdown is not None and self._leaver is not None:
            self._leaver.wake()

    def _wake_due(self, now: float) -> None:
        for timers in self._timers, self._alarms:
            while timers and timers[0][0] <= now:
                heapq.heappop(timers)[2].wake()

    def _wake_stepped(self) -> None:
        """The piece of work that they let run is over, or waits."""
        self._wake_all(self._stepped)

    def _wake_all(self, aside: list[Parked]) -> None:
        while aside:
            aside.pop(0).wake()


def _holds_nothing(func: Callable[..., Any]) -> bool:
    """True for functions that refer to nothing but their code and a module."""
    if type(func) is FunctionType:
        return func.__closure__ is None and func.__defaults__ is None
    return type(func) is BuiltinFunctionType and isinstance(func.__self__, ModuleType)


def _drop_woken(timers: list[tuple[float, int, Parked]]) -> None:
    """Forgets the next deadlines as long as nobody waits for them any more."""
    while timers and timers[0][2].woken:
        heapq.heappop(timers)
