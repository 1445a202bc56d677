"""The broker's table of shared constants: message in, messages out.

Here it is decided, in the order in which the messages come, who defines a name first.
The broker never unpickles a constant. It keeps one because it is the one rank that is
never inside user code: whoever asks gets an answer, however busy the others are.

Spreading. A small constant goes from the broker to every worker. A large one goes down
a tree: the broker sends it to the first of each of ``Tuning.constant_fanout`` parts of the
workers, which forward it to parts of their own part. The worker that defined it sends it once.

Freeing. A name is free again when every worker has said that it dropped its copy, and
that none is on its way to it. So no old value can be seen after a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..base.messages import (
    Constant, Define, Defined, Forget, Forgotten, Found, Lookup, Message, Sends, Undefine,
    Undefined, Variable,
)
from ..base.tuning import TUNING, Tuning


class _Entry(NamedTuple):
    serial: int
    constant: Constant
    size: int


class _Leaving(NamedTuple):
    """A constant that is being freed: who asked for it, who still has to drop it."""

    deleter: int
    ticket: int
    missing: set[int]


def size_of(constant: Constant) -> int:
    """Bytes that it takes to send a constant."""
    return len(constant.pickled) + sum(len(one.pickled) for one in constant.definitions)


def forward(message: Variable, fanout: int) -> Sends:
    """What the receiver of a VARIABLE sends: its route, cut into ``fanout`` parts."""
    route = message.route
    step = max(1, -(-len(route) // fanout))
    parts = [route[at:at + step] for at in range(0, len(route), step)]
    return [(part[0], message._replace(route=part[1:])) for part in parts]


class Registry:
    """The constants of a pool of ``workers`` (their ranks)."""

    def __init__(self, workers: Sequence[int], tuning: Tuning = TUNING) -> None:
        self._workers = workers
        self._tuning = tuning
        self._entries: dict[str, _Entry] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._serial = 0
        self._epoch = 0

    def handle(self, source: int, message: Message) -> Sends:
        """Takes one message of a worker; returns what to send, in order."""
        match message:
            case Define():
                return self._define(source, message)
            case Lookup():
                return [(source, self._look_up(message))]
            case Undefine(ticket, name):
                return self._undefine(source, ticket, name)
            case Forgotten(name):
                return self._forgotten(source, name)
            case _:
                raise AssertionError(f"not a message for the broker: {message!r}")

    def _define(self, source: int, message: Define) -> Sends:
        ticket, constants = message
        for constant in constants:
            if constant.name in self._entries or constant.name in self._leaving:
                return [(source, Defined(ticket, 0, 0, constant.name, self._epoch))]
        self._serial += 1
        epoch = 0
        if any(constant.is_callable for constant in constants):
            epoch = self._epoch = self._epoch + 1
        for constant in constants:
            entry = _Entry(self._serial, constant, size_of(constant))
            self._entries[constant.name] = entry
        others = tuple(worker for worker in self._workers if worker != source)
        news = Variable(self._serial, epoch, constants, (), self._epoch)
        if sum(map(size_of, constants)) <= self._tuning.small_constant:
            sends: Sends = [(worker, news) for worker in others]
        else:
            sends = forward(news._replace(route=others), self._tuning.constant_fanout)
        return [(source, Defined(ticket, self._serial, epoch, "", self._epoch)), *sends]

    def _look_up(self, message: Lookup) -> Found:
        entry = self._entries.get(message.name)
        if entry is None:
            return Found(message.ticket, -1, 0, (), self._epoch)
        here = message.urgent or entry.size <= self._tuning.small_constant
        constants = (entry.constant,) if here else ()
        return Found(message.ticket, entry.size, entry.serial, constants, self._epoch)

    def _undefine(self, source: int, ticket: int, name: str) -> Sends:
        entry = self._entries.pop(name, None)
        if entry is None:
            return [(source, Undefined(ticket, False, self._epoch))]
        self._leaving[name] = _Leaving(source, ticket, set(self._workers))
        return [(worker, Forget(name, entry.serial)) for worker in self._workers]

    def _forgotten(self, source: int, name: str) -> Sends:
        deleter, ticket, missing = self._leaving[name]
        missing.discard(source)
        if missing:
            return []
        del self._leaving[name]
        return [(deleter, Undefined(ticket, True, self._epoch))]
