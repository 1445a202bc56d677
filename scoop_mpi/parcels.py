"""Work and outcomes to messages and back, and what to say when that fails.

One unpicklable argument must not take its neighbours in a bundle with it: when a
bundle does not pickle, its members are tried one by one; when it does not unpickle,
the owner is told and sends them one by one (``messages.Rejected``). Values of results
are pickled each by itself unless they are plain, so that one which cannot be rebuilt
by the owner harms nobody else.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .codec import PROGRAM_MODULE, Codec, MissingDefinition
from .errors import NotPicklableError, RemoteTraceback, TaskError
from .future import ForeignTask, Future, name_of
from .mapcall import Chunk
from .messages import Chunk as ChunkMessage
from .messages import Constant, Definition, Rejected, Results, Tasks

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
    found: dict[bytes, bytes]


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
        self, tasks: Sequence[Future[Any]], owner: int, dest: int, estimate_s: float
    ) -> tuple[Tasks | None, list[tuple[Future[Any], NotPicklableError]]]:
        """Returns the message (None if nothing is left to send) and what cannot be sent."""
        found: dict[bytes, bytes] = {}
        failed: list[tuple[Future[Any], NotPicklableError]] = []
        try:
            payload = self.codec.dumps([_call(task) for task in tasks], found)
        except Exception:
            failed = [(t, error) for t in tasks if (error := self._why_not(t))]
            bad = {task.number for task, _ in failed}
            tasks = [task for task in tasks if task.number not in bad]
            try:
                payload = self.codec.dumps([_call(task) for task in tasks], found)
            except Exception as why:  # each by itself would do, but not now or not together
                return None, failed + [(t, _cannot(t.func, why)) for t in tasks]
            if not tasks:
                return None, failed
        ids = tuple(task.number for task in tasks)
        news = self.codec.news_for(dest, found)
        return Tasks(owner, ids, estimate_s, payload, news), failed

    def unpack_tasks(self, message: Tasks) -> list[ForeignTask[Any]] | Rejected:
        """The tasks of ``message``, or what to tell their owner."""
        self.codec.learn(message.definitions)
        try:
            calls = self.codec.loads(message.payload)
        except Exception as error:
            return self._rejected(message.ids, -1, 0, error)
        tasks: list[ForeignTask[Any]] = []
        for number, (func, args, kwargs, *callbacks) in zip(message.ids, calls):
            tasks.append(ForeignTask(number, message.owner, func, args, kwargs))
            for callback in callbacks:
                tasks[-1].add_done_callback(*callback)
        return tasks

    def pack_chunk(
        self, chunk: Chunk, dest: int
    ) -> tuple[ChunkMessage | None, list[Any], NotPicklableError | None]:
        """Returns the message, the chunk's arguments and, if it cannot be sent, why.

        With an error, the arguments are those before the one that does not pickle.
        """
        found: dict[bytes, bytes] = {}
        args = chunk.args()
        try:
            function = self.codec.dumps(chunk.func, found)
        except Exception as error:
            return None, [], NotPicklableError(f"the function {_short(chunk.func)} ({error})")
        try:
            payload = self.codec.dumps(args, found)
        except Exception as together:
            for at, arg in enumerate(args):
                if why := _try(self.codec, arg):
                    name = name_of(chunk.func)
                    what = f"item {chunk.start + at} for {name}: {_short(arg)} ({why})"
                    return None, args[:at], NotPicklableError(what)
            return None, [], _cannot(chunk.func, together)
        message = ChunkMessage(
            chunk.owner, chunk.map_id, chunk.start, len(args), chunk.starred,
            chunk.estimate_s, function, payload, self.codec.news_for(dest, found),
        )
        return message, args, None

    def unpack_chunk(self, message: ChunkMessage) -> Chunk | Rejected:
        """The chunk of ``message``, or what to tell its owner."""
        self.codec.learn(message.definitions)
        try:
            func = self.codec.loads(message.function)
            args = self.codec.loads(message.payload)
        except Exception as error:
            return self._rejected((message.map_id,), message.start, message.length, error)
        return Chunk(message.owner, message.map_id, func, message.starred, message.start,
                     args, message.estimate_s)

    def _rejected(
        self, ids: tuple[int, ...], start: int, length: int, error: Exception
    ) -> Rejected:
        digest = error.digest if isinstance(error, MissingDefinition) else b""
        missing = re.search(r"attribute '(\w+).*__(?:scoop_)?main__", str(error))
        attribute = missing[1] if isinstance(error, AttributeError) and missing else ""
        reason = (
            f"rank {self.rank} ({_HOST}) could not rebuild it: {type(error).__name__}: {error}"
        )
        return Rejected(ids, start, length, digest, attribute, reason)

    def _why_not(self, task: Future[Any]) -> NotPicklableError | None:
        """Names the part of a task that does not pickle; None if it does."""
        error = _unpicklable_part(self.codec, task.func, task.args, task.kwargs or {})
        for callback in task.send_callbacks():
            if error is None and (why := _try(self.codec, callback)):
                error = NotPicklableError(f"a callback of {task!r}: {callback.func!r} ({why})")
        return error

    # -- constants ---------------------------------------------------------

    def pack_constant(self, name: str, value: object) -> Constant:
        """A shared constant of this rank.

        Raises:
            NotPicklableError: ``value`` cannot be pickled.
        """
        found: dict[bytes, bytes] = {}
        try:
            pickled = self.codec.dumps(value, found)
        except Exception as why:
            raise NotPicklableError(f"the constant {name}: {_short(value)} ({why})") from None
        # All definitions: nobody can say that one is missing.
        return Constant(name, self.rank, callable(value), pickled, _definitions(found))

    # -- outcomes ----------------------------------------------------------

    def pack_results(self, tasks: list[ForeignTask[Any]], records: list[Record]) -> Results:
        """One message with all that has become of one owner's work.

        Args:
            tasks: those that have returned something of a ``PLAIN`` type.
            records: from :meth:`record`, for all else.
        """
        found: dict[bytes, bytes] = {}
        for record in records:
            found.update(record.found)
        timed = [task.elapsed_s for task in tasks if task.func is tasks[0].func]
        return Results(
            tuple(task.number for task in tasks),
            sum(timed) / len(timed) if timed else 0.0,
            tuple(task.value for task in tasks),
            self.codec.dumps([record.fields for record in records], found) if records else b"",
            # All of them, sent before or not: an owner cannot reject results.
            _definitions(found),
        )

    def record(self, outcome: Outcome) -> Record:
        """Pickles an outcome. Never fails: what does not pickle becomes an error."""
        found: dict[bytes, bytes] = {}
        return Record(self._record(outcome, found), found)

    def _record(self, outcome: Outcome, found: dict[bytes, bytes]) -> tuple[Any, ...]:
        """(id, start, elapsed_s, length, value, how it is pickled, error)."""
        id_, start, elapsed_s, value, error, length = outcome
        form = _AS_IS
        try:
            if start >= 0 and not _SAFE.issuperset(map(type, value)):
                form, value = _ONE_BY_ONE, [self.codec.dumps(one, found) for one in value]
            elif type(value) not in PLAIN:
                form, value = _WHOLE, self.codec.dumps(value, found)
        except Exception as why:
            return self._unpicklable(outcome, why, found)
        packed = self._pack_error(error, found) if error is not None else None
        return (id_, start, elapsed_s, length, value, form, packed)

    def _unpicklable(
        self, outcome: Outcome, why: Exception, found: dict[bytes, bytes]
    ) -> tuple[Any, ...]:
        """The result, or one of a chunk's, does not pickle: that becomes the error."""
        value: Any = None
        bad = str(result_not_picklable(outcome.value, why))
        if outcome.start >= 0:
            value = []
            for at, one in enumerate(outcome.value):
                if reason := _try(self.codec, one):
                    value = outcome.value[:at]
                    bad = f"the result of item {outcome.start + at}: {_short(one)} ({reason})"
                    break
        return self._record(outcome._replace(value=value, error=NotPicklableError(bad)), found)

    def unpack_records(self, message: Results) -> list[Outcome]:
        """The other outcomes; a value that cannot be rebuilt here has become an error."""
        if not message.records:
            return []
        self.codec.learn(message.definitions)
        return [self._outcome(*record) for record in self.codec.loads(message.records)]

    def _outcome(
        self, id_: int, start: int, elapsed_s: float, length: int, value: Any,
        form: int, packed: tuple[Any, ...] | None,
    ) -> Outcome:
        error = self._unpack_error(*packed) if packed is not None else None
        rebuilt: Any = [] if start >= 0 else None
        try:
            if form == _AS_IS:
                rebuilt = value
            elif form == _WHOLE:
                rebuilt = self.codec.loads(value)
            else:
                for one in value:
                    rebuilt.append(self.codec.loads(one))
        except Exception as why:
            error = NotPicklableError(
                f"a result that rank {self.rank} ({_HOST}) could not rebuild: "
                f"{type(why).__name__}: {why}"
            )
        return Outcome(id_, start, elapsed_s, rebuilt, error, length)

    def _pack_error(self, error: BaseException, found: dict[bytes, bytes]) -> tuple[Any, ...]:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        name = re.sub(rf"^{PROGRAM_MODULE}\b", "__main__", name)
        try:
            pickled: bytes | None = self.codec.dumps(error, found)
        except Exception:
            pickled = None
        return pickled, name, _text(error), text, self.rank, _HOST

    def _unpack_error(
        self, pickled: bytes | None, name: str, message: str, text: str, rank: int, host: str
    ) -> BaseException:
        error: BaseException | None = None
        if pickled is not None:
            try:
                error = self.codec.loads(pickled)
            except Exception:
                pass  # what follows stands for it
        if not isinstance(error, BaseException):
            error = TaskError(name, message, text)
        error.__cause__ = RemoteTraceback(text, rank, host)
        return error


