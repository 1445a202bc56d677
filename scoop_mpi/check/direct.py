"""Rank 0's part of the check: gathers facts, has sampled pairs measure, one at a time."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, TypeVar

from ..base.errors import LaunchError
from ..base.messages import BROKER, ROOT
from ..hosts.allocation import per_node
from ..hosts.hostlist import expand
from ..process.world import HOSTS_VARIABLE, told
from .facts import Facts, transports_in_use
from .findings import findings
from .result import BETWEEN_HOSTS, BROKER_WORKER, SAME_HOST, Pair, Result
from .wire import FACTS, ORDER, Silent, Speed, Wire

MOST_PAIRS = {BROKER_WORKER: 16, SAME_HOST: 8, BETWEEN_HOSTS: 16}
MOST_CLOCKS = 64
"""How many are sampled, so that thousands of ranks do not take longer."""
_T = TypeVar("_T")


class Director:
    """Directs the others.

    Args:
        facts: rank 0's own.
        limit_s: seconds in which a rank must answer.
    """

    def __init__(self, wire: Wire, facts: Facts, limit_s: float) -> None:
        self._wire = wire
        self._limit_s = limit_s
        self._ranks = {BROKER: facts}
        self._transports: set[str] = set()

    def run(self) -> Result:
        """The check up to the map. If a rank is missing the others still wait for orders."""
        self._gather()
        ranks = [self._ranks[one] for one in sorted(self._ranks)]
        result = Result(self._wire.size, self._limit_s, ranks)
        silent = set(range(self._wire.size)) - set(self._ranks)
        result.missing = [f"rank {one} on {self._host_of(one)} has not answered within "
                          f"{self._limit_s:g} s" for one in sorted(silent)]
        if silent:
            return result
        try:
            self._measure(result)
        except Silent as error:
            result.missing.append(f"rank {error.rank} on {self._host_of(error.rank)} stopped "
                                  f"answering; waited {self._limit_s:g} s")
            return result
        same_host = [pair.round_trip_s for pair in result.pairs if pair.kind == SAME_HOST]
        result.warnings = findings(result.ranks, result.transports, result.clock_skew_s,
                                   median(same_host) if same_host else 0.0)
        for one in range(1, self._wire.size):
            self._order(one, "go on", result=result.as_json() if one == ROOT else "")
        self._wire.all_sent(self._limit_s)
        return result

    def _gather(self) -> None:
        stop_by = time.perf_counter() + self._limit_s
        while len(self._ranks) < self._wire.size:
            arrived = self._wire.receive(FACTS, stop_by - time.perf_counter())
            if arrived is None:
                return
            self._ranks[arrived[0]] = Facts.from_dict(json.loads(arrived[1]))

    def _measure(self, result: Result) -> None:
        by_host: dict[str, list[int]] = defaultdict(list)
        for one in range(1, self._wire.size):
            by_host[self._ranks[one].host].append(one)
        firsts = [own[0] for own in by_host.values()]
        pairs: dict[str, list[tuple[int, int]]] = {
            BROKER_WORKER: [(BROKER, one) for one in range(1, self._wire.size)],
            SAME_HOST: [(own[0], own[1]) for own in by_host.values() if len(own) > 1],
            BETWEEN_HOSTS: list(zip(firsts, firsts[1:])),
        }
        for kind, candidates in pairs.items():
            for first, second in spread(candidates, MOST_PAIRS[kind]):
                speed = self._speed(first, second)
                hosts = [self._ranks[first].host, self._ranks[second].host]
                result.pairs.append(Pair(kind, [first, second], hosts, *speed))
        result.clock_skew_s = self._clock_skew(firsts)
        if len(result.hosts) > 1:
            result.transports = sorted(self._transports)

    def _speed(self, first: int, second: int) -> Speed:
        """Has two ranks measure; the first may be this one."""
        self._order(second, "echo", peer=first)
        if first == BROKER:
            speed = self._wire.measure(second, self._limit_s)
            self._transports.update(transports_in_use())
            return speed
        self._order(first, "measure", peer=second)
        # It waits for the second as long itself.
        arrived = self._wire.receive(FACTS, 2 * self._limit_s, first)
        if arrived is None:
            raise Silent(first)
        answer = json.loads(arrived[1])
        if answer["silent"] is not None:
            raise Silent(answer["silent"])
        self._transports.update(answer["transports"])
        return Speed(*answer["speed"])

    def _clock_skew(self, firsts: Iterable[int]) -> float:
        offsets = [0.0]
        for one in spread(list(firsts), MOST_CLOCKS):
            if self._ranks[one].host != self._ranks[BROKER].host:
                self._order(one, "echo", peer=BROKER)
                offsets.append(self._wire.clock_offset(one, self._limit_s))
        return max(offsets) - min(offsets)

    def _order(self, one: int, do: str, **details: Any) -> None:
        self._wire.send(one, ORDER, json.dumps({"do": do, **details}).encode())

    def _host_of(self, one: int) -> str:
        """The host of a rank that may have said nothing: from its launcher, or its neighbours."""
        if one in self._ranks:
            return self._ranks[one].host
        names = _hosts_told()
        if one < len(names):
            return names[one]
        near = [self._ranks[at].host for at in
                (max((at for at in self._ranks if at < one), default=BROKER),
                 min((at for at in self._ranks if at > one), default=BROKER))]
        return f"{' or '.join(dict.fromkeys(near))}, as the ranks next to it are there,"


def _hosts_told() -> list[str]:
    """The host of each rank, if the launcher has told."""
    placed_by_us = told(HOSTS_VARIABLE)
    if placed_by_us:
        placed = [part.rpartition(":") for part in placed_by_us.split(",")]
        return [name for name, _, ranks in placed for _ in range(int(ranks))]
    if os.environ.get("SLURM_DISTRIBUTION", "block") != "block":
        return []
    try:
        hosts = expand(os.environ.get("SLURM_STEP_NODELIST", ""))
        counts = per_node(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""), "")
    except LaunchError:
        return []
    return [host for host, count in zip(hosts, counts) for _ in range(count)]


def spread(items: Sequence[_T], most: int) -> Sequence[_T]:
    """At most so many of them, evenly spread."""
    return items[::max(1, -(-len(items) // most))]
