"""A worker's loop: runs the next piece of work, looks at the network, idles.

No MPI here: the endpoint, the clock and what to do while idle are passed in, so the
same object runs over MPI, in one process without peers, and in simulations. Which greenlet
runs is the business of ``switchboard``, when to look at the network that of ``cadence``,
what is said there that of ``exchange``. What tasks ask for is in ``scheduler``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from greenlet import greenlet

from ..base.errors import DeadlockError
from ..base.messages import BROKER, ROOT, Drained
from ..base.tuning import TUNING, Tuning
from ..tasks.attributes import WorkId
from ..tasks.backlog import Backlog
from ..tasks.chunk import Chunk
from ..tasks.future import ForeignTask, Future
from ..tasks.sizes import Sizes
from ..wire.codec import Codec
from ..wire.endpoint import Endpoint
from .cadence import Cadence
from .exchange import Exchange
from .patience import Patience
from .signals import guard
from .switchboard import Parked, Switchboard
from .trader import Terms

WORKING = Terms()
"""At a look between two tasks."""
NEXT = Terms(reserved=1)
"""At one before a runner takes a piece."""
IDLE, IDLE_AGAIN = Terms(reserved=1), Terms(reserved=1, again=True)
"""At one of a worker without work: it begins with what comes; will it look again at once?"""
WAITING, POLLING = Terms(eager=True), Terms(eager=True, again=True)
"""At one of a worker that may not begin with what it has, as a task here waits or polls."""


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


class Loop:
    """That of the worker on the endpoint's rank.

    Args:
        clock: monotonic seconds.
        idler: what to do while there is nothing to do.
        alone: there is no broker and no other rank.
    """

    # With more than 30 attributes in a __dict__, Python 3.11 takes 0.5 µs more for a task.
    __slots__ = (
        "rank", "workers", "clock", "codec", "backlog", "exchange", "board", "running",
        "running_chunk", "created", "ended_by", "_alone", "_idler", "_ready", "_news", "_own",
        "_room", "_quick", "_countdown", "_measure", "_leaver", "_cadence", "_patience",
        "_sizes", "tuning", "_trader", "_estimates", "ledger",
    )

    def __init__(
        self, endpoint: Endpoint, codec: Codec, clock: Callable[[], float],
        idler: Idler, alone: bool = False, tuning: Tuning = TUNING,
    ) -> None:
        now = clock()
        self.rank = endpoint.rank
        self.workers = endpoint.size - 1
        self.clock = clock
        self.codec = codec
        self.tuning = tuning
        self._sizes = Sizes(tuning, self.workers)
        self._cadence = Cadence(tuning, self._sizes, now)
        self._patience = Patience(tuning, now)
        self.backlog = Backlog(self._sizes, tuning)
        self.exchange = Exchange(endpoint, codec, self.backlog, self._cadence, tuning)
        self.running: WorkId = None
        """What runs on the thread of tasks."""
        self.running_chunk: Chunk | None = None
        self.created = 0
        """Tasks and maps created so far; the last id given out."""
        self.ended_by: BaseException | None = None
        """What a signal handler of the program has raised after its end."""
        self._alone = alone
        self._idler = idler
        self._trader = self.exchange.trader
        self.ledger = self.exchange.ledger
        self._news = self.exchange.constants.fresh
        self._own = self.backlog.own
        self._estimates = self.backlog.estimates
        self._measure = True  # the next task is timed
        self._room: int | None = tuning.inline_depth  # None: see expect_errors()
        self._quick: Callable[..., Any] | None = None
        self._countdown = 1  # tasks to run until the next look
        self._leaver: Parked | None = None  # waits for the end of the job
        self.board = Switchboard(self._run_piece, tuning.spare_runners)
        self._ready = self.board.ready

    # -- waiting -----------------------------------------------------------

    def park(
        self, parked: Parked, deadline: float | None = None, punctual: bool = True,
        onward: greenlet | None = None,
    ) -> None:
        """Suspends the calling greenlet until it is woken or ``deadline`` has passed.

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
            self.board.set_timer(deadline, parked, punctual)
            self._countdown = 0
        try:
            self.board.wait(parked, onward)
        finally:
            self._room, self.running_chunk, self.running = room, chunk, running
        if parked.error is not None:
            guard.rest()
            raise parked.error

    def _release_rest(self) -> None:
        """Makes what the running chunk has not started available to others."""
        chunk = self.running_chunk
        if chunk is not None and (rest := chunk.take_rest()) is not None:
            self.backlog.put_chunk(rest)

    def expect_errors(self) -> None:
        """From now on a signal handler may raise exceptions for the calling greenlet, until
        its task is over."""
        self._room = None

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
        self.board.end_wait(parked)
        aside = Parked(self._ready)
        aside.wake()
        self.park(aside, onward=parked.greenlet)

    def program_is_over(self) -> bool:
        """True when the program has run here, and :meth:`serve` does what it has left."""
        return self._leaver is not None and (self._alone or self.rank == ROOT)

    def rouse(self) -> None:
        """Ends a pause that is going on. Called by signal handlers."""
        self._countdown = 0  # what runs here may take longer than it was taken for
        self._idler.rouse()

    # -- running -----------------------------------------------------------

    def _run_piece(self) -> None:
        """What a runner does between two switches.

        A frame of its own for each piece: nothing refers to a task once it is over.
        """
        self._countdown -= 1
        if self._countdown < 0 or self._news:
            self.look(NEXT)
            return
        board = self.board
        if board.stepping:
            board.piece_begins()
        if board.timers and not self._may_start(now_begins=True):
            self._idle()
            return
        work = self.backlog.take()
        if work is None:
            self._idle()
            return
        self._room = self.tuning.inline_depth
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

    def _run_timed(self, task: Future[Any]) -> None:
        self._measure = False
        task.began_at = began = self.clock()
        task.run()
        task.elapsed_s = elapsed_s = self.clock() - began
        self._estimates.learn(task.func, elapsed_s)
        del task  # as in _run_piece

    def _run_foreign(self, task: ForeignTask[Any]) -> None:
        if not self._trader.asked and self.backlog.low():
            self.exchange.ask_ahead(self._estimates.get(task.func))
        task.began_at = began = self.clock()
        task.run()
        task.elapsed_s = self.clock() - began
        self.exchange.reports.add_task(task)
        if task.elapsed_s > self.tuning.look_every_s:
            self._countdown = 0  # its owner should not wait for the end of another one
        del task  # as in _run_piece

    def _run_chunk(self, chunk: Chunk) -> None:
        if self.ledger.drop_unwanted(chunk):
            return
        if self.workers > 1 and not self._trader.asked and self.backlog.low():
            self.exchange.ask_ahead(chunk.estimate_s * len(chunk))
        self.running_chunk = chunk
        chunk.run(self.clock)
        self.running_chunk = None
        if chunk.owner == self.rank:
            self.ledger.chunk_has_run(chunk)
        else:
            self.exchange.reports.add_chunk(chunk)
        self._countdown = 0
        del chunk  # as in _run_piece

    def _may_start(self, now_begins: bool = False) -> bool:
        """False if the next piece of work would make a wait overrun its deadline.

        Args:
            now_begins: if it may, it does.
        """
        board, backlog, tuning = self.board, self.backlog, self.tuning
        if now_begins:
            board.drop_woken()
        if not board.timers or not self.exchange.peers:
            return True
        now = self.clock()
        left_s = (board.timers[0][0] - now) / tuning.deadline_margin
        if backlog.turn:
            # What is too long loses its turn until the next look.
            backlog.turn = (backlog.peek_oldest_s() or tuning.unknown_task_s) < left_s
        may = backlog.turn or (backlog.peek_estimate_s() or tuning.unknown_task_s) < left_s
        is_over = not may and self._patience.is_over(
            now, self._trader.gifts, bool(backlog))
        if now_begins and (may or is_over):
            self._patience.work_begins(is_over)
        return may or is_over

    def _idle(self) -> None:
        """Returns when there is something to do."""
        began = now = self.clock()
        board, exchange, spin_s = self.board, self.exchange, self._idler.spin_s
        try:
            while True:
                if board.timers or board.alarms:
                    board.drop_woken()
                may_start = not board.timers or self._may_start()
                spins = now - began < spin_s
                self.look((IDLE_AGAIN if spins else IDLE) if may_start else
                          (POLLING if spins else WAITING))
                if guard.noted:
                    guard.strike_idle(self)
                if self._ready or (self.backlog and may_start):
                    break
                if board.has_stepped or self._stuck():
                    break
                self._answer_drain()
                if may_start and not self._trader.asked:
                    exchange.ask()
                now = self.clock()
                if now - began >= spin_s and exchange.has_due():
                    continue  # a sleep would keep others waiting
                if exchange.transferring():
                    began = now
                due = board.next_deadline()
                self._idler.pause(now - began, None if due is None else due - now)
        finally:
            self._idler.resume()
        self._cadence.idle_ends(self.clock())

    def _stuck(self) -> bool:
        """Without other ranks, nothing can come of waiting: leave, or say so."""
        if self.exchange.peers or self.board.next_deadline() is not None:
            return False
        if self.exchange.enquiries:
            return False
        if self._leaver is None:
            raise DeadlockError(
                f"deadlock: {len(self.board.asleep)} wait(s) left, and no task that could end one"
            )
        if not self._alone:
            return False  # the broker says when
        self._leaver.wake()
        return True

    def _answer_drain(self) -> None:
        turn = self.exchange.drain_turn
        # The one who waits is the main greenlet, in serve().
        if turn is not None and len(self.board.asleep) == 1 and not self.exchange.unfinished():
            self.exchange.drain_turn = None
            self.exchange.send([(BROKER, Drained(turn, self.created))])

    def look(self, terms: Terms = WORKING) -> None:
        """Looks at the network and the clock; sets when to do so again."""
        now = self.clock()
        cadence, backlog, exchange, board = self._cadence, self.backlog, self.exchange, self.board
        cadence.look(now, self.created, bool(backlog))
        if cadence.overslept:
            self._quick = None
        self._measure = True  # one task between two looks: the clock is not free
        # Near a deadline, look at the clock after each piece of work.
        self._countdown = 1 if board.timers else cadence.stride
        begun = self.created - len(self._own) + backlog.pieces
        if begun >= backlog.turn_at:
            backlog.note_begun(begun)
            # Whoever went on in their place may wait in a loop for what it runs itself.
            board.stop_stepping()
        trader = self._trader
        gifts = trader.gifts
        exchange.exchange(now, terms, cadence.may_give or terms.eager)
        if trader.gifts != gifts:
            cadence.gave(now, self.clock() - now, trader.gifts - gifts, trader.small_gift)
        if exchange.has_mail():
            self._idler.resume()  # user code may run: the donor must be awake
            exchange.take_in()
        if board.timers or board.alarms:
            board.wake_due(now)
        if exchange.shutdown is not None and self._leaver is not None:
            self._leaver.wake()
