"""Work and outcomes to messages and back, and what to say when that fails.

One unpicklable argument must not take its neighbours in a bundle with it: when a
bundle does not pickle, its members are tried one by one; when it does not unpickle,
the owner is told and sends them one by one (``messages.Rejected``). Values of results
are pickled each by itself unless they are plain, so that one which cannot be rebuilt
by the owner harms nobody else.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from .codec import PICKLES_OWN, Codec, MissingDefinition
from .context import here
from .definitions import Found
from .errors import NotPicklableError, RemoteTraceback, TaskError
from .future import ForeignTask, Future, name_of
from .mapcall import Chunk
from .messages import Chunk as ChunkMessage
from .messages import Constant, Definition, Rejected, Results, Tasks
from .names import MissingName
from .usercode import attempt, shown

PLAIN = frozenset((int, float, str, bytes, bool, type(None), complex))
"""Types of results that travel as they are; they cannot change or fail."""
_SAFE = PLAIN | {tuple, list, dict, set, frozenset, bytearray}
"""Types of results that are pickled together; others one by one, in case one cannot be rebuilt."""
_AS_IS, _WHOLE, _ONE_BY_ONE = range(3)
_HOST = os.uname().nodename


class Outcome(NamedTuple):
    """What became of one task (``start`` -1) or of one chunk (``value``: a list).

    ``error`` is that of the task, or of the item after the chunk's values. ``length``
    is the number of a chunk's items that this accounts for, not run ones included.
    """

    id: int
    start: int
    elapsed_s: float
    value: Any
    error: BaseException | None
    length: int


class Record(NamedTuple):
    """An outcome ready to be sent; ``found``: the definitions it needs."""

    fields: tuple[Any, ...]
    found: Found


def outcome_of_task(task: ForeignTask[Any]) -> Outcome:
    """The outcome of a task that has run."""
    return Outcome(task.number, -1, task.elapsed_s, task.value, task.error, 1)


def outcome_of_chunk(work: Chunk) -> Outcome:
    """The outcome of a chunk that has run."""
    length = len(work.values) + (1 + work.skipped if work.error is not None else 0)
    return Outcome(work.map_id, work.start, work.elapsed_s, work.values, work.error, length)


class Parcels:
    """Packs and unpacks for the rank that ``codec`` belongs to."""

    def __init__(self, codec: Codec, rank: int) -> None:
        self.codec = codec
        self.rank = rank

    # -- work --------------------------------------------------------------

    def pack_tasks(
        self, tasks: Sequence[Future[Any]], owner: int, dest: int, estimate_s: float,
        whole: bool = False, first_thread: bool = True,
    ) -> tuple[Tasks | None, list[tuple[Future[Any], NotPicklableError]]]:
        """Returns the message (None if nothing is left to send) and what cannot be sent.

        Args:
            whole: with all definitions, as ``dest`` or another was found to lack one.
            first_thread: is this the thread that runs tasks? On the other nothing is sent,
                and nothing said, if it may pickle on the first (:func:`_is_final`).
        """
        failed: list[tuple[Future[Any], NotPicklableError]] = []
        found: Found = {}
        here.refused = False
        payload, why = attempt(self.codec.dumps, [_call(task) for task in tasks], found)
        if not first_thread and not _is_final(why):
            return None, []
        if why is not None:
            failed = [(t, error) for t in tasks if (error := self._why_not(t))]
            bad = {task.number for task, _ in failed}
            tasks = [task for task in tasks if task.number not in bad]
            found = {}
            payload, why = attempt(self.codec.dumps, [_call(task) for task in tasks], found)
            if why is not None:  # each by itself would do, but not now or not together
                return None, failed + [(t, _cannot(t.func, why)) for t in tasks]
            if not tasks:
                return None, failed
            if not first_thread and not _is_final(None):
                return None, []
        ids = tuple(task.number for task in tasks)
        assert payload is not None
        message = Tasks(owner, ids, estimate_s, payload, *self._share(found, dest, whole))
        return message, failed

    def unpack_tasks(self, message: Tasks) -> list[ForeignTask[Any]] | Rejected:
        """The tasks of ``message``, or what to tell their owner."""
        calls, why = self._load(message, message.payload)
        if why is None:
            # Another user's class may have unpickled to something else.
            tasks, why = attempt(_tasks_of, message, calls)
            if tasks is not None:
                return tasks
        assert why is not None
        return self._rejected(message, message.ids, -1, 0, why)

    def pack_chunk(
        self, chunk: Chunk, dest: int, whole: bool = False, first_thread: bool = True
    ) -> tuple[ChunkMessage | None, list[Any], NotPicklableError | None]:
        """Returns the message, the chunk's arguments and, if it cannot be sent, why.

        With an error, the arguments are those before the one that does not pickle; without
        error and message, all.
        ``whole``, ``first_thread``: as in :meth:`pack_tasks`.
        """
        args = chunk.args()
        found: Found = {}
        here.refused = False
        function, why = attempt(self.codec.dumps, chunk.func, found)
        payload, together = None, None
        if function is not None:
            payload, together = attempt(self.codec.dumps, args, found)
        if not first_thread and not _is_final(why or together):
            return None, args, None
        if function is None:
            what = f"the function {_short(chunk.func)} ({shown(why, str)})"
            return None, [], NotPicklableError(what)
        if payload is None:
            for at, arg in enumerate(args):
                if one := _try(self.codec, arg):
                    name = name_of(chunk.func)
                    what = f"item {chunk.start + at} for {name}: {_short(arg)} ({shown(one, str)})"
                    return None, args[:at], NotPicklableError(what)
            assert together is not None
            return None, [], _cannot(chunk.func, together)
        message = ChunkMessage(
            chunk.owner, chunk.map_id, chunk.start, len(args), chunk.starred, chunk.estimate_s,
            function, payload, *self._share(found, dest, whole),
        )
        return message, args, None

    def unpack_chunk(self, message: ChunkMessage) -> Chunk | Rejected:
        """The chunk of ``message``, or what to tell its owner."""
        func, why = self._load(message, message.function)
        args: Any = None
        if why is None:
            args, why = self._load(message, message.payload)
        if why is not None:
            return self._rejected(message, (message.map_id,), message.start, message.length, why)
        return Chunk(message.owner, message.map_id, cast("Callable[..., Any]", func),
                     message.starred, message.start, args, message.estimate_s)

    def _share(
        self, found: Found, dest: int, whole: bool
    ) -> tuple[tuple[Definition, ...], tuple[bytes, ...]]:
        """The definitions to send along, and the keys of those that ``dest`` has."""
        if not found:
            return (), ()
        news = self.codec.definitions.news_for(dest, found)
        if whole or len(news) == len(found):
            return tuple(found.values()), ()
        brought = {one.key for one in news}
        return news, tuple(key for key in found if key not in brought)

    def _load(
        self, message: Tasks | ChunkMessage, data: bytes
    ) -> tuple[Any, None] | tuple[None, BaseException]:
        if message.definitions:
            self.codec.definitions.learn(message.definitions)
        return attempt(self.codec.loads, data, message.definitions)

    def _rejected(
        self, message: Tasks | ChunkMessage, ids: tuple[int, ...], start: int, length: int,
        error: BaseException,
    ) -> Rejected:
        missing: tuple[bytes, ...] = ()
        if isinstance(error, MissingDefinition):
            missing = self.codec.definitions.missing(message.needs) or message.needs
        module, name = _missing_name(error)
        reason = (f"rank {self.rank} ({_HOST}) could not rebuild it: "
                  f"{type(error).__name__}: {shown(error, str)}")
        return Rejected(ids, start, length, missing, module, name, reason)

    def _why_not(self, task: Future[Any]) -> NotPicklableError | None:
        """Names the part of a task that does not pickle; None if it does."""
        error = _unpicklable_part(self.codec, task.func, task.args, task.kwargs or {})
        for callback in task.send_callbacks():
            if error is None and (why := _try(self.codec, callback)):
                what = f"a callback of {task!r}: {shown(callback.func)} ({shown(why, str)})"
                error = NotPicklableError(what)
        return error

    # -- constants ---------------------------------------------------------

    def pack_constant(self, name: str, value: object) -> Constant:
        """A shared constant of this rank.

        Raises:
            NotPicklableError: ``value`` cannot be pickled.
        """
        found: Found = {}
        pickled, why = attempt(self.codec.dumps, value, found)
        if pickled is None:
            raise NotPicklableError(f"the constant {name}: {_short(value)} ({shown(why, str)})")
        # All definitions: nobody can say that one is missing.
        return Constant(name, self.rank, callable(value), pickled, tuple(found.values()))

    # -- outcomes ----------------------------------------------------------

    def pack_results(self, tasks: list[ForeignTask[Any]], records: list[Record]) -> Results:
        """One message with all that has become of one owner's work.

        Args:
            tasks: those that have returned something of a ``PLAIN`` type.
            records: from :meth:`record`, for all else.
        """
        found: Found = {}
        for record in records:
            found.update(record.found)
        timed = [task.elapsed_s for task in tasks if task.func is tasks[0].func]
        return Results(
            tuple(task.number for task in tasks),
            sum(timed) / len(timed) if timed else 0.0,
            tuple(task.value for task in tasks),
            self.codec.dumps([record.fields for record in records], found) if records else b"",
            # All of them, sent before or not: an owner cannot reject results.
            tuple(found.values()),
        )

    def record(self, outcome: Outcome) -> Record:
        """Pickles an outcome. Never fails: what does not pickle becomes an error."""
        found: Found = {}
        fields, why = attempt(self._record, outcome, found)
        if fields is None:
            found = {}
            fields = self._unpicklable(outcome, cast("BaseException", why), found)
        return Record(fields, found)

    def _record(self, outcome: Outcome, found: Found) -> tuple[Any, ...]:
        """(id, start, elapsed_s, length, value, how it is pickled, error)."""
        id_, start, elapsed_s, value, error, length = outcome
        form = _AS_IS
        if start >= 0 and not _SAFE.issuperset(map(type, value)):
            form, value = _ONE_BY_ONE, [self.codec.dumps(one, found) for one in value]
        elif type(value) not in PLAIN:
            form, value = _WHOLE, self.codec.dumps(value, found)
        packed = self._pack_error(error, found) if error is not None else None
        return (id_, start, elapsed_s, length, value, form, packed)

    def _unpicklable(
        self, outcome: Outcome, why: BaseException, found: Found
    ) -> tuple[Any, ...]:
        """The result, or one of a chunk's, does not pickle: that becomes the error."""
        value: Any = None
        bad = str(result_not_picklable(outcome.value, why))
        if outcome.start >= 0:
            value = []
            for at, one in enumerate(outcome.value):
                if reason := _try(self.codec, one):
                    value = outcome.value[:at]
                    bad = (f"the result of item {outcome.start + at}: {_short(one)} "
                           f"({shown(reason, str)})")
                    break
        return self._record(outcome._replace(value=value, error=NotPicklableError(bad)), found)

    def unpack_records(self, message: Results) -> list[Outcome]:
        """The other outcomes; a value that cannot be rebuilt here has become an error."""
        if not message.records:
            return []
        if message.definitions:
            self.codec.definitions.learn(message.definitions)
        records = self.codec.loads(message.records, message.definitions)
        return [self._outcome(message.definitions, *record) for record in records]

    def _outcome(
        self, brought: tuple[Definition, ...], id_: int, start: int, elapsed_s: float,
        length: int, value: Any, form: int, packed: tuple[Any, ...] | None,
    ) -> Outcome:
        error = self._unpack_error(brought, *packed) if packed is not None else None
        why: BaseException | None = None
        rebuilt: Any = value
        if form == _WHOLE:
            rebuilt, why = attempt(self.codec.loads, value, brought)
        elif form == _ONE_BY_ONE:
            rebuilt = []
            for one in value:
                item, why = attempt(self.codec.loads, one, brought)
                if why is not None:
                    break
                rebuilt.append(item)
        if why is not None:
            if form == _WHOLE and start >= 0:
                rebuilt = []  # of the whole chunk nothing is known
            error = NotPicklableError(
                f"a result that rank {self.rank} ({_HOST}) could not rebuild: "
                f"{type(why).__name__}: {shown(why, str)}"
            )
        return Outcome(id_, start, elapsed_s, rebuilt, error, length)

    def _pack_error(self, error: BaseException, found: Found) -> tuple[Any, ...]:
        text = _traceback_of(error)
        name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        pickled, _ = attempt(self.codec.dumps, error, found)
        return pickled, name, shown(error, str), text, self.rank, _HOST

    def _unpack_error(
        self, brought: tuple[Definition, ...], pickled: bytes | None, name: str, message: str,
        text: str, rank: int, host: str,
    ) -> BaseException:
        error: Any = None
        if pickled is not None:
            error, _ = attempt(self.codec.loads, pickled, brought)
        if not isinstance(error, BaseException):
            error = TaskError(name, message, text)
        error.__cause__ = RemoteTraceback(text, rank, host)
        return cast("BaseException", error)


