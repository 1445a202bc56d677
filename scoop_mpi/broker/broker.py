"""Rank 0's state machine: message in, messages out.

No MPI, no clock, no pickle. The broker brings workers that want work together
with workers that offer some, and ends the job. It never sees a task: the pair
trades directly, and goes on doing so until the giver has nothing left. The table of
shared constants is kept beside it (``registry``).

Invariants
    - a worker is in ``idle`` at most once;
    - an offer is used up by the grant that answers it (the giver offers again
      if it still has work), so a stale offer costs one exchange and no more;
    - after SHUTDOWN has been sent nothing but LEAVE is.

End of the job. The program's end does not mean that no task is left: tasks may
have been submitted and never waited for. Every worker answers DRAIN when it has
no unfinished task of its own. One turn is not enough (a worker can answer, then
receive a task that submits more), so turns are repeated until two in a row
report the same number of tasks created: then nothing happened in between.
"""

from __future__ import annotations

from enum import Enum
from itertools import islice

from ..base.messages import (
    ROOT, Define, Drain, Drained, Failure, Finished, Forgotten, Goodbye, Grant, Leave, Lookup, Left,
    Message, Offer, Request, Sends, Shutdown, Undefine,
)
from ..base.tuning import TUNING, Tuning
from .registry import Registry


class BrokerState(Enum):
    """What may follow on which: :data:`TRANSITIONS`."""

    MATCHING = "matching work and workers"
    DRAINING = "the program ended, its submitted tasks are finishing"
    STOPPING = "SHUTDOWN sent, waiting for GOODBYE"
    STOPPED = "every worker has left"


TRANSITIONS: dict[BrokerState, dict[BrokerState, str]] = {
    BrokerState.MATCHING: {
        BrokerState.DRAINING: "the program ended",
        BrokerState.STOPPING: "a failure, or an exception of the program",
    },
    BrokerState.DRAINING: {
        BrokerState.STOPPING: "nothing is left to do, or a failure",
    },
    BrokerState.STOPPING: {BrokerState.STOPPED: "the last worker has said GOODBYE"},
    BrokerState.STOPPED: {},
}
"""The broker's life: from a state to others, and when."""


class Broker:
    """The broker of a world of ``size`` ranks (rank 0 itself included)."""

    def __init__(self, size: int, tuning: Tuning = TUNING) -> None:
        self.workers = range(ROOT, size)
        self.state = BrokerState.MATCHING
        self.exit_code = 0
        self.report = ""
        """What to print, once, before the job stops; empty if there is nothing."""
        self.left = ""
        """Why workers could not import the program, while the root may end likewise."""
        self.drained = False
        """Was all work done before the workers were told to stop?"""
        self.present = set(self.workers)
        self._registry = Registry(self.workers, tuning)
        self._idle: dict[int, None] = {}
        self._offers: dict[int, None] = {}
        self._turn = 0
        self._created: dict[int, int] = {}
        self._created_before: dict[int, int] = {}

    def handle(self, source: int, message: Message) -> Sends:
        """Takes one message from rank ``source``; returns what to send, in order."""
        if self.left and source == ROOT and not isinstance(message, (Finished, Failure)):
            return self.root_goes_on()
        match message:
            case Request(workers):
                self._idle.update(dict.fromkeys(workers))
                return self._match()
            case Offer():
                self._offers[source] = None
                return self._match()
            case Define() | Lookup() | Undefine() | Forgotten():
                return [] if self._is_over() else self._registry.handle(source, message)
            case Finished(exit_code, drain):
                if self.state is not BrokerState.MATCHING:
                    return []  # a failure came first, and it counts
                self.left = ""
                self.exit_code = exit_code
                return self._next_turn() if drain else self._stop()
            case Drained(turn, created):
                return self._drained(source, turn, created)
            case Failure(text, exit_code):
                return self._fail(text, exit_code)
            case Left(text):
                if self.state is BrokerState.MATCHING:
                    self.left = self.left or text
                return []
            case Goodbye():
                self.present.discard(source)
                if self.present:
                    return []
                self._enter(BrokerState.STOPPED)
                return [(worker, Leave()) for worker in self.workers]
            case _:
                raise AssertionError(f"not a message for the broker: {message!r}")

    def _enter(self, state: BrokerState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"the broker cannot go from {self.state} to {state}")
        self.state = state

    def validate(self) -> None:
        """Checks what must hold between two messages.

        Raises:
            AssertionError: it does not.
        """
        workers = set(self.workers)
        assert workers.issuperset(self._idle) and workers.issuperset(self._offers)
        assert workers.issuperset(self.present)
        if not self._is_over():  # nobody waits for whom there is work, but the giver itself
            assert not self._idle or not self._offers or (
                len(self._idle) == 1 and self._idle.keys() == self._offers.keys()
            ), (self._idle, self._offers)
        assert (self.state is BrokerState.STOPPED) is not bool(self.present)

    def _is_over(self) -> bool:
        return self.state in (BrokerState.STOPPING, BrokerState.STOPPED)

    def _match(self) -> Sends:
        """Deals the idle workers out to the offering ones in equal shares."""
        if not self._idle or not self._offers or self._is_over():
            return []
        sends: Sends = []
        # No more of the offers than are needed: thousands may be standing.
        for giver in list(islice(self._offers, len(self._idle) + 1)):
            share = -(-len(self._idle) // len(self._offers))
            others = (worker for worker in self._idle if worker != giver)
            takers = list(islice(others, share))
            if takers:  # else nobody but the giver itself is idle: its offer stands
                del self._offers[giver]
                for worker in takers:
                    del self._idle[worker]
                sends.append((giver, Grant(tuple(takers))))
            if not self._idle:
                break
        return sends

    def _next_turn(self) -> Sends:
        if self.state not in (BrokerState.MATCHING, BrokerState.DRAINING):
            return []
        if self.state is not BrokerState.DRAINING:
            self._enter(BrokerState.DRAINING)
        self._turn += 1
        self._created_before, self._created = self._created, {}
        return [(worker, Drain(self._turn)) for worker in self.workers]

    def _drained(self, source: int, turn: int, created: int) -> Sends:
        if turn != self._turn:
            return []
        self._created[source] = created
        if len(self._created) < len(self.workers):
            return []
        if self._created == self._created_before:
            self.drained = True
            return self._stop()
        return self._next_turn()

    def root_goes_on(self) -> Sends:
        """The root has not left the program as some workers did: that is a failure."""
        return self._fail(self.left, 1)

    def _fail(self, text: str, exit_code: int) -> Sends:
        if self._is_over():
            return []
        self.left = ""
        self.report = text
        self.exit_code = exit_code
        return self._stop()

    def _stop(self) -> Sends:
        if self._is_over():
            return []
        self._enter(BrokerState.STOPPING)
        return [(worker, Shutdown(self.exit_code)) for worker in self.workers]
