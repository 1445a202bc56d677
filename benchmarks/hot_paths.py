"""The paths that ``guard`` counts: what every task, item and poll goes along.

A pool is in one process: the real schedulers and the real broker, on the network in
memory. The program runs on the root and says when messages arrive and when the other
worker goes on, so that each part of an exchange is counted by itself.

Functions of this file do not count, nor those of the network in memory: what is left
is the package's own cost, as it would be over MPI.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.messages import BROKER, ROOT, Grant, Items, Message, Offer, Request, Tasks
from scoop_mpi.broker.broker import Broker
from scoop_mpi.process.alone import Alone
from scoop_mpi.wire import memory
from scoop_mpi.wire.codec import Codec
from scoop_mpi.workers.scheduler import Scheduler

if TYPE_CHECKING:
    from guard import Cost, Meter

WORKER = 2
TASKS = 1000
ITEMS = 20_000
ROUNDS = 50
LOOK_S = 1e-7
"""Virtual seconds from one look at the clock to the next."""
SHORT_S = 2e-6
"""An item that is worth being given away, with many others."""
LONG_S = 0.004
"""A task that is long enough to be given away by itself, and to be asked for in advance."""


class Clock:
    """Virtual time: passes when it is looked at, or when a task says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += LOOK_S
        return self.now


clock = Clock()
"""That of the newest pool."""


class First:
    """Stands in for the network's random numbers: messages arrive in order."""

    def randrange(self, stop: int) -> int:
        """The message that was sent first."""
        return 0


class NeverIdle:
    """The root's Idler: in all paths it has work, or gets some."""

    spin_s = 0.0

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """Nobody would end the pause."""
        raise AssertionError("a path waits for something that cannot come")

    def resume(self) -> None:
        """Nothing to do."""


def noted() -> Codec:
    """As on a rank that has imported the program, and sent each function before."""
    codec = Codec()
    codec.names.freeze()
    for function in (increment, be_short, be_long):
        codec.names.reference(function)
    return codec


class AlonePool:
    """One process without others."""

    def __init__(self) -> None:
        clock.now = 0.0
        self.root = Scheduler(Alone(), Codec(), clock, NeverIdle(), alone=True)
        self.root.expect_errors()  # Ctrl-C
        context.install(self.root)


class Pool:
    """The root, one more worker, and the broker. The root is the running rank."""

    spin_s = 0.0

    def __init__(self) -> None:
        clock.now = 0.0
        self.network = memory.Network(3, seed=0)
        self.network.random = First()
        self.broker = Broker(3)
        self.root = Scheduler(self.network.endpoint(ROOT), noted(), clock, NeverIdle())
        self.root.expect_errors()  # Ctrl-C
        self.worker: Scheduler | None = None
        self._program = getcurrent()
        self._where = greenlet(self._live)
        self._where.switch()
        context.install(self.root)

    def _live(self) -> None:
        self.worker = Scheduler(self.network.endpoint(WORKER), noted(), clock, self)
        context.install(self.worker)
        self.worker.serve()

    def turn(self, cost: Cost) -> None:
        """Lets the other worker go on until it has nothing to do."""
        context.install(self.worker)
        with cost:
            self._where.switch()
        context.install(self.root)

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """The other worker's Idler."""
        self._where = getcurrent()
        self._program.switch()

    def resume(self) -> None:
        """The other worker's Idler: nothing to do."""

    def deliver(self) -> None:
        """Lets all messages arrive, and those that the broker answers them with."""
        endpoint = self.network.endpoint(BROKER)
        while self.network.deliver_one() is not None:
            while (arrived := endpoint.receive()) is not None:
                for dest, message in self.broker.handle(*arrived):
                    endpoint.send(dest, message)

    def sent(self, kind: type[Message]) -> list[Any]:
        """All messages of one kind that were sent so far."""
        return [message for _, _, message in self.network.log if isinstance(message, kind)]

    def bring_together(self) -> None:
        """The other worker has asked, the root offers: at its next look it will be asked."""
        self.root.donate()
        self.deliver()


# -- what the tasks do -----------------------------------------------------


def increment(number: int) -> int:
    """A trivial function."""
    return number + 1


def fib(n: int) -> int:
    """The n-th Fibonacci number, with a task for each call."""
    if n < 2:
        return n
    left, right = futures.submit(fib, n - 1), futures.submit(fib, n - 2)
    return left.result() + right.result()


def be_short(number: int) -> int:
    """Takes a short time, of the virtual kind."""
    clock.now += SHORT_S
    return number


