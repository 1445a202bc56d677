"""The pool: real ``Broker`` and ``Scheduler`` objects, each rank with a clock of its own.

A discrete-event simulation. A rank's clock (``now``) moves on by what its work costs
(``costs``) and by the seconds of its tasks (:func:`compute`). The driver lets the rank
with the earliest event go on until that rank pauses, computes, or is about to receive
while others have something to do (``AHEAD_S``) earlier: so a receive sees what has arrived.

Nothing polls: when a message arrives at an idle rank the poll that will find it is
computed. So what a simulation costs depends on the messages, not on the time they take.
"""

from __future__ import annotations

import heapq
import time
from array import array
from collections.abc import Callable
from itertools import count
from typing import Any

from greenlet import getcurrent

from scoop_mpi.base import context
from scoop_mpi.base.messages import ROOT
from scoop_mpi.broker.broker import BrokerState

from .costs import Costs, Idling
from .rank import GOLDEN, NEVER, Rank, VirtualBroker
from .worker import Worker

_pool: Pool | None = None


def compute(seconds: float) -> None:
    """For tasks: computes for so many virtual seconds."""
    worker().compute(seconds)


def spend(seconds: float) -> None:
    """For tasks: ``seconds`` of this package's own work that nothing else accounts for."""
    worker().spend(seconds)


def worker() -> Worker:
    """The one whose task this is called by."""
    assert _pool is not None and isinstance(_pool.current, Worker)
    return _pool.current


class Pool:
    """``workers`` workers and a broker.

    Args:
        settle_s: when the program begins; the others are there from the start.
    """

    def __init__(
        self, workers: int, costs: Costs | None = None, idling: Idling | None = None,
        settle_s: float = 1.0,
    ) -> None:
        global _pool
        _pool = self
        self.size = workers + 1
        self.costs = costs or Costs()
        self.idling = idling or Idling()
        self.settle_s = settle_s
        self.numbers = count()
        self.driver = getcurrent()
        self.current: Rank | None = None
        self.result: Any = None
        self.began = self.ended = NEVER
        self.events = 0
        self.tasks_began, self.tasks_s = array("d"), array("d")
        """When each task began, and how long it was."""
        self._queue: list[tuple[float, int, Rank]] = []
        self.ranks: list[Rank] = []

    def schedule(self, rank: Rank, at: float) -> None:
        """``rank`` goes on at ``at``, and not when it was to go on before."""
        rank.due = at
        heapq.heappush(self._queue, (at, next(self.numbers), rank))

    def due_before(self, now: float) -> bool:
        """Has anybody something to do earlier?"""
        queue = self._queue
        while queue and queue[0][2].due != queue[0][0]:
            heapq.heappop(queue)
        return bool(queue) and queue[0][0] < now

    def run(self, program: Callable[[], Any], to_the_end: bool = True) -> Any:
        """Runs ``program`` on the root; returns its result.

        Args:
            to_the_end: until the whole job is over; else until the program is.
        """
        self.broker = VirtualBroker(self)
        self.workers = [Worker(self, rank, program) for rank in range(ROOT, self.size)]
        self.ranks = [self.broker, *self.workers]
        for worker in self.workers:
            # Not at the same moment: ranks of a job start some milliseconds apart.
            self.schedule(worker, worker.rank * GOLDEN % 1 * 0.05)
        self.schedule(self.workers[0], self.settle_s)
        queue = self._queue
        try:
            while queue and (to_the_end or self.ended is NEVER):
                at, _, rank = heapq.heappop(queue)
                if at != rank.due:
                    continue
                rank.due = NEVER
                rank.now = max(rank.now, at)
                self.current = rank
                self.events += 1
                if rank.rank > ROOT:
                    rank.go()
                else:
                    began = time.process_time()
                    rank.go()
                    rank.real_s += time.process_time() - began
        finally:
            context.install(None)
        if self.ended is NEVER:
            raise RuntimeError("nothing moves any more, and the program has not ended")
        if to_the_end:
            assert self.broker.broker.state is BrokerState.STOPPED
            assert all(worker.finished for worker in self.workers)
        return self.result

    def program_begins(self, now: float) -> None:
        """Called by the root."""
        self.began = now
        for rank in self.broker, self.workers[0]:
            rank.overhead_s = rank.queued_s = rank.real_s = 0.0
            rank.longest_queue = 0
            rank.received.clear()
            rank.sent.clear()

    def sustained(self) -> float:
        """The part of the pool that ran tasks in the middle half of the program's time."""
        quarter_s = (self.ended - self.began) / 4
        start, stop = self.began + quarter_s, self.ended - quarter_s
        seconds = sum(
            max(0.0, min(began + length_s, stop) - max(began, start))
            for began, length_s in zip(self.tasks_began, self.tasks_s)
        )
        return seconds / ((stop - start) * len(self.workers))

    def program_ends(self, now: float) -> None:
        """Called by the root."""
        self.ended = now
