"""Packs work into messages and unpacks it, and says what is wrong if that fails.

One unpicklable argument must not harm the other tasks of a message. If the tasks do not
pickle together, they are tried one by one. If they do not unpickle, the receiver tells the
owner, which sends them one by one (``messages.RejectedTasks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from ..base.context import here
from ..base.errors import NotPicklableError
from ..base.messages import (
    NO_ENVELOPE, Constant, Definition, Envelope, Items, Lacking, RejectedItems, RejectedTasks,
    Tasks,
)
from ..base.usercode import attempt, shown
from ..identity.definitions import Found
from ..identity.names import MissingName
from ..tasks.chunk import Chunk
from ..tasks.future import ForeignTask, Future, name_of
from .codec import PICKLES_OWN, Codec, MissingDefinition
from .diagnosis import (
    call_not_picklable, first_unpicklable, function_not_picklable, short, unpicklable_part_of_task,
)
from .outcomes import HOST


class Parcels:
    """Packs and unpacks for the rank that ``codec`` belongs to."""

    def __init__(self, codec: Codec, rank: int) -> None:
        self.codec = codec
        self.rank = rank

    # -- work --------------------------------------------------------------

    def pack_tasks(
        self, tasks: Sequence[Future[Any]], owner: int, dest: int, estimate_s: float,
        all_definitions: bool = False, first_thread: bool = True, envelope: Envelope = NO_ENVELOPE,
    ) -> tuple[Tasks | None, list[tuple[Future[Any], NotPicklableError]]]:
        """Returns the message (None if nothing is left to send) and what cannot be sent.

        Args:
            all_definitions: send all definitions, as ``dest`` or another rank has lacked one.
            first_thread: True on the thread that runs tasks. On the other one, this returns
                neither if the first may get another result (:func:`_is_final`).
        """
        failed: list[tuple[Future[Any], NotPicklableError]] = []
        found: Found = {}
        here.refused = False
        payload, why = attempt(self.codec.dumps, [_call(task) for task in tasks], found)
        if not first_thread and not _is_final(why):
            return None, []
        if why is not None:
            failed = [(t, error) for t in tasks
                      if (error := unpicklable_part_of_task(self.codec, t))]
            bad = {task.number for task, _ in failed}
            tasks = [task for task in tasks if task.number not in bad]
            found = {}
            payload, why = attempt(self.codec.dumps, [_call(task) for task in tasks], found)
            if why is not None:  # each has pickled by itself, but together they do not
                return None, failed + [(t, call_not_picklable(t.func, why)) for t in tasks]
            if not tasks:
                return None, failed
            if not first_thread and not _is_final(None):
                return None, []
        ids = tuple(task.number for task in tasks)
        assert payload is not None
        definitions, needs = self._definitions_for(found, dest, all_definitions)
        message = Tasks(owner, ids, estimate_s, payload, definitions, needs, *envelope)
        return message, failed

    def unpack_tasks(self, message: Tasks) -> list[ForeignTask[Any]] | RejectedTasks:
        """The tasks of ``message``, or what to tell their owner."""
        calls, why = self._load(message, message.payload)
        if why is None:
            # The program's own methods may have unpickled it to something else.
            tasks, why = attempt(_tasks_of, message, calls)
            if tasks is not None:
                return tasks
        assert why is not None
        return RejectedTasks(message.ids, *self._why_rejected(message, why))

    def pack_chunk(
        self, chunk: Chunk, dest: int, all_definitions: bool = False, first_thread: bool = True,
        envelope: Envelope = NO_ENVELOPE,
    ) -> tuple[Items | None, list[Any], NotPicklableError | None]:
        """Returns the message, the chunk's arguments and, if it cannot be sent, why.

        With an error, the arguments are those before the one that does not pickle. With
        neither error nor message, they are all.
        ``all_definitions``, ``first_thread``, ``envelope``: as in :meth:`pack_tasks`.
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
            assert why is not None
            return None, [], function_not_picklable(chunk.func, why)
        if payload is None:
            bad = first_unpicklable(
                self.codec, lambda at: f"item {at} for {name_of(chunk.func)}", args, chunk.start)
            if bad is not None:
                return None, args[:bad[0]], bad[1]
            assert together is not None
            return None, [], call_not_picklable(chunk.func, together)
        definitions, needs = self._definitions_for(found, dest, all_definitions)
        message = Items(
            chunk.owner, chunk.map_id, chunk.start, len(args), chunk.starred, chunk.estimate_s,
            function, payload, definitions, needs, *envelope,
        )
        return message, args, None

    def unpack_chunk(self, message: Items) -> Chunk | RejectedItems:
        """The chunk of ``message``, or what to tell its owner."""
        func, why = self._load(message, message.function)
        args: Any = None
        if why is None:
            args, why = self._load(message, message.payload)
        if why is not None:
            return RejectedItems(message.map_id, message.start, message.length,
                                 *self._why_rejected(message, why))
        return Chunk(message.owner, message.map_id, cast("Callable[..., Any]", func),
                     message.starred, message.start, args, message.estimate_s)

    def _definitions_for(
        self, found: Found, dest: int, all_definitions: bool
    ) -> tuple[tuple[Definition, ...], tuple[bytes, ...]]:
        """The definitions to send to ``dest``, and the keys of those that it has already."""
        if not found:
            return (), ()
        news = self.codec.definitions.news_for(dest, found)
        if all_definitions or len(news) == len(found):
            return tuple(found.values()), ()
        brought = {one.key for one in news}
        return news, tuple(key for key in found if key not in brought)

    def _load(
        self, message: Tasks | Items, data: bytes
    ) -> tuple[Any, None] | tuple[None, BaseException]:
        if message.definitions:
            self.codec.definitions.learn(message.definitions)
        return attempt(self.codec.loads, data, message.definitions)

    def _why_rejected(
        self, message: Tasks | Items, error: BaseException
    ) -> tuple[Lacking, str]:
        keys: tuple[bytes, ...] = ()
        if isinstance(error, MissingDefinition):
            keys = self.codec.definitions.missing(message.needs) or message.needs
        reason = (f"rank {self.rank} ({HOST}) could not rebuild it: "
                  f"{type(error).__name__}: {shown(error, str)}")
        if isinstance(error, MissingName):
            return Lacking(keys, error.module, error.name), reason
        return Lacking(keys, "", ""), reason

    # -- constants ---------------------------------------------------------

    def learn(self, definitions: Iterable[Definition]) -> None:
        """Keeps definitions that have come with a message."""
        self.codec.learn(definitions)

    def pack_constant(self, name: str, value: object) -> Constant:
        """Packs a shared constant of this rank.

        Raises:
            NotPicklableError: ``value`` cannot be pickled.
        """
        found: Found = {}
        pickled, why = attempt(self.codec.dumps, value, found)
        if pickled is None:
            raise NotPicklableError(f"the constant {name}: {short(value)} ({shown(why, str)})")
        # With all definitions: a receiver has no way to say that it lacks one.
        return Constant(name, self.rank, callable(value), pickled, tuple(found.values()))


def _tasks_of(message: Tasks, calls: Any) -> list[ForeignTask[Any]]:
    tasks: list[ForeignTask[Any]] = []
    for number, (func, args, kwargs, *callbacks) in zip(message.ids, calls):
        tasks.append(ForeignTask(number, message.owner, func, args, kwargs))
        for callback in callbacks:
            tasks[-1].add_done_callback(*callback)
    return tasks


def _is_final(why: BaseException | None) -> bool:
    """True if the first thread would get the same: a pickle, or pickle's refusal of a type.

    Other errors may be of this thread only: an object may change meanwhile, belong to one
    thread, or call a verb when it is pickled (the donor thread may not).
    """
    return not here.refused and (why is None or isinstance(why, PICKLES_OWN))


def _call(task: Future[Any]) -> tuple[Any, ...]:
    """A task as it travels: function, arguments, and the callbacks that travel with it."""
    if task.listeners is not None:
        return task.func, task.args, task.kwargs, *task.send_callbacks()
    return task.func, task.args, task.kwargs
