"""A whole pool in one process: the real broker and schedulers on a network in memory.

Every rank lives in a greenlet. The driver picks at random, from a seed, what happens
next: a message arrives, a rank goes on for a while, the donor thread of a rank that
is inside user code does its round. After every step it checks that no task is lost
or run twice, and it notices when nothing moves any more.
"""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from scoop_mpi import context
from scoop_mpi.broker import Broker, BrokerState
from scoop_mpi.codec import Codec, unpack
from scoop_mpi.future import ForeignTask
from scoop_mpi.messages import BROKER, ROOT, Finished, Goodbye, Message, Rejected, Results, Tasks
from scoop_mpi.scheduler import Scheduler
from scoop_mpi.transport.memory import MemoryEndpoint, Network

STUCK_AFTER = 400
"""Steps for each rank without any visible change that count as stuck."""
STEPS_AT_MOST = 1_000_000
"""Steps after which a simulation counts as stuck, whatever moves in it."""


class Stuck(AssertionError):
    """Nothing moves any more, or something moves for ever, but the job has not ended."""


class SimulatedScheduler(Scheduler):
    """Keeps book of the foreign tasks it is running."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.running_foreign: list[tuple[int, int]] = []
        super().__init__(*args, **kwargs)

    def _run_foreign(self, task: ForeignTask[Any]) -> None:
        key = (task.owner, task.number)
        self.running_foreign.append(key)
        super()._run_foreign(task)
        self.running_foreign.remove(key)


class Rank:
    """One worker: a scheduler, and the greenlet to switch to when it is its turn."""

    spin_s = 1e-5

    def __init__(self, simulation: Simulation, rank: int, program: Callable[[], Any]) -> None:
        self.simulation = simulation
        self.endpoint = MemoryEndpoint(simulation.network, rank)
        self.rank = rank
        self.in_user_code = False
        self.finished = False
        self.program = program
        self.scheduler: SimulatedScheduler | None = None
        self.where = greenlet(self.live)
        """Where the rank goes on at its next turn."""

    def live(self) -> None:
        """The rank's main greenlet."""
        self.scheduler = SimulatedScheduler(
            self.endpoint, Codec(), self.simulation.clock, idler=self,
        )
        context.install(self.scheduler)
        if self.rank == ROOT:
            self.simulation.result = self.program()
            self.endpoint.send(BROKER, Finished(0, drain=True))
        self.scheduler.serve()
        self.endpoint.send(BROKER, Goodbye())
        self.finished = True

    def turn(self) -> None:
        """Lets the rank go on until it idles, breathes or has finished."""
        self.in_user_code = False
        context.install(self.scheduler)
        self.where.switch()

    def yield_(self, in_user_code: bool) -> None:
        """Called on the rank's side: gives the driver its turn."""
        self.where = getcurrent()
        self.in_user_code = in_user_code
        self.simulation.driver.switch()

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """The scheduler's Idler."""
        self.yield_(in_user_code=False)

    def resume(self) -> None:
        """The scheduler's Idler: nothing to do."""


