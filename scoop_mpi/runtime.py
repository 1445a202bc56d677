"""Connects a state machine to a network: start, loop, idle policy, stop, abort.

The donor thread. A rank inside user code makes no progress in MPI: it would hand out
no work and its large sends would stall. So while, and only while, the thread that
runs tasks has not looked at the network for ``Tuning.donor_nap_s``, a second thread does it
in its place. Code that holds the GIL for long blocks both.

Endpoint and ``machine`` are passed in, so that whole jobs run in simulations.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from . import context, forks
from .broker import Broker, BrokerState
from .codec import Codec
from .constants import Constants
from .errors import INTERRUPTED, TIMED_OUT, ForkError
from .future import CANCELLED, Future
from .launch.world import has_rank_above
from .log import logger
from .machine import MACHINE, Machine, report
from .messages import BROKER, Failure, Finished, Goodbye, Left
from .names import Names
from .loop import Idler as SchedulerIdler
from .scheduler import Scheduler
from .signals import guard
from .streams import flush_output, put_back_unusable
from .transport.endpoint import Alone, Endpoint, ProcessEndpoint
from .tuning import TUNING, Tuning
from .uncaught import exit_code_of

STOP_S = 2.0
"""Seconds that ranks inside tasks get to stop, after a failure, before the job is aborted."""
LEFT_S = 5.0
"""Seconds that the root gets to end as the program did when a worker imported it."""
LEAVE_S = 60.0
"""Seconds that ranks get to leave when all is done; only a machine in trouble takes so long."""


class Idler:
    """The idle policy of a worker; rests the donor thread while the worker sleeps."""

    def __init__(self, endpoint: ProcessEndpoint, machine: Machine = MACHINE) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self.spin_s = machine.spin_time(endpoint if endpoint.all_can_ring else None)
        self.has_mail: Callable[[], bool] | None = None
        """Asked before each sleep: is there something to do after all?"""
        self.busy = machine.event()
        """Cleared when the donor thread need not look after this rank."""
        self.busy.set()

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """See :class:`scoop_mpi.scheduler.Idler`."""
        if waited_s >= self.spin_s and self.busy.is_set():
            self.busy.clear()
        self._machine.pause(
            waited_s, limit_s, endpoint=self._endpoint, has_mail=self.has_mail)

    def resume(self) -> None:
        """See :class:`scoop_mpi.scheduler.Idler`."""
        if not self.busy.is_set():
            self.busy.set()

    def rouse(self) -> None:
        """See :class:`scoop_mpi.scheduler.Idler`."""
        self._endpoint.rouse()


class Donor:
    """Deals with other ranks while this one is inside user code, in a thread of its own."""

    def __init__(
        self, scheduler: Scheduler, idler: Idler, abort: Callable[[int], None],
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


class Worker:
    """One worker rank: its scheduler, its donor thread, its way out."""

    def __init__(
        self, endpoint: ProcessEndpoint, codec: Codec, machine: Machine = MACHINE
    ) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self._idler = Idler(endpoint, machine)
        self.scheduler = make_scheduler(
            endpoint, codec, self._idler, clock=machine.clock, tuning=machine.tuning)
        self._idler.has_mail = self._has_mail
        self._donor: Donor | None = None

    def _has_mail(self) -> bool:
        exchange = self.scheduler.exchange
        with exchange.lock:  # the donor thread may be at it
            return exchange.has_due() or self._endpoint.has_mail()

    def start(self) -> None:
        """From here on the verbs work on this rank, and others are answered."""
        context.install(self.scheduler)
        self.scheduler.expect_errors()
        if self.scheduler.exchange.peers and self._endpoint.two_threads:
            self._donor = Donor(
                self.scheduler, self._idler, self._endpoint.abort, self._machine)

    def finish(self, message: Finished | Failure | Left | None) -> int:
        """Says ``message`` to the broker, runs tasks until the job ends.

        Returns:
            The exit code of the job.
        """
        if message is not None:
            self.scheduler.exchange.send([(BROKER, message)])
        exit_code = self.scheduler.serve()
        if (failure := late_failure(self.scheduler.ended_by)) is not None:
            self.scheduler.exchange.send([(BROKER, failure)])
            exit_code = self.scheduler.await_shutdown()
        if self._donor is not None:
            self._donor.stop()
        self.scheduler.close()
        logger.debug("created %d tasks and maps, received %d messages",
                     self.scheduler.created, self.scheduler.exchange.received)
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
        exchange = self.scheduler.exchange
        began = self._machine.clock()
        said = False
        while not exchange.may_leave:
            exchange.discard()
            self._endpoint.progress()
            if not said and not self._endpoint.transferring():
                said = True
                exchange.send([(BROKER, Goodbye())])
            self._machine.pause(self._machine.clock() - began, endpoint=self._endpoint)


def make_scheduler(
    endpoint: Endpoint, codec: Codec, idler: SchedulerIdler, alone: bool = False,
    clock: Callable[[], float] = MACHINE.clock, tuning: Tuning = TUNING,
) -> Scheduler:
    """The scheduler that the job's settings ask for."""
    job = context.job()
    if job.settings.strict or job.settings.debug or job.settings.profile:
        # Imported here: every rank pays for imports, few need this one.
        from .instruments import InstrumentedScheduler

        return InstrumentedScheduler(endpoint, codec, clock, idler, alone, tuning, job=job)
    return Scheduler(endpoint, codec, clock, idler, alone, tuning)


