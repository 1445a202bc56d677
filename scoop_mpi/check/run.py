"""The check, rank by rank: everybody tells, sampled pairs measure, then a pool maps.

The first two parts use point-to-point messages only, so that a silent rank can be named.
Rank 0 directs them, and what it has gathered goes to the root with its last order. The
third part is an ordinary job, whose program (``check.program``) prints the report.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from statistics import median
from typing import Any

from .. import context, rank
from ..errors import LaunchError
from ..hostlist import expand
from ..job import Settings
from ..launch.world import HOSTS_VARIABLE
from ..messages import BROKER, ROOT
from ..program import Program
from . import report
from .facts import Facts, transports_in_use, versions
from .findings import findings
from .guard import limit_of
from .wire import FACTS, ORDER, Silent, Wire

BROKER_PAIRS, HOST_PAIRS, CROSS_PAIRS, CLOCKS = 16, 8, 16, 64
"""How many are sampled, so that thousands of ranks do not take longer."""

gathered: dict[str, Any] = {}
"""On the root: what the first two parts have found."""


def run_check(settings: Settings) -> int:
    """Runs this rank's part of the check; MPI has been started.

    Returns:
        The exit code: 0, or 1 if a rank does not answer.
    """
    limit_s = limit_of(settings)
    wire = Wire()
    if wire.rank == BROKER:
        found = _direct(wire, limit_s)
        if found["missing"]:
            print(report.as_json(found) if settings.json else report.as_text(found), flush=True)
            rank.abort(1)
        gathered.update(found)
    else:
        _obey(wire, limit_s)
    return rank.run_rank(Program("scoop_mpi.check.program", is_module=True), settings)


# -- rank 0 ------------------------------------------------------------------


def _direct(wire: Wire, limit_s: float) -> dict[str, Any]:
    ranks = {BROKER: _own_facts(wire)}
    while len(ranks) < wire.size:
        arrived = wire.receive(FACTS, limit_s)
        if arrived is None:
            break
        ranks[arrived[0]] = Facts(**json.loads(arrived[1]))
    silent = sorted(set(range(wire.size)) - set(ranks))
    found: dict[str, Any] = {
        "ok": not silent, "size": wire.size, "ranks": [ranks[one].as_dict() for one in
                                                       sorted(ranks)],
        "missing": [f"rank {one} on {_host_of(one, ranks)} has not answered within {limit_s:g} s"
                    for one in silent],
        "pairs": [], "transports": [], "clock_skew_s": 0.0, "warnings": [],
    }
    if silent:
        return found
    try:
        _measure(wire, ranks, found, limit_s)
    except Silent as error:
        found["missing"].append(f"rank {error.rank} on {_host_of(error.rank, ranks)} stopped "
                                f"answering; waited {limit_s:g} s")
        found["ok"] = False
        return found
    same_host = [pair["round_trip_s"] for pair in found["pairs"] if pair["kind"] == report.SAME]
    found["warnings"] = findings(
        list(ranks.values()), found["transports"], found["clock_skew_s"],
        median(same_host) if same_host else 0.0)
    for one in range(1, wire.size):
        wire.send(one, ORDER, json.dumps({"do": "go on", **(found if one == ROOT else {})}).encode())
    wire.all_sent(limit_s)
    return found


def _measure(
    wire: Wire, ranks: Mapping[int, Facts], found: dict[str, Any], limit_s: float
) -> None:
    workers = range(1, wire.size)
    by_host: dict[str, list[int]] = {}
    for one in workers:
        by_host.setdefault(ranks[one].host, []).append(one)
    transports: set[str] = set()

    def add(kind: str, first: int, second: int, answer: Mapping[str, Any]) -> None:
        transports.update(answer["transports"])
        found["pairs"].append({
            "kind": kind, "ranks": [first, second],
            "hosts": [ranks[first].host, ranks[second].host],
            "round_trip_s": answer["round_trip_s"], "bandwidth": answer["bandwidth"]})

    for one in _spread(workers, BROKER_PAIRS):
        wire.send(one, ORDER, json.dumps({"do": "echo", "peer": BROKER}).encode())
        add(report.BROKER_WORKER, BROKER, one, _speed(wire, one, limit_s))
    same = [own[:2] for own in by_host.values() if len(own) > 1]
    firsts = [own[0] for own in by_host.values()]
    cross = list(zip(firsts, firsts[1:]))
    for kind, pairs in ((report.SAME, _spread(same, HOST_PAIRS)),
                        (report.BETWEEN, _spread(cross, CROSS_PAIRS))):
        for first, second in pairs:
            wire.send(second, ORDER, json.dumps({"do": "echo", "peer": first}).encode())
            wire.send(first, ORDER, json.dumps({"do": "measure", "peer": second}).encode())
            arrived = wire.receive(FACTS, 2 * limit_s, first)
            if arrived is None:
                raise Silent(first)
            answer = json.loads(arrived[1])
            if "silent" in answer:
                raise Silent(answer["silent"])
            add(kind, first, second, answer)
    offsets = [0.0]
    for one in _spread(firsts, CLOCKS):
        if ranks[one].host != ranks[BROKER].host:
            wire.send(one, ORDER, json.dumps({"do": "echo", "peer": BROKER}).encode())
            offsets.append(wire.clock_offset(one, limit_s))
    found["clock_skew_s"] = max(offsets) - min(offsets)
    found["transports"] = sorted(transports) if len({f.host for f in ranks.values()}) > 1 else []


def _spread(items: Sequence[Any], most: int) -> Iterator[Any]:
    """At most so many of them, evenly spread."""
    step = -(-len(items) // most) if items else 1
    return islice(items, 0, None, step)


def _host_of(one: int, ranks: Mapping[int, Facts]) -> str:
    """The host of a rank that may have said nothing: from its launcher, or its neighbours."""
    if one in ranks:
        return ranks[one].host
    told = os.environ.get(HOSTS_VARIABLE, "")
    names = [name for part in told.split(",") if part
             for name, _, count in [part.rpartition(":")] for _ in range(int(count))]
    if not names and "SLURM_STEP_NODELIST" in os.environ \
            and os.environ.get("SLURM_DISTRIBUTION", "block") == "block":
        names = _by_step()
    if one < len(names):
        return f"host {names[one]}"
    before = next((ranks[at].host for at in range(one - 1, -1, -1) if at in ranks), None)
    after = next((ranks[at].host for at in range(one + 1, one + len(ranks) + 1) if at in ranks),
                 None)
    near = " and ".join(dict.fromkeys(filter(None, (before, after))))
    return f"{near} or near it (the host of the ranks next to it)"


def _by_step() -> list[str]:
    """A host for each rank, as srun places them."""
    # Imported here: only for a rank that is missing.
    from ..launch.allocation import per_node

    try:
        hosts = expand(os.environ["SLURM_STEP_NODELIST"])
        counts = per_node(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""), "")
    except LaunchError:
        return []
    return [host for host, count in zip(hosts, counts) for _ in range(count)]


# -- the others --------------------------------------------------------------


def _obey(wire: Wire, limit_s: float) -> None:
    wire.send(BROKER, FACTS, json.dumps(_own_facts(wire).as_dict()).encode())
    while True:
        # Rank 0 waits for the others one after the other.
        arrived = wire.receive(ORDER, 10 * limit_s, BROKER)
        if arrived is None:
            raise LaunchError(f"rank 0 did not answer rank {wire.rank}", exit_code=1)
        order = json.loads(arrived[1])
        match order.pop("do"):
            case "echo":
                wire.echo(order["peer"], limit_s)
            case "measure":
                answer = _speed_or_silent(wire, order["peer"], limit_s)
                wire.send(BROKER, FACTS, json.dumps(answer).encode())
            case _:
                gathered.update(order)
                wire.all_sent(limit_s)
                return


def _speed_or_silent(wire: Wire, peer: int, limit_s: float) -> dict[str, Any]:
    try:
        return _speed(wire, peer, limit_s)
    except Silent as error:
        return {"silent": error.rank}


def _speed(wire: Wire, peer: int, limit_s: float) -> dict[str, Any]:
    return {**wire.measure(peer, limit_s)._asdict(), "transports": transports_in_use()}


def _own_facts(wire: Wire) -> Facts:
    library, thread_level = rank.library_and_thread_level()
    return Facts(wire.rank, library.replace("\0", ""), thread_level, executable=sys.executable,
                 packages=versions())


# -- the root, at the end ----------------------------------------------------


def print_report() -> int:
    """On the root, at the end; returns the exit code."""
    as_json = context.job().settings.json
    print(report.as_json(gathered) if as_json else report.as_text(gathered), flush=True)
    if not gathered["ok"]:
        rank.abort(1)  # an orderly end would wait for whoever does not answer
    return 0
