"""What the peers measured: medians of processes, each the median of its passes."""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from processes import Outcome
from workloads import tasks

START = ("start", 1)
"""Verb and size of the start-up, which every process measures."""


@dataclass
class Cell:
    """One peer's figures for one workload, in microseconds a task.

    Args:
        figures: one for each process.
        impossible: why the peer cannot do it; empty if it can.
        failures: of the processes that gave no figure, what happened.
    """

    figures: list[float] = field(default_factory=list)
    impossible: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        """The figure for the table; None if there is none."""
        return statistics.median(self.figures) if self.figures else None


class Results:
    """All cells, by peer, verb and size; an empty one for what has not been run."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        """Why a peer, by name, was not asked for anything."""
        self._cells: defaultdict[tuple[str, str, int], Cell] = defaultdict(Cell)

    def cell(self, peer: str, verb: str, size: int) -> Cell:
        """The figures of one peer for one workload."""
        return self._cells[peer, verb, size]

    def add(self, peer: str, verb: str, size: int, outcome: Outcome, limit_s: float) -> None:
        """Takes over what a process printed, or notes why that is nothing."""
        printed = list(_objects(outcome.lines))
        passes = [line for line in printed if (line["verb"], line.get("size")) == (verb, size)]
        seconds = [line["seconds"] for line in passes if "seconds" in line]
        cell = self.cell(peer, verb, size)
        if seconds:
            cell.figures.append(1e6 * statistics.median(seconds) / tasks(verb, size))
        elif passes:
            cell.impossible = passes[0]["impossible"]
        else:
            cell.failures.append(_failure(outcome, limit_s))
            print(f"{peer}: {cell.failures[-1]}\n{outcome.errors[-2000:]}", file=sys.stderr)
        starts = [line["seconds"] for line in printed if line["verb"] == "start"]
        self.cell(peer, *START).figures.extend(1e6 * start for start in starts)


def _objects(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "verb" in found:
            yield found


def _failure(outcome: Outcome, limit_s: float) -> str:
    if outcome.timed_out:
        return f"over {limit_s:g} s, stopped"
    return f"missing: it failed with exit code {outcome.exit_code}"
