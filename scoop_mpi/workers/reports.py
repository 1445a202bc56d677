"""What has become of other workers' work that has run here, until it is sent to them.

The thread that runs tasks puts in; whichever thread holds the exchange's lock takes out. Each
of the two queues is changed by single C calls.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ..base.messages import Results
from ..base.tuning import Tuning
from ..tasks.chunk import Chunk
from ..tasks.future import ForeignTask
from ..wire.outcomes import PLAIN, Outcome, Outcomes, Record, outcome_of_chunk, outcome_of_task


class Reports:
    """Those of one worker; ``size``: ranks of the pool."""

    def __init__(self, outcomes: Outcomes, size: int, tuning: Tuning) -> None:
        self.finished: deque[ForeignTask[Any]] = deque()
        """Tasks that have returned something plain."""
        self.records: deque[tuple[int, Record]] = deque()
        """All else: (its owner, the outcome)."""
        self._outcomes = outcomes
        self._every_s = max(tuning.report_every_s, tuning.report_every_s_per_worker * (size - 1))
        self._sent_at = -1.0

    def __bool__(self) -> bool:
        return bool(self.finished or self.records)

    def add_task(self, task: ForeignTask[Any]) -> None:
        """A task of another worker has run here."""
        if task.error is None and type(task.value) in PLAIN:
            self.finished.append(task)
        else:
            # Pickled now: what it returned may be changed by the next task.
            self.add(task.owner, outcome_of_task(task))

    def add_chunk(self, chunk: Chunk) -> None:
        """The same of a chunk."""
        self.add(chunk.owner, outcome_of_chunk(chunk))

    def add(self, owner: int, outcome: Outcome) -> None:
        """The same of what has an outcome already."""
        self.records.append((owner, self._outcomes.record(outcome)))

    def may_wait(self, now: float) -> bool:
        """True if the last ones were sent so recently that these can wait for more."""
        return now - self._sent_at < self._every_s

    def take(self, now: float, asked: int | None, epoch: int) -> list[tuple[int, Results]]:
        """All of them, as messages to their owners.

        Args:
            asked: the worker who is asked for more work with them, if it gets any; None: none is.
            epoch: see :class:`scoop_mpi.base.messages.Results`.
        """
        self._sent_at = now
        by_owner: dict[int, tuple[list[ForeignTask[Any]], list[Record]]] = {}
        while self.finished:
            task = self.finished.popleft()
            by_owner.setdefault(task.owner, ([], []))[0].append(task)
        while self.records:
            owner, record = self.records.popleft()
            by_owner.setdefault(owner, ([], []))[1].append(record)
        return [
            (owner, self._outcomes.pack(tasks, records, owner == asked, epoch))
            for owner, (tasks, records) in by_owner.items()
        ]
