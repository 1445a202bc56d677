"""The scheduler of jobs with ``--strict``, ``--debug`` or ``--profile``.

It wraps the function of each task when the task is created. So the plain scheduler need not
look at these options, and is as fast as without them. All ranks of a job use the same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from greenlet import greenlet

from ..base.job import Job, worker_name
from ..base.tuning import TUNING, Tuning
from ..tasks.attributes import id_of
from ..tasks.future import Future
from ..tasks.mapcall import MapCall
from ..wire.codec import Codec
from ..wire.endpoint import Endpoint
from ..workers.loop import Idler
from ..workers.scheduler import Scheduler
from ..workers.switchboard import Parked
from .records import Observed, Observer
from .strict import Strict

T = TypeVar("T")


class InstrumentedScheduler(Scheduler):
    """See :class:`scoop_mpi.workers.scheduler.Scheduler`."""

    def __init__(
        self, endpoint: Endpoint, codec: Codec, clock: Callable[[], float], idler: Idler,
        alone: bool = False, tuning: Tuning = TUNING, *, job: Job,
    ) -> None:
        self._strict = job.settings.strict
        self._observes = job.settings.debug or job.settings.profile
        self.observer = Observer(job, self._queue)
        if self._observes:
            tuning = replace(tuning, events_kept=None)
        super().__init__(endpoint, codec, clock, idler, alone, tuning)

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Future[Any]:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.submit`."""
        return super().submit(self._wrapped(func, is_map=False), args, kwargs)

    def open_map(
        self, func: Callable[..., Any], inputs: Iterable[Any], starred: bool,
        chunksize: int | None, buffersize: int | None,
    ) -> MapCall:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.open_map`."""
        func = self._wrapped(func, is_map=True)
        return super().open_map(func, inputs, starred, chunksize, buffersize)

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.guarded`."""
        return Strict(func) if self._strict else func

    def park(
        self, parked: Parked, deadline: float | None = None, punctual: bool = True,
        onward: greenlet | None = None,
    ) -> None:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.park`."""
        before = self.observer.parked()
        try:
            super().park(parked, deadline, punctual, onward)
        finally:
            self.observer.resumed(before)

    def run_program(self, run: Callable[[], T]) -> T:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.run_program`."""
        self.observer.prepare()
        self.observer.program_begins()
        try:
            return run()
        finally:
            self.observer.program_ends()

    def close(self) -> None:
        """Writes what was observed."""
        if self._observes:
            self.observer.write(self.ledger.story, self.clock())
        super().close()

    def _wrapped(self, func: Callable[..., Any], is_map: bool) -> Callable[..., Any]:
        func = self.guarded(func)
        if self._observes:
            me = str(worker_name(self.rank)), self.created + 1
            owner, number = id_of(self.running)
            func = Observed(func, me, (str(owner), number), time.time(), is_map)
        return func

    def _queue(self) -> tuple[int, float]:
        return self.backlog.size()
