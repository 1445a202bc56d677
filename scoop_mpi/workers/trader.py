"""Who wants work, and who has some: asks, offers, gives, passes on. Returns what to send.

The protocol, seen from one worker (``messages`` has the vocabulary):

    has nothing to do     REQUEST to whoever fed it last, at first to the broker
    has work to spare     OFFER to the broker, answered some time by GRANT
    is asked for work     TASKS or ITEMS straight to the asker; if nothing is left, the
                          asker is referred to the broker. If many ask, some get
                          work for several, and share it out among them
    has run foreign work  RESULTS straight to the owner, often with the next REQUEST in it

At most one REQUEST of a worker is anywhere, and nothing is sent that was not asked
for (results answer tasks), so what is in flight is bounded by the number of workers.

Two threads call this, one at a time (``exchange``). User code may not call verbs on the
donor thread: so work that does not pickle there, unless pickle itself refuses a type, stays
until the first thread has tried it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, Union, cast

from ..base.messages import (
    BROKER, Envelope, Items, Offer, RejectedItems, RejectedTasks, Request, Sends, Tasks,
)
from ..base.tuning import Tuning
from ..tasks.backlog import Backlog, Gift
from ..tasks.chunk import Chunk
from ..tasks.future import PENDING, ForeignTask, Future
from ..wire.outcomes import ItemsOutcome, Outcome, TaskOutcome
from ..wire.parcels import Parcels
from .constants import Constants
from .ledger import Ledger

Received = TypeVar("Received", Chunk, "list[ForeignTask[Any]]")
Work = Union[Tasks, Items]


class Terms(NamedTuple):
    """On what terms this rank trades at one look at the network.

    Attributes:
        reserved: pieces of work that are about to be run here and not for others.
        eager: nothing is run here meanwhile: gives also what is sooner run than sent, and
            reports at once.
        again: the next look follows within microseconds, so that those who ask right after
            a gift need not be referred to the broker.
        donor: this is the donor thread: user code runs on the first one.
    """

    reserved: int = 0
    eager: bool = False
    again: bool = False
    donor: bool = False


class Trader:
    """One worker's dealings with the others.

    Args:
        size: ranks of the pool.
        constants: those that work from here may rely on.
    """

    def __init__(
        self, rank: int, size: int, parcels: Parcels, backlog: Backlog, ledger: Ledger,
        constants: Constants, tuning: Tuning,
    ) -> None:
        self.wanting: deque[int] = deque()
        """Workers that have asked this one for work."""
        self.asked = False
        """Was work asked for that has not come yet?"""
        self.offered = False
        """Does an offer stand at the broker?"""
        self.fed_by = BROKER
        """Whom to ask for work."""
        self.gifts = 0
        """Pieces of work given away so far."""
        self.small_gift = False
        """Was the last one too little for the price of its messages?"""
        self.refused: deque[tuple[int, Outcome]] = deque()
        """What could not be sent, and why: (its owner, the outcome)."""
        self.stays = False
        """The donor thread could not pickle some work: the first thread gives next."""
        self._gave_at = -1.0
        self._rank = rank
        self._peers = size > 2
        self._parcels = parcels
        self._backlog = backlog
        self._estimates = backlog.estimates
        self._ledger = ledger
        self._story = ledger.story
        self._constants = constants
        self._tuning = tuning

    # -- asking ------------------------------------------------------------

    def ask(self) -> Sends:
        """Asks for work if none was asked for."""
        if self.asked or not self._peers:
            return []
        self.asked = True
        return [(self.fed_by, Request((self._rank,)))]

    def ask_ahead(self, about_to_run_s: float) -> Sends:
        """The same while there is some; ``about_to_run_s``: seconds until more is needed.

        What takes no longer than a message, or was never measured, is run before: then its
        results ask.
        """
        if self._tuning.ask_with_results_s < about_to_run_s < self._tuning.ask_late_s:
            return self.ask()
        return []

    def asks_with_results(self) -> int | None:
        """Whom results should ask for more; None: nobody, for now."""
        if self.asked:
            return None
        lead_s = self._tuning.ask_late_s if self._backlog.last_piece() else None
        return self.fed_by if self._backlog.low(lead_s) else None

    # -- giving ------------------------------------------------------------

    def feed(self, now: float, terms: Terms, gives: bool, has_unopened: bool) -> Sends:
        """Gives work to those who want some, refers them to the broker, offers what is left.

        Args:
            gives: else nothing is given or offered.
            has_unopened: there is work besides that can be given as it has come.
        """
        sends: Sends = []
        without_light = not terms.eager
        gives = gives and not self.stays
        backlog, wanting = self._backlog, self.wanting
        while gives and wanting and backlog.more_than(terms.reserved, without_light):
            several = self.takers_of_a_gift(len(wanting))
            work = backlog.give(several, without_light)
            if work is None:
                break
            self.gifts += 1
            self._gave_at = now
            takers = _pop_some(wanting, several, work)
            if not self._give(sends, work, takers, self._rank, terms.donor):
                wanting.extendleft(reversed(takers))
                gives = not self.stays
        if gives and not self.offered and (
            backlog.more_than(terms.reserved, without_light) or has_unopened
        ):
            # Who has little and has asked for more keeps that, unless user code is long.
            little = without_light and self.asked and backlog.low()
            if not little:
                self.offered = True
                sends.append((BROKER, Offer()))
        if wanting and not (terms.again and now - self._gave_at < self._tuning.wait_after_gift_s):
            sends.append((BROKER, Request(tuple(wanting))))
            wanting.clear()
        return sends

    def forward_unopened(self, work: Work) -> Sends:
        """Sends work on as it has come: user code, which alone may unpickle it, takes long."""
        self.asked = False
        # The giver takes it that this rank has them now.
        self._parcels.learn(work.definitions)
        return [(self.wanting.popleft(), work)]

    def takers_of_a_gift(self, asking: int) -> int:
        """For how many of those who ask each gift is."""
        tuning = self._tuning
        return 1 if asking <= tuning.served_one_by_one else -(-asking // tuning.gifts_at_once)

    def _give(
        self, sends: Sends, work: Gift, takers: list[int], giver: int, donor: bool
    ) -> bool:
        """Sends ``work`` to the first of ``takers``, who shares it with the others."""
        dest, *onward = takers
        envelope = giver, tuple(onward), self._constants.newest_epoch
        message: Work | None
        if isinstance(work, Chunk):
            count, estimate_s = work.stop - work.start, work.estimate_s
            message = items = self._pack_chunk(work, dest, envelope, donor)
            if items is not None and items.owner == self._rank:
                self._story.note_items(items, "given to", dest)
        else:
            count, estimate_s = len(work), self._estimates.get(work[0].func)
            message = tasks = self._pack_tasks(work, dest, envelope, estimate_s, donor)
            if tasks is not None and tasks.owner == self._rank:
                self._story.note_tasks(tasks, "given to", dest)
        if message is None:
            return False
        sends.append((dest, message))
        self.small_gift = 0 < estimate_s * count < self._tuning.small_gift_s
        return True

    def _pack_tasks(
        self, tasks: Sequence[Future[Any]], dest: int, envelope: Envelope, estimate_s: float,
        donor: bool,
    ) -> Tasks | None:
        first = tasks[0]
        owner = first.owner if isinstance(first, ForeignTask) else self._rank
        all_definitions = self._ledger.send_out(tasks) if owner == self._rank else False
        message, failed = self._parcels.pack_tasks(
            tasks, owner, dest, estimate_s, all_definitions, not donor, envelope)
        if message is None and not failed:
            self.stays = True
            if owner == self._rank:
                self._ledger.come_home([task.number for task in tasks])
            else:
                self._backlog.put_foreign(cast("Sequence[ForeignTask[Any]]", tasks))
        for task, error in failed:
            task.state = PENDING  # it never left
            self.refused.append((owner, TaskOutcome(task.number, 0.0, None, error)))
        return message

    def _pack_chunk(
        self, chunk: Chunk, dest: int, envelope: Envelope, donor: bool
    ) -> Items | None:
        call = self._ledger.own_map(chunk)
        all_definitions = call is not None and call.all_definitions
        message, args, error = self._parcels.pack_chunk(
            chunk, dest, all_definitions, not donor, envelope)
        if message is not None:
            if call is not None:
                call.lend(chunk.start, args)
            return message
        self.stays |= error is None
        if args:  # stay; the item after them, if it is a bad one, is the end of this map
            self._backlog.put_chunk(Chunk(
                chunk.owner, chunk.map_id, chunk.func, chunk.starred, chunk.start, args,
                chunk.estimate_s,
            ))
        if error is not None:
            at = chunk.start + len(args)
            outcome = ItemsOutcome(chunk.map_id, at, chunk.stop - at, 0.0, [], error)
            self.refused.append((chunk.owner, outcome))
        return None

    # -- receiving (the first thread) --------------------------------------

    def take_tasks(
        self, source: int, message: Tasks, tasks: list[ForeignTask[Any]] | RejectedTasks | None
    ) -> Sends:
        """Tasks have come.

        Args:
            tasks: as they were unpacked; None: they are this worker's own, and come home.
        """
        self._was_fed(message.giver)
        if tasks is None:
            self._story.note_tasks(message, "came back from", source)
            self._ledger.come_home(message.ids)
            return _refer(message.onward)
        if isinstance(tasks, RejectedTasks):
            return _reject(source, message, tasks)
        if message.estimate_s:
            self._estimates.learn(tasks[0].func, message.estimate_s)
        sends: Sends = []
        if message.onward:
            tasks = self._share_out(sends, tasks, message)
        self._backlog.put_foreign(tasks)
        return sends

    def take_items(
        self, source: int, message: Items, chunk: Chunk | RejectedItems | None
    ) -> Sends:
        """Items of a map have come; the rest as in :meth:`take_tasks`."""
        self._was_fed(message.giver)
        if chunk is None:
            self._story.note_items(message, "came back from", source)
            self._ledger.items_come_home(message.map_id, message.start, message.length)
            return _refer(message.onward)
        if isinstance(chunk, RejectedItems):
            return _reject(source, message, chunk)
        sends: Sends = []
        if message.onward:
            chunk = self._share_out(sends, chunk, message)
        self._backlog.put_chunk(chunk)
        return sends

    def _was_fed(self, giver: int) -> None:
        self.asked = False
        self.fed_by = giver if giver != self._rank else BROKER

    def _share_out(self, sends: Sends, work: Received, message: Work) -> Received:
        """Gives those who came with ``work`` their equal shares; returns this rank's."""
        takers = deque(message.onward)
        while takers and len(work) > 1:
            several = self.takers_of_a_gift(len(takers))
            each = max(1, len(work) // (len(takers) + 1))
            given, work = _divide(work, min(each * several, len(work) - 1))
            group = _pop_some(takers, several, given)
            if not self._give(sends, given, group, message.giver, donor=False):
                takers.extend(group)
        sends += _refer(tuple(takers))
        return work


def _reject(source: int, message: Work, rejected: RejectedTasks | RejectedItems) -> Sends:
    """Sends work back to its owner; who has sent it so learns of what was lacking."""
    sends: Sends = [(message.owner, rejected), *_refer(message.onward)]
    if source != message.owner and (rejected.lacking.keys or rejected.lacking.name):
        sends.insert(0, (source, rejected.lacking))
    return sends


def _refer(workers: tuple[int, ...]) -> Sends:
    """Those who came with work that is none for them ask the broker."""
    return [(BROKER, Request(workers))] if workers else []


def _pop_some(takers: deque[int], count: int, work: Gift) -> list[int]:
    """The first ``count`` of the takers, but not more than can get some of ``work``."""
    if count == 1:
        return [takers.popleft()]
    return [takers.popleft() for _ in range(min(count, len(work)))]


def _divide(work: Received, count: int) -> tuple[Received, Received]:
    """The first ``count`` tasks or items, and the rest; there is one."""
    if isinstance(work, Chunk):
        given, rest = work.split(count)
        assert rest is not None
        return given, rest
    return work[:count], work[count:]
