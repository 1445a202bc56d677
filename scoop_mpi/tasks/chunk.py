"""Consecutive items of one ``map`` call, on the rank that runs them.

A chunk runs as one C-level loop over a shared iterator; the items that the loop has not
reached can be taken away from it at any moment (:meth:`Chunk.take_rest`), because an item
blocks or because another worker has nothing to do. So a large chunk never holds work back,
however wrong its estimate was.

Tried and not taken: a Python loop with a cursor in place of the shared iterator (three times
slower).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import starmap
from operator import length_hint
from typing import Any

from ..base import forks
from ..base.frames import Called, Leaving, calls_user_code

_taking = threading.Lock()
"""Held while items are taken from a running chunk, by the donor or by its own runner."""


def renew_lock() -> None:
    """In a forked child: a thread that is not there any more may have held the lock."""
    global _taking
    _taking = threading.Lock()


forks.renew_in_child(renew_lock)


class Chunk:
    """Consecutive items of one map call, on the rank that runs them.

    Covers the indices from ``start`` up to, not including, ``stop``.
    """

    __slots__ = ("owner", "map_id", "func", "starred", "start", "stop",
                 "estimate_s", "light", "values", "error", "skipped", "elapsed_s", "_items",
                 "__weakref__")

    def __init__(
        self, owner: int, map_id: int, func: Callable[..., Any], starred: bool,
        start: int, args: Sequence[Any], estimate_s: float,
    ) -> None:
        self.owner = owner
        self.map_id = map_id
        self.func = func
        self.starred = starred
        self.start = start
        self.stop = start + len(args)
        self.estimate_s = estimate_s
        self.light = False
        """Its items are sooner run than sent."""
        self.values: list[Any] = []
        self.error: BaseException | None = None
        """Raised by the item after ``values``."""
        self.skipped = 0
        """Items after that one, which were not run."""
        self.elapsed_s = 0.0
        self._items = iter(args)

    @calls_user_code(Called.TASK)
    def run(self, clock: Callable[[], float]) -> None:
        """Calls the function on every item until one raises or none is left."""
        began = clock()
        calls = starmap(self.func, self._items) if self.starred else map(self.func, self._items)
        try:
            # extend() keeps the values that came before an error.
            self.values.extend(calls)
        except Leaving:
            raise  # not an outcome
        except BaseException as error:
            forks.end_if_forked(error)
            self.error = error
            self.skipped = len(list(self._items))
        else:
            self._check_complete()
        self.elapsed_s = clock() - began
        del self, calls  # the error's traceback may refer to this frame: no cycle

    def _check_complete(self) -> None:
        """A StopIteration from the function looks to extend() like the end of the items."""
        with _taking:
            missing = self.stop - self.start - len(self.values)
            if missing:
                self.error = StopIteration()
                self.skipped = missing - 1
                list(self._items)

    def take_rest(self) -> Chunk | None:
        """Takes the items not yet started away, as a chunk of their own.

        Safe while another thread is inside :meth:`run`: list() over a list
        iterator is one step under the GIL.
        """
        with _taking:
            rest = list(self._items)
            stop, self.stop = self.stop, self.stop - len(rest)
        if not rest:
            return None
        return Chunk(self.owner, self.map_id, self.func, self.starred,
                     stop - len(rest), rest, self.estimate_s)

    def split(self, count: int) -> tuple[Chunk, Chunk | None]:
        """Cuts the first ``count`` items off an unstarted chunk; the rest is None if empty."""
        args = list(self._items)
        parts = [
            Chunk(self.owner, self.map_id, self.func, self.starred,
                  self.start + at, part, self.estimate_s)
            for at, part in ((0, args[:count]), (count, args[count:])) if part
        ]
        return parts[0], parts[1] if len(parts) > 1 else None

    def args(self) -> list[Any]:
        """The arguments of an unstarted chunk; the chunk is used up."""
        return list(self._items)

    def __len__(self) -> int:
        """Items not yet started."""
        return length_hint(self._items)
