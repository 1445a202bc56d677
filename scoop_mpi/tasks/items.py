"""The inputs of one map, each kept as long as it may be needed, and no longer.

An input is in one place at a time: not yet cut (:class:`Uncut`), in a chunk, or, as long
as another worker has that chunk and might send it back, :class:`Lent`. So whoever holds
no chunk of it, and has lent none, holds no input that is done, in whatever order they are
done.

Tried and not taken: one list for all, cut off at the front when half of it was done:
one slow item kept all others alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Uncut:
    """Inputs in order, taken off the front at the cost of a slice.

    Args:
        inputs: a list, which is used up, or a range, which is never written out.
    """

    def __init__(self, inputs: list[Any] | range) -> None:
        # Taking many off the end of a list is cheap, off its front it is not.
        if isinstance(inputs, list):
            inputs.reverse()
        self._front = inputs
        """The first inputs: the next one is the last of a list, the first of a range."""
        self._back: list[Any] = []
        """Those after them, in order."""

    def append(self, more: list[Any]) -> None:
        """Further inputs, after those that are there."""
        self._back += more

    def take(self, count: int) -> Sequence[Any]:
        """The next ``count`` inputs (at least one; so many must be there), which leave."""
        front = self._front
        if type(front) is range:
            self._front = front[count:]
            return front[:count]
        if len(front) < count:
            back, self._back = self._back, []
            back.reverse()
            front[:0] = back
        taken = front[-count:]
        del front[-count:]
        taken.reverse()
        return taken


class Lent:
    """Inputs that are with other workers, by their index in the map: disjoint runs."""

    def __init__(self) -> None:
        self._runs: dict[int, list[Any]] = {}
        """By the first index. They are few: some for each worker."""

    def put(self, start: int, inputs: list[Any]) -> None:
        """Keeps ``inputs``, which have the indices from ``start`` on; the list is its own.

        Any thread may call this; all else is for the one that runs tasks.
        """
        self._runs[start] = inputs

    def take(self, start: int, count: int) -> list[Any]:
        """Those of the ``count`` inputs from ``start`` on that are here, which leave.

        All that are asked for at a time have been lent together.
        """
        run = self._runs.pop(start, None)
        if run is None:
            # list() is one C call: the other thread cannot change the dict meanwhile.
            first = max((one for one in list(self._runs) if one < start), default=start)
            before = self._runs.get(first, [])
            run = before[start - first:]
            if not run:
                return run
            self._runs[first] = before[:start - first]
        if len(run) == count:
            return run
        if later := run[count:]:
            self._runs[start + count] = later
        return run[:count]

    def first(self) -> int | None:
        """The lowest index that is lent; None: nothing is."""
        return min(list(self._runs), default=None)

    def __len__(self) -> int:
        return sum(map(len, list(self._runs.values())))
