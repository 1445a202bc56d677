"""The ranks of a simulation: their threads, locks, clocks, endpoints, and what they run."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from ledger import SimulatedScheduler
from scoop_mpi.base import context
from scoop_mpi.base.messages import BROKER, ROOT, Failure, Left, Message
from scoop_mpi.process import rank
from scoop_mpi.process.broker_rank import run_broker
from scoop_mpi.process.machine import Machine
from scoop_mpi.process.program import Ending
from scoop_mpi.process.worker_rank import Worker
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.memory import MemoryEndpoint
from scoop_mpi.workers import scheduler

if TYPE_CHECKING:
    from simulation import Simulation


class Thread:
    """One thread of a rank: the greenlet to switch to when it is its turn."""

    def __init__(self, place: Rank, work: Callable[[], object]) -> None:
        self.rank = place
        self.where = greenlet(self._live, parent=place.simulation.driver)
        """Where the thread goes on at its next turn."""
        self.over = False
        self.at_rest = False
        """Was it left where no work is in its hands?"""
        self.in_user_code = False
        self.due = math.inf
        """When it wants to go on at the latest."""
        self.awaited: Callable[[], bool] | None = None
        """Must be true before it can go on."""
        self.scheduler: scheduler.Scheduler | None = None
        """What ``context.here`` has."""
        self._work = work

    def _live(self) -> None:
        self._work()
        self.over = True

    def can_go(self) -> bool:
        """True if it is neither blocked nor over."""
        return not self.over and (self.awaited is None or self.awaited())


class Lock:
    """A lock between the threads of a simulation."""

    def __init__(self, simulation: Simulation, reentrant: bool) -> None:
        self._simulation = simulation
        self._reentrant = reentrant
        self.owner: Thread | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True) -> bool:
        me = self._simulation.current
        if me is None:
            return True  # the driver only looks on
        if not blocking and self.owner is not None and not (self._reentrant and self.owner is me):
            return False
        while self.owner not in (None, me):
            self._simulation.wait_until(lambda: self.owner is None)
        assert self._reentrant or self.owner is None, "a thread waits for itself"
        self.owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        if self._simulation.current is not None:
            self._depth -= 1
            if not self._depth:
                self.owner = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class Event:
    """A ``threading.Event`` between the threads of a simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def wait(self) -> None:
        while not self._set:
            self._simulation.wait_until(self.is_set, at_rest=True)


class SimulatedMachine(Machine):
    """The machine of one rank."""

    def __init__(self, simulation: Simulation, place: Rank) -> None:
        super().__init__(simulation.tuning)
        self.clock = simulation.clock
        self.event = partial(Event, simulation)  # type: ignore[assignment]
        self._simulation = simulation
        self._rank = place

    def give_way(self) -> None:
        self._simulation.give_way(at_rest=True)

    def sleep(self, seconds: float) -> None:
        self._simulation.give_way(at_rest=True)

    def run_beside(self, work: Callable[[], None]) -> Callable[[], None]:
        thread = Thread(self._rank, work)
        self._rank.threads.append(thread)
        self._simulation.threads.append(thread)
        return lambda: self._simulation.wait_until(lambda: thread.over, at_rest=True)

    def pause(
        self, waited_s: float, limit_s: float | None = None, longest_s: float = 0.0,
        endpoint: Any = None, has_mail: Callable[[], bool] | None = None,
    ) -> None:
        if limit_s is not None:
            assert self._simulation.current is not None
            self._simulation.current.due = self._simulation.clock() + limit_s
        super().pause(waited_s, limit_s, longest_s, endpoint, has_mail)

    def report(self, text: str) -> None:
        if text:
            self._simulation.reports.append(text)


class SimulatedEndpoint(MemoryEndpoint):
    """Some messages are large: the sender must help until they have been received."""

    two_threads = True

    def __init__(self, simulation: Simulation, rank: int) -> None:
        super().__init__(simulation.network, rank)
        self._simulation = simulation
        self.all_can_ring = simulation.random.random() < 0.5
        self.crowded = simulation.random.random() < 0.5
        self.large: list[Any] = []

    def send(self, dest: int, message: Message) -> None:
        self._simulation.check_lock(self.rank)
        self._simulation.answers.note(self.rank, dest, message)
        super().send(dest, message)
        if self._simulation.random.random() < self._simulation.large:
            self.large.append(self._simulation.network.in_flight[-1])

    def receive(self) -> tuple[int, Message] | None:
        self._simulation.check_lock(self.rank)
        return super().receive()

    def transferring(self) -> bool:
        network = self._network
        self.large = [
            one for one in self.large
            if any(one is other for other in [*network.in_flight, *network.arrived[one[1]]])
        ]
        return bool(self.large)

    def has_mail(self) -> bool:
        self._simulation.check_lock(self.rank)
        return bool(self._network.arrived[self.rank])

    def sleep(self, seconds: float, has_mail: Callable[[], bool]) -> None:
        if not has_mail():
            self._simulation.give_way(at_rest=True)

    def rouse(self) -> None:
        pass  # no signals here

    def abort(self, exit_code: int) -> None:
        self._simulation.aborted = exit_code
        self._simulation.wait_until(lambda: False)


class Rank:
    """One rank: what ``rank.run_rank`` does, with its threads."""

    def __init__(self, simulation: Simulation, rank: int) -> None:
        self.simulation = simulation
        self.rank = rank
        self.endpoint = SimulatedEndpoint(simulation, rank)
        self.machine = SimulatedMachine(simulation, self)
        self.exit_code: int | None = None
        self.worker: Worker | None = None
        self.main = Thread(self, self.run_broker if rank == BROKER else self.run_worker)
        self.threads = [self.main]
        self.installed: scheduler.Scheduler | None = None
        """What is process-wide."""

    @property
    def scheduler(self) -> SimulatedScheduler | None:
        """None as long as there is none."""
        return self.worker.scheduler if self.worker else None  # type: ignore[return-value]

    @property
    def finished(self) -> bool:
        """Has the process ended?"""
        return self.main.over

    def run_broker(self) -> None:
        self.exit_code = run_broker(
            self.endpoint, self.simulation.timeout_s, self.machine)

    def run_worker(self) -> None:
        self.worker = Worker(
            self.endpoint, Codec(tuning=self.simulation.tuning), self.machine)
        join = rank._run_root if self.rank == ROOT else rank._join
        self.exit_code = self.worker.finish(join(self, self.worker))  # type: ignore[arg-type]
        assert not self.endpoint.transferring(), "left before a large message was received"

    def run_as_main(self) -> Ending:
        """As ``program.Program``."""
        return self.simulation.run_program()

    def import_on_worker(self, rank: int) -> Failure | Left | None:
        """As ``program.Program``."""
        self.simulation.breathe(in_task=False)
        return self.simulation.troubles.get(rank)

    def enter(self, thread: Thread) -> None:
        """Sets what is process-wide, or a thread's, as it was when ``thread`` was left."""
        context._scheduler = self.installed
        context.here.__dict__.clear()
        if thread.scheduler is not None:
            context.here.scheduler = thread.scheduler

    def leave(self, thread: Thread) -> None:
        """Keeps it."""
        self.installed = context._scheduler
        thread.scheduler = getattr(context.here, "scheduler", None)
