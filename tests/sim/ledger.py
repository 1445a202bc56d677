"""Where each task and each item of a map is: in exactly one place, at every moment.

A place holds intervals of numbers. A task's is ``(owner, TASK, id, id + 1)``, that of
some items of a map is ``(owner, id of the map, start, stop)``.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scoop_mpi.base.messages import (
    ANSWERS, Items, Message, RejectedItems, RejectedTasks, Results, Sends, Tasks,
)
from scoop_mpi.broker.broker import Broker
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import TRANSITIONS, ForeignTask, Future, State
from scoop_mpi.tasks.mapcall import ABANDONED, MapCall, MapState
from scoop_mpi.tasks.mapcall import TRANSITIONS as MAP_TRANSITIONS
from scoop_mpi.wire.frame import unpack
from scoop_mpi.wire.outcomes import Fields, Outcome, TaskOutcome
from scoop_mpi.workers.scheduler import Scheduler

if TYPE_CHECKING:
    from simulation import Simulation

TASK = -1
"""In place of a map's id."""

Interval = tuple[int, int, int, int]


class SimulatedScheduler(Scheduler):
    """Keeps book of what it is running of others, and of all chunks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.running_now: list[ForeignTask[Any] | Chunk] = []
        super().__init__(*args, **kwargs)

    def _run_foreign(self, task: ForeignTask[Any]) -> None:
        self.running_now.append(task)
        super()._run_foreign(task)
        self.running_now.remove(task)

    def _run_chunk(self, chunk: Chunk) -> None:
        self.running_now.append(chunk)
        super()._run_chunk(chunk)
        self.running_now.remove(chunk)


class SimulatedMapCall(MapCall):
    """Remembers what is done; ``failed``: an item has raised, so others are never run."""

    failed = False
    _state: MapState | None = None

    @property
    def state(self) -> MapState:
        assert self._state is not None
        return self._state

    @state.setter
    def state(self, state: MapState) -> None:
        before = self._state
        assert before is None or state in MAP_TRANSITIONS[before], f"from {before} to {state}"
        self._state = state

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.done: list[tuple[int, int]] = []
        super().__init__(*args, **kwargs)

    def deliver(
        self, start: int, values: list[Any], error: BaseException | None,
        count: int, elapsed_s: float,
    ) -> None:
        self.failed |= error is not None
        self.done.append((start, start + len(values)))
        super().deliver(start, values, error, count, elapsed_s)


class ValidatedBroker(Broker):
    """Looks at its books after each message."""

    def handle(self, source: int, message: Message) -> Sends:
        sends = super().handle(source, message)
        self.validate()
        return sends


class Answers:
    """Between the broker and each worker nothing is answered that was not asked."""

    def __init__(self) -> None:
        self._open: Counter[tuple[int, int, type[Message]]] = Counter()

    def note(self, source: int, dest: int, message: Message) -> None:
        """``message`` is sent."""
        kind = type(message)
        if any(kind in answers for answers in ANSWERS.values()):
            asked = [(dest, source, question) for question, answers in ANSWERS.items()
                     if kind in answers and self._open[dest, source, question]]
            assert asked, f"rank {dest} has asked nothing that {message} of {source} answers"
            self._open[asked[0]] -= 1
        if kind in ANSWERS:
            self._open[source, dest, kind] += 1


_SLOT = Future.__dict__["state"]


class CheckedState:
    """In place of the slot of a future's state: raises at what is not in the table."""

    def __get__(self, future: Any, kind: Any = None) -> Any:
        return self if future is None else _SLOT.__get__(future, kind)

    def __set__(self, future: Any, state: State) -> None:
        before = getattr(future, "state", None)
        assert before is None or state in TRANSITIONS[before], f"from {before} to {state}"
        _SLOT.__set__(future, state)