def run_broker(
    endpoint: ProcessEndpoint, timeout_s: float | None = None, machine: Machine = MACHINE
) -> int:
    """Runs rank 0 until every worker has left; returns the job's exit code.

    Args:
        timeout_s: seconds after which the job fails, wherever it is; None: no limit.
    """
    broker = Broker(endpoint.size, machine.tuning)
    silent_since = machine.clock()
    end_by = None if timeout_s is None else silent_since + timeout_s
    stop_by = left_by = None
    while broker.state is not BrokerState.STOPPED:
        arrived = endpoint.receive()
        now = machine.clock()
        if arrived is not None:
            silent_since = now
            for dest, message in broker.handle(*arrived):
                endpoint.send(dest, message)
            endpoint.progress()
        else:
            endpoint.progress()
            deadlines = [at - now for at in (end_by, stop_by, left_by) if at is not None]
            machine.pause(
                now - silent_since, min(deadlines, default=None),
                machine.tuning.broker_sleep_max_s, endpoint)
        if end_by is not None and now > end_by:
            end_by = None
            for dest, message in broker.handle(BROKER, _timed_out(timeout_s)):
                endpoint.send(dest, message)
        if not broker.left:
            left_by = None
        elif left_by is None:
            left_by = now + LEFT_S
        elif now > left_by:
            for dest, message in broker.root_goes_on():
                endpoint.send(dest, message)
        if broker.state is BrokerState.STOPPING:
            if stop_by is None:
                stop_by = now + (LEAVE_S if broker.drained else STOP_S)
                machine.report(broker.report)
            elif now > stop_by:
                _abort(endpoint, broker, machine)
    _send_all(endpoint, machine)
    return broker.exit_code


def _timed_out(timeout_s: float | None) -> Failure:
    return Failure(f"scoop_mpi: the job was ended after --timeout {timeout_s:g} s", TIMED_OUT)


def _send_all(endpoint: ProcessEndpoint, machine: Machine) -> None:
    began = machine.clock()
    while endpoint.transferring():
        endpoint.progress()
        machine.pause(machine.clock() - began, endpoint=endpoint)


def _abort(endpoint: ProcessEndpoint, broker: Broker, machine: Machine) -> None:
    """Some ranks do not leave, mostly because they are inside a task: take them down."""
    ranks = ", ".join(map(str, sorted(broker.present)))
    machine.report(
        f"scoop_mpi: rank(s) {ranks} did not stop after the end of the job; aborting")
    endpoint.abort(broker.exit_code or 1)


def late_failure(error: BaseException | None) -> Failure | None:
    """How the job ends when a signal handler of the program raises ``error`` after its end."""
    if error is None:
        return None
    if isinstance(error, KeyboardInterrupt):
        return Failure("", INTERRUPTED)
    if isinstance(error, SystemExit):
        return Failure("", exit_code_of(error))
    return Failure("".join(traceback.format_exception(error)), 1)


# -- one process -----------------------------------------------------------


def limit_time(timeout_s: float | None) -> None:
    """Ends this process after ``timeout_s`` seconds; None: no limit."""
    if timeout_s is not None:
        timer = threading.Timer(timeout_s, _end, [timeout_s])
        timer.daemon = True
        timer.start()


def _end(timeout_s: float) -> None:
    report(_timed_out(timeout_s).text)
    # Whoever reads our output may have stopped; then it is lost.
    flush = threading.Thread(target=flush_output, daemon=True)
    flush.start()
    flush.join(1.0)
    os._exit(TIMED_OUT)


