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
from workloads import FIRST_RESULT, Workload


@dataclass
class Cell:
    """One peer's figures for one workload, in the workload's unit.

    Args:
        figures: one for each process.
        passes: one for each pass of each process.
        mebibytes: the growth of the memory, one for each process.
        note: what the peer says of itself.
        why: it gives no figure; empty if it can.
        failures: of the processes that gave no figure, what happened.
    """

    figures: list[float] = field(default_factory=list)
    passes: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)
    note: str = ""
    why: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        """The figure for the table; None if there is none."""
        return statistics.median(self.figures) if self.figures else None

    @property
    def memory(self) -> float | None:
        """Likewise, MiB."""
        return statistics.median(self.mebibytes) if self.mebibytes else None

    @property
    def why_nothing(self) -> str:
        """For the table, if there is no figure."""
        return self.why or (self.failures[-1] if self.failures else "missing: not run")


class Results:
    """All cells, by peer and workload; an empty one for what has not been run."""

    def __init__(self) -> None:
        self._cells: defaultdict[tuple[str, str], Cell] = defaultdict(Cell)

    def cell(self, peer: str, workload: Workload) -> Cell:
        """The figures of one peer for one workload."""
        return self._cells[peer, workload.name]

    def add(self, peer: str, workload: Workload, outcome: Outcome, limit_s: float) -> None:
        """Takes over what a process printed, or notes why that is nothing."""
        printed = list(_objects(outcome.lines))
        lines = [line for line in printed if line["workload"] == workload.name]
        values = [line["value"] / workload.figure.divisor for line in lines if "value" in line]
        cell = self.cell(peer, workload)
        cell.passes += values
        if values:
            cell.figures.append(statistics.median(values))
            cell.note = lines[0].get("note", "")
        elif lines:
            cell.why = lines[0]["why"]
        else:
            cell.failures.append(_failure(outcome, limit_s))
            print(f"{peer}: {cell.failures[-1]}\n{outcome.errors[-2000:]}", file=sys.stderr)
        if grown := [line["mebibytes"] for line in lines if "mebibytes" in line]:
            cell.mebibytes.append(max(grown))
        self.cell(peer, FIRST_RESULT).figures.extend(
            line["value"] / FIRST_RESULT.figure.divisor for line in printed
            if line["workload"] == FIRST_RESULT.name)


def _objects(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "workload" in found:
            yield found


def _failure(outcome: Outcome, limit_s: float) -> str:
    if outcome.timed_out:
        return f"over {limit_s:g} s, stopped"
    return f"missing: it failed with exit code {outcome.exit_code}"
