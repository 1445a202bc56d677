"""What has become of own work that left this worker: for error messages, and ``--debug``.

One note for each message, however many tasks are in it: so nothing is paid for tasks that
stay here, and nothing that can be measured for the others.

Either thread writes, the one that runs tasks reads; both by single C calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..base.messages import Items, RejectedItems, RejectedTasks, Tasks
from ..tasks.future import PENDING, RUNNING, SENT, Future


class Event(NamedTuple):
    """Something that has happened to tasks, or to items of a map.

    Attributes:
        at: when, in seconds on the scheduler's clock.
        map_id: of which map; None: these are tasks.
        numbers: of the tasks, or the indices of the items.
        what: the words for it.
        rank: which one had to do with it.
    """

    at: float
    map_id: int | None
    numbers: Sequence[int]
    what: str
    rank: int

    def __str__(self) -> str:
        return f"{self.what} rank {self.rank}"


class Story:
    """The last events of one worker; the ``kept`` newest ones (None: all)."""

    def __init__(self, kept: int | None) -> None:
        self.now = 0.0
        """When the network was last looked at, on the scheduler's clock."""
        # Plain tuples: an Event costs as much as all else.
        self._events: deque[tuple[float, int | None, Sequence[int], str, int]] = deque(maxlen=kept)

    def note_tasks(self, work: Tasks | RejectedTasks, what: str, rank: int) -> None:
        """Something has happened to own tasks."""
        self._events.append((self.now, None, work.ids, what, rank))

    def note_items(self, work: Items | RejectedItems, what: str, rank: int) -> None:
        """The same of items of an own map."""
        start = work.start
        numbers = range(start, start + work.length)
        self._events.append((self.now, work.map_id, numbers, what, rank))

    def __iter__(self) -> Iterator[Event]:
        return map(Event._make, list(self._events))

    def of_task(self, task: Future[Any], now: float) -> str:
        """Where an own task is, and how it came there; in one line."""
        if task.state is PENDING:
            here = ["waits here for its turn"]
        elif task.state is RUNNING:
            here = ["runs here"]
        else:
            here = []
        past = _told((one for one in self if one.map_id is None and task.number in one.numbers),
                     now)
        if task.state is SENT and not past:
            past = ["given away"]  # so long ago that the event was dropped
        return ", ".join(past + here)

    def of_item(self, map_id: int, index: int, now: float) -> str:
        """The same of an item of an own map."""
        past = _told((one for one in self if one.map_id == map_id and index in one.numbers), now)
        return ", ".join(past) or "not given away"


def _told(events: Iterable[Event], now: float) -> list[str]:
    return [f"{event} {max(0.0, now - event.at):.3g} s ago" for event in events]
