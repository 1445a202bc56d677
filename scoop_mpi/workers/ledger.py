"""Own work that is elsewhere, and what becomes of it.

    a task    is in ``sent`` from the moment it is given away until its outcome is in, or until
              it comes back unstarted
    a map     is in ``maps`` until the outcomes of all its items are in, or nobody wants them

Two threads give work away (:meth:`Ledger.send_out`), under the exchange's lock. All else is
for the thread that runs tasks, but for the notes that the garbage collector makes it take.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from ..base.errors import NotPicklableError
from ..base.messages import RejectedItems, RejectedTasks, Results
from ..base.tuning import TUNING, Tuning
from ..base.usercode import shown
from ..tasks.backlog import Backlog
from ..tasks.chunk import Chunk
from ..tasks.future import PENDING, SENT, Future, name_of
from ..tasks.mapcall import ABANDONED, MapCall
from ..wire.codec import Codec
from ..wire.outcomes import ItemsOutcome, Outcome, TaskOutcome, outcome_of_chunk
from .story import Story


class Ledger:
    """That of one worker in a world of ``size`` ranks."""

    def __init__(
        self, rank: int, size: int, codec: Codec, backlog: Backlog, tuning: Tuning = TUNING
    ) -> None:
        self.sent: dict[int, Future[Any]] = {}
        """Own tasks that were given away, by id."""
        self.maps: dict[int, MapCall] = {}
        """Own maps of which some outcome is still to come, by id."""
        self.arrived: deque[Outcome] = deque()
        """Outcomes that have come, and that nobody was told of yet."""
        self.arrived_values: deque[tuple[int, Any]] = deque()
        """The same of tasks that have returned something plain: (id, value)."""
        self.dropped: deque[MapCall] = deque()
        """Maps that nobody wants any more, or whose results nobody does: their own notes."""
        self.story = Story(tuning.events_kept)
        self._rank = rank
        self._size = size
        self._codec = codec
        self._backlog = backlog
        self._estimates = backlog.estimates
        self._singly = backlog.singly
        self._lacked: set[int] = set()  # tasks of which a receiver has lacked a definition

    # -- maps --------------------------------------------------------------

    def open_map(self, call: MapCall) -> None:
        """Makes the map's items available to all workers."""
        call.dropped = self.dropped
        if not call.end_if_over():
            self.maps[call.id] = call
            self._backlog.put_map(call)

    def own_map(self, chunk: Chunk) -> MapCall | None:
        """The map that a chunk is of, if it is one of this worker's and not over."""
        return self.maps.get(chunk.map_id) if chunk.owner == self._rank else None

    def drop_unwanted(self, chunk: Chunk) -> bool:
        """Drops an unstarted chunk of an own map whose consumer is gone; False: it is none."""
        if chunk.owner != self._rank:
            return False
        call = self.maps.get(chunk.map_id)
        if call is not None and call.state is not ABANDONED:
            return False
        if call is not None:
            call.drop(chunk.start, len(chunk))
            self._drop_if_over(call)
        return True

    # -- work goes, and comes back -----------------------------------------

    def send_out(self, tasks: Sequence[Future[Any]]) -> bool:
        """Own tasks are given away. Must all their definitions go with them?"""
        for task in tasks:
            task.state = SENT
            self.sent[task.number] = task
        if not self._lacked:
            return False
        lacked = self._lacked.intersection(task.number for task in tasks)
        self._lacked -= lacked
        return bool(lacked)

    def come_home(self, ids: Sequence[int]) -> None:
        """Own tasks that were given away are back, and unstarted."""
        for id_ in ids:
            task = self.sent.pop(id_)
            task.state = PENDING
            self._backlog.put_own(task)

    def items_come_home(self, map_id: int, start: int, length: int) -> None:
        """The same of items of an own map."""
        call = self.maps.get(map_id)
        if call is None:
            return
        if (chunk := call.chunk(start, length)) is not None:
            self._backlog.put_chunk(chunk)
        else:  # its consumer is gone
            call.drop(start, length)
            self._drop_if_over(call)

    def take_back_tasks(self, source: int, message: RejectedTasks) -> None:
        """A receiver could not unpickle own tasks: sends them otherwise, or gives one up."""
        first, misses = message.ids[0], self._singly
        self.story.note_tasks(message, "could not be loaded on", source)
        is_try = self._is_try(source, message, misses, first)
        if len(message.ids) == 1 and is_try:
            misses.pop(first)
            task = self.sent[first]
            task.state = PENDING  # it has not run anywhere
            told = self.story.of_task(task, self.story.now)
            what = f"{shown(task.func)} or its arguments; {message.reason} ({told})"
            self.deliver(TaskOutcome(first, 0.0, None, NotPicklableError(what)))
            return
        if message.lacking.keys:
            self._lacked.update(message.ids)
        else:
            for id_ in message.ids:
                misses.setdefault(id_, 0)
        self.come_home(message.ids)

    def take_back_items(self, source: int, message: RejectedItems) -> None:
        """The same of items of an own map."""
        call = self.maps.get(message.map_id)
        self.story.note_items(message, "could not be loaded on", source)
        misses = {} if call is None else call.misses
        is_try = self._is_try(source, message, misses, message.start)
        if call is None:
            return
        if call.state is ABANDONED:
            call.drop(message.start, message.length)
            self._drop_if_over(call)
            return
        call.all_definitions |= bool(message.lacking.keys)
        if message.length == 1 and is_try:
            told = self.story.of_item(call.id, message.start, self.story.now)
            what = f"item {message.start} for {name_of(call.func)}; {message.reason} ({told})"
            error = NotPicklableError(what)
            self.deliver(ItemsOutcome(call.id, message.start, 1, 0.0, [], error))
            return
        step = 1 if is_try else message.length
        for start in range(message.start, message.start + message.length, step):
            self.items_come_home(call.id, start, step)

    def _is_try(
        self, source: int, message: RejectedTasks | RejectedItems, misses: dict[int, int],
        piece: int,
    ) -> bool:
        """True if there is nothing to be done about it; counts names that were lacking.

        It is no try if a definition was left out, or a name turns out to be lacking. A name
        that is known to be can still come from a rank that has not heard of it, or from
        before: but only once from each.
        """
        if self._codec.note_lacking(source, message.lacking):
            return False
        misses[piece] = misses.get(piece, 0) + 1
        return not message.lacking.name or misses[piece] > self._size

    # -- outcomes ----------------------------------------------------------

    def chunk_has_run(self, chunk: Chunk) -> None:
        """A chunk of an own map has run here."""
        if (call := self.maps.get(chunk.map_id)) is not None:
            if chunk.values:
                call.learn_here(chunk.elapsed_s / len(chunk.values))
            self._deliver_items(call, outcome_of_chunk(chunk))

    def receive(
        self, source: int, message: Results, outcomes: Sequence[Outcome], now: float
    ) -> float:
        """Results have come, which :meth:`settle` hands to those who wait.

        Args:
            outcomes: those of the message's records.

        Returns:
            The seconds that all of it has taken on rank ``source``.
        """
        ids, each_s, sent, singly = message.ids, message.elapsed_s, self.sent, self._singly
        elapsed_s = each_s * len(ids)
        for outcome in outcomes:
            took_s = outcome.elapsed_s
            elapsed_s += took_s
            if isinstance(outcome, TaskOutcome):
                task = sent[outcome.number]
                task.ran_on, task.elapsed_s, task.began_at = source, took_s, now - took_s
                if singly:
                    singly.pop(outcome.number, None)
        self.arrived.extend(outcomes)
        if ids:
            self._estimates.learn(sent[ids[0]].func, each_s)
            began_at = now - each_s
            for number in ids:
                task = sent[number]
                task.ran_on, task.elapsed_s, task.began_at = source, each_s, began_at
            self.arrived_values.extend(zip(ids, message.values))
            if singly:
                for number in ids:
                    singly.pop(number, None)
        return elapsed_s

    def settle(self) -> None:
        """Hands results to those who wait, and drops maps that nobody wants.

        A callback may wait for another result of the same message: whoever runs
        meanwhile finds the rest in these queues.
        """
        while self.dropped:
            call = self.dropped.popleft()
            if call.state is ABANDONED:
                call.close()
            self._drop_if_over(call)
        while self.arrived:
            self.deliver(self.arrived.popleft())
        while self.arrived_values:
            id_, value = self.arrived_values.popleft()
            self.sent.pop(id_).finish(value, None)

    def deliver(self, outcome: Outcome) -> None:
        """One outcome is settled."""
        if isinstance(outcome, TaskOutcome):
            task = self.sent.pop(outcome.number)
            if outcome.elapsed_s:
                self._estimates.learn(task.func, outcome.elapsed_s)
            task.finish(outcome.value, outcome.error)
            return
        if (call := self.maps.get(outcome.map_id)) is not None:
            self._deliver_items(call, outcome)

    def _deliver_items(self, call: MapCall, outcome: ItemsOutcome) -> None:
        call.deliver(outcome.start, outcome.values, outcome.error, outcome.length,
                     outcome.elapsed_s)
        if not call.unfinished:
            self._drop_if_over(call)

    def _drop_if_over(self, call: MapCall) -> None:
        if call.end_if_over():
            self.maps.pop(call.id, None)
            self._backlog.drop_map(call)

    # -- what is left ------------------------------------------------------

    def is_open(self) -> bool:
        """True if outcomes of own work are still to come."""
        return bool(self.sent) or any(call.unfinished for call in self.maps.values())

    def validate(self) -> None:
        """Checks what must hold between two steps.

        Raises:
            AssertionError: it does not.
        """
        for number, task in list(self.sent.items()):
            # PENDING: it could not be sent, and is about to be settled.
            assert task.number == number and task.state in (SENT, PENDING), task
            assert number not in self._backlog.own, f"{task} is here and elsewhere"
        for call in list(self._backlog.maps):
            assert call.state is ABANDONED or call.id in self.maps, f"map {call.id} is in no book"
        for call in list(self.maps.values()):
            assert call.unfinished >= 0, f"map {call.id}: {call.unfinished} results missing"
