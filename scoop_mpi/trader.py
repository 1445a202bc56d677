"""What a worker says to the other ranks: asks, offers, gives, reports.

The protocol, seen from one worker (``messages`` has the vocabulary):

    has nothing to do     REQUEST to whoever fed it last, at first to the broker
    has work to spare     OFFER to the broker, answered some time by GRANT
    is asked for work     TASKS or CHUNK straight to the asker; if nothing is left,
                          the asker is handed on to the broker. If many ask, some get
                          work for several, which they pass on
    has run foreign work  RESULTS straight to the owner, often with the next REQUEST in it
    asks about constants  DEFINE, LOOKUP, UNDEFINE to the broker, with a ticket that
                          comes back with the answer (``registry``, ``constants``)

At most one REQUEST of a worker is anywhere, and nothing is sent that was not asked
for (results answer tasks), so what is in flight is bounded by the number of workers.

Two threads call :meth:`Trader.exchange`: the one that runs tasks, between tasks, and
the donor thread (``runtime``) while the first is inside user code. A lock keeps them
apart; it is re-entrant, since pickling may run user code that comes back here. Such code
may not call verbs on the donor thread: so work that does not pickle there, unless pickle
itself refuses a type, stays until the first thread has tried it. All other user code
(callbacks, unpickling, pickling of results) is left in the inbox for
:meth:`Trader.take_in`, which only the first thread calls.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from .backlog import LEAD_S, Backlog, Gift
from .constants import Constants
from .errors import NotPicklableError, assert_never
from .future import PENDING, SENT, ForeignTask, Future, name_of
from .mapcall import Chunk, MapCall
from .messages import (
    BROKER, Constant, Define, Defined, Definition, Drain, Drained, Failure, Finished, Forget,
    Forgotten, Found, Goodbye, Grant, Lacking, Leave, Left, Lookup, Message, Offer, Rejected,
    Request, Results, Shutdown, Tasks, Undefine, Undefined, Variable,
)
from .messages import Chunk as ChunkMessage
from .parcels import PLAIN, Outcome, Parcels, Record, outcome_of_chunk, outcome_of_task
from .registry import hand_on
from .transport.endpoint import Endpoint
from .usercode import shown

Received = TypeVar("Received", Chunk, "list[ForeignTask[Any]]")

SMALL_GIFT_S = 0.0002
"""Work of fewer seconds is hardly worth the messages that it takes to give it away."""
RATION_S = 0.001
"""Seconds after a small gift in which nothing more is given; doubled, up to ..."""
RATION_MAX_S = 0.016
"""... this, as long as what was given away turns out to have been small."""
PREFETCH_S = 0.2
"""Work that takes longer is finished before more is asked for."""
REPORT_S = 0.003
"""Seconds in which results are collected while there is other work ..."""
REPORT_COST_S = 0.000015
"""... and for each worker of the pool at least so many: the owner takes in everybody's."""
WITH_RESULTS_S = 0.0001
"""Whatever takes fewer seconds is run before more is asked for."""
HOLD_S = 0.0003
"""Whoever asks for work so soon after this rank gave some waits here for more of it."""
SERVED_ONE_BY_ONE = 64
"""If more workers than that ask at once, each gift is for several of them ..."""
GIFTS_AT_ONCE = 16
"""... so that there are so many gifts."""


