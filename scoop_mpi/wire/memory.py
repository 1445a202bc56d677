"""A network in memory, for simulations: a seed decides the order of delivery.

Every message goes through ``frame``, so what cannot travel over MPI fails here, too. Any
message in flight may be the next to arrive, as over MPI later messages may overtake large ones.
"""

from __future__ import annotations

import random

from ..base.messages import Message
from .frame import pack, unpack

_InFlight = tuple[int, int, int, bytes]


class Network:
    """Connects ``size`` endpoints; ``seed`` decides which message arrives next."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.random = random.Random(seed)
        self.in_flight: list[_InFlight] = []
        self.arrived: list[list[_InFlight]] = [[] for _ in range(size)]
        self.log: list[tuple[int, int, Message]] = []
        """(source, destination, message) of everything sent so far."""

    def endpoint(self, rank: int) -> MemoryEndpoint:
        """The endpoint of one rank."""
        return MemoryEndpoint(self, rank)

    def deliver_one(self) -> int | None:
        """Lets one message arrive; returns the rank that can receive it now."""
        if not self.in_flight:
            return None
        at = self.random.randrange(len(self.in_flight))
        message = self.in_flight.pop(at)
        self.arrived[message[1]].append(message)
        return message[1]


class MemoryEndpoint:
    """One rank's access to a :class:`Network`."""

    def __init__(self, network: Network, rank: int) -> None:
        self._network = network
        self.rank = rank
        self.size = network.size

    def send(self, dest: int, message: Message) -> None:
        """Puts the message in flight."""
        if not 0 <= dest < self.size:
            raise ValueError(f"rank {self.rank} sends to rank {dest} of {self.size}")
        self._network.log.append((self.rank, dest, message))
        self._network.in_flight.append((self.rank, dest, *pack(message)))

    def receive(self) -> tuple[int, Message] | None:
        """The next message that has arrived."""
        arrived = self._network.arrived[self.rank]
        if not arrived:
            return None
        source, _, number, data = arrived.pop(0)
        return source, unpack(number, data)

    def progress(self) -> None:
        """Nothing to do."""

    def transferring(self) -> bool:
        """Never: messages arrive whole."""
        return False
