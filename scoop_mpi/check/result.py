"""What a check has found. Pure data; it travels to the root as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from .facts import Facts

BROKER_WORKER, SAME_HOST, BETWEEN_HOSTS = "broker - worker", "on one host", "between hosts"
"""Kinds of pairs."""


@dataclass(frozen=True)
class Pair:
    """Two ranks that have measured.

    Args:
        kind: one of the three.
        ranks: their ranks; ``hosts``: where they are.
        round_trip_s: of a small message, median, in seconds.
        bandwidth: of large messages, bytes a second.
    """

    kind: str
    ranks: list[int]
    hosts: list[str]
    round_trip_s: float
    bandwidth: float


@dataclass
class Result:
    """The whole of it.

    Args:
        size: number of ranks that were started.
        limit_s: seconds in which each must answer.
        ranks: what those that answered have told, by rank.
        pairs: the sampled pairs.
        transports: what carries messages between hosts; empty: one host, or not known.
        clock_skew_s: largest difference of two hosts' clocks, in seconds.
        warnings: what will hurt.
        missing: which rank did not answer, and when.
        mapped: workers that took part in the map.
        items: number of trivial items in the map; ``item_s``: seconds for each.
    """

    size: int
    limit_s: float
    ranks: list[Facts]
    pairs: list[Pair] = field(default_factory=list)
    transports: list[str] = field(default_factory=list)
    clock_skew_s: float = 0.0
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mapped: int = 0
    items: int = 0
    item_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Did every rank answer?"""
        return not self.missing

    @property
    def hosts(self) -> list[str]:
        """In the order of their first rank."""
        return list(dict.fromkeys(facts.host for facts in self.ranks))

    def as_json(self, indent: int | None = None) -> str:
        """Everything: seconds, bytes a second, facts of each rank."""
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Result:
        """The reverse."""
        entries = json.loads(text)
        del entries["ok"]
        entries["ranks"] = [Facts.from_dict(one) for one in entries["ranks"]]
        entries["pairs"] = [Pair(**one) for one in entries["pairs"]]
        return cls(**entries)
