"""What a worker has asked the broker, and the answers that nobody has taken yet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import NamedTuple, Union

from ..base.messages import ANSWERS, Define, Defined, Found, Lookup, Undefine, Undefined

Question = Union[Define, Lookup, Undefine]
Answer = Union[Defined, Found, Undefined]


class _Open(NamedTuple):
    question: type[Question]
    wake: Callable[[], object]


class Enquiries:
    """Each question has a ticket, which comes back with its answer.

    Belongs to the thread that runs tasks.
    """

    def __init__(self) -> None:
        self._tickets = count(1)
        self._open: dict[int, _Open] = {}
        self._answers: dict[int, Answer] = {}

    def __bool__(self) -> bool:
        """True if an answer is still to come."""
        return bool(self._open)

    def ask(self, make: Callable[[int], Question], wake: Callable[[], object]) -> Question:
        """A new question.

        Args:
            make: makes it, given its ticket.
            wake: called when its answer is there.
        """
        question = make(next(self._tickets))
        self._open[question.ticket] = _Open(type(question), wake)
        return question

    def answered(self, answer: Answer) -> None:
        """The broker has answered.

        Raises:
            AssertionError: nobody has asked that (:data:`messages.ANSWERS`).
        """
        asked = self._open.pop(answer.ticket, None)
        if asked is None or type(answer) not in ANSWERS[asked.question]:
            raise AssertionError(f"{answer!r} answers {asked and asked.question}")
        self._answers[answer.ticket] = answer
        asked.wake()

    def take(self, ticket: int) -> Answer:
        """The answer, once."""
        return self._answers.pop(ticket)

    def ignore(self, ticket: int) -> None:
        """Nobody waits for it any more; it may have come already."""
        if self._answers.pop(ticket, None) is None:
            asked = self._open[ticket]
            self._open[ticket] = asked._replace(wake=lambda: self._answers.pop(ticket))
