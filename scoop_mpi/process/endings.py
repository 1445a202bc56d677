"""How a job ends when it does not end by itself: time limits, errors after the end."""

from __future__ import annotations

import traceback

from ..base.errors import INTERRUPTED, TIMED_OUT
from ..base.messages import Failure
from ..base.uncaught import exit_code_of

STOP_S = 2.0
"""Seconds that ranks inside tasks get to stop, after a failure, before the job is aborted."""
LEFT_S = 5.0
"""Seconds that the root gets to end as the program did when a worker imported it."""
LEAVE_S = 60.0
"""Seconds that ranks get to leave when all is done; only a machine in trouble takes so long."""


def timed_out(timeout_s: float | None) -> Failure:
    """What ``--timeout`` ends the job with."""
    return Failure(f"scoop_mpi: the job was ended after --timeout {timeout_s:g} s", TIMED_OUT)


def late_failure(error: BaseException | None) -> Failure | None:
    """How the job ends when a signal handler of the program raises ``error`` after its end."""
    if error is None:
        return None
    if isinstance(error, KeyboardInterrupt):
        return Failure("", INTERRUPTED)
    if isinstance(error, SystemExit):
        return Failure("", exit_code_of(error))
    return Failure("".join(traceback.format_exception(error)), 1)
