"""Messages over MPI. The only module that imports ``mpi4py``; importing it starts MPI.

How a message travels
    ``Isend``, then ``Improbe`` and ``Imrecv`` of exactly the size that arrived, so no
    size is assumed. A message that needs its sender's help (rendezvous) is completed by
    a later call: nothing here waits for another rank. A small message may therefore
    overtake a large one of the same sender.

    An MPI count is a C int in many libraries. Messages of 2 GiB and more are sent as
    blocks of ``BLOCK`` bytes (padded), marked by their tag.

Threads
    ``MPI_THREAD_SERIALIZED``: two threads make calls, never at once (``exchange``).

``ssend`` was not taken: two ranks that send to each other would wait for ever.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable

import mpi4py

mpi4py.rc.thread_level = "serialized"

with warnings.catch_warnings():
    # That launcher and library do not match is for launch.world to find, and say once.
    warnings.filterwarnings("ignore", "suspicious MPI execution environment")
    from mpi4py import MPI  # noqa: E402  (rc must be set before this starts MPI)

from ..base.messages import BROKER, Message  # noqa: E402
from .doorbell import Address, Doorbell  # noqa: E402
from .frame import pack, unpack  # noqa: E402

__all__ = ["MPI", "MpiEndpoint"]

BLOCK = 4096
"""Bytes in one block of a message too large for an MPI count."""
COUNT_MAX = 2**31 - 1
ABORT_S = 5.0
"""Seconds that the launcher gets to end a rank that has called MPI_Abort."""
_BIG_TAG = 1000
"""Added to the tag of a message that is sent in blocks."""


class MpiEndpoint:
    """This rank's endpoint on a duplicate of ``MPI_COMM_WORLD``."""

    def __init__(self, count_max: int = COUNT_MAX) -> None:
        self._comm = MPI.COMM_WORLD.Dup()
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self.two_threads: bool = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
        """May two threads make MPI calls, one at a time?"""
        self.broker_host = self._from_broker(os.uname().nodename)
        self.all_can_ring = False
        """Can every other rank end a :meth:`sleep` of this one?"""
        self.crowded = False
        """Do workers need all cores of this host, so that waiting should take none?"""
        self._doorbell = Doorbell(self.rank)
        self._count_max = count_max
        self._status = MPI.Status()
        self._sending: deque[tuple[MPI.Request, int]] = deque()
        self._receiving: deque[tuple[MPI.Request, int, int, bytearray]] = deque()
        self._block: MPI.Datatype = MPI.BYTE.Create_contiguous(BLOCK).Commit()

    def _from_broker(self, text: str) -> str:
        """``text`` of rank 0. All ranks are here at this moment, as Dup() needs them too."""
        buffer = bytearray(text.encode()[:256].ljust(256, b"\0"))
        self._comm.Bcast([buffer, MPI.BYTE], BROKER)
        return buffer.rstrip(b"\0").decode(errors="replace")

    def meet_neighbours(self, cores: frozenset[int]) -> list[frozenset[int]]:
        """What each worker on this host passes as ``cores``. All ranks must call it.

        From here on the ranks of a host can wake each other.
        """
        host = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        gathered = host.allgather((tuple(self._doorbell.address), cores))
        connected = self._doorbell.connect([Address(*address) for address, _ in gathered])
        if not all(host.allgather(connected)):
            self._doorbell.disconnect()
        elif len(gathered) == self.size:
            self.all_can_ring = True
        host.Free()
        workers = {rank: theirs for (rank, *_), theirs in gathered if rank != BROKER}
        rivals = [rank for rank, theirs in workers.items() if rank != self.rank and theirs & cores]
        self.crowded = len(rivals) >= len(cores)
        return list(workers.values())

    def send(self, dest: int, message: Message) -> None:
        """Starts sending; see :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        tag, data = pack(message)
        if len(data) <= self._count_max:
            request = self._comm.Isend([data, MPI.BYTE], dest, tag)
        else:
            padded = data + bytes(-len(data) % BLOCK)
            count = len(padded) // BLOCK
            request = self._comm.Isend([padded, count, self._block], dest, tag + _BIG_TAG)
        if not request.Test():
            self._sending.append((request, dest))
        self._doorbell.ring(dest)

    def receive(self) -> tuple[int, Message] | None:
        """The next message; see :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        if self._receiving and (done := self._completed()) is not None:
            return done
        while (message := self._probe()) is not None:
            source, tag = self._status.source, self._status.tag
            big = tag >= _BIG_TAG
            unit, datatype = (BLOCK, self._block) if big else (1, MPI.BYTE)
            count = self._status.Get_count(datatype)
            buffer = bytearray(count * unit)
            request = message.Irecv([buffer, count, datatype])
            if request.Test():
                return source, unpack(tag % _BIG_TAG, buffer)
            self._receiving.append((request, source, tag % _BIG_TAG, buffer))
        return None

    def _probe(self) -> MPI.Message | None:
        """What has arrived, or None.

        A probe looks at what has been taken off the network, and only then, finding
        nothing, makes progress: what that brings is seen by the next probe.
        """
        comm, status = self._comm, self._status
        return (comm.Improbe(MPI.ANY_SOURCE, MPI.ANY_TAG, status)
                or comm.Improbe(MPI.ANY_SOURCE, MPI.ANY_TAG, status))

    def _completed(self) -> tuple[int, Message] | None:
        """One of the messages whose receive could not complete at once, if it has now."""
        for _ in range(len(self._receiving)):
            request, source, number, buffer = self._receiving.popleft()
            if request.Test():
                return source, unpack(number, buffer)
            self._receiving.append((request, source, number, buffer))
        return None

    def progress(self) -> None:
        """Gives up what has been sent."""
        while self._sending and self._sending[0][0].Test():
            self._doorbell.ring(self._sending.popleft()[1])
        for _, dest in self._sending:
            self._doorbell.ring(dest)  # it must help

    def transferring(self) -> bool:
        """See :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        return bool(self._sending or self._receiving)

    def has_mail(self) -> bool:
        """True if a message has arrived."""
        return any(self._comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG) for _ in range(2))

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        """Sleeps for so long at most, not once a message from this host has come.

        Args:
            has_mail: tells what has come before; :meth:`has_mail`, or that and more.
        """
        self._doorbell.sleep(seconds, has_mail)

    def rouse(self) -> None:
        """Ends a :meth:`sleep` that is going on."""
        self._doorbell.rouse()

    def abort(self, exit_code: int) -> None:
        """Ends all ranks at once (MPI_Abort). Does not return."""
        # MPICH leaves it to the launcher, which needs a moment.
        abort: Callable[[int], None] = MPI.COMM_WORLD.Abort
        abort(exit_code)
        time.sleep(ABORT_S)
        os._exit(exit_code)
