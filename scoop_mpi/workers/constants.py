"""The shared constants that a worker knows: the worker's side of ``registry``.

The broker's messages may come in any order. Each definition (``serial``) reaches each
worker exactly once as VARIABLE (its author: as DEFINED), and maybe before that as the
answer to a question. So:

    copies that come after that one are out of date and dropped;
    FORGET for one that has not come yet is kept, and answered when it comes.

Two threads call what takes messages in (``arrive``, ``arrive_early``, ``defined``,
``forget``), under the lock of ``exchange``; all else, and all that runs user code
(unpickling), is for the first thread.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.errors import NotPicklableError
from ..base.messages import Constant, Defined, Forget, Found, Variable
from ..base.usercode import attempt, shown
from ..wire.codec import Codec


class _Prefix:
    """A set of numbers from 1 on, in which all up to some point are found sooner or later."""

    def __init__(self) -> None:
        self.reached = 0
        """All numbers up to this one are in the set."""
        self._beyond: set[int] = set()

    def add(self, number: int) -> None:
        self._beyond.add(number)
        while self.reached + 1 in self._beyond:
            self.reached += 1
            self._beyond.discard(self.reached)

    def __contains__(self, number: int) -> bool:
        return number <= self.reached or number in self._beyond


class _Held:
    """One constant, unpickled when it is first read."""

    def __init__(self, serial: int, since: int, constant: Constant) -> None:
        self.serial = serial
        self.owner = constant.owner
        self.since = since
        self.is_callable = constant.is_callable
        self.packed: Constant | None = constant
        self.value: Any = None


class Constants:
    """What one worker knows of the pool's constants."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._held: dict[str, _Held] = {}
        self._seen = _Prefix()
        self._epochs = _Prefix()
        self._dying: dict[int, set[str]] = {}
        self._defining: dict[int, tuple[Constant, ...]] = {}
        self.fresh: deque[tuple[int, tuple[Constant, ...]]] = deque()
        """What has arrived and was not announced yet, with its epoch."""
        self._published: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        self._waiting: dict[str, dict[Callable[[], None], None]] = {}

    # -- what arrives (two threads) ----------------------------------------

    def arrive(self, message: Variable) -> list[str]:
        """Takes constants in; returns the names of those that are gone again already."""
        if message.serial in self._seen:
            return []  # a copy that came late
        self._seen.add(message.serial)
        dying = self._dying.pop(message.serial, set())
        self._keep(message.serial, message.since, message.constants, dying)
        self.fresh.append((message.epoch, message.constants))
        return sorted(dying)

    def arrive_early(self, message: Found) -> None:
        """Takes in a copy that was asked for; the one that everybody gets may be under way."""
        serial, constants = message.serial, message.constants
        if constants and serial not in self._seen:
            self._keep(serial, message.since, constants, self._dying.get(serial, set()))
            self.fresh.append((0, constants))

    def defined(self, message: Defined) -> list[str]:
        """An own definition was accepted, or not; otherwise as :meth:`arrive`."""
        constants = self._defining.pop(message.ticket)
        if message.taken:
            return []
        return self.arrive(
            Variable(message.serial, message.epoch, constants, (), message.since)
        )

    def _keep(
        self, serial: int, since: int, constants: tuple[Constant, ...], dying: set[str]
    ) -> None:
        for constant in constants:
            held = self._held.get(constant.name)
            if constant.name not in dying and (held is None or held.serial != serial):
                self._held[constant.name] = _Held(serial, since, constant)

    def forget(self, message: Forget) -> bool:
        """Drops a constant; False if it has not come yet, so that it is dropped then."""
        held = self._held.get(message.name)
        if held is not None and held.serial == message.serial:
            del self._held[message.name]
        if message.serial in self._seen:
            return True
        self._dying.setdefault(message.serial, set()).add(message.name)
        return False

    def inherit(self, others: Constants) -> None:
        """In a forked child: it can read what its parent had at that moment."""
        self._held = dict(others._held)
        for held in self._held.values():
            held.since = 0

    # -- what tasks ask (one thread) ---------------------------------------

    def define(self, ticket: int, constants: tuple[Constant, ...]) -> None:
        """Remembers what an own DEFINE is about, until it is answered."""
        self._defining[ticket] = constants

    def __contains__(self, name: str) -> bool:
        held = self._held.get(name)
        return held is not None and self.knows(held.since)

    def names(self) -> list[str]:
        """The names of the constants that are here."""
        return list(self._held)

    def owner(self, name: str) -> int | None:
        """The rank that defined a constant; None if there is none of that name."""
        held = self._held.get(name)
        return None if held is None else held.owner

    def value(self, name: str) -> Any:
        """The value of a constant that is here; None if it has just gone.

        Raises:
            NotPicklableError: it cannot be rebuilt on this rank.
        """
        held = self._held.get(name)
        if held is None:
            return None
        if held.packed is not None:
            constant = held.packed
            self._codec.learn(constant.definitions)
            held.value, error = attempt(self._codec.loads, constant.pickled, constant.definitions)
            if error is not None:
                raise NotPicklableError(
                    f"the constant {name}, which could not be rebuilt here: "
                    f"{type(error).__name__}: {shown(error, str)}"
                ) from error
            held.packed = None
        return held.value

    def expect(self, name: str, wake: Callable[[], None]) -> None:
        """``wake`` is called once, when there is a constant of that name."""
        self._waiting.setdefault(name, {})[wake] = None

    def give_up(self, name: str, wake: Callable[[], None]) -> None:
        """Undoes :meth:`expect`, if ``wake`` was not called yet."""
        waiting = self._waiting.get(name, {})
        waiting.pop(wake, None)
        if not waiting:
            self._waiting.pop(name, None)

    # -- announcements (one thread) ----------------------------------------

    @property
    def newest_epoch(self) -> int:
        """What a task that is created here may rely on (``messages.Variable``)."""
        return self._epochs.reached

    def knows(self, epoch: int) -> bool:
        """True if a task of that epoch may start here."""
        return epoch <= self._epochs.reached

    def announce(self) -> None:
        """Makes what has arrived known to tasks, and wakes those who wait for it.

        Callable constants become globals of the program, as in SCOOP.
        """
        while self.fresh:
            epoch, constants = self.fresh.popleft()
            for constant in constants:
                self._publish(constant.name)
            if epoch:
                self._epochs.add(epoch)
        self._wake()

    def withdraw(self, name: str) -> None:
        """A constant has gone; so does the global of that name, if it is ours."""
        self._publish(name)

    def _publish(self, name: str) -> None:
        """Makes the program's global agree with what the constant is now, if anything.

        So it does that of functions by value, which have global variables of their own.
        """
        held = self._held.get(name)
        if held is None or not held.is_callable:
            for place, published in self._published.pop(name, ()):
                if place.get(name) is published:
                    del place[name]
            return
        try:
            value = self.value(name)
        except NotPicklableError:
            return  # told to whoever reads it
        places = [vars(sys.modules["__main__"])]
        places += [one.__globals__ for one in self._codec.functions()]
        for place in places:
            if place.get(name) is not value:
                place[name] = value
                self._published.setdefault(name, []).append((place, value))

    def _wake(self) -> None:
        for name in [name for name in self._waiting if name in self]:
            for wake in self._waiting.pop(name):
                wake()
