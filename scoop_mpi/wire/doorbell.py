"""Wakes sleeping ranks of the same host, so that waiting costs neither time nor CPU.

MPI can only be asked whether a message is there. A rank that asks seldom notices messages
late. A rank that asks often uses a core, and 64 of them slow down those that work. So a rank
that goes to sleep says so in a page of memory that the ranks of its host share. Other ranks
of the host that send it a message then also write a byte into its pipe. The messages
themselves travel over MPI only.

Page and pipes belong to processes, not to files. Ranks open them through ``/proc/PID/fd``;
they vanish with the processes, however those end. Where that is not possible (no ``/proc``,
ranks in different containers), all ranks of the host agree on it, and poll.

Lost rings. A message that MPI could not deliver at once may arrive after the ring. So its
sender rings again until it has gone (``mpi``), and no sleep is longer than ``LONGEST_S``.

Tried and not taken: a signal in place of the pipe (a thread of the MPI library may receive
it), a byte for every message (a system call each), sockets (sites have rules for them).
"""

from __future__ import annotations

import mmap
import os
import select
from collections.abc import Callable, Sequence
from typing import NamedTuple

LONGEST_S = 0.2
"""Longest sleep of a rank that all others can wake."""


class Address(NamedTuple):
    """How other ranks of its host reach the bell of ``rank``."""

    rank: int
    pid: int
    pipe: int
    inode: int
    page: int


class Doorbell:
    """The bell of ``rank``; the others know its :attr:`address`."""

    def __init__(self, rank: int) -> None:
        self._heard, self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._page = os.memfd_create("scoop_mpi")
        self._bells: dict[int, tuple[int, int]] = {}
        self._asleep: mmap.mmap | None = None
        self._place = 0
        self.address = Address(
            rank, os.getpid(), self._pipe, os.fstat(self._pipe).st_ino, self._page
        )

    def connect(self, addresses: Sequence[Address]) -> bool:
        """Opens the bells of all ranks of this host; True if that was possible.

        Args:
            addresses: of all ranks of this host, also this one; in the same order on each.
        """
        try:
            first = addresses[0]
            page = os.open(f"/proc/{first.pid}/fd/{first.page}", os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(page, len(addresses))
                self._asleep = mmap.mmap(page, len(addresses))
            finally:
                os.close(page)
            for place, (rank, pid, pipe, inode, _) in enumerate(addresses):
                if rank == self.address.rank:
                    self._place = place
                    continue
                bell = os.open(f"/proc/{pid}/fd/{pipe}",
                               os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                self._bells[rank] = place, bell
                if os.fstat(bell).st_ino != inode:  # in this container PID is another process
                    return False
        except OSError:
            return False
        return True

    def disconnect(self) -> None:
        """Closes the bells: some rank cannot be reached, so from now on nobody rings."""
        for _, bell in self._bells.values():
            os.close(bell)
        self._bells.clear()

    def ring(self, rank: int) -> None:
        """Wakes ``rank`` if it is on this host and sleeps."""
        place_and_bell = self._bells.get(rank)
        if place_and_bell is None:
            return
        place, bell = place_and_bell
        assert self._asleep is not None
        if self._asleep[place]:
            try:
                os.write(bell, b"!")
            except OSError:
                pass  # its pipe is full of rings, or its process is gone

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        """Sleeps for ``seconds``, or until somebody rings.

        Args:
            has_mail: called when this rank has said that it sleeps, as ranks that sent a
                message before that did not ring.
        """
        if self._asleep is None:
            self._listen(seconds)
            return
        self._asleep[self._place] = 1
        try:
            if not has_mail():
                self._listen(seconds)
        finally:
            self._asleep[self._place] = 0

    def _listen(self, seconds: float) -> None:
        if select.select([self._heard], [], [], seconds)[0]:
            os.read(self._heard, 4096)

    def rouse(self) -> None:
        """Ends the :meth:`sleep` of this rank. (After a signal Python would continue it.)"""
        try:
            os.write(self._pipe, b"!")
        except OSError:
            pass  # the pipe is full of rings