def _definitions(found: dict[bytes, bytes]) -> tuple[Definition, ...]:
    return tuple(Definition(*item) for item in found.items())


def why_not_picklable(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
    why: Exception,
) -> NotPicklableError:
    """Names the part of a call that does not pickle, or cannot be rebuilt."""
    return _unpicklable_part(codec, func, args, kwargs) or _cannot(func, why)


def result_not_picklable(value: object, why: Exception) -> NotPicklableError:
    """Says that a result does not pickle."""
    return NotPicklableError(f"the result {_short(value)} ({why})")


def _unpicklable_part(
    codec: Codec, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
) -> NotPicklableError | None:
    if why := _try(codec, func):
        return NotPicklableError(f"the function {_short(func)} ({why})")
    for place, arg in [*enumerate(args), *kwargs.items()]:
        if why := _try(codec, arg):
            what = f"argument {place} of {name_of(func)}: {_short(arg)} ({why})"
            return NotPicklableError(what)
    return None


def _try(codec: Codec, obj: object) -> Exception | None:
    """Why an object does not pickle; None if it does."""
    try:
        codec.dumps(obj, {})
    except Exception as error:
        return error
    return None


def _call(task: Future[Any]) -> tuple[Any, ...]:
    """A task as it travels: function, arguments, and callbacks that go with it."""
    if task.has_listeners():
        return task.func, task.args, task.kwargs, *task.send_callbacks()
    return task.func, task.args, task.kwargs


def _cannot(func: object, why: Exception) -> NotPicklableError:
    return NotPicklableError(f"{_short(func)} with its arguments ({why})")


def _short(obj: object) -> str:
    """A repr of at most 100 characters, with the type's name."""
    try:
        text = repr(obj)
    except Exception:
        text = "<no repr>"
    text = text if len(text) <= 100 else text[:97] + "..."
    return f"{text} of type {type(obj).__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<no str>"
