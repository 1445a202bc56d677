"""What a rank needs of a network; ``mpi`` and ``memory`` provide it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..base.messages import Message


class Endpoint(Protocol):
    """One rank's access to the others. Nothing here blocks.

    A large message may be overtaken by later ones of the same sender.
    """

    rank: int
    size: int

    def send(self, dest: int, message: Message) -> None:
        """Starts sending; the message is the endpoint's own from now on."""

    def receive(self) -> tuple[int, Message] | None:
        """The next arrived message and its sender's rank, or None."""

    def progress(self) -> None:
        """Gives up the memory of what has been sent."""

    def transferring(self) -> bool:
        """True if a message is half sent or half received: it moves on at each call."""


class ProcessEndpoint(Endpoint, Protocol):
    """The endpoint of a process: it can sleep until a message comes."""

    two_threads: bool
    """May two threads make calls, one at a time?"""
    all_can_ring: bool
    """Can every other rank end a :meth:`sleep` of this one?"""
    crowded: bool
    """Do workers need all cores of this host, so that waiting should take none?"""

    def has_mail(self) -> bool:
        """True if a message has arrived."""

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        """Sleeps for so long at most, not if ``has_mail``, nor once a message rings."""

    def rouse(self) -> None:
        """Ends a :meth:`sleep` that is going on. Called by signal handlers."""

    def abort(self, exit_code: int) -> None:
        """Ends all ranks at once. Does not return."""
