"""One ``map`` call: a range of items that is cut into chunks while it runs.

A map is not n futures. Whoever has room for work gets a chunk, sized from the
measured time per item, so neither trivial nor long items need a chunk size from
the user.

Tried and not taken: one future per item (3 µs each instead of 0.1).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from ..base.frames import Called, calls_user_code
from ..base.tuning import TUNING, Tuning
from .chunk import Chunk
from .items import Lent, Uncut


class MapState(Enum):
    """What may follow on which: :data:`TRANSITIONS`."""

    OPEN = "its items are given out, its results taken in"
    FAILED = "an item raised: no others are given out"
    FORGOTTEN = "its calls are made, nobody will take their results"
    ABANDONED = "nobody wants its calls either"
    OVER = "the outcomes of all items are known"


TRANSITIONS: dict[MapState, dict[MapState, str]] = {
    MapState.OPEN: {
        MapState.FAILED: "an item raised",
        MapState.FORGOTTEN: "its results were dropped before any was asked for",
        MapState.ABANDONED: "its consumer wants nothing more",
        MapState.OVER: "the last outcome is in",
    },
    MapState.FAILED: {
        MapState.FORGOTTEN: "its results were dropped before any was asked for",
        MapState.ABANDONED: "its consumer wants nothing more",
        MapState.OVER: "the last outcome is in",
    },
    MapState.FORGOTTEN: {
        MapState.ABANDONED: "its consumer wants nothing more",
        MapState.OVER: "the last outcome is in",
    },
    MapState.ABANDONED: {MapState.OVER: "what had been given out has ended"},
    MapState.OVER: {},
}
"""The life of a map: from a state to others, and when."""

ABANDONED = MapState.ABANDONED  # as in ``future``: looked at for each chunk


class Failed(NamedTuple):
    """Stands in ``MapCall.results`` for the item that raised ``error``."""

    error: BaseException


@calls_user_code(Called.FOR_CALLER, own_code=True)
def _read(inputs: Iterable[Any]) -> list[Any]:
    return list(inputs)


class MapCall:
    """The owner's side of one ``map``: what is left to cut, what has come back.

    Args:
        inputs: the items, or the argument tuples if ``starred``. Read at once (a
            ``range`` stays one), unless ``buffersize`` bounds how many may be out or
            unread by the consumer (as in ``concurrent.futures`` of Python 3.14).
        chunksize: items in each chunk; None: from the measured time per item.
        workers: how many workers share the work.
    """

    def __init__(
        self, map_id: int, owner: int, func: Callable[..., Any], inputs: Iterable[Any],
        starred: bool, *, workers: int, chunksize: int | None = None,
        buffersize: int | None = None, tuning: Tuning = TUNING,
    ) -> None:
        self.id = map_id
        self.owner = owner
        self.func = func
        self.starred = starred
        self.estimate_s = 0.0
        self.on_arrival: Callable[[], None] | None = None
        """Called when results have come in; set by a consumer that waits."""
        self.results: dict[int, list[Any] | Failed] = {}
        self.arrived: deque[int] = deque()
        """Keys of ``results`` in the order they came."""
        self.exhausted = True
        """No further inputs will be read."""
        self.state = MapState.OPEN
        self.dropped: deque[MapCall] = deque()
        """Where it is put when it is abandoned or forgotten."""
        self.all_definitions = False
        """Send its chunks with all definitions: somebody lacked one."""
        self.misses: dict[int, int] = {}
        """How often the chunk that starts there was sent and could not be loaded."""
        self._workers = workers
        self._tuning = tuning
        self._chunksize = chunksize
        self._inputs: Iterator[Any] = iter(())
        read: list[Any] | range
        if buffersize is not None:
            self._inputs = iter(inputs)
            read = _read(islice(self._inputs, buffersize))
            if len(read) == buffersize:
                self.exhausted = False
            else:
                self._inputs = iter(())
        else:
            read = inputs if isinstance(inputs, range) else _read(inputs)
        self._here_s = 0.0
        self._next = 0  # first index not cut
        self._stop = len(read)  # first index not read
        self._uncut = Uncut(read)
        self._cutting = threading.Lock()
        self.lent = Lent()
        """The arguments of chunks that were sent to other workers, until their outcomes are
        in: some may come back."""
        self.unfinished = self._stop
        """Items read whose outcome is not known."""

    def read_more(self, count: int) -> None:
        """Reads up to ``count`` further items, as the consumer has taken that many."""
        if self.exhausted:
            return
        more = _read(islice(self._inputs, count))
        if len(more) < count:
            self.exhausted = True
            self._inputs = iter(())
        with self._cutting:
            self._uncut.append(more)
            self._stop += len(more)
            self.unfinished += len(more)

    @property
    def remaining(self) -> int:
        """Items read and not yet cut; none once the consumer is gone."""
        return 0 if self.state is ABANDONED else self._stop - self._next

    @property
    def light(self) -> bool:
        """True if giving items away would cost more than running them."""
        return 0.0 < self._here_s < self._tuning.light_item_s

    def cut(self, aim_s: float, takers: int = 1, least_s: float = 0.0) -> Chunk | None:
        """Takes the next chunk off the range; None if nothing is left.

        Called by the thread that runs tasks and by the one that donates work.

        Args:
            aim_s: seconds of work to aim at, for each of ``takers``.
            takers: workers that will divide it among them.
            least_s: seconds of work for each of them even if that is more than its share.
        """
        with self._cutting:
            remaining = self.remaining
            if remaining == 0:
                return None
            start = self._next
            count = min(self._size(remaining, aim_s, least_s) * takers, remaining)
            self._next = start + count
            chunk = self._chunk(start, self._uncut.take(count))
            chunk.light = self.light
            return chunk

    def chunk(self, start: int, count: int) -> Chunk | None:
        """The chunk of ``count`` items from ``start`` on, which come back unstarted.

        None: the consumer is gone.
        """
        args = self.lent.take(start, count)
        return self._chunk(start, args) if args else None

    def first_lent(self) -> int | None:
        """The lowest index of an item that another worker has; None: none has any."""
        return self.lent.first()

    def lend(self, start: int, args: list[Any]) -> None:
        """Keeps arguments that go to another worker, in case they come back unstarted."""
        self.lent.put(start, args)

    def _chunk(self, start: int, args: Sequence[Any]) -> Chunk:
        return Chunk(self.owner, self.id, self.func, self.starred, start, args, self.estimate_s)

    def _size(self, remaining: int, aim_s: float, least_s: float) -> int:
        if self._chunksize is not None:
            return self._chunksize
        if not self.estimate_s:
            return 1
        fair = remaining // (self._tuning.gifts_in_a_share * self._workers)
        return max(1, int(least_s / self.estimate_s), min(int(aim_s / self.estimate_s), fair))

    def deliver(
        self, start: int, values: list[Any], error: BaseException | None,
        count: int, elapsed_s: float,
    ) -> None:
        """Takes in the outcome of ``count`` items from ``start`` on.

        ``error`` is that of the item after ``values``; those after it were not run.
        """
        if self.state is ABANDONED:
            self.drop(start, count)
            return
        if values:
            self.learn(elapsed_s / len(values))
            self._arrive(start, values)
            self.unfinished -= len(values)
        if error is not None:
            self._arrive(start + len(values), Failed(error))
            if self.state is MapState.OPEN:
                self._enter(MapState.FAILED)
            self._drop_uncut()
            self.unfinished -= count - len(values)
        self.lent.take(start, count)
        if self.on_arrival is not None:
            self.on_arrival()

    def take(self, start: int) -> list[Any]:
        """The values that have come for the items from ``start`` on, which leave.

        For whoever takes all of them in order.

        Raises:
            BaseException: they stand for an error.
        """
        self.arrived.clear()  # only of use out of order
        return self._take(start)

    def take_next(self) -> list[Any]:
        """As :meth:`take`, of what came first."""
        return self._take(self.arrived.popleft())

    def _take(self, start: int) -> list[Any]:
        values = self.results.pop(start)
        if isinstance(values, Failed):
            try:
                raise values.error
            finally:
                del self, values  # the traceback refers to this frame: no cycle
        return values

    def drop(self, start: int, count: int) -> None:
        """Nobody wants the outcome of those items, which have run or will not."""
        self.lent.take(start, count)
        self.unfinished -= count

    def learn(self, seconds_per_item: float) -> None:
        """Moves the estimate half way to a new measurement."""
        known = self.estimate_s or seconds_per_item
        self.estimate_s = 0.5 * (known + seconds_per_item)

    def learn_here(self, seconds_per_item: float) -> None:
        """Notes how long items take on this worker, for :attr:`light`.

        A chunk that lost its core for a while, or whose worker shares one with many, took
        far too long: so what is known of a good one grows by steps only.
        """
        self._here_s = min(seconds_per_item, 2 * self._here_s or seconds_per_item)

    def abandon(self) -> None:
        """The map is over, or its consumer wants nothing more.

        The garbage collector may call this anywhere, in any thread: so it lets go of what it
        can, and notes in :attr:`dropped` that :meth:`close` must follow.
        """
        self._want_nothing()
        self._drop_all(blocking=False)
        self.dropped.append(self)

    def close(self) -> None:
        """As :meth:`abandon`, and leaves nothing; only the thread that runs tasks may call it.

        Calls that have begun are waited for at the end of the job.
        """
        self._want_nothing()
        self._drop_uncut()
        self._drop_all()

    def forget(self) -> None:
        """Nobody will ask for results, but the calls are made whose inputs have been read.

        As :meth:`abandon`, this may be called anywhere.
        """
        if self._may_enter(MapState.FORGOTTEN):
            self.state = MapState.FORGOTTEN
            self.exhausted = True
            self._inputs = iter(())
            self.results.clear()
            self.arrived.clear()
            self.dropped.append(self)

    def end_if_over(self) -> bool:
        """True if no outcome is to come any more, nor any input to be read."""
        over = not self.unfinished and self.exhausted
        if over and self.state is not MapState.OVER:
            self._enter(MapState.OVER)
        return over

    def _want_nothing(self) -> None:
        if self._may_enter(ABANDONED):
            self.state = ABANDONED
        self.results.clear()

    def _may_enter(self, state: MapState) -> bool:
        return state in TRANSITIONS[self.state]

    def _enter(self, state: MapState) -> None:
        if not self._may_enter(state):
            raise AssertionError(f"map {self.id} cannot go from {self.state} to {state}")
        self.state = state

    def _arrive(self, start: int, outcome: list[Any] | Failed) -> None:
        if self.state is not MapState.FORGOTTEN:
            self.results[start] = outcome
            self.arrived.append(start)

    def _drop_all(self, blocking: bool = True) -> tuple[Any, ...]:
        """Takes all items out. The caller lets go of them, which may run code of theirs:
        not while the lock is held."""
        if not self._cutting.acquire(blocking):
            return ()
        try:
            dropped = self._uncut, self.lent, self._inputs
            self._uncut, self.lent, self._inputs = Uncut([]), Lent(), iter(())
            return dropped
        finally:
            self._cutting.release()

    def _drop_uncut(self) -> tuple[Any, ...]:
        """As :meth:`_drop_all`: items beyond an error are never handed out, need not run."""
        with self._cutting:
            self.exhausted = True
            self.unfinished -= self._stop - self._next
            self._stop = self._next
            dropped = self._uncut, self._inputs
            self._uncut, self._inputs = Uncut([]), iter(())
            return dropped