class Trader:
    """One worker's dealings with the others; ``backlog`` is what it trades with."""

    def __init__(self, endpoint: Endpoint, parcels: Parcels, backlog: Backlog) -> None:
        self.rank = endpoint.rank
        self.peers = endpoint.size > 2
        """Is there any other worker?"""
        self.exchanges = 0
        """How often :meth:`exchange` was called; tells the donor if it is needed."""
        self.gifts = 0
        """Pieces of work given away so far."""
        self._gave_at = -1.0
        self._reported_at = -1.0
        self._report_s = max(REPORT_S, REPORT_COST_S * (endpoint.size - 1))
        self.small_gift = False
        """Was the last work given away too little for the price of its messages?"""
        self.ration_s = RATION_S
        """Seconds to give nothing after a small gift."""
        self.now = 0.0
        """When the network was last looked at, on the scheduler's clock."""
        self.received = 0
        """Messages taken in so far."""
        self.sent: dict[int, Future[Any]] = {}
        """Own tasks that were given away, by id."""
        self.maps: dict[int, MapCall] = {}
        """Own maps of which some outcome is still to come, by id."""
        self.drain_turn: int | None = None
        """The turn of a DRAIN that was not answered yet."""
        self.shutdown: Shutdown | None = None
        """Set when the job ends."""
        self.may_leave = False
        """Set when every rank has stopped sending."""
        self.constants = Constants(parcels.codec)
        self.questions: dict[int, Callable[[], object]] = {}
        """Whom to wake when the broker answers, by ticket."""
        self._answers: dict[int, Message] = {}
        self._early: list[tuple[int, Message]] = []
        self._endpoint = endpoint
        self._parcels = parcels
        self._backlog = backlog
        self.exchanging = threading.RLock()
        """Held for every call of the endpoint while there are two threads."""
        self._inbox: deque[tuple[int, Message]] = deque()
        self._finished: deque[ForeignTask[Any]] = deque()
        self._records: deque[tuple[int, Record]] = deque()
        self._arrived: deque[Outcome] = deque()
        self._arrived_values: deque[tuple[int, Any]] = deque()
        self._abandoned: deque[MapCall] = deque()
        self._unsendable: deque[tuple[int, Outcome]] = deque()
        self._wanting: deque[int] = deque()
        self._offered = False
        self._donating = False
        """Is it the donor thread that gives?"""
        self._stays = False
        """The donor thread could not pickle some work: the first thread gives next."""
        self.asked = False
        """Was work asked for that has not come yet?"""
        self._fed_by = BROKER

    # -- called by both threads --------------------------------------------

    def exchange(
        self, now: float, keep: int, share: bool, thrifty: bool = False, hold: bool = False,
        asks: bool = True, donor: bool = False, on_shortage: Callable[[], None] | None = None,
    ) -> None:
        """Receives all that has come, sends what is due, answers those who want work.

        Args:
            now: the time, on the scheduler's clock.
            keep: pieces of work that are about to be run here and not for others.
            share: offer and give away work; else those who ask are handed on.
            thrifty: give nothing away that is sooner run than sent; collect results.
            hold: this rank will look again within microseconds, so that those who ask
                right after a gift need not be handed on.
            asks: if little work is left, the results that are sent ask for more.
            donor: this is the donor thread: user code runs on the first one.
            on_shortage: called if there is nothing to give away: may find something.
        """
        with self.exchanging:
            self._donating = donor
            self._stays &= donor
            self.exchanges += 1
            self.now = now
            self._receive()
            if self._finished or self._records:
                early = now - self._reported_at < self._report_s
                asks = asks and not self.asked and self._wants_more()
                if asks or not (early and thrifty and self._backlog):
                    self._reported_at = now
                    self._report(asks)
            if self.peers:
                self._feed(keep, share and not self._stays, thrifty, on_shortage)
                if self._wanting and not (hold and now - self._gave_at < HOLD_S):
                    self._endpoint.send(BROKER, Request(tuple(self._wanting)))
                    self._wanting.clear()
            self._donating = False
            self._endpoint.progress()

    def transferring(self) -> bool:
        """True if a large message is on its way, which needs frequent looks."""
        return self._endpoint.transferring()

    def tell(self, dest: int, message: Message) -> None:
        """Sends one message."""
        with self.exchanging:
            self._endpoint.send(dest, message)

    def _receive(self) -> None:
        # What is in flight is bounded by the number of workers, so this ends.
        while (arrived := self._endpoint.receive()) is not None:
            self.received += 1
            match arrived[1]:
                case Grant(workers):
                    self._offered = False
                    self._wanting.extend(workers)
                case Request(workers):
                    self._wanting.extend(workers)
                case Results(asks=asks):
                    if asks:
                        self._wanting.append(arrived[0])
                    self._inbox.append(arrived)
                case _:
                    self._take_constants(arrived[1])
                    self._inbox.append(arrived)

    def _take_constants(self, message: Message) -> None:
        """Passes them on and answers for them, even while this rank is inside user code."""
        gone: list[str] = []
        if isinstance(message, Variable):
            for dest, part in hand_on(message):
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

    def _report(self, asks: bool) -> None:
        by_owner: dict[int, tuple[list[ForeignTask[Any]], list[Record]]] = {}
        while self._finished:
            task = self._finished.popleft()
            by_owner.setdefault(task.owner, ([], []))[0].append(task)
        while self._records:
            owner, record = self._records.popleft()
            by_owner.setdefault(owner, ([], []))[1].append(record)
        for owner, (tasks, records) in by_owner.items():
            message = self._parcels.pack_results(tasks, records)
            asks_owner = asks and owner == self._fed_by
            self.asked |= asks_owner
            self._endpoint.send(owner, message._replace(
                asks=asks_owner, epoch=self.constants.newest_epoch
            ))

    def _wants_more(self) -> bool:
        """True if more should be asked for, at the latest when the next piece begins."""
        return self._backlog.low(PREFETCH_S if self._backlog.last_piece() else LEAD_S)

    def _feed(
        self, keep: int, share: bool, thrifty: bool, on_shortage: Callable[[], None] | None
    ) -> None:
        hidden = self._donating and not thrifty
        if hidden and self._wanting:
            self._pass_unopened()
        if on_shortage is not None and (self._wanting or not self._offered):
            if not self._backlog.more_than(keep):
                on_shortage()
        while share and self._wanting and self._backlog.more_than(keep, thrifty):
            several = _takers_of_a_gift(len(self._wanting))
            work = self._backlog.give(several, thrifty)
            if work is None:
                break
            self.gifts += 1
            self._gave_at = self.now
            takers = _pop_some(self._wanting, several, work)
            if not self._send(work, takers, self.rank):
                self._wanting.extendleft(reversed(takers))
                if self._stays:
                    return
        has_some = self._backlog.more_than(keep, thrifty) or (
            hidden and bool(self._unopened())
        )
        if share and not self._offered and has_some:
            # Who has little and has asked for more keeps that, unless user code is long.
            if thrifty and self.asked and self._backlog.low():
                return
            self._offered = True
            self._endpoint.send(BROKER, Offer())

    def _unopened(self) -> list[tuple[int, Message]]:
        """Work that has arrived while user code runs, which alone may unpickle it."""
        return [entry for entry in list(self._inbox) if isinstance(entry[1], (Tasks, ChunkMessage))]

    def _pass_unopened(self) -> None:
        """Sends it on as it is: it was asked for by a task that was taken for a short one."""
        for entry in self._unopened():
            if not self._wanting:
                return
            try:
                self._inbox.remove(entry)
            except ValueError:
                continue  # taken in meanwhile
            self.asked = False
            # The giver takes it that this rank has them now.
            self._parcels.codec.definitions.learn(_definitions_in(entry[1]))
            self._endpoint.send(self._wanting.popleft(), entry[1])

    def _pass_on(self, work: Received, onward: tuple[int, ...], giver: int) -> Received:
        """Gives those who came with ``work`` their equal shares; returns this rank's."""
        takers = deque(onward)
        with self.exchanging:
            while takers and len(work) > 1:
                several = _takers_of_a_gift(len(takers))
                each = max(1, len(work) // (len(takers) + 1))
                given, work = _divide(work, min(each * several, len(work) - 1))
                group = _pop_some(takers, several, given)
                if not self._send(given, group, giver):
                    takers.extend(group)
        self._hand_on(tuple(takers))
        return work

    def _send(self, work: Gift, takers: list[int], giver: int) -> bool:
        """Sends ``work`` to the first of ``takers``, who passes it on to the others."""
        dest, *onward = takers
        if isinstance(work, Chunk):
            return self._send_chunk(dest, work, giver, tuple(onward))
        return self._send_tasks(dest, work, giver, tuple(onward))

    def _send_tasks(
        self, dest: int, tasks: Sequence[Future[Any]], giver: int, onward: tuple[int, ...]
    ) -> bool:
        first = tasks[0]
        owner = first.owner if isinstance(first, ForeignTask) else self.rank
        if owner == self.rank:
            for task in tasks:
                task.state = SENT
                self.sent[task.number] = task
        estimate_s = self._backlog.estimates.get(first.func)
        whole = bool(self._backlog.whole) and self._must_be_whole(tasks, owner)
        message, failed = self._parcels.pack_tasks(
            tasks, owner, dest, estimate_s, whole, first_thread=not self._donating)
        if message is None and not failed:
            self._stays = True
            if owner == self.rank:
                self._come_home(tuple(task.number for task in tasks))
            else:
                self._backlog.foreign.extend(cast("Sequence[ForeignTask[Any]]", tasks))
            return False
        for task, error in failed:
            task.state = PENDING  # it never left
            self._unsendable.append((owner, Outcome(task.number, -1, 0.0, None, error, 1)))
        if message is None:
            return False
        self._endpoint.send(dest, message._replace(
            giver=giver, onward=onward, epoch=self.constants.newest_epoch
        ))
        self.small_gift = 0 < estimate_s * len(tasks) < SMALL_GIFT_S
        return True

    def _must_be_whole(self, tasks: Sequence[Future[Any]], owner: int) -> bool:
        """True if somebody lacked a definition when one of these was sent before."""
        if owner != self.rank:
            return False
        whole = self._backlog.whole.intersection(task.number for task in tasks)
        self._backlog.whole -= whole
        return bool(whole)

    def _send_chunk(
        self, dest: int, chunk: Chunk, giver: int, onward: tuple[int, ...]
    ) -> bool:
        count = len(chunk)
        call = self.maps.get(chunk.map_id) if chunk.owner == self.rank else None
        whole = call is not None and call.whole
        message, args, error = self._parcels.pack_chunk(
            chunk, dest, whole, first_thread=not self._donating)
        if message is None and error is None:
            self._stays = True
            self._keep_unstarted(chunk, args)
            return False
        if message is not None:
            if call is not None:
                call.lent.put(chunk.start, args)
            self._endpoint.send(dest, message._replace(
                giver=giver, onward=onward, epoch=self.constants.newest_epoch
            ))
            self.small_gift = 0 < chunk.estimate_s * count < SMALL_GIFT_S
            return True
        # The items before the bad one stay; the bad one is the end of this map.
        if args:
            self._keep_unstarted(chunk, args)
        at = len(args)
        outcome = Outcome(chunk.map_id, chunk.start + at, 0.0, [], error, count - at)
        self._unsendable.append((chunk.owner, outcome))
        return False

    def _keep_unstarted(self, chunk: Chunk, args: list[Any]) -> None:
        """Puts the first arguments of a chunk that was not sent back to what is to be done."""
        self._backlog.chunks.append(Chunk(
            chunk.owner, chunk.map_id, chunk.func, chunk.starred, chunk.start, args,
            chunk.estimate_s,
        ))

    # -- called by the thread that runs tasks ------------------------------

    def ask_ahead(self, about_to_run_s: float) -> None:
        """Asks for work, once; ``about_to_run_s``: until it is needed.

        What takes no longer than a message, or was never measured, is run before: then its
        results ask.
        """
        if WITH_RESULTS_S < about_to_run_s < PREFETCH_S:
            self.ask()

    def ask(self) -> None:
        """Asks for work if none was asked for."""
        if self.peers and not self.asked:
            self.asked = True
            self.tell(self._fed_by, Request((self.rank,)))

    def pack_constant(self, name: str, value: object) -> Constant:
        """A constant of this rank, ready to be defined; see :meth:`Parcels.pack_constant`."""
        return self._parcels.pack_constant(name, value)

    def ask_broker(
        self, ticket: int, question: Define | Lookup | Undefine, wake: Callable[[], None]
    ) -> None:
        """Asks about constants; ``wake`` is called when :meth:`answer` has the answer."""
        self.questions[ticket] = wake
        if isinstance(question, Define):
            self.constants.define(ticket, question.constants)
        self.tell(BROKER, question)

    def answer(self, ticket: int) -> Message:
        """What the broker has answered to :meth:`ask_broker`."""
        return self._answers.pop(ticket)

    def ignore_answer(self, ticket: int) -> None:
        """Nobody waits for it any more; it may have come already."""
        if self._answers.pop(ticket, None) is None:
            self.questions[ticket] = lambda: self._answers.pop(ticket)

    def report_task(self, task: ForeignTask[Any]) -> None:
        """A task of another rank has run here."""
        if task.error is None and type(task.value) in PLAIN:
            self._finished.append(task)
        else:
            # Pickled now: what it returned may be changed by the next task.
            self._records.append((task.owner, self._parcels.record(outcome_of_task(task))))

    def report_chunk(self, chunk: Chunk) -> None:
        """A chunk, maybe of this rank, has run here."""
        call = self.maps.get(chunk.map_id) if chunk.owner == self.rank else None
        if call is not None and chunk.values:
            call.learn_here(chunk.elapsed_s / len(chunk.values))
        self._deliver(chunk.owner, outcome_of_chunk(chunk))

    def _deliver(self, owner: int, outcome: Outcome) -> None:
        if owner == self.rank:
            self._settle(outcome)
        else:
            self._records.append((owner, self._parcels.record(outcome)))

    def open_map(self, call: MapCall) -> None:
        """Makes the map's items available to all workers."""
        if call.unfinished or not call.exhausted:
            self.maps[call.id] = call
            self._backlog.maps.append(call)

    def abandon_map(self, call: MapCall) -> None:
        """The map is over, or its consumer wants nothing more.

        The garbage collector may call this anywhere, in any thread: so it only takes
        a note, which :meth:`take_in` acts on.
        """
        call.abandon()
        self._abandoned.append(call)

    def forget_map(self, call: MapCall) -> None:
        """Nobody will take results of the map any more; its calls are made all the same.

        As in ``concurrent.futures``. It may be over already; called as :meth:`abandon_map`.
        """
        if not call.closed:
            call.forget()
            self._abandoned.append(call)

    def discard(self) -> None:
        """After the end: drops what still arrives, until told to leave."""
        while (arrived := self._endpoint.receive()) is not None:
            if isinstance(arrived[1], Leave):
                self.may_leave = True

    def is_unwanted(self, chunk: Chunk) -> bool:
        """True if the chunk is of an own map whose consumer is gone."""
        return chunk.owner == self.rank and chunk.map_id not in self.maps

    def unfinished(self) -> bool:
        """True if some of this rank's work is unstarted, elsewhere, or not yet reported."""
        # Under the lock: else the donor may hold a task that is neither here nor sent.
        with self.exchanging:
            return bool(
                self._backlog or self.sent or self.has_mail() or self._finished
                or self._records or self._early
                or any(call.unfinished for call in self.maps.values())
            )

    def has_mail(self) -> bool:
        """True if there is something for :meth:`take_in`."""
        return bool(self._inbox or self._unsendable or self._abandoned or self._arrived
                    or self._arrived_values)

    def has_due(self) -> bool:
        """True if :meth:`exchange` or :meth:`take_in` have something to do."""
        return bool(self._wanting or self._records or self._finished or self.has_mail())

    def take_in(self) -> None:
        """Deals with what :meth:`exchange` has received. May call callbacks."""
        while self._unsendable:
            self._deliver(*self._unsendable.popleft())
        while self._abandoned:
            call = self._abandoned.popleft()
            if call.closed:
                call.close()
            self._drop_if_over(call)
        self._settle_arrived()
        while self._inbox:
            try:
                arrived = self._inbox.popleft()
            except IndexError:
                return  # sent on by the donor thread
            self._handle(*arrived)
            del arrived  # callbacks may take long
            self._settle_arrived()

    def _settle_arrived(self) -> None:
        """Hands results to those who wait.

        A callback may wait for another result of the same message: whoever runs
        meanwhile finds the rest in these queues.
        """
        while self._arrived:
            self._settle(self._arrived.popleft())
        while self._arrived_values:
            id_, value = self._arrived_values.popleft()
            self.sent.pop(id_).finish(value, None)

    def _handle(self, source: int, message: Message) -> None:
        match message:
            case Tasks() | ChunkMessage() | Results() if not self.constants.knows(message.epoch):
                self._early.append((source, message))
            case Tasks():
                self._accept_tasks(source, message)
            case ChunkMessage():
                self._accept_chunk(source, message)
            case Results():
                self._accept_results(source, message)
            case Rejected():
                self._take_back(source, message)
            case Lacking(keys, module, name):
                self._parcels.codec.definitions.is_lacking(source, keys)
                if name:
                    self._parcels.codec.names.send_by_value(module, name)
            case Variable():
                self._announce()
            case Defined() | Found() | Undefined():
                self._announce()
                if not self.constants.knows(message.since):
                    self._early.append((source, message))
                    return
                self._answers[message.ticket] = message
                self.questions.pop(message.ticket)()
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
            early, self._early = self._early, []
            self._inbox.extendleft(reversed(early))

    def _accept_tasks(self, source: int, message: Tasks) -> None:
        self._was_fed(message.giver)
        if message.owner == self.rank:
            self._come_home(message.ids)
            self._hand_on(message.onward)
            return
        tasks = self._parcels.unpack_tasks(message)
        if isinstance(tasks, Rejected):
            self._reject(source, message, tasks)
            return
        if message.estimate_s:
            self._backlog.estimates.learn(tasks[0].func, message.estimate_s)
        self._backlog.foreign.extend(self._pass_on(tasks, message.onward, message.giver))

    def _accept_chunk(self, source: int, message: ChunkMessage) -> None:
        self._was_fed(message.giver)
        if message.owner == self.rank:
            call = self.maps.get(message.map_id)
            if call is not None and (back := call.chunk(message.start, message.length)):
                self._backlog.chunks.append(back)
            self._hand_on(message.onward)
            return
        chunk = self._parcels.unpack_chunk(message)
        if isinstance(chunk, Rejected):
            self._reject(source, message, chunk)
        else:
            self._backlog.chunks.append(self._pass_on(chunk, message.onward, message.giver))

    def _reject(self, source: int, message: Tasks | ChunkMessage, rejected: Rejected) -> None:
        """Sends work back to its owner; who has sent it so learns of what was lacking."""
        if source != message.owner and (rejected.missing or rejected.name):
            self.tell(source, Lacking(rejected.missing, rejected.module, rejected.name))
        self.tell(message.owner, rejected)
        self._hand_on(message.onward)

    def _hand_on(self, workers: tuple[int, ...]) -> None:
        """Those who came with work that is none for them ask the broker."""
        if workers:
            self.tell(BROKER, Request(workers))

    def _come_home(self, ids: tuple[int, ...]) -> None:
        """Own tasks that were given away are back, and unstarted."""
        for id_ in ids:
            task = self.sent.pop(id_)
            task.state = PENDING
            self._backlog.own[id_] = task

    def _was_fed(self, giver: int) -> None:
        self.asked = False
        self._fed_by = giver if giver != self.rank else BROKER

    def _accept_results(self, source: int, message: Results) -> None:
        outcomes = self._parcels.unpack_records(message)
        if self._backlog.alone:
            for id_ in (*message.ids, *(one.id for one in outcomes)):
                self._backlog.alone.pop(id_, None)
        elapsed_s = message.elapsed_s * len(message.ids)
        for outcome in outcomes:
            elapsed_s += outcome.elapsed_s
            if outcome.start < 0:
                task = self.sent[outcome.id]
                task.ran_on, task.elapsed_s = source, outcome.elapsed_s
                task.began_at = self.now - outcome.elapsed_s
        self._arrived.extend(outcomes)
        if message.ids:
            func = self.sent[message.ids[0]].func
            self._backlog.estimates.learn(func, message.elapsed_s)
            began_at = self.now - message.elapsed_s
            for number in message.ids:
                task = self.sent[number]
                task.ran_on, task.elapsed_s, task.began_at = source, message.elapsed_s, began_at
            self._arrived_values.extend(zip(message.ids, message.values))
        small = elapsed_s < SMALL_GIFT_S
        self.ration_s = min(2 * self.ration_s, RATION_MAX_S) if small else RATION_S

    def _settle(self, outcome: Outcome) -> None:
        """An outcome has come home to its owner."""
        if outcome.start < 0:
            task = self.sent.pop(outcome.id)
            if outcome.elapsed_s:
                self._backlog.estimates.learn(task.func, outcome.elapsed_s)
            task.finish(outcome.value, outcome.error)
            return
        call = self.maps.get(outcome.id)
        if call is not None:
            call.deliver(outcome.start, outcome.value, outcome.error, outcome.length,
                         outcome.elapsed_s)
            self._drop_if_over(call)

    def _drop_if_over(self, call: MapCall) -> None:
        if not call.unfinished and call.exhausted:
            self.maps.pop(call.id, None)
            if call in self._backlog.maps:
                self._backlog.maps.remove(call)

    def _take_back(self, source: int, message: Rejected) -> None:
        """A receiver could not unpickle own work: send it otherwise, or give it up.

        It is no try if a definition was left out, or a name turns out to be lacking. A name
        that is known to be can still come from a rank that has not heard of it, or from
        before: but only once from each.
        """
        codec = self._parcels.codec
        codec.definitions.is_lacking(source, message.missing)
        is_news = bool(message.name) and codec.names.send_by_value(message.module, message.name)
        if message.start < 0:
            self._take_back_tasks(message, is_news)
        else:
            self._take_back_chunk(message, is_news)

    def _is_try(self, message: Rejected, is_news: bool, misses: dict[int, int], piece: int) -> bool:
        """True if there is nothing to be done about it; counts names that were lacking."""
        if message.missing or is_news:
            return False
        misses[piece] = misses.get(piece, 0) + 1
        return not message.name or misses[piece] > self._endpoint.size

    def _take_back_tasks(self, message: Rejected, is_news: bool) -> None:
        first, misses = message.ids[0], self._backlog.alone
        is_try = self._is_try(message, is_news, misses, first)
        if len(message.ids) == 1 and is_try:
            misses.pop(first)
            self.sent[first].state = PENDING  # it has not run anywhere
            what = f"{shown(self.sent[first].func)} or its arguments; {message.reason}"
            self._settle(Outcome(first, -1, 0.0, None, NotPicklableError(what), 1))
            return
        if message.missing:
            self._backlog.whole.update(message.ids)
        else:
            for id_ in message.ids:
                misses.setdefault(id_, 0)
        self._come_home(message.ids)

    def _take_back_chunk(self, message: Rejected, is_news: bool) -> None:
        call = self.maps.get(message.ids[0])
        if call is None or call.closed:
            return
        call.whole |= bool(message.missing)
        is_try = self._is_try(message, is_news, call.misses, message.start)
        if message.length == 1 and is_try:
            what = f"item {message.start} for {name_of(call.func)}; {message.reason}"
            error = NotPicklableError(what)
            self._settle(Outcome(call.id, message.start, 0.0, [], error, 1))
            return
        step = 1 if is_try else message.length
        for start in range(message.start, message.start + message.length, step):
            if (chunk := call.chunk(start, step)) is not None:
                self._backlog.chunks.append(chunk)


def _definitions_in(message: Message) -> tuple[Definition, ...]:
    return message.definitions if isinstance(message, (Tasks, ChunkMessage)) else ()


def _takers_of_a_gift(asking: int) -> int:
    """For how many of those who ask each gift is."""
    return 1 if asking <= SERVED_ONE_BY_ONE else -(-asking // GIFTS_AT_ONCE)


def _pop_some(takers: deque[int], count: int, work: Gift) -> list[int]:
    """The first ``count`` of the takers, but not more than can get some of ``work``."""
    return [takers.popleft() for _ in range(min(count, len(work)))]


def _divide(work: Received, count: int) -> tuple[Received, Received]:
    """The first ``count`` tasks or items, and the rest; there is one."""
    if isinstance(work, Chunk):
        given, rest = work.split(count)
        assert rest is not None
        return given, rest
    return work[:count], work[count:]
