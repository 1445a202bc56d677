"""Starts MPI for the check, and says so if it does not start."""

from __future__ import annotations

import os
import select
import signal

from .. import rank
from ..job import Settings
from ..launch.world import CHECK_LIMIT_S, HOSTS_VARIABLE, launched_rank
from ..messages import BROKER


def limit_of(settings: Settings) -> float:
    """Seconds in which every rank must answer."""
    return settings.timeout_s or CHECK_LIMIT_S


def start_mpi(settings: Settings) -> None:
    """Starts MPI on this rank.

    Raises:
        LaunchError: MPI cannot start, or the launcher does not belong to it.
    """
    done = _guard(limit_of(settings)) if launched_rank() == BROKER else None
    try:
        rank.load_mpi()
    finally:
        if done is not None:
            os.close(done)


def _guard(limit_s: float) -> int:
    """Ends this rank, with a message, if MPI has not started in time.

    MPI_Init waits for all ranks and holds the GIL, so another process must watch.

    Returns:
        A file descriptor; closing it calls the guard off.
    """
    watched, done = os.pipe()
    me = os.getpid()
    child = os.fork()
    if child:
        os.close(watched)
        return done
    try:
        os.close(done)
        ready, _, _ = select.select([watched], [], [], limit_s)
        if not ready:
            told = os.environ.get(HOSTS_VARIABLE, "")
            where = f"; the ranks are on {told}" if told else ""
            os.write(2, f"scoop_mpi: MPI has not started within {limit_s:g} s: rank 0 on "
                     f"{os.uname().nodename} waits for a rank that does not come{where}. Is a "
                     "host overloaded or unreachable, or a firewall between them?\n".encode())
            os.kill(me, signal.SIGKILL)
    finally:
        os._exit(0)
