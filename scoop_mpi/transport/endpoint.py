"""What a rank needs of a network; ``mpi`` and ``memory`` provide it."""

from __future__ import annotations

from typing import Protocol

from ..messages import Message


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


class Alone:
    """The endpoint of a world of one rank."""

    rank = 1
    size = 2

    def send(self, dest: int, message: Message) -> None:
        """Nobody hears it."""

    def receive(self) -> None:
        """Nobody speaks."""

    def progress(self) -> None:
        """Nothing to do."""

    def transferring(self) -> bool:
        """Never."""
        return False