class Simulation:
    """A pool of ``workers`` workers; ``seed`` decides all that is left to chance."""

    def __init__(self, workers: int, seed: int) -> None:
        self.network = Network(workers + 1, seed)
        self.random = self.network.random
        self.broker = Broker(workers + 1)
        self.executed: Counter[Any] = Counter()
        """How often each task's body was entered; filled in by the program."""
        self.result: Any = None
        self.steps = 0
        self._ticks = itertools.count()
        self.driver = getcurrent()
        self.ranks: list[Rank] = []

    def clock(self) -> float:
        """Virtual seconds: a microsecond passes at every look."""
        return next(self._ticks) * 1e-6

    def breathe(self) -> None:
        """Called by tasks: user code takes its time here, others may go on."""
        scheduler = context.current()
        self.ranks[scheduler.rank - 1].yield_(in_user_code=True)

    def run(self, program: Callable[[], Any]) -> Any:
        """Runs ``program`` on the root until the job has ended; returns its result."""
        workers = range(1, self.network.size)
        self.ranks = [Rank(self, rank, program) for rank in workers]
        quiet = 0
        while not all(rank.finished for rank in self.ranks):
            before = (len(self.network.log), self.executed.total())
            moved = self.step()
            self.check()
            quiet = 0 if moved or before != (
                len(self.network.log), self.executed.total()) else quiet + 1
            if quiet > STUCK_AFTER * len(self.ranks) or self.steps > STEPS_AT_MOST:
                raise Stuck(self.describe())
        while self.network.in_flight or self.network.arrived[BROKER]:
            self.step()
        context.install(None)
        assert self.broker.state is BrokerState.STOPPED
        assert not any(rank.scheduler.trader.unfinished() for rank in self.ranks)
        return self.result

    def step(self) -> bool:
        """One random event; True if it was the arrival of a message."""
        self.steps += 1
        if self.network.in_flight and self.random.random() < 0.5:
            dest = self.network.deliver_one()
            if dest == BROKER:
                self._broker_turn()
            return True
        rank = self.random.choice(self.ranks)
        if rank.finished:
            return False
        if rank.in_user_code and self.random.random() < 0.5:
            rank.scheduler.donate()
        else:
            rank.turn()
        return False

    def _broker_turn(self) -> None:
        endpoint = self.network.endpoint(BROKER)
        while (arrived := endpoint.receive()) is not None:
            for dest, message in self.broker.handle(*arrived):
                endpoint.send(dest, message)

    # -- what must always hold ---------------------------------------------

    def check(self) -> None:
        """Every task that was given away is in exactly one place; none ran twice."""
        twice = [task for task, times in self.executed.items() if times > 1]
        assert not twice, f"run twice: {twice[:5]}"
        places: Counter[tuple[int, int]] = Counter()
        for rank in self.ranks:
            if rank.scheduler is not None:
                places.update(_tasks_at(rank.scheduler))
        for _, dest, number, data in itertools.chain(
            self.network.in_flight, *self.network.arrived
        ):
            places.update(_tasks_in(dest, unpack(number, data)))
        for rank in self.ranks:
            for id_ in rank.scheduler.trader.sent if rank.scheduler else ():
                found = places[rank.rank, id_]
                assert found == 1, f"task {id_} of rank {rank.rank} is in {found} places"

    def describe(self) -> str:
        """The state of all ranks, for a failure's message."""
        lines = [f"{self.broker.state}, idle {list(self.broker._idle)}, "
                 f"offers {list(self.broker._offers)}"]
        for rank in self.ranks:
            trader, backlog = rank.scheduler.trader, rank.scheduler.backlog
            lines.append(
                f"rank {rank.rank}: own {len(backlog.own)} foreign {len(backlog.foreign)} "
                f"chunks {[(c.owner, c.map_id, c.start, len(c)) for c in backlog.chunks]} "
                f"sent {list(trader.sent)} "
                f"maps {[(m.id, m.remaining, m.unfinished) for m in trader.maps.values()]} "
                f"asked {trader.asked} offered {trader._offered} fed by {trader._fed_by} "
                f"waiting {rank.scheduler._waiting} finished {rank.finished}"
            )
        return "\n".join(lines)


def _tasks_at(scheduler: SimulatedScheduler) -> list[tuple[int, int]]:
    """(owner, id) of the foreign tasks, and of the outcomes, that a rank holds."""
    trader = scheduler.trader
    places = [(task.owner, task.number) for task in scheduler.backlog.foreign]
    places += scheduler.running_foreign
    places += [(task.owner, task.number) for task in trader._finished]
    places += [(owner, record.fields[0]) for owner, record in trader._records
               if record.fields[1] < 0]
    places += [(scheduler.rank, outcome.id) for outcome in trader._arrived if outcome.start < 0]
    places += [(scheduler.rank, id_) for id_, _ in trader._arrived_values]
    places += [(owner, outcome.id) for owner, outcome in trader._unsendable
               if outcome.start < 0]
    for _, message in [*trader._inbox, *trader._early]:
        places += _tasks_in(scheduler.rank, message)
    return places


def _tasks_in(dest: int, message: Message) -> list[tuple[int, int]]:
    """(owner, id) of the tasks, or of the tasks' outcomes, in a message to ``dest``."""
    if isinstance(message, Tasks):
        return [(message.owner, id_) for id_ in message.ids]
    if isinstance(message, Results):
        records = pickle.loads(message.records) if message.records else []
        ids = [id_ for id_, start, *_ in records if start < 0]
        return [(dest, id_) for id_ in [*message.ids, *ids]]
    if isinstance(message, Rejected) and message.start < 0:
        return [(dest, id_) for id_ in message.ids]
    return []