def _tasks_of(message: Tasks, calls: Any) -> list[ForeignTask[Any]]:
    tasks: list[ForeignTask[Any]] = []
    for number, (func, args, kwargs, *callbacks) in zip(message.ids, calls):
        tasks.append(ForeignTask(number, message.owner, func, args, kwargs))
        for callback in callbacks:
            tasks[-1].add_done_callback(*callback)
    return tasks


def _missing_name(error: BaseException) -> tuple[str, str]:
    """Module and name of a global that is not here, if that is the error; else empty."""
    if isinstance(error, MissingName):
        return error.module, error.name
    return "", ""


def _traceback_of(error: BaseException) -> str:
    text, _ = attempt(traceback.format_exception, type(error), error, error.__traceback__)
    return "".join(text or [f"{type(error).__qualname__}: {shown(error, str)}\n"])


def why_not_picklable(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
    why: BaseException,
) -> NotPicklableError:
    """Names the part of a call that does not pickle, or cannot be rebuilt."""
    return _unpicklable_part(codec, func, args, kwargs) or _cannot(func, why)


def result_not_picklable(value: object, why: BaseException) -> NotPicklableError:
    """Says that a result does not pickle."""
    return NotPicklableError(f"the result {_short(value)} ({shown(why, str)})")


def _unpicklable_part(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
) -> NotPicklableError | None:
    if why := _try(codec, func):
        return NotPicklableError(f"the function {_short(func)} ({shown(why, str)})")
    for place, arg in [*enumerate(args), *kwargs.items()]:
        if why := _try(codec, arg):
            what = f"argument {place} of {name_of(func)}: {_short(arg)} ({shown(why, str)})"
            return NotPicklableError(what)
    return None


def _try(codec: Codec, obj: object) -> BaseException | None:
    """Why an object does not pickle; None if it does."""
    return attempt(codec.dumps, obj, {})[1]


def _is_final(why: BaseException | None) -> bool:
    """Would the first thread have the same: a pickle, or what pickle says of a type?

    All else may differ there: what a task changes meanwhile, what belongs to a thread, what
    calls a verb (which is refused on the donor thread).
    """
    return not here.refused and (why is None or isinstance(why, PICKLES_OWN))


def _call(task: Future[Any]) -> tuple[Any, ...]:
    """A task as it travels: function, arguments, and callbacks that go with it."""
    if task.listeners is not None:
        return task.func, task.args, task.kwargs, *task.send_callbacks()
    return task.func, task.args, task.kwargs


def _cannot(func: object, why: BaseException) -> NotPicklableError:
    return NotPicklableError(f"{_short(func)} with its arguments ({shown(why, str)})")


def _short(obj: object) -> str:
    """A repr of at most 100 characters, with the type's name."""
    text = shown(obj)
    text = text if len(text) <= 100 else text[:97] + "..."
    return f"{text} of type {type(obj).__qualname__}"
