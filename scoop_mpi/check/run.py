"""The check, rank by rank: everybody tells, sampled pairs measure, then a pool maps.

The first two parts use point-to-point messages only, so that a silent rank can be named.
Rank 0 directs them, and what it has found goes to the root with its last order. The
third part is an ordinary job, whose program (``check.program``) prints the report.
"""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import replace

from ..base.errors import LaunchError
from ..base.job import Settings
from ..base.messages import BROKER
from ..process.machine import report
from ..process.program import Program
from ..process.rank import run_rank
from .direct import Director
from .facts import Facts, transports_in_use, versions
from .guard import Guard, limit_of
from .report import as_text
from .result import Result
from .wire import FACTS, ORDER, Silent, Wire

_found: list[Result] = []


def run_check(settings: Settings, guard: Guard | None) -> int:
    """Runs this rank's part of the check; MPI has been started.

    Args:
        guard: rank 0's.

    Returns:
        The exit code: 0; if a rank does not answer, all are ended with 1.
    """
    wire = Wire()
    try:
        return _run_check(wire, settings, guard)
    except BaseException as error:
        # An orderly end would wait for the others in MPI_Finalize, and they for us.
        known = isinstance(error, LaunchError)
        report(f"scoop_mpi: {error}" if known else traceback.format_exc())
        wire.abort()
        raise


def _run_check(wire: Wire, settings: Settings, guard: Guard | None) -> int:
    limit_s = limit_of(settings)
    facts = Facts(wire.rank, wire.library, wire.thread_level, executable=sys.executable,
                  packages=versions())
    if wire.rank == BROKER:
        result = Director(wire, facts, limit_s).run()
        if not result.ok:
            tell(result, settings)
        _found.append(result)
    else:
        _obey(wire, facts, limit_s)
    # The program keeps the limit; the broker's is for its absence.
    later = replace(settings, timeout_s=3 * limit_s)
    if guard is not None:
        guard.again()
    return run_rank(Program("scoop_mpi.check.program", is_module=True), later,
                    guard.off if guard is not None else None)


def _obey(wire: Wire, facts: Facts, limit_s: float) -> None:
    wire.send(BROKER, FACTS, json.dumps(facts.as_dict()).encode())
    while True:
        # Rank 0 waits for the others one after the other.
        arrived = wire.receive(ORDER, 10 * limit_s, BROKER)
        if arrived is None:
            raise LaunchError(f"rank 0 did not answer rank {wire.rank}", exit_code=1)
        order = json.loads(arrived[1])
        match order["do"]:
            case "echo":
                wire.echo(order["peer"], limit_s)
            case "measure":
                answer = _measured(wire, order["peer"], limit_s)
                wire.send(BROKER, FACTS, json.dumps(answer).encode())
            case _:
                if order["result"]:
                    _found.append(Result.from_json(order["result"]))
                wire.all_sent(limit_s)
                return


def _measured(wire: Wire, peer: int, limit_s: float) -> dict[str, object]:
    try:
        speed = wire.measure(peer, limit_s)
    except Silent as error:
        return {"silent": error.rank}
    return {"silent": None, "speed": speed, "transports": transports_in_use()}


def found() -> Result:
    """On the root: what the first two parts have found."""
    return _found[0]


def tell(result: Result, settings: Settings) -> None:
    """Prints the report; if a rank is missing it does not return.

    An orderly end would wait for whoever does not answer.
    """
    print(result.as_json(indent=1) if settings.json else as_text(result), flush=True)
    if not result.ok:
        Wire().abort()
