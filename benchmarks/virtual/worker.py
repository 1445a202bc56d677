"""A worker on virtual time: a real ``Scheduler``, its thread of tasks and its donor thread.

A task is taken to be Python code that holds the GIL. While it runs the donor thread's
rounds (``process.donor``) are made at the times when it would wake, if there is something
for it to do, and the task is that much longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from scoop_mpi.base import context
from scoop_mpi.base.messages import BROKER, ROOT, Definition, Finished, Goodbye, Message
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.identity.definitions import Found
from scoop_mpi.wire.codec import Codec
from scoop_mpi.workers.scheduler import Scheduler

from .rank import AHEAD_S, NEVER, Rank

if TYPE_CHECKING:
    from .pool import Pool


class VirtualCodec(Codec):
    """The real thing; its rank is charged."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def dumps(self, obj: object, found: Found) -> bytes:
        """See :class:`Codec`."""
        data = super().dumps(obj, found)
        costs = self._worker.pool.costs
        self._worker.spend(costs.dumps_s + len(data) * costs.dumps_byte_s)
        return data

    def loads(
        self, data: bytes, brought: Iterable[Definition] = (), elsewhere: bool = False
    ) -> Any:
        """See :class:`Codec`."""
        costs = self._worker.pool.costs
        self._worker.spend(costs.loads_s + len(data) * costs.loads_byte_s)
        return super().loads(data, brought, elsewhere)


class Worker(Rank):
    """One worker. It is its own endpoint and its scheduler's idle policy."""

    def __init__(self, pool: Pool, rank: int, program: Callable[[], Any]) -> None:
        super().__init__(pool, rank)
        self.size = pool.size
        self.program = program
        self.scheduler: Scheduler | None = None
        self.task_s = 0.0
        self.first_task_at = NEVER
        self.finished = False
        self._busy_until: float | None = None
        self._where = greenlet(self._live)
        """Where the thread of tasks goes on."""
        self._donor: greenlet | None = None
        """The donor thread, while it does its round."""
        self._donor_at = 0.0  # its next wake
        self._nap_s = TUNING.donor_nap_s
        self._seen = (-1, -1)  # exchanges and received at its last wake
        self._fresh = False  # it has not looked since the thread of tasks ran
        self._cause = NEVER  # the arrival for which its round is planned

    # -- the rank's side ---------------------------------------------------

    @property
    def spin_s(self) -> float:
        """See :class:`scoop_mpi.workers.scheduler.Idler`."""
        return self.pool.idling.yield_s

    def _live(self) -> None:
        pool = self.pool
        self.scheduler = Scheduler(self, VirtualCodec(self), lambda: self.now, idler=self)
        context.install(self.scheduler)
        if self.rank == ROOT:
            pool.program_begins(self.now)
            pool.result = self.program()
            pool.program_ends(self.now)
            self.send(BROKER, Finished(0, drain=True))
        self.scheduler.serve()
        self.send(BROKER, Goodbye())
        self.finished = True

    def compute(self, seconds: float) -> None:
        """See :func:`compute`."""
        self.first_task_at = min(self.first_task_at, self.now)
        self.spend(self.pool.costs.task_s)
        self.task_s += seconds
        self.pool.tasks_began.append(self.now)
        self.pool.tasks_s.append(seconds)
        self._busy_until = self.now + seconds
        self._fresh = True
        self._plan()
        self._where = getcurrent()
        self.pool.driver.switch()

    def send(self, dest: int, message: Message) -> None:
        """See :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        self.post(dest, message, self.pool.costs.trade_s)

    def receive(self) -> tuple[int, Message] | None:
        """See :class:`scoop_mpi.wire.endpoint.Endpoint`."""
        if self.pool.due_before(self.now - AHEAD_S):
            self._step_aside()
        costs = self.pool.costs
        arrived = self.take(costs.trade_s)
        if arrived is None:
            self.spend(costs.poll_s + costs.look_s)
        return arrived

    def progress(self) -> None:
        """Nothing to do."""

    def transferring(self) -> bool:
        """Never: messages arrive whole."""
        return False

    def _step_aside(self) -> None:
        """Lets those go on whose clocks are behind."""
        self.pool.schedule(self, self.now)
        if self._donor is None:
            self._where = getcurrent()
        else:
            self._donor = getcurrent()
        self.pool.driver.switch()

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """The scheduler's Idler: until a message comes or ``limit_s`` has passed."""
        self.idle(self.now - waited_s, self.pool.idling.worker_sleep_s)
        limits = [] if limit_s is None else [max(0.0, limit_s)]
        if waited_s < self.spin_s:
            # Of the many looks until then, this one matters: what was held back is sent.
            limits.append(self.spin_s - waited_s)
        if limits and self.now + min(limits) < self.due:
            self.pool.schedule(self, self.now + min(limits))
        self._where = getcurrent()
        self.pool.driver.switch()
        self._idle_since = None
        if self._donor_at < self.now:
            self._donor_at = self.now + self._nap_s

    def resume(self) -> None:
        """The scheduler's Idler: nothing to do."""

    # -- the driver's side -------------------------------------------------

    def go(self) -> None:
        """One of the two threads goes on."""
        self._idle_since = None
        context.install(self.scheduler)
        if self._busy_until is not None and self._donor is None:
            if self.now < self._busy_until:
                self._donor_round()
                return
            self._donor_at, self._nap_s, self._seen = self._planned
            self._busy_until = None
        if self._donor is None:
            self._where.switch()
        else:
            self._go_on_donating()

    def _donor_round(self) -> None:
        self._round_began = self.now
        self._fresh = False
        assert self.scheduler is not None
        self._donor = greenlet(self.scheduler.donate, self.pool.driver)
        self._go_on_donating()

    def _go_on_donating(self) -> None:
        assert self._donor is not None and self._busy_until is not None
        self._donor.switch()
        if not self._donor.dead:
            return
        self._donor = None
        self._busy_until += self.now - self._round_began
        _, self._nap_s, _ = self._planned
        self._donor_at, self._seen = self.now + self._nap_s, self._counts()
        self._plan()

    def arrive(self, arrival: float, source: int, message: Message, size_s: float) -> None:
        """See :class:`Rank`; the donor thread may take it."""
        super().arrive(arrival, source, message, size_s)
        if self._busy_until is not None and self._donor is None and arrival < self._cause:
            self._plan()

    def _counts(self) -> tuple[int, int]:
        assert self.scheduler is not None
        return self.scheduler.exchange.looks, self.scheduler.exchange.received

    def _plan(self) -> None:
        """Schedules the end of the computation, or the donor thread's next round in it.

        A round that nothing has arrived for is left out, but for the first.
        """
        assert self._busy_until is not None
        at, nap_s, seen = self._donor_at, self._nap_s, self._seen
        counts = self._counts()
        last = self._busy_until - self.pool.costs.gil_s
        arrival = self.inbox[0][0] if self.inbox else NEVER
        self._cause = NEVER
        while at < last:
            quiet = counts[1] == seen[1]
            longer_s = min(TUNING.donor_nap_growth * nap_s, TUNING.donor_nap_max_s)
            nap_s = longer_s if quiet else TUNING.donor_nap_s
            if counts[0] == seen[0] and (self._fresh or arrival <= at) and at >= self.now:
                if arrival <= at:
                    nap_s, self._cause = TUNING.donor_nap_s, arrival
                self._planned = at, nap_s, counts
                self.pool.schedule(self, at + self.pool.costs.gil_s)
                return
            seen = counts
            at += nap_s
        self._planned = at, nap_s, seen
        self.pool.schedule(self, self._busy_until)
