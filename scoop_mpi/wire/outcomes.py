"""Packs the outcomes of work into messages on the rank that ran it, and unpacks them at the owner.

Values are pickled one by one, unless they are of simple types. So if the owner cannot rebuild
one, the others are not lost.
"""

from __future__ import annotations

import os
import traceback
from typing import Any, NamedTuple, Union, cast

from ..base.errors import NotPicklableError, RemoteTraceback, TaskError
from ..base.messages import Definition, Results
from ..base.usercode import attempt, shown
from ..identity.definitions import Found
from ..tasks.chunk import Chunk
from ..tasks.future import ForeignTask
from .codec import Codec
from .diagnosis import first_unpicklable, result_not_picklable

PLAIN = frozenset((int, float, str, bytes, bool, type(None), complex))
"""Types of results that travel as they are: they cannot change, and always pickle."""
_SAFE = PLAIN | {tuple, list, dict, set, frozenset, bytearray}
"""If all of a chunk's results are of these types, they are pickled together; else one by one."""
_AS_IS, _WHOLE, _ONE_BY_ONE = range(3)
"""How a value is pickled: not yet, in one piece, or as a list of pickles."""
HOST = os.uname().nodename


class TaskOutcome(NamedTuple):
    """What one task has returned, or raised."""

    number: int
    elapsed_s: float
    value: Any
    error: BaseException | None


class ItemsOutcome(NamedTuple):
    """What became of ``length`` items of a map, from ``start`` on.

    ``error``: what the item after ``values`` has raised; later items were not run.
    """

    map_id: int
    start: int
    length: int
    elapsed_s: float
    values: list[Any]
    error: BaseException | None


Outcome = Union[TaskOutcome, ItemsOutcome]

Fields = tuple[Any, ...]
"""The outcome's fields before the value, the value, how it is pickled, the packed error."""


class Record(NamedTuple):
    """An outcome ready to be sent.

    ``of_task``: False: it is of items. ``found``: the definitions that it needs.
    """

    of_task: bool
    fields: Fields
    found: Found


def outcome_of_task(task: ForeignTask[Any]) -> TaskOutcome:
    """The outcome of a task that has run."""
    return TaskOutcome(task.number, task.elapsed_s, task.value, task.error)


def outcome_of_chunk(work: Chunk) -> ItemsOutcome:
    """The outcome of a chunk that has run."""
    length = len(work.values) + (1 + work.skipped if work.error is not None else 0)
    return ItemsOutcome(
        work.map_id, work.start, length, work.elapsed_s, work.values, work.error)


