"""One rank on virtual time: its clock, the messages that come, how it waits for them."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scoop_mpi.base.messages import BROKER, Leave, Message
from scoop_mpi.broker.broker import Broker

from .costs import size_of

if TYPE_CHECKING:
    from .pool import Pool

NEVER = math.inf
AHEAD_S = 20e-6
"""By how much a rank may be ahead of others when it receives."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples, without their integers, are spread evenly between 0 and 1."""


class Rank:
    """What the broker and the workers have in common: a clock, and messages that come."""

    def __init__(self, pool: Pool, rank: int) -> None:
        self.pool = pool
        self.rank = rank
        self.now = 0.0
        self.due = NEVER
        """When it goes on, as things stand."""
        self.inbox: list[tuple[float, int, int, Message, float]] = []
        """(arrival, number, source, message, seconds that its size costs), a heap."""
        self.overhead_s = 0.0
        self.received: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.queued_s = 0.0
        """Seconds that messages have waited here, in all."""
        self.longest_queue = 0
        self.real_s = 0.0
        """Seconds that the simulation has really spent here, for comparison."""
        self._idle_since: float | None = None
        self._fraction = rank * GOLDEN % 1

    def spend(self, seconds: float) -> None:
        """Lets the clock move on."""
        self.now += seconds
        self.overhead_s += seconds

    def go(self) -> None:
        """Goes on from ``now`` to where others are due earlier or it has nothing to do."""
        raise NotImplementedError

    def post(self, dest: int, message: Message, overhead_s: float) -> None:
        """Sends."""
        costs = self.pool.costs
        size, items = size_of(message)
        size_s = items * costs.item_s + size * costs.byte_s
        self.spend(costs.send_s + overhead_s + size_s)
        self.sent[type(message).__name__] += 1
        arrival = self.now + costs.latency_s + size / costs.bytes_per_s
        self.pool.ranks[dest].arrive(arrival, self.rank, message, size_s)

    def arrive(self, arrival: float, source: int, message: Message, size_s: float) -> None:
        """A message is going to be here at ``arrival``."""
        heapq.heappush(self.inbox, (arrival, next(self.pool.numbers), source, message, size_s))
        if self._idle_since is not None:
            wake = self._wake_time(self._idle_since, max(arrival, self.now), source)
            if wake < self.due:
                self.pool.schedule(self, wake)

    def take(self, overhead_s: float) -> tuple[int, Message] | None:
        """The next message that has arrived."""
        if not self.inbox or self.inbox[0][0] > self.now:
            return None
        self.longest_queue = max(self.longest_queue, len(self.inbox))
        arrival, _, source, message, size_s = heapq.heappop(self.inbox)
        self.queued_s += self.now - arrival
        self.spend(self.pool.costs.receive_s + overhead_s + size_s)
        self.received[type(message).__name__] += 1
        return source, message

    def idle(self, since: float, longest_s: float) -> None:
        """There is nothing to do until a message comes."""
        self._idle_since = since
        self._longest_s = longest_s
        if self.inbox:
            arrival, _, source, *_ = self.inbox[0]
            self.pool.schedule(
                self, self._wake_time(since, max(arrival, self.now), source))

    def _wake_time(self, since: float, arrival: float, source: int) -> float:
        """When the poll comes that finds what arrives then.

        Where between two polls a message falls is taken from a sequence of fractions.
        """
        idling, waited = self.pool.idling, arrival - since
        if waited < idling.yield_s:
            return arrival
        self._fraction = (self._fraction + GOLDEN) % 1
        nap_s = min(waited / 100, self._longest_s) + self.pool.costs.oversleep_s
        delay_s = self._fraction * nap_s
        if source // idling.node == self.rank // idling.node:
            delay_s = min(delay_s, idling.bell_s)
        return arrival + delay_s


class Counted(dict[int, None]):
    """A dict that counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[int]:
        self.times += 1
        return super().__iter__()


class VirtualBroker(Rank):
    """Rank 0, as ``process.broker_rank`` runs it."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, BROKER)
        self.broker = Broker(pool.size)
        # For each offer that it looks at, the broker goes through those who are idle.
        self._idle = self.broker._idle = Counted()
        self._offers = self.broker._offers = Counted()
        self.idle(0.0, pool.idling.broker_sleep_s)

    def go(self) -> None:
        """Deals with what has arrived."""
        pool, costs = self.pool, self.pool.costs
        self._idle_since = None
        while not pool.due_before(self.now - AHEAD_S):
            arrived = self.take(costs.match_s)
            if arrived is None:
                self.spend(costs.poll_s)
                self.idle(self.now, pool.idling.broker_sleep_s)
                return
            offers = len(self._offers)
            self._idle.times = self._offers.times = 0
            sends = self.broker.handle(*arrived)
            self.spend(self._idle.times * costs.scan_s
                       + self._offers.times * offers * costs.item_s)
            for dest, message in sends:
                if not isinstance(message, Leave):  # virtual workers are gone by then
                    self.post(dest, message, 0.0)
        pool.schedule(self, self.now)