def check_places(simulation: Simulation) -> None:
    """Every task that was given away, and each item of a map, is in exactly one place.

    Until the job ends: then work is dropped.
    """
    schedulers = [place.scheduler for place in simulation.ranks if place.scheduler is not None]
    if any(one.is_stopping() for one in schedulers):
        return
    tasks: Counter[tuple[int, int]] = Counter()
    items: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for owner, kind, start, stop in _all_places(simulation):
        if kind == TASK:
            tasks[owner, start] += 1
        else:
            items.setdefault((owner, kind), []).append((start, stop))
    for owner in schedulers:
        for id_ in owner.exchange.ledger.sent:
            found = tasks[owner.rank, id_]
            assert found == 1, f"task {id_} of rank {owner.rank} is in {found} places"
        for call in owner.exchange.ledger.maps.values():
            _check_items(call, items.get((owner.rank, call.id), []))


def _check_items(call: MapCall, elsewhere: list[tuple[int, int]]) -> None:
    assert isinstance(call, SimulatedMapCall)
    if call.state is ABANDONED or call.failed:
        return
    read = call._stop
    places = sorted([*call.done, (call._next, read), *elsewhere])
    reached = 0
    for start, stop in places:
        if start < stop:
            assert start == reached, f"items from {reached} of {call.id}: {places}"
            reached = stop
    assert reached == read, f"items from {reached} of {call.id} are nowhere: {places}"


def _all_places(simulation: Simulation) -> Iterator[Interval]:
    network = simulation.network
    for messages in (network.in_flight, *network.arrived):
        for _, dest, number, data in messages:
            yield from _in_packed(dest, number, data)
    for place in simulation.ranks:
        if place.scheduler is not None:
            yield from _at(place.scheduler)


def _at(scheduler: Scheduler) -> Iterator[Interval]:
    """All of others' work, and outcomes, that a rank holds; and its own chunks."""
    assert isinstance(scheduler, SimulatedScheduler)
    exchange, backlog, rank = scheduler.exchange, scheduler.backlog, scheduler.rank
    ledger, reports = exchange.ledger, exchange.reports
    for work in [*backlog.foreign, *scheduler.running_now, *reports.finished, *backlog.chunks]:
        if isinstance(work, Chunk):
            yield work.owner, work.map_id, work.start, work.stop
        else:
            yield work.owner, TASK, work.number, work.number + 1
    for owner, record in reports.records:
        yield from _in_records(owner, *([record.fields], []) if record.of_task
                               else ([], [record.fields]))
    for owner, outcome in exchange.trader.refused:
        yield _of_outcome(owner, outcome)
    for outcome in ledger.arrived:
        yield _of_outcome(rank, outcome)
    for id_, _ in ledger.arrived_values:
        yield rank, TASK, id_, id_ + 1
    for _, message in [*exchange.inbox, *exchange.early]:
        yield from _in_message(rank, message)


def _of_outcome(owner: int, outcome: Outcome) -> Interval:
    if isinstance(outcome, TaskOutcome):
        return owner, TASK, outcome.number, outcome.number + 1
    length = outcome.length if outcome.error is not None else len(outcome.values)
    return owner, outcome.map_id, outcome.start, outcome.start + length


def _in_records(
    owner: int, tasks: Iterable[Fields], items: Iterable[Fields]
) -> Iterator[Interval]:
    for number, *_ in tasks:
        yield owner, TASK, number, number + 1
    for map_id, start, length, *_ in items:
        yield owner, map_id, start, start + length


def _in_message(dest: int, message: Message) -> Iterator[Interval]:
    match message:
        case Tasks():
            for id_ in message.ids:
                yield message.owner, TASK, id_, id_ + 1
        case Items():
            yield (message.owner, message.map_id, message.start,
                   message.start + message.length)
        case Results():
            for id_ in message.ids:
                yield dest, TASK, id_, id_ + 1
            if message.records:
                yield from _in_records(dest, *pickle.loads(message.records))
        case RejectedTasks():
            for id_ in message.ids:
                yield dest, TASK, id_, id_ + 1
        case RejectedItems():
            yield dest, message.map_id, message.start, message.start + message.length


@lru_cache(maxsize=1024)
def _in_packed(dest: int, number: int, data: bytes) -> list[Interval]:
    return list(_in_message(dest, unpack(number, data)))
