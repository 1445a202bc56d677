"""The second thread of a worker: deals with the others while the first is inside user code.

A rank inside user code makes no progress in MPI: it would hand out no work and its large
sends would stall. So while, and only while, the thread that runs tasks has not looked at the
network for ``Tuning.donor_nap_s``, this thread does it in its place. Code that holds the GIL
for long blocks both. Where the two meet, and what protects what, says ``exchange``.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from typing import Any

from ..base import context, forks
from ..tasks.backlog import Piece
from ..tasks.chunk import Chunk
from ..tasks.future import ForeignTask, Future
from ..workers.scheduler import Scheduler
from ..workers.visitor import Blocked, Visitor
from .idle import MachineIdler
from .machine import MACHINE, Machine


class DonorsDesk(Visitor):
    """For user code on this thread: what is pickled or unpickled, and callbacks.

    The donor thread may be the only one that takes in what comes, so what waits here goes on
    looking. If it has the exchange's lock, it runs what it waits for: nobody else can.
    """

    def __init__(self, scheduler: Scheduler, machine: Machine) -> None:
        super().__init__(scheduler)
        self._machine = machine

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """See :meth:`Desk.wait_for`."""
        if self.exchange.donor_has_lock and self.claim(future):
            self.run_on_the_spot(future)
        else:
            super().wait_for(future, timeout)

    def park(self, parked: Blocked, deadline: float | None = None) -> None:
        """See :meth:`Desk.park`."""
        while not parked.woken and (deadline is None or self.clock() < deadline):
            if self.exchange.donor_has_lock and (work := self.backlog.take()) is not None:
                self._run(work)  # the thread that runs tasks may wait for the lock
                continue
            super().park(parked, min(self.clock() + self.tuning.donor_nap_s,
                                     math.inf if deadline is None else deadline))
            self._scheduler.donate()

    def _run(self, work: Piece) -> None:
        ledger, reports = self.exchange.ledger, self.exchange.reports
        if not isinstance(work, Chunk):
            self.run_on_the_spot(work)
            if isinstance(work, ForeignTask):
                reports.add_task(work)
        elif not ledger.drop_unwanted(work):
            work.run(self.clock)
            if work.owner == self.rank:
                ledger.chunk_has_run(work)
            else:
                reports.add_chunk(work)


class Donor:
    """Deals with other ranks while this one is inside user code, in a thread of its own."""

    def __init__(
        self, scheduler: Scheduler, idler: MachineIdler, abort: Callable[[int], None],
        machine: Machine = MACHINE,
    ) -> None:
        self._abort = abort
        self._machine = machine
        self._scheduler = scheduler
        self._idler = idler
        self._stopping = False
        self._join = machine.run_beside(self._run, "scoop_mpi donor")

    def _run(self) -> None:
        """Ends after :meth:`stop`; a defect in here takes the whole job down."""
        context.enter(DonorsDesk(self._scheduler, self._machine))
        try:
            self._watch()
        except BaseException as error:
            forks.end_if_forked(error)  # by an argument, while it was pickled
            self._machine.report(traceback.format_exc())
            self._abort(1)

    def _watch(self) -> None:
        exchange, tuning = self._scheduler.exchange, self._machine.tuning
        nap_s = tuning.donor_nap_s
        looks = received = -1
        while not self._stopping:
            if exchange.looks == looks:
                self._scheduler.donate()
            # Nobody writes to a program that computes by itself: look less often.
            quiet = exchange.received == received
            longer_s = min(nap_s * tuning.donor_nap_growth, tuning.donor_nap_max_s)
            nap_s = longer_s if quiet else tuning.donor_nap_s
            if exchange.transferring():
                nap_s = tuning.donor_nap_transfer_s
            looks, received = exchange.looks, exchange.received
            self._machine.sleep(nap_s)
            self._idler.busy.wait()

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stopping = True
        self._idler.busy.set()
        self._join()
