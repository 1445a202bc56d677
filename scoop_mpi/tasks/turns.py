"""When it is the turn of the oldest piece of work: counts what begins.

Nobody starves. When ``Tuning.turn_after`` pieces of work have begun, the next one that a
runner takes is the oldest, of each kind in turn; no matter what is created meanwhile, and
also when all that begins is run where it is waited for. A piece that got its turn may be a
whole tree: while it is unfinished the next turn comes later by as much again. So of the
n tasks of a tree at most some sqrt(n / 50) wait half done, and a tree stays a tree.

It is counted at looks at the network: the trivial pieces of some milliseconds may be more.
"""

from __future__ import annotations

from typing import Union
from weakref import ref

from .chunk import Chunk
from .future import RUNNING, Future

Piece = Union["Future[object]", Chunk]


class Turns:
    """Those of one worker."""

    def __init__(self, after: int) -> None:
        self.look_at = after
        """When so many pieces have begun it is time to see whose turn it is."""
        self._after = after
        self._turned_at = 0  # how many had begun at the last turn
        self._elders: list[ref[Piece]] = []  # got their turn; sometimes without those done

    def look(self, begun: int, has_work: bool) -> bool:
        """:attr:`look_at` is reached: is it the turn of the oldest?

        Args:
            begun: pieces that have begun here so far, or have been given away.
        """
        self._elders = [elder for elder in self._elders if _is_unfinished(elder())]
        due_at = self._turned_at + self._after * (1 + len(self._elders))
        if has_work and begun < due_at:
            self.look_at = min(due_at, begun + self._after)  # some may be done by then
            return False
        self._turned_at = begun
        self.look_at = begun + self._after
        return has_work  # else nobody has been passed over

    def had(self, work: Piece) -> None:
        """That piece has got its turn."""
        self._elders.append(ref(work))


def _is_unfinished(work: Piece | None) -> bool:
    if isinstance(work, Chunk):
        return not work.elapsed_s
    return work is not None and work.state is RUNNING