class _NoPause:
    spin_s = 0.0

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        time.sleep(max(0.0, min(limit_s or 0.0, TUNING.sleep_max_s)))  # a signal may have come

    def resume(self) -> None:
        pass

    def rouse(self) -> None:
        pass


def start_alone(names: Names | None = None, tuning: Tuning = TUNING) -> Scheduler:
    """A scheduler for this process only; what was submitted still runs at exit.

    Args:
        names: what is noted of the program; None: noted when something is first pickled.
    """
    if names is None:
        names = Names()
        names.due = True
    return _until_exit(make_scheduler(
        Alone(), Codec(names, tuning), _NoPause(), alone=True, tuning=tuning))


def _until_exit(scheduler: Scheduler) -> Scheduler:
    scheduler.expect_errors()
    guard.install()
    atexit.register(scheduler.close)
    atexit.register(_run_leftovers, scheduler, threading.get_ident())
    return scheduler


def forget_leftovers() -> None:
    """What was submitted and never waited for does not run at exit."""
    atexit.unregister(_run_leftovers)


def run_leftovers(scheduler: Scheduler) -> Failure | None:
    """Runs it now; returns how that ended if a signal handler of the program has ended it."""
    forget_leftovers()
    scheduler.serve()
    if scheduler.ended_by is not None:
        guard.ignore_ctrl_c()
    return late_failure(scheduler.ended_by)


def _run_leftovers(scheduler: Scheduler, thread: int) -> None:
    # last_value: an uncaught exception has ended the program.
    if hasattr(sys, "last_value"):
        return
    if thread != threading.get_ident():  # its greenlets can be resumed there only
        if scheduler.backlog:
            logger.warning("tasks that another thread has submitted, and not waited for, have not "
                           "run; submit them in the main thread")
        return
    run_leftovers(scheduler)
    if isinstance(scheduler.ended_by, KeyboardInterrupt):
        # Python remembers that such code was left by Ctrl-C: when all else is done it ends
        # the process by SIGINT (for a shell: exit code 130).
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")
    elif scheduler.ended_by is not None:
        raise scheduler.ended_by  # printed


class _ChildScheduler(Scheduler):
    """Runs what a forked child asks for, serially, in the child.

    Its tasks are numbered from its parent's on, so that theirs can be told apart.
    """

    __slots__ = ("_inherited",)

    def __init__(self, inherited: int) -> None:
        super().__init__(Alone(), Codec(), time.perf_counter, _NoPause(), alone=True)
        self._inherited = self.created = inherited

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """See :meth:`scoop_mpi.scheduler.Scheduler.wait_for`.

        Raises:
            ForkError: it is a future of the parent.
        """
        if future.number <= self._inherited and future.state is not CANCELLED:
            raise ForkError()
        super().wait_for(future, timeout)


def _inherit(parents: Scheduler) -> Callable[[], Scheduler]:
    """What makes the scheduler of a forked child; called at the fork, as its parent's goes."""
    return partial(_start_in_child, parents.created, parents.constants)


def _start_in_child(inherited: int, constants: Constants) -> Scheduler:
    scheduler = _ChildScheduler(inherited)
    scheduler.constants.inherit(constants)
    return _until_exit(scheduler)


def _become_child() -> None:
    forget_leftovers()
    context.become_child(_inherit)


# Here, as this module is imported by whatever makes a scheduler, and once.
os.register_at_fork(before=context.before_fork, after_in_parent=context.after_fork,
                    after_in_child=_become_child)


def start_without_launcher() -> Scheduler:
    """As :func:`start_alone`, for a program that no launcher has started.

    It warns, unless a rank has started this process by other means than a launcher.
    """
    if has_rank_above():
        return start_alone()
    program = sys.argv[0] if sys.argv and sys.argv[0] else "program.py"
    warnings.warn(
        "scoop_mpi was not started by a launcher, so this program runs serially; "
        f"start it with: python -m scoop_mpi {program}",
        RuntimeWarning, stacklevel=_frames_of_ours() + 1,
    )
    return start_alone()


def _frames_of_ours() -> int:
    """How many of the innermost frames belong to this package."""
    here = os.path.dirname(os.path.abspath(__file__))
    frame, number = sys._getframe(1), 0
    while frame is not None and frame.f_code.co_filename.startswith(here):
        assert frame.f_back is not None
        frame, number = frame.f_back, number + 1
    return number