class Outcomes:
    """Packs and unpacks for the rank that ``codec`` belongs to."""

    def __init__(self, codec: Codec, rank: int) -> None:
        self._codec = codec
        self._rank = rank

    # -- where the work has run --------------------------------------------

    def pack(
        self, tasks: list[ForeignTask[Any]], records: list[Record], asks: bool = False,
        epoch: int = 0,
    ) -> Results:
        """Makes one message of outcomes of one owner's work.

        Args:
            tasks: those that have returned something of a ``PLAIN`` type.
            records: from :meth:`record`, for all else.
            asks, epoch: see :class:`scoop_mpi.base.messages.Results`.
        """
        found: Found = {}
        for record in records:
            found.update(record.found)
        timed = [task.elapsed_s for task in tasks if task.func is tasks[0].func]
        return Results(
            tuple(task.number for task in tasks),
            sum(timed) / len(timed) if timed else 0.0,
            tuple(task.value for task in tasks),
            self._codec.dumps(_by_kind(records), found) if records else b"",
            # Also those that were sent before: an owner cannot reject results to get them.
            tuple(found.values()), asks, epoch,
        )

    def record(self, outcome: Outcome) -> Record:
        """Pickles an outcome. Never fails: what does not pickle becomes an error."""
        found: Found = {}
        fields, why = attempt(self._fields_of, outcome, found)
        if fields is None:
            found = {}
            fields = self._fields_of(self._refused(outcome, cast("BaseException", why)), found)
        return Record(type(outcome) is TaskOutcome, fields, found)

    def _fields_of(self, outcome: Outcome, found: Found) -> Fields:
        *start, value, error = outcome
        form = _AS_IS
        if type(outcome) is ItemsOutcome and not _SAFE.issuperset(map(type, value)):
            form, value = _ONE_BY_ONE, [self._codec.dumps(one, found) for one in value]
        elif type(value) not in PLAIN:
            form, value = _WHOLE, self._codec.dumps(value, found)
        packed = self._pack_error(error, found) if error is not None else None
        return (*start, value, form, packed)

    def _refused(self, outcome: Outcome, why: BaseException) -> Outcome:
        """The outcome to send if a result does not pickle: that becomes the error."""
        if isinstance(outcome, TaskOutcome):
            return outcome._replace(value=None, error=result_not_picklable(outcome.value, why))
        bad = first_unpicklable(
            self._codec, "the result of item {}".format, outcome.values, outcome.start)
        if bad is None:
            return outcome._replace(values=[], error=result_not_picklable(outcome.values, why))
        return outcome._replace(values=outcome.values[:bad[0]], error=bad[1])

    def _pack_error(self, error: BaseException, found: Found) -> tuple[Any, ...]:
        text = _traceback_of(error)
        name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        pickled, _ = attempt(self._codec.dumps, error, found)
        return pickled, name, shown(error, str), text, self._rank, HOST

    # -- at the owner's ----------------------------------------------------

    def unpack(self, message: Results) -> list[Outcome]:
        """The outcomes in ``records``. A value that cannot be rebuilt here becomes an error."""
        if message.definitions:
            self._codec.definitions.learn(message.definitions)
        tasks, items = self._codec.loads(message.records, message.definitions)
        outcomes: list[Outcome] = []
        for number, elapsed_s, value, form, packed in tasks:
            value, error = self._unpacked(message.definitions, value, form, packed)
            outcomes.append(TaskOutcome(number, elapsed_s, value, error))
        for map_id, start, length, elapsed_s, values, form, packed in items:
            values, error = self._unpacked(message.definitions, values, form, packed)
            # If a chunk's values were pickled together, and one fails, all are lost.
            values = [] if values is None else values
            outcomes.append(ItemsOutcome(map_id, start, length, elapsed_s, values, error))
        return outcomes

    def _value(
        self, brought: tuple[Definition, ...], value: Any, form: int
    ) -> tuple[Any, BaseException | None]:
        """The value, as far as it can be rebuilt, and the error that stopped that."""
        if form == _WHOLE:
            return attempt(self._codec.loads, value, brought)
        if form == _AS_IS:
            return value, None
        rebuilt: list[Any] = []
        for one in value:
            item, why = attempt(self._codec.loads, one, brought)
            if why is not None:
                return rebuilt, why
            rebuilt.append(item)
        return rebuilt, None

    def _unpacked(
        self, brought: tuple[Definition, ...], value: Any, form: int,
        packed: tuple[Any, ...] | None,
    ) -> tuple[Any, BaseException | None]:
        """The value, and what the call raised, or the error that it cannot be rebuilt."""
        value, why = self._value(brought, value, form)
        if why is not None:
            return value, NotPicklableError(
                f"a result that rank {self._rank} ({HOST}) could not rebuild: "
                f"{type(why).__name__}: {shown(why, str)}"
            )
        return value, None if packed is None else self._unpack_error(brought, *packed)

    def _unpack_error(
        self, brought: tuple[Definition, ...], pickled: bytes | None, name: str, message: str,
        text: str, rank: int, host: str,
    ) -> BaseException:
        error: Any = None
        if pickled is not None:
            error, _ = attempt(self._codec.loads, pickled, brought)
        if not isinstance(error, BaseException):
            error = TaskError(name, message, text)
        error.__cause__ = RemoteTraceback(text, rank, host)
        return cast("BaseException", error)


def _by_kind(records: list[Record]) -> tuple[list[Fields], list[Fields]]:
    """The fields of the tasks' records, and those of the items' records."""
    return ([record.fields for record in records if record.of_task],
            [record.fields for record in records if not record.of_task])


def _traceback_of(error: BaseException) -> str:
    text, _ = attempt(traceback.format_exception, type(error), error, error.__traceback__)
    return "".join(text or [f"{type(error).__qualname__}: {shown(error, str)}\n"])
