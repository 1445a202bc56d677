"""The second thread of a worker: deals with the others while the first is inside user code.

A rank inside user code makes no progress in MPI: it would hand out no work and its large
sends would stall. So while, and only while, the thread that runs tasks has not looked at the
network for ``Tuning.donor_nap_s``, this thread does it in its place. Code that holds the GIL
for long blocks both. Where the two meet, and what protects what, says ``exchange``.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from ..base import forks
from ..workers.scheduler import Scheduler
from .idle import MachineIdler
from .machine import MACHINE, Machine


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
        self._join = machine.run_beside(self._run)

    def _run(self) -> None:
        """Ends after :meth:`stop`; a defect in here takes the whole job down."""
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
