"""What a rank needs from a network; ``mpi`` and ``memory`` provide it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..base.messages import Message


class Endpoint(Protocol):
    """One rank's access to the others. Nothing here blocks.

    Later messages of the same sender may overtake a large one.
    """

    rank: int
    size: int

    def send(self, dest: int, message: Message) -> None:
        """Starts sending ``message`` to rank ``dest``."""

    def receive(self) -> tuple[int, Message] | None:
        """The next arrived message and its sender's rank, or None."""

    def progress(self) -> None:
        """Frees the memory of messages that have been sent."""

    def transferring(self) -> bool:
        """True if a message is partly sent or received: only further calls complete it."""


class ProcessEndpoint(Endpoint, Protocol):
    """The endpoint of a process: it can sleep until a message comes."""

    two_threads: bool
    """True if two threads may make calls, one at a time."""
    all_can_ring: bool
    """True if every other rank can end a :meth:`sleep` of this one."""
    crowded: bool
    """True if workers need all cores that this rank may use, so that it should wait asleep."""

    def has_mail(self) -> bool:
        """True if a message has arrived."""

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        """Sleeps for ``seconds`` at most; not if ``has_mail()``, and only until it is rung."""

    def rouse(self) -> None:
        """Ends the :meth:`sleep` of this rank. Signal handlers call this."""

    def abort(self, exit_code: int) -> None:
        """Ends all ranks at once. Does not return."""
