"""What one MPI rank does, from its first instruction to its exit code.

Rank 0 is the broker, rank 1 the root, the rest are workers. In a world of one rank
the program runs serially.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from ..base import context, forks, log
from ..base.errors import INTERRUPTED, LaunchError
from ..base.job import Job, Settings
from ..base.messages import BROKER, ROOT, Failure, Finished, Left
from ..wire.codec import Codec
from ..workers.signals import guard
from . import alias, alone
from .broker_rank import run_broker
from .library import no_library
from .machine import report
from .program import Program
from .surroundings import fair_threads, hear_interrupts, set_threads
from .worker_rank import Worker
from .world import (
    announce_root, check_size, forget_launcher, launched_rank, leave_stdin, let_the_first_speak,
    take_stdin,
)

if TYPE_CHECKING:
    from ..wire.mpi import MpiEndpoint


def run_rank(
    program: Program, settings: Settings, when_all_are_here: Callable[[], None] | None = None
) -> int:
    """Runs this process's part of the job.

    Args:
        when_all_are_here: is called when all ranks have met.

    Returns:
        The exit code of the job on the broker and the root, 0 on the other ranks.

    Raises:
        LaunchError: the job cannot run; nothing of the program has.
    """
    load_mpi()
    from ..wire.mpi import MpiEndpoint

    endpoint = MpiEndpoint()
    # Numerical libraries read it when the program loads them.
    cores = frozenset(os.sched_getaffinity(0))
    neighbours = endpoint.meet_neighbours(cores)
    set_threads(settings.threads or fair_threads(cores, neighbours))
    if when_all_are_here is not None:
        when_all_are_here()
    context.set_job(Job(
        rank=endpoint.rank if endpoint.size > 1 else ROOT, workers=max(1, endpoint.size - 1),
        running=True, program=program.name, broker_host=endpoint.broker_host, settings=settings,
    ))
    log.set_verbosity(settings.verbosity)
    if settings.alias:
        alias.install()
    if endpoint.size == 1:
        return _run_alone(program)
    try:
        return _run_part(program, endpoint)
    except BaseException as error:
        forks.end_if_forked(error)
        # A defect of ours. The other ranks would wait for this one for ever.
        report(traceback.format_exc())
        endpoint.abort(1)
        raise


def load_mpi() -> None:
    """Starts MPI on this rank, if it has not been; from here on it prints whole lines.

    Raises:
        LaunchError: there is no MPI library, or the launcher does not belong to it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Without write_through (PYTHONUNBUFFERED) a line is written in one piece.
            stream.reconfigure(line_buffering=True, write_through=False)
    try:
        from ..wire.mpi import MPI
    except (ImportError, RuntimeError) as error:
        if launched_rank() not in (0, None):
            let_the_first_speak()
            raise LaunchError("") from None
        raise no_library(str(error)) from None
    check_size(MPI.COMM_WORLD.Get_size())
    forget_launcher()


def _run_part(program: Program, endpoint: MpiEndpoint) -> int:
    if endpoint.rank != BROKER:
        log.logger.info("process %d on %s, one of %d workers; the broker is on %s", os.getpid(),
                        os.uname().nodename, endpoint.size - 1, endpoint.broker_host)
    if endpoint.rank != ROOT:
        # Ctrl-C is for the program; when that ends, the broker stops the others.
        _on_ctrl_c(_ignore)
        hear_interrupts()
    # Python 3.12 warns of a second thread, which each rank has: it is held still (context).
    warnings.filterwarnings("ignore", r"This process \(pid=\d+\) is multi-threaded",
                            DeprecationWarning)
    if endpoint.rank == BROKER:
        leave_stdin()
        return run_broker(endpoint, context.job().settings.timeout_s)
    worker = Worker(endpoint, Codec(program.names))
    if endpoint.rank == ROOT:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    guard.install()
    last = _run_root(program, worker) if endpoint.rank == ROOT else _join(program, worker)
    exit_code = worker.finish(last)
    guard.ignore_ctrl_c()
    # More ranks need not say it: some launchers kill the job at the first that does.
    return exit_code if endpoint.rank == ROOT else 0


def _on_ctrl_c(handler: Callable[[int, FrameType | None], None]) -> None:
    """What this rank does at SIGINT. A forked child is no rank: there it has its usual meaning."""
    def put_back() -> None:
        if signal.getsignal(signal.SIGINT) == handler:  # else it is the program's
            signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, handler)
    os.register_at_fork(after_in_child=put_back)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Not SIG_IGN, which programs that tasks start would inherit."""


def _run_root(program: Program, worker: Worker) -> Finished | Failure:
    announce_root()
    worker.start()
    if hear_interrupts():
        return Finished(INTERRUPTED, drain=False)
    try:
        take_stdin()
        ending = worker.scheduler.run_program(program.run_as_main)
    except LaunchError as error:
        return Failure(f"scoop_mpi: {error}", error.exit_code)
    if ending.text:
        return Failure(ending.text, ending.exit_code)
    return Finished(ending.exit_code, drain=not ending.failed)


def _join(program: Program, worker: Worker) -> Failure | Left | None:
    leave_stdin()
    try:
        trouble = program.import_on_worker(worker.scheduler.rank)
    except LaunchError as error:
        return Failure(f"scoop_mpi: {error}", error.exit_code)
    worker.start()
    return trouble


def _run_alone(program: Program) -> int:
    if hear_interrupts():
        return INTERRUPTED
    take_stdin()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    alone.limit_time(context.job().settings.timeout_s)
    scheduler = alone.start_alone(program.names)
    context.install(scheduler)
    ending = scheduler.run_program(program.run_as_main)
    report(ending.text)
    if ending.failed:
        alone.forget_leftovers()
    elif (failure := alone.run_leftovers(scheduler)) is not None:
        report(failure.text)
        return failure.exit_code
    return ending.exit_code
