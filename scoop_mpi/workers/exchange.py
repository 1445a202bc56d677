"""Where the two threads of a worker meet: the lock, the network, what has come.

The *first* thread runs tasks, and calls :meth:`Exchange.exchange` between them. The *donor*
thread does it in its place while it is inside user code. Only the first thread runs user
code: what has come waits in the inbox until :meth:`Exchange.take_in`.

    what                           is protected by
    ----                           ---------------
    the endpoint, ``trader``       the lock (re-entrant: pickling may run user code, which
                                   may come back here)
    ``inbox``, ``reports``         the first thread puts in or takes out, whoever holds the
                                   lock does the other; each step is one C call
    ``backlog``, chunks, maps      what is taken is taken by one C call, or under a lock of
                                   the map's own
    ``constants``                  its lists say which thread calls what
    ``ledger.sent``                the lock to put in; the first thread takes out
    ``ledger.story``               either thread puts in, the first one reads; single C calls
    ``ledger.dropped``             any thread puts in (the garbage collector runs in each), the
                                   first one takes out; single C calls
    definitions (``codec``)        a lock of their own
    all else                       belongs to the first thread

So it relies on single C calls being one step, as the GIL makes them. On an interpreter
without the GIL there is no donor thread (``process.worker_rank``).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable

from ..base.errors import assert_never
from ..base.messages import (
    BROKER, Define, Defined, Drain, Drained, Failure, Finished, Forget, Forgotten, Found, Goodbye,
    Grant, Items, Lacking, Leave, Left, Lookup, Message, Offer, RejectedItems, RejectedTasks,
    Request, Results, Sends, Shutdown, Tasks, Undefine, Undefined, Variable,
)
from ..base.tuning import Tuning
from ..broker.registry import forward
from ..tasks.backlog import Backlog
from ..wire.codec import Codec
from ..wire.endpoint import Endpoint
from ..wire.outcomes import Outcomes
from ..wire.parcels import Parcels
from .cadence import Cadence
from .constants import Constants
from .enquiries import Enquiries
from .ledger import Ledger
from .reports import Reports
from .trader import Terms, Trader

Arrived = tuple[int, Message]


class Exchange:
    """One worker's messages, both ways."""

    def __init__(
        self, endpoint: Endpoint, codec: Codec, backlog: Backlog, cadence: Cadence, tuning: Tuning
    ) -> None:
        rank, size = endpoint.rank, endpoint.size
        self.peers = size > 2
        """Is there any other worker?"""
        self.looks = 0
        """How often the network was looked at; tells the donor thread if it is needed."""
        self.received = 0
        """Messages taken in so far."""
        self.lock = threading.RLock()
        """Held for every call of the endpoint while there are two threads."""
        self.inbox: deque[Arrived] = deque()
        self.early: list[Arrived] = []
        """What came before constants that it relies on."""
        self.drain_turn: int | None = None
        """The turn of a DRAIN that was not answered yet."""
        self.shutdown: Shutdown | None = None
        """Set when the job ends."""
        self.may_leave = False
        """Set when every rank has stopped sending."""
        self.parcels = Parcels(codec, rank)
        self.constants = Constants(codec)
        self.enquiries = Enquiries()
        self.ledger = Ledger(rank, size, codec, backlog, tuning)
        self.story = self.ledger.story
        self._outcomes = Outcomes(codec, rank)
        self.reports = Reports(self._outcomes, size, tuning)
        self.trader = Trader(
            rank, size, self.parcels, backlog, self.ledger, self.constants, tuning)
        self._rank = rank
        self._endpoint = endpoint
        self._codec = codec
        self._backlog = backlog
        self._cadence = cadence
        self._tuning = tuning

    # -- called by both threads --------------------------------------------

    def exchange(
        self, now: float, terms: Terms, gives: bool, release: Callable[[], None] | None = None
    ) -> None:
        """Receives all that has come, sends what is due, answers those who want work.

        Args:
            now: the time, on the scheduler's clock.
            gives: offers and gives away work; else those who ask are referred to the broker.
            release: called if there is nothing to give away: may find something.
        """
        with self.lock:
            self.looks += 1
            self.story.now = now
            self._receive()
            trader, reports = self.trader, self.reports
            if not terms.donor:
                trader.stays = False
            if reports.finished or reports.records:
                self._report(now, terms)
            if self.peers and (trader.wanting or gives and not trader.offered):
                unopened = self._unopened() if terms.donor and terms.eager else []
                if unopened and trader.wanting:
                    self._forward_unopened(unopened)
                if release is not None and not self._backlog.more_than(terms.reserved):
                    release()
                for dest, message in trader.feed(now, terms, gives, bool(unopened)):
                    self._endpoint.send(dest, message)
            self._endpoint.progress()

    def transferring(self) -> bool:
        """True if a large message is on its way, which needs frequent looks."""
        return self._endpoint.transferring()

    def send(self, sends: Sends) -> None:
        """Sends messages."""
        with self.lock:
            for dest, message in sends:
                self._endpoint.send(dest, message)

    def hold_still(self) -> None:
        """Keeps the other thread from looking, if it can be had; until :meth:`go_on`."""
        # Not for ever: it may wait for something that the calling thread holds.
        self.lock.acquire(timeout=self._tuning.hold_still_s)

    def go_on(self) -> None:
        """Undoes :meth:`hold_still`."""
        with contextlib.suppress(RuntimeError):  # it was not to be had
            self.lock.release()

    def has_due(self) -> bool:
        """True if :meth:`exchange` or :meth:`take_in` have something to do."""
        reports = self.reports
        return bool(self.trader.wanting or reports.finished or reports.records or self.has_mail())

    def _receive(self) -> None:
        # What is in flight is bounded by the number of workers, so this ends.
        while (arrived := self._endpoint.receive()) is not None:
            self.received += 1
            match arrived[1]:
                case Grant(workers):
                    self.trader.offered = False
                    self.trader.wanting.extend(workers)
                case Request(workers):
                    self.trader.wanting.extend(workers)
                case Results(asks=asks):
                    if asks:
                        self.trader.wanting.append(arrived[0])
                    self.inbox.append(arrived)
                case _:
                    self._take_constants(arrived[1])
                    self.inbox.append(arrived)

    def _take_constants(self, message: Message) -> None:
        """Forwards them and answers for them, even while this rank is inside user code."""
        gone: list[str] = []
        if isinstance(message, Variable):
            for dest, part in forward(message, self._tuning.constant_fanout):
                self._endpoint.send(dest, part)
            gone = self.constants.arrive(message)
        elif isinstance(message, Defined):
            gone = self.constants.defined(message)
        elif isinstance(message, Found):
            self.constants.arrive_early(message)
        elif isinstance(message, Forget) and self.constants.forget(message):
            gone = [message.name]
        for name in gone:
            self._endpoint.send(BROKER, Forgotten(name))

    def _report(self, now: float, terms: Terms) -> None:
        trader = self.trader
        asked = None if terms.donor else trader.asks_with_results()
        waits = not terms.eager and self._backlog and self.reports.may_wait(now)
        if waits and asked is None:
            return
        for dest, results in self.reports.take(now, asked, self.constants.newest_epoch):
            trader.asked |= results.asks
            self._endpoint.send(dest, results)

    def _unopened(self) -> list[Arrived]:
        """Work that has arrived while user code runs, which alone may unpickle it."""
        return [entry for entry in list(self.inbox) if isinstance(entry[1], (Tasks, Items))]

    def _forward_unopened(self, unopened: list[Arrived]) -> None:
        """It was asked for by a task that was taken for a short one."""
        while unopened and self.trader.wanting:
            entry = unopened.pop(0)
            try:
                self.inbox.remove(entry)
            except ValueError:
                continue  # taken in meanwhile
            work = entry[1]
            assert isinstance(work, (Tasks, Items))
            for dest, message in self.trader.forward_unopened(work):
                self._endpoint.send(dest, message)

    # -- called by the first thread ----------------------------------------

    def ask(self) -> None:
        """Asks for work if none was asked for."""
        if sends := self.trader.ask():
            self.send(sends)

    def ask_ahead(self, about_to_run_s: float) -> None:
        """The same while there is some; see :meth:`Trader.ask_ahead`."""
        if sends := self.trader.ask_ahead(about_to_run_s):
            self.send(sends)

    def discard(self) -> None:
        """After the end: drops what still arrives, until told to leave."""
        while (arrived := self._endpoint.receive()) is not None:
            if isinstance(arrived[1], Leave):
                self.may_leave = True

    def unfinished(self) -> bool:
        """True if some of this rank's work is unstarted, elsewhere, or not yet reported."""
        # Under the lock: else the donor may hold a task that is neither here nor sent.
        with self.lock:
            return bool(self._backlog or self.has_mail() or self.reports or self.early
                        or self.ledger.is_open())

    def has_mail(self) -> bool:
        """True if there is something for :meth:`take_in`."""
        ledger = self.ledger
        return bool(self.inbox or ledger.arrived or ledger.arrived_values or ledger.dropped
                    or self.trader.refused)

    def take_in(self) -> None:
        """Deals with what :meth:`exchange` has received. May call callbacks."""
        refused = self.trader.refused
        while refused:
            owner, outcome = refused.popleft()
            if owner == self._rank:
                self.ledger.deliver(outcome)
            else:
                self.reports.add(owner, outcome)
        self.ledger.settle()
        while self.inbox:
            try:
                arrived = self.inbox.popleft()
            except IndexError:
                return  # sent on by the donor thread
            self._handle(*arrived)
            del arrived  # callbacks may take long
            self.ledger.settle()

    def _handle(self, source: int, message: Message) -> None:
        match message:
            case Results() if self.constants.knows(message.epoch):
                outcomes = self._outcomes.unpack(message) if message.records else []
                self._cadence.gift_came_back(
                    self.ledger.receive(source, message, outcomes, self.story.now))
            case Tasks() if self.constants.knows(message.epoch):
                is_own = message.owner == self._rank
                tasks = None if is_own else self.parcels.unpack_tasks(message)
                with self.lock:
                    if sends := self.trader.take_tasks(source, message, tasks):
                        self.send(sends)
            case Items() if self.constants.knows(message.epoch):
                is_own = message.owner == self._rank
                chunk = None if is_own else self.parcels.unpack_chunk(message)
                with self.lock:
                    if sends := self.trader.take_items(source, message, chunk):
                        self.send(sends)
            case Tasks() | Items() | Results():
                self.early.append((source, message))
            case RejectedTasks():
                self.ledger.take_back_tasks(source, message)
            case RejectedItems():
                self.ledger.take_back_items(source, message)
            case Lacking():
                self._codec.note_lacking(source, message)
            case Variable():
                self._announce()
            case Defined() | Found() | Undefined():
                self._announce()
                if self.constants.knows(message.since):
                    self.enquiries.answered(message)
                else:
                    self.early.append((source, message))
            case Forget(name):
                self.constants.withdraw(name)
            case Drain(turn):
                self.drain_turn = turn
            case Shutdown():
                self.shutdown = message
            case (Request() | Offer() | Grant() | Failure() | Left() | Finished() | Drained()
                  | Define() | Lookup() | Undefine() | Forgotten() | Goodbye()
                  | Leave()):
                raise AssertionError(f"not a message for a worker's inbox: {message!r}")
            case _:
                assert_never(message)

    def _announce(self) -> None:
        """Constants have come; maybe some that messages were waiting for."""
        before = self.constants.newest_epoch
        self.constants.announce()
        if self.constants.newest_epoch > before:
            early, self.early = self.early, []
            self.inbox.extendleft(reversed(early))
