"""What a worker has asked the broker, and the answers that nobody has taken yet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ..base.messages import Message


class Enquiries:
    """Each question has a ticket, which comes back with its answer.

    Belongs to the thread that runs tasks.
    """

    def __init__(self) -> None:
        self._tickets = count(1)
        self._open: dict[int, Callable[[], object]] = {}
        self._answers: dict[int, Message] = {}

    def __bool__(self) -> bool:
        """True if an answer is still to come."""
        return bool(self._open)

    def ask(self, wake: Callable[[], object]) -> int:
        """The ticket of a new question; ``wake`` is called when its answer is there."""
        ticket = next(self._tickets)
        self._open[ticket] = wake
        return ticket

    def answered(self, ticket: int, answer: Message) -> None:
        """The broker has answered."""
        self._answers[ticket] = answer
        self._open.pop(ticket)()

    def take(self, ticket: int) -> Message:
        """The answer, once."""
        return self._answers.pop(ticket)

    def ignore(self, ticket: int) -> None:
        """Nobody waits for it any more; it may have come already."""
        if self._answers.pop(ticket, None) is None:
            self._open[ticket] = lambda: self._answers.pop(ticket)
