"""What a worker does while there is nothing to do: it sleeps, and so does its donor thread."""

from __future__ import annotations

from collections.abc import Callable

from ..wire.endpoint import ProcessEndpoint
from .machine import MACHINE, Machine


class MachineIdler:
    """The idle policy of a worker; rests the donor thread while the worker sleeps."""

    def __init__(self, endpoint: ProcessEndpoint, machine: Machine = MACHINE) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self.spin_s = machine.spin_time(endpoint if endpoint.all_can_ring else None)
        self.has_mail: Callable[[], bool] | None = None
        """Asked before each sleep: is there something to do after all?"""
        self.busy = machine.event()
        """Cleared when the donor thread need not look after this rank."""
        self.busy.set()

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """See :class:`scoop_mpi.workers.loop.Idler`."""
        if waited_s >= self.spin_s and self.busy.is_set():
            self.busy.clear()
        self._machine.pause(
            waited_s, limit_s, endpoint=self._endpoint, has_mail=self.has_mail)

    def resume(self) -> None:
        """See :class:`scoop_mpi.workers.loop.Idler`."""
        if not self.busy.is_set():
            self.busy.set()

    def rouse(self) -> None:
        """See :class:`scoop_mpi.workers.loop.Idler`."""
        self._endpoint.rouse()
