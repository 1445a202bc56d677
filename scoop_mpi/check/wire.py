"""Bytes between two ranks, with a time limit: for measuring, and for ranks that are silent.

No collective calls: a rank that does not answer must not hold up the others.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import NamedTuple

from ..process.machine import MACHINE
from ..wire.mpi import MPI

ANY = MPI.ANY_SOURCE
ORDER, FACTS, PING = 1, 2, 3
"""Tags: rank 0 to others, others to rank 0, and between the two that measure."""
_CLOCK = b"clock"
LATENCY_ROUNDS = 200
LATENCY_S = 0.1
"""Round trips of an empty message are measured for so many rounds, or so long."""
BANDWIDTH_BYTES = 4 << 20
BANDWIDTH_ROUNDS = 5
BANDWIDTH_S = 0.3
"""The same for large ones."""


_THREAD_LEVELS = {
    MPI.THREAD_SINGLE: "MPI_THREAD_SINGLE", MPI.THREAD_FUNNELED: "MPI_THREAD_FUNNELED",
    MPI.THREAD_SERIALIZED: "MPI_THREAD_SERIALIZED", MPI.THREAD_MULTIPLE: "MPI_THREAD_MULTIPLE",
}


class Silent(Exception):
    """A rank did not answer in time."""

    def __init__(self, rank: int) -> None:
        super().__init__(f"rank {rank} did not answer")
        self.rank = rank


class Speed(NamedTuple):
    """Between two ranks: round trip of a small message (s), bytes a second of large ones."""

    round_trip_s: float
    bandwidth: float


class Wire:
    """This rank's messages in MPI_COMM_WORLD."""

    def __init__(self) -> None:
        self._comm = MPI.COMM_WORLD
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._status = MPI.Status()
        self._buffer = bytearray(BANDWIDTH_BYTES)
        self._sending: list[tuple[MPI.Request, bytes]] = []

    @property
    def library(self) -> str:
        """What MPI_Get_library_version tells."""
        return str(MPI.Get_library_version()).replace("\0", "")

    @property
    def thread_level(self) -> str:
        """What MPI_Query_thread tells."""
        return _THREAD_LEVELS[MPI.Query_thread()]

    def abort(self) -> None:
        """Ends all ranks at once, with exit code 1 (MPI_Abort). Does not return."""
        self._comm.Abort(1)

    def send(self, dest: int, tag: int, data: bytes) -> None:
        """Starts sending; the bytes are kept until they are gone."""
        self._sending = [one for one in self._sending if not one[0].Test()]
        self._sending.append((self._comm.Isend([data, MPI.BYTE], dest, tag), data))

    def receive(self, tag: int, limit_s: float, source: int = ANY) -> tuple[int, bytes] | None:
        """The next message; None if none has come within ``limit_s`` seconds."""
        began = time.perf_counter()
        while (message := self._comm.Improbe(source, tag, self._status)) is None:
            waited_s = time.perf_counter() - began
            if waited_s > limit_s:
                return None
            MACHINE.pause(waited_s)
        buffer = bytearray(self._status.Get_count(MPI.BYTE))
        message.Recv([buffer, MPI.BYTE])
        return self._status.source, bytes(buffer)

    def all_sent(self, limit_s: float) -> None:
        """Waits until everything this rank has sent is gone, or the time is over."""
        stop_by = time.perf_counter() + limit_s
        while self._sending and time.perf_counter() < stop_by:
            self._sending = [one for one in self._sending if not one[0].Test()]
            os.sched_yield()

    def echo(self, peer: int, limit_s: float) -> None:
        """Sends back what ``peer`` sends, until that is nothing."""
        while data := self._ping(peer, limit_s):
            self._pong(peer, repr(time.time()).encode() if data == _CLOCK else data, limit_s)

    def _ping(self, peer: int, limit_s: float) -> memoryview | None:
        """What ``peer`` sends, in a buffer that the next call uses again; None: nothing.

        Never sleeps, and copies nothing: somebody measures how long this takes.
        """
        began = time.perf_counter()
        while (message := self._comm.Improbe(peer, PING, self._status)) is None:
            if time.perf_counter() - began > limit_s:
                return None
            os.sched_yield()
        size = self._status.Get_count(MPI.BYTE)
        request = message.Irecv([self._buffer, size, MPI.BYTE])
        while not request.Test():
            if time.perf_counter() - began > limit_s:
                return None
            os.sched_yield()
        return memoryview(self._buffer)[:size]

    def _pong(self, peer: int, data: bytes | memoryview, limit_s: float) -> None:
        """Sends, and returns when the buffer may be used again, or the time is over."""
        began = time.perf_counter()
        request = self._comm.Isend([data, MPI.BYTE], peer, PING)
        while not request.Test() and time.perf_counter() - began < limit_s:
            os.sched_yield()

    def measure(self, peer: int, limit_s: float) -> Speed:
        """Round trip and bandwidth to a rank that is in :meth:`echo`.

        Raises:
            Silent: it does not answer.
        """
        try:
            small = self._rounds(peer, b"-", LATENCY_ROUNDS, LATENCY_S, limit_s)
            large = self._rounds(peer, bytes(BANDWIDTH_BYTES), BANDWIDTH_ROUNDS, BANDWIDTH_S,
                                 limit_s)
        finally:
            self._pong(peer, b"", limit_s)
        # The first ones set up connections.
        return Speed(median(small[len(small) // 10:]), 2 * BANDWIDTH_BYTES / min(large))

    def clock_offset(self, peer: int, limit_s: float) -> float:
        """Seconds by which the clock of ``peer``, which is in :meth:`echo`, is ahead.

        Source: the symmetric-delay estimate of NTP (RFC 5905), best of several.
        """
        best: tuple[float, float] | None = None
        try:
            for _ in range(8):
                began = time.time()
                self._pong(peer, _CLOCK, limit_s)
                answer = self._ping(peer, limit_s)
                ended = time.time()
                if answer is None:
                    raise Silent(peer)
                offset = float(bytes(answer)) - (began + ended) / 2
                best = min(filter(None, (best, (ended - began, offset))))
        finally:
            self._pong(peer, b"", limit_s)
        assert best is not None
        return best[1]

    def _rounds(
        self, peer: int, data: bytes, rounds: int, budget_s: float, limit_s: float
    ) -> list[float]:
        times: list[float] = []
        while len(times) < rounds and (len(times) < 2 or sum(times) < budget_s):
            began = time.perf_counter()
            self._pong(peer, data, limit_s)
            if self._ping(peer, limit_s) is None:
                raise Silent(peer)
            times.append(time.perf_counter() - began)
        return times
