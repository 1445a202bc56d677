"""Starts MPI for the check, and says so if it does not start."""

from __future__ import annotations

import os
import select
import signal

from ..base.errors import INTERRUPTED, LaunchError
from ..base.job import Settings
from ..base.messages import BROKER
from ..process import rank
from ..process.surroundings import hear_interrupts
from ..process.world import CHECK_LIMIT_S, HOSTS_VARIABLE, launched_rank, told


def limit_of(settings: Settings) -> float:
    """Seconds in which every rank must answer."""
    return settings.timeout_s or CHECK_LIMIT_S


class Guard:
    """Ends rank 0, and so the job, if a call of MPI in which all ranks meet takes too long.

    Such a call holds the GIL, so another process watches. It is forked before MPI starts:
    later, some networks do not bear it.
    """

    def __init__(self, limit_s: float) -> None:
        self._pipe = _watch(limit_s)

    def rest(self) -> None:
        """They have met."""
        os.write(self._pipe, _REST)

    def again(self) -> None:
        """They are about to meet again."""
        os.write(self._pipe, _AGAIN)

    def off(self) -> None:
        """They will meet no more."""
        os.close(self._pipe)


_REST, _AGAIN = b"r", b"a"


def start_mpi(settings: Settings) -> Guard | None:
    """Starts MPI on this rank; returns the guard, at rest, if it is rank 0.

    Raises:
        LaunchError: MPI cannot start, or the launcher does not belong to it.
    """
    guard = Guard(limit_of(settings)) if launched_rank() == BROKER else None
    try:
        rank.load_mpi()
    except LaunchError:
        if guard is not None:
            guard.off()
        raise
    if hear_interrupts():
        raise LaunchError("", INTERRUPTED)
    if guard is not None:
        guard.rest()
    return guard


def _watch(limit_s: float) -> int:
    """Starts the process that watches; it ends when the returned descriptor is closed."""
    watched, pipe = os.pipe()
    me = os.getpid()
    if os.fork():
        os.close(watched)
        return pipe
    try:
        os.close(pipe)
        wait_s: float | None = limit_s
        while select.select([watched], [], [], wait_s)[0]:
            said = os.read(watched, 1)
            if not said:
                os._exit(0)
            wait_s = None if said == _REST else limit_s
        hosts = told(HOSTS_VARIABLE)
        where = f"; the ranks are on {hosts}" if hosts else ""
        os.write(2, f"scoop_mpi: MPI has not started within {limit_s:g} s: rank 0 on "
                 f"{os.uname().nodename} waits for a rank that does not come{where}. Is a "
                 "host overloaded or unreachable, or a firewall between them?\n".encode())
        os.kill(me, signal.SIGKILL)
    finally:
        os._exit(0)
