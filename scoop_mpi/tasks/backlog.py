"""A worker's unstarted work: what to run next, what to give away, in what size.

Two threads take from it: the one that runs tasks (:meth:`Backlog.take`) and,
while that one is inside user code, the one that answers other workers
(:meth:`Backlog.give`). Every removal is therefore a single C call that yields an
entry to exactly one of them (``dict.pop``, ``deque.pop``, a locked cut). No other lock
is needed, and submitting a task takes none.

Order. The newest own task runs first: that is depth first, which bounds memory
and keeps a parent close to its children. The oldest is given away first: near the
root of the tree it carries the most work. Work from other ranks comes last, and
leaves first. ``turns`` says when the oldest one runs first all the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Union

from ..base.tuning import Tuning
from .chunk import Chunk
from .estimates import Estimates
from .future import PENDING, ForeignTask, Future
from .mapcall import MapCall
from .oldest import Oldest
from .sizes import Sizes
from .turns import Turns

Piece = Union[Future[Any], Chunk]
Gift = Union[Chunk, Sequence[Future[Any]]]


class Backlog:
    """Unstarted work of one worker."""

    def __init__(self, sizes: Sizes, tuning: Tuning) -> None:
        self.turn = False
        """The next piece to run here is the oldest."""
        self.estimates = Estimates(tuning.quick_call_s, tuning.estimates_kept)
        self.own: dict[int, Future[Any]] = {}
        """Own tasks by id, oldest first. (An OrderedDict takes twice the time.)"""
        self.foreign: deque[ForeignTask[Any]] = deque()
        self.chunks: deque[Chunk] = deque()
        """Chunks from other ranks, and rests of chunks that were interrupted."""
        self.singly: dict[int, int] = {}
        """Ids of own tasks to send each by itself, as a bundle could not be loaded; how often
        one could not."""
        self.maps: list[MapCall] = []
        """Own maps with items not yet cut (or with inputs not yet read)."""
        self._to_give = Oldest(self.own)
        self._to_run = Oldest(self.own)
        self._kind = 0
        """Of which kind the last one was whose turn it was."""
        self.pieces = 0
        """Pieces that have begun here (at most so many), but for own tasks."""
        self._turns = Turns(tuning.turn_after)
        self._sizes = sizes
        self._tuning = tuning
        self.turn_at = self._turns.look_at
        """When so many pieces have begun it is time to see whose turn it is."""

    def __bool__(self) -> bool:
        return bool(self.own or self.chunks or self.foreign) or self._open_map() is not None

    def validate(self) -> None:
        """Checks what must hold between two steps.

        Raises:
            AssertionError: it does not.
        """
        for number, task in list(self.own.items()):
            assert task.number == number and task.state is PENDING, task
        for task in list(self.foreign):
            assert task.state is PENDING, task
        maps = [call.id for call in list(self.maps)]
        assert len(set(maps)) == len(maps), f"maps are there twice: {maps}"

    # -- putting in ---------------------------------------------------------

    def put_own(self, task: Future[Any]) -> None:
        """An own task that is unstarted."""
        self.own[task.number] = task

    def put_foreign(self, tasks: Iterable[ForeignTask[Any]]) -> None:
        """Tasks of another worker."""
        self.foreign.extend(tasks)

    def put_chunk(self, chunk: Chunk) -> None:
        """A chunk of another worker's map, or the rest of one."""
        self.chunks.append(chunk)

    def put_map(self, call: MapCall) -> None:
        """An own map."""
        self.maps.append(call)

    def drop_map(self, call: MapCall) -> None:
        """The map is over."""
        if call in self.maps:
            self.maps.remove(call)

    # -- how much there is --------------------------------------------------

    def more_than(self, count: int, without_light: bool = False) -> bool:
        """True if more than ``count`` pieces of work could be given away.

        Args:
            without_light: not counting what is sooner run than sent.
        """
        pieces = len(self.own) + len(self.chunks) + len(self.foreign)
        if pieces > count:
            return True
        for call in list(self.maps):
            if not (without_light and call.light):
                pieces += call.remaining
                if pieces > count:
                    return True
        return False

    def size(self) -> tuple[int, float]:
        """Pieces of unstarted work (items of maps count one by one), and their seconds."""
        tasks = [*list(self.own.values()), *list(self.foreign)]
        seconds = sum(self.estimates.get(task.func) for task in tasks)
        pieces = len(tasks)
        for count, estimate_s in [
            *((len(chunk), chunk.estimate_s) for chunk in list(self.chunks)),
            *((call.remaining, call.estimate_s) for call in list(self.maps)),
        ]:
            pieces += count
            seconds += count * estimate_s
        return pieces, seconds

    def low(self, lead_s: float | None = None) -> bool:
        """True if it is time to ask other workers for more: less than ``lead_s`` is left.

        What was never measured may take long. None: as long as they take to answer.
        """
        if lead_s is None:
            lead_s = self._tuning.ask_ahead_s
        if self.own or self._open_map() is not None:
            return False
        seconds = 0.0
        for chunk in list(self.chunks):
            seconds += len(chunk) * (chunk.estimate_s or lead_s)
        if self.foreign and seconds < lead_s:
            try:
                typical = self.foreign[-1]
            except IndexError:
                return True  # given away in between
            estimate_s = self.estimates.get(typical.func) or lead_s
            seconds += len(self.foreign) * estimate_s
        return seconds < lead_s

    def last_piece(self) -> bool:
        """True if there is one piece of other workers' work, or none."""
        return len(self.chunks) + len(self.foreign) <= 1

    # -- taking out ---------------------------------------------------------

    def claim(self, future: Future[Any]) -> bool:
        """Takes this very task out; False if it was started or given away."""
        return self.own.pop(future.number, None) is not None

    def note_begun(self, begun: int) -> None:
        """:attr:`turn_at` is reached: sets :attr:`turn` if it is that of the oldest.

        Args:
            begun: pieces that have begun here so far, or have been given away.
        """
        self.turn = self._turns.look(begun, bool(self))
        self.turn_at = self._turns.look_at

    def take(self) -> Piece | None:
        """The next piece of work to run here; None if there is none."""
        if self.turn:
            self.turn = False
            return self._take_oldest()
        if self.own:
            try:
                return self.own.popitem()[1]
            except KeyError:
                pass  # given away in between
        self.pieces += 1
        while (call := self._open_map(newest=True)) is not None:
            if (chunk := call.cut(min(self._sizes.piece_s, self._sizes.run_s))) is not None:
                return chunk
        if self.chunks:
            try:
                return self.chunks.pop()
            except IndexError:
                pass
        try:
            return self.foreign.pop()
        except IndexError:
            return None

    def _take_oldest(self) -> Piece | None:
        """The oldest piece, of another kind than the last time if there are several."""
        for _ in range(4):
            self._kind = (self._kind + 1) % 4
            if (work := self._oldest_of_kind()) is not None:
                self._turns.had(work)
                return work
        return None

    def _oldest_of_kind(self) -> Piece | None:
        match self._kind:
            case 0:
                while (task := self._to_run.peek()) is not None:
                    if self.claim(task):
                        return task
            case 1:
                while (call := self._open_map()) is not None:
                    if (chunk := call.cut(min(self._sizes.piece_s, self._sizes.run_s))) is not None:
                        return chunk
            case _:
                try:
                    return (self.chunks if self._kind == 2 else self.foreign).popleft()
                except IndexError:
                    pass
        return None

    def peek_oldest_s(self) -> float:
        """Seconds that the oldest piece, of whatever kind, may take; 0.0: not known."""
        task, call = self._to_run.peek(), self._open_map()
        tasks = [*([] if task is None else [task]), *list(self.foreign)[:1]]
        seconds = [
            *(self.estimates.get(one.func) for one in tasks),
            *(chunk.estimate_s * len(chunk) for chunk in list(self.chunks)[:1]),
            *([] if call is None else [call.estimate_s]),
        ]
        return max(seconds) if seconds and all(seconds) else 0.0

    def peek_estimate_s(self) -> float:
        """Seconds that the next piece of work may take; 0.0: not known."""
        if self.own:
            try:
                return self.estimates.get(next(reversed(self.own.values())).func)
            except (RuntimeError, StopIteration):
                return 0.0
        call = self._open_map(newest=True)
        if call is not None:
            return call.estimate_s
        try:
            if self.chunks:
                return self.chunks[-1].estimate_s * len(self.chunks[-1])
            return self.estimates.get(self.foreign[-1].func)
        except IndexError:
            return 0.0  # given away in between

    def give(self, takers: int = 1, without_light: bool = False) -> Gift | None:
        """A piece of work for other workers: a chunk, or tasks of one owner.

        Args:
            takers: how many workers will divide it among them.
            without_light: keep what is sooner run than sent.
        """
        try:
            return self._share_of(self.chunks.popleft(), takers)
        except IndexError:
            pass
        if self.foreign and (bundle := self._foreign_bundle(takers)):
            return bundle
        while (call := self._open_map(without_light=without_light)) is not None:
            chunk = call.cut(self._sizes.gift_s, takers, self._sizes.least_s)
            if chunk is not None:
                return chunk
        return self._own_bundle(takers) or None

    def _open_map(self, newest: bool = False, without_light: bool = False) -> MapCall | None:
        for call in (reversed(self.maps) if newest else list(self.maps)):
            if call.remaining and not (without_light and call.light):
                return call
        return None

    def _share_of(self, chunk: Chunk, takers: int) -> Chunk:
        """The takers' part of a large chunk; an equal one for this worker goes back."""
        count = len(chunk)
        if takers == 1 and count * chunk.estimate_s < self._tuning.piece_s:
            return chunk
        given, kept = chunk.split(max(1, count * takers // (takers + 1)))
        if kept is not None:
            self.chunks.appendleft(kept)
        return given

    def _foreign_bundle(self, takers: int) -> list[ForeignTask[Any]]:
        bundle: list[ForeignTask[Any]] = []
        try:
            first = self.foreign.popleft()
            bundle.append(first)
            for _ in range(self._bundle_size(first, len(self.foreign) + 1, takers) - 1):
                task = self.foreign.popleft()
                if task.owner != first.owner:
                    self.foreign.appendleft(task)
                    break
                bundle.append(task)
        except IndexError:
            pass
        return bundle

    def _own_bundle(self, takers: int) -> list[Future[Any]]:
        """The oldest own tasks; only such as were created by the same task.

        (Those of others are not of one kind: in a tree of tasks the oldest is the largest.)
        """
        bundle: list[Future[Any]] = []
        count = 1
        while len(bundle) < count and (task := self._to_give.peek()) is not None:
            if bundle and (task.parent != bundle[0].parent or task.number in self.singly):
                break
            if not bundle and task.number not in self.singly:
                count = self._bundle_size(task, len(self.own), takers)
            if self.claim(task):
                bundle.append(task)
        return bundle

    def _bundle_size(self, first: Future[Any], available: int, takers: int) -> int:
        estimate_s = self.estimates.get(first.func)
        return self._sizes.in_a_bundle(estimate_s, available) * takers
