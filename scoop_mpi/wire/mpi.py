"""Messages over MPI. The only module that imports ``mpi4py``; importing it starts MPI.

How a message travels
    The sender calls ``Isend``. The receiver calls ``Improbe``, and ``Imrecv`` with the
    size that this has found. For a large message MPI may need further calls on both sides
    (rendezvous); later calls make them, and nothing here waits for another rank. A small
    message may therefore overtake a large one of the same sender.

    An MPI count is a C int in many libraries. So messages of 2 GiB and more are padded and
    sent as blocks of ``BLOCK`` bytes; their tag says so.

Threads
    ``MPI_THREAD_SERIALIZED``: two threads make calls, but never at once (``exchange``).

Not taken: ``Ssend``, as two ranks that send to each other would wait for ever.
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
    # process.world finds out if launcher and library do not match, and one rank says so.
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
        """True if two threads may make MPI calls, one at a time."""
        self.broker_host = self._from_broker(os.uname().nodename)
        self.all_can_ring = False
        """True if every other rank can end a :meth:`sleep` of this one."""
        self.crowded = False
        """True if workers need all cores that this rank may use."""
        self._doorbell = Doorbell(self.rank)
        self._count_max = count_max
        self._status = MPI.Status()
        self._sending: deque[tuple[MPI.Request, int]] = deque()
        self._receiving: deque[tuple[MPI.Request, int, int, bytearray]] = deque()
        self._block: MPI.Datatype = MPI.BYTE.Create_contiguous(BLOCK).Commit()

    def _from_broker(self, text: str) -> str:
        """The ``text`` of rank 0. All ranks call this together, as they do Dup()."""
        buffer = bytearray(text.encode()[:256].ljust(256, b"\0"))
        self._comm.Bcast([buffer, MPI.BYTE], BROKER)
        return buffer.rstrip(b"\0").decode(errors="replace")

    def meet_neighbours(self, cores: frozenset[int]) -> list[frozenset[int]]:
        """Returns the ``cores`` of each worker on this host. All ranks must call this.

        From then on the ranks of a host can wake each other.
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
        """A message that has arrived, or None.

        A probe looks at what MPI has taken off the network. If that is nothing, it then
        takes more off, which only the next probe sees. So this probes twice.
        """
        comm, status = self._comm, self._status
        return (comm.Improbe(MPI.ANY_SOURCE, MPI.ANY_TAG, status)
                or comm.Improbe(MPI.ANY_SOURCE, MPI.ANY_TAG, status))

    def _completed(self) -> tuple[int, Message] | None:
        """A message whose receive did not complete at once, but has by now; or None."""
        for _ in range(len(self._receiving)):
            request, source, number, buffer = self._receiving.popleft()
            if request.Test():
                return source, unpack(number, buffer)
            self._receiving.append((request, source, number, buffer))
        return None

    def progress(self) -> None:
        """Frees the memory of what has been sent; rings for what has not."""
        for _ in range(len(self._sending)):
            request, dest = self._sending.popleft()
            if not request.Test():
                self._sending.append((request, dest))
            self._doorbell.ring(dest)  # the receiver must make MPI calls, too

    def transferring(self) -> bool:
        """See :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        return bool(self._sending or self._receiving)

    def has_mail(self) -> bool:
        """True if a message has arrived."""
        return any(self._comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG) for _ in range(2))

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        """Sleeps for ``seconds`` at most, or until a rank of this host sends a message.

        Args:
            has_mail: True if something has come already: :meth:`has_mail`, or that and more.
        """
        self._doorbell.sleep(seconds, has_mail)

    def rouse(self) -> None:
        """Ends the :meth:`sleep` of this rank."""
        self._doorbell.rouse()

    def abort(self, exit_code: int) -> None:
        """Ends all ranks at once (MPI_Abort). Does not return."""
        # In MPICH the launcher ends the ranks, which takes a moment.
        abort: Callable[[int], None] = MPI.COMM_WORLD.Abort
        abort(exit_code)
        time.sleep(ABORT_S)
        os._exit(exit_code)
