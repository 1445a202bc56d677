"""One worker rank: its scheduler, its donor thread, its way out.

Endpoint and ``machine`` are passed in, so that whole jobs run in simulations.
"""

from __future__ import annotations

import sys

from ..base import context
from ..base.log import logger
from ..base.messages import ROOT, Failure, Finished, Goodbye, Left
from ..base.streams import flush_output, put_back_unusable
from ..wire.codec import Codec
from ..wire.endpoint import ProcessEndpoint
from .alone import start_alone
from .donor import Donor
from .endings import late_failure
from .idle import MachineIdler
from .machine import MACHINE, Machine
from .schedulers import make_scheduler


def has_gil() -> bool:
    """True but for free-threaded interpreters."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Worker:
    """One worker rank: its scheduler, its donor thread, its way out."""

    def __init__(
        self, endpoint: ProcessEndpoint, codec: Codec, machine: Machine = MACHINE
    ) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self._idler = MachineIdler(endpoint, machine)
        self.scheduler = make_scheduler(
            endpoint, codec, self._idler, clock=machine.clock, tuning=machine.tuning)
        self._exchange = self.scheduler.exchange
        self._idler.has_mail = self._has_mail
        self._donor: Donor | None = None

    def _has_mail(self) -> bool:
        exchange = self._exchange
        with exchange.lock:  # the donor thread may be at it
            return exchange.has_due() or self._endpoint.has_mail()

    def start(self) -> None:
        """From here on the verbs work on this rank, and others are answered."""
        context.install(self.scheduler)
        self.scheduler.expect_errors()
        if not self._exchange.peers or not self._endpoint.two_threads:
            return
        if has_gil():
            self._donor = Donor(
                self.scheduler, self._idler, self._endpoint.abort, self._machine)
        elif self.scheduler.rank == ROOT:
            logger.warning("this Python runs without the GIL, on which workers rely to answer "
                           "others while a task computes: here they do so between tasks only. "
                           "Set PYTHON_GIL=1 in the environment of all ranks")

    def finish(self, message: Finished | Failure | Left | None) -> int:
        """Says ``message`` to the broker, runs tasks until the job ends.

        Returns:
            The exit code of the job.
        """
        if message is not None:
            self.scheduler.tell_broker(message)
        exit_code = self.scheduler.serve()
        if (failure := late_failure(self.scheduler.ended_by)) is not None:
            self.scheduler.tell_broker(failure)
            exit_code = self.scheduler.await_shutdown()
        if self._donor is not None:
            self._donor.stop()
        self.scheduler.close()
        logger.debug("created %d tasks and maps, received %d messages",
                     self.scheduler.created, self._exchange.received)
        context.install(None)
        context.on_first_use(start_alone)
        self._leave()
        return exit_code

    def _leave(self) -> None:
        """Leaves only when nothing this rank sent, or will be sent, is in flight.

        MPI_Finalize may wait for ever for a large message that nobody receives.
        """
        flush_output()
        put_back_unusable()
        exchange = self._exchange
        began = self._machine.clock()
        said = False
        while not exchange.may_leave:
            exchange.discard()
            self._endpoint.progress()
            if not said and not self._endpoint.transferring():
                said = True
                self.scheduler.tell_broker(Goodbye())
            self._machine.pause(self._machine.clock() - began, endpoint=self._endpoint)
