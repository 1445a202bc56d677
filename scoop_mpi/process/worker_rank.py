"""One worker rank: its scheduler, its donor thread, its way out.

Endpoint and ``machine`` are passed in, so that whole jobs run in simulations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property

from ..base import context, forks
from ..base.log import logger
from ..base.messages import BROKER, ROOT, Failure, Finished, Goodbye, Left
from ..base.streams import flush_output, put_back_unusable
from ..wire.codec import Codec
from ..wire.endpoint import ProcessEndpoint
from ..workers.scheduler import Scheduler
from .alone import start_alone
from .donor import Donor
from .endings import late_failure
from .idle import MachineIdler
from .machine import MACHINE, Machine
from .program import Ending
from .schedulers import make_scheduler, run_program
from .tasks_thread import TasksThread


def has_gil() -> bool:
    """True but for free-threaded interpreters."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Worker:
    """One worker rank: its scheduler, its donor thread, its way out.

    On the root the program runs on this thread, and tasks on another, which starts when
    the program first uses a verb; on all others tasks run on this one.
    """

    def __init__(
        self, endpoint: ProcessEndpoint, codec: Codec, machine: Machine = MACHINE
    ) -> None:
        self.rank = endpoint.rank
        self._endpoint = endpoint
        self._codec = codec
        self._machine = machine
        self._idler = MachineIdler(endpoint, machine)
        self._tasks: TasksThread | None = None
        self._donor: Donor | None = None

    @cached_property
    def scheduler(self) -> Scheduler:
        """This rank's; it is made, with its threads, when it is first asked for."""
        if self.rank == ROOT:
            self._tasks = TasksThread(self._make, self._machine, self._endpoint.abort)
            scheduler = self._tasks.scheduler
        else:
            scheduler = self._make()
            scheduler.expect_errors()
        self._start_donor(scheduler)
        return scheduler

    def _make(self) -> Scheduler:
        machine, endpoint = self._machine, self._endpoint
        scheduler = make_scheduler(
            endpoint, self._codec, self._idler, clock=machine.clock, tuning=machine.tuning,
            beside=self.rank == ROOT, event=machine.event)
        exchange = scheduler.exchange

        def has_mail() -> bool:
            if scheduler.backlog or scheduler.board.ready:
                return True  # another thread has just made that
            with exchange.lock:  # the donor thread may be at it
                return exchange.has_due() or endpoint.has_mail()

        self._idler.has_mail = has_mail
        return scheduler

    def _start_donor(self, scheduler: Scheduler) -> None:
        if not self._endpoint.two_threads:
            return
        if has_gil():
            self._donor = Donor(scheduler, self._idler, self._endpoint.abort, self._machine)
            scheduler.visits.own_threads += 1
        elif scheduler.rank == ROOT:
            logger.warning("this Python runs without the GIL, on which workers rely to answer "
                           "others while a task computes: here they do so between tasks only. "
                           "Set PYTHON_GIL=1 in the environment of all ranks")

    def start(self) -> None:
        """From here on the verbs work on this rank, and others are answered."""
        if self.rank == ROOT:
            context.on_first_use(lambda: self.scheduler, of_job=True)
        else:
            context.install(self.scheduler)

    def run_program(self, run: Callable[[], Ending]) -> Ending:
        """Calls ``run``, which is the user's program."""
        return run_program(run, lambda: self.scheduler)

    def finish(self, message: Finished | Failure | Left | None) -> int:
        """Says ``message`` to the broker, runs tasks until the job ends.

        Returns:
            The exit code of the job.
        """
        if message is not None:
            if "scheduler" in self.__dict__:
                self.scheduler.tell_broker(message)
            else:  # before this rank says anything else, as then it would seem to go on
                self._endpoint.send(BROKER, message)
        scheduler = self.scheduler
        if self._tasks is None:
            exit_code = scheduler.serve()
        else:
            exit_code = self._finish_beside(self._tasks)
        if self._donor is not None:
            self._donor.stop()
        scheduler.close()
        logger.debug("created %d tasks and maps, received %d messages",
                     scheduler.created, scheduler.exchange.received)
        context.install(None)
        context.on_first_use(start_alone)
        self._leave(scheduler)
        return exit_code

    def _finish_beside(self, tasks: TasksThread) -> int:
        tasks.end()
        while True:
            try:
                tasks.join()
                return tasks.exit_code
            except BaseException as error:
                forks.end_if_forked(error)
                if (failure := late_failure(error)) is not None:
                    tasks.scheduler.tell_broker(failure)

    def _leave(self, scheduler: Scheduler) -> None:
        """Leaves only when nothing this rank sent, or will be sent, is in flight.

        MPI_Finalize may wait for ever for a large message that nobody receives.
        """
        flush_output()
        put_back_unusable()
        exchange = scheduler.exchange
        began = self._machine.clock()
        said = False
        while not exchange.may_leave:
            exchange.discard()
            self._endpoint.progress()
            if not said and not self._endpoint.transferring():
                said = True
                scheduler.tell_broker(Goodbye())
            self._machine.pause(self._machine.clock() - began, endpoint=self._endpoint)
