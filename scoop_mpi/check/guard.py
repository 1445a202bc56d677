"""Starts MPI for the check, and says so if it does not start."""

from __future__ import annotations

import os
import select
import signal

from .. import rank
from ..job import Settings
from ..launch.world import CHECK_LIMIT_S, HOSTS_VARIABLE, launched_rank, told
from ..messages import BROKER


def limit_of(settings: Settings) -> float:
    """Seconds in which every rank must answer."""
    return settings.timeout_s or CHECK_LIMIT_S


class Guard:
    """Ends rank 0, and so the job, if a call of MPI in which all ranks meet takes too long.

    Such a call holds the GIL, so another process watches.
    """

    def __init__(self, limit_s: float) -> None:
        self._done = _watch(limit_s)

    def off(self) -> None:
        """They have met."""
        os.close(self._done)


def start_mpi(settings: Settings) -> None:
    """Starts MPI on this rank.

    Raises:
        LaunchError: MPI cannot start, or the launcher does not belong to it.
    """
    guard = Guard(limit_of(settings)) if launched_rank() == BROKER else None
    try:
        rank.load_mpi()
    finally:
        if guard is not None:
            guard.off()


def _watch(limit_s: float) -> int:
    """Starts the process that watches; it ends when the returned descriptor is closed."""
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
            hosts = told(HOSTS_VARIABLE)
            where = f"; the ranks are on {hosts}" if hosts else ""
            os.write(2, f"scoop_mpi: MPI has not started within {limit_s:g} s: rank 0 on "
                     f"{os.uname().nodename} waits for a rank that does not come{where}. Is a "
                     "host overloaded or unreachable, or a firewall between them?\n".encode())
            os.kill(me, signal.SIGKILL)
    finally:
        os._exit(0)