def be_long(number: int) -> int:
    """Takes a long time, of the virtual kind."""
    clock.now += LONG_S
    return number


# -- the paths -------------------------------------------------------------


def of_own_tasks(meter: Meter, make_pool: Callable[[], Any], where: str) -> None:
    """Tasks that run where they were submitted."""
    make_pool()
    with meter.cost(f"submit, {where}", TASKS):
        tasks = [futures.submit(increment, number) for number in range(TASKS)]
    with meter.cost(f"results of submitted tasks, {where}", TASKS):
        results = [task.result() for task in tasks]
    assert results == list(range(1, TASKS + 1))
    make_pool()
    with meter.cost(f"submit + result in place, {where}", TASKS):
        for number in range(TASKS):
            futures.submit(increment, number).result()
    pool = make_pool()
    with meter.cost(f"fib, each task, {where}") as cost:
        assert futures.submit(fib, 10).result() == 55
    cost.times += pool.root.created


def alone(meter: Meter) -> None:
    """Without other workers."""
    of_own_tasks(meter, AlonePool, "alone")
    AlonePool()
    with meter.cost("map, each item, alone", ITEMS):
        results = list(futures.map(increment, range(ITEMS)))
    assert results == list(range(1, ITEMS + 1))


def with_peers(meter: Meter) -> None:
    """With another worker, which asks for nothing."""
    of_own_tasks(meter, Pool, "with peers")


def bundle(meter: Meter) -> None:
    """Trivial tasks that are given away together."""
    pool = Pool()
    tasks = [futures.submit(increment, number) for number in range(TASKS)]
    tasks[-1].result()  # now it is known how long they take
    pool.bring_together()
    with meter.cost("give tasks, each") as cost:
        pool.root.donate()
    given = sum(len(message.ids) for message in pool.sent(Tasks))
    assert given > 100, "a bundle"
    cost.times += given
    pool.deliver()
    pool.turn(meter.cost("run and report tasks, each", given))
    pool.deliver()
    with meter.cost("take in results of tasks, each", given):
        pool.root.look()
    assert sum(task.done() for task in tasks[:given]) == given


def chunk(meter: Meter) -> None:
    """A part of a map that is given away."""
    pool = Pool()
    results = futures.map(be_short, range(ITEMS))
    assert next(results) == 0  # now it is known how long an item takes
    pool.bring_together()
    with meter.cost("give a chunk, each item") as cost:
        pool.root.donate()
    given = sum(message.length for message in pool.sent(Items))
    assert given > 100, "a large chunk"
    cost.times += given
    pool.deliver()
    pool.turn(meter.cost("run and report a chunk, each item", given))
    pool.deliver()
    with meter.cost("take in results of a chunk, each item", given):
        pool.root.look()


def one_by_one(meter: Meter) -> None:
    """Long tasks: each is given away, and its result comes back, by itself."""
    pool = Pool()
    tasks = [futures.submit(be_long, number) for number in range(2 * ROUNDS)]
    tasks[-1].result()
    pool.bring_together()
    for _ in range(ROUNDS):
        with meter.cost("owner: one result in, one task out", 1):
            pool.root.look()
        pool.deliver()
        pool.turn(meter.cost("worker: one task in, run, one result out", 1))
        pool.deliver()
    given = len(pool.sent(Tasks))
    assert given >= ROUNDS, f"{given} tasks were given in {ROUNDS} rounds"


def nothing_to_do(meter: Meter) -> None:
    """Polls of a worker that waits, looks of one that is busy."""
    pool = Pool()
    for _ in range(ROUNDS):
        pool.turn(meter.cost("idle poll", 1))
    futures.submit(increment, 1)
    with meter.cost("look, busy", ROUNDS):
        for _ in range(ROUNDS):
            pool.root.look()


def broker(meter: Meter) -> None:
    """A worker that asks is brought together with one that offers."""
    pool = Pool()
    with meter.cost("broker: REQUEST and OFFER to GRANT", ROUNDS):
        for _ in range(ROUNDS):
            assert not pool.broker.handle(WORKER, Request((WORKER,)))
            sends = pool.broker.handle(ROOT, Offer())
            assert sends == [(ROOT, Grant((WORKER,)))]


NOT_COUNTED = [module_code.co_filename for module_code in (
    Clock.__call__.__code__, memory.Network.deliver_one.__code__)]
PATHS: list[Callable[[Meter], None]] = [
    alone, with_peers, bundle, chunk, one_by_one, nothing_to_do, broker,
]
