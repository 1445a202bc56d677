"""Workers of a pool in one process: without a scheduler, or one of them with its scheduler."""


from scoop_mpi.base.messages import BROKER, Grant, Request, Tasks
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.backlog import Backlog
from scoop_mpi.tasks.future import Future
from scoop_mpi.tasks.sizes import Sizes
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.memory import Network
from scoop_mpi.workers.cadence import Cadence
from scoop_mpi.workers.exchange import Exchange
from scoop_mpi.workers.scheduler import Scheduler
from scoop_mpi.workers.trader import Terms


class Pool:
    """What the workers of a pool say, without any scheduler; the test is the broker."""

    def __init__(self, workers, tuning=TUNING):
        self.network = Network(workers + 1, 0)
        self.codecs, self.backlogs, self.cadences, self.exchanges = [], [], [], []
        for rank in range(1, workers + 1):
            sizes = Sizes(tuning, workers)
            self.codecs.append(Codec())
            self.backlogs.append(Backlog(sizes, tuning))
            self.cadences.append(Cadence(tuning, sizes, 0.0))
            self.exchanges.append(Exchange(
                self.network.endpoint(rank), self.codecs[-1], self.backlogs[-1],
                self.cadences[-1], tuning))
        self.created = 0

    def __getitem__(self, rank):
        return self.exchanges[rank - 1]

    def backlog(self, rank):
        return self.backlogs[rank - 1]

    def codec(self, rank):
        return self.codecs[rank - 1]

    def ration_s(self, rank):
        return self.cadences[rank - 1].ration_s

    def submit(self, rank, count, func=abs):
        """Makes tasks on a rank."""
        tasks = []
        for _ in range(count):
            self.created += 1
            tasks.append(Future(self.created, func, (-self.created,), None))
            self.backlog(rank).own[self.created] = tasks[-1]
        return tasks

    def grant(self, rank, *workers):
        self.network.endpoint(BROKER).send(rank, Grant(workers))

    def deliver(self):
        while self.network.deliver_one() is not None:
            pass

    def look(self, rank, now=1.0, gives=True, eager=True, again=False):
        """All that has been sent arrives, and a rank deals with what is for it."""
        self.deliver()
        self[rank].exchange(now, Terms(eager=eager, again=again), gives)
        self[rank].take_in()

    def settle(self, *ranks):
        """Looks at the network on these ranks until all is quiet."""
        length = -1
        while length != len(self.network.log):
            length = len(self.network.log)
            for rank in ranks:
                self.look(rank)

    def run(self, rank, elapsed_s=0.0):
        """Runs all tasks of others that a rank has, and reports them."""
        foreign = self.backlog(rank).foreign
        while foreign:
            task = foreign.popleft()
            task.run()
            task.elapsed_s = elapsed_s
            self[rank].reports.add_task(task)

    def sent(self, kind):
        """(sender, receiver, message) of one kind, so far."""
        return [entry for entry in self.network.log if isinstance(entry[2], kind)]

    def requests(self, rank):
        """What a rank has said about who wants work: (to whom, who)."""
        return [(dest, message.workers) for source, dest, message in self.sent(Request)
                if source == rank]


def feed(pool, giver, taker, count=1):
    """A worker that has asked the broker gets some new tasks of another."""
    tasks = pool.submit(giver, count)
    pool[taker].ask()
    for _ in tasks:
        pool.grant(giver, taker)
        pool.look(giver)
    pool.look(taker)
    assert len(pool.backlog(taker).foreign) == count
    return tasks


class Idler:
    """Lets a little of a made-up clock's time pass whenever there is nothing to do."""

    spin_s = 0.0003

    def __init__(self):
        self.now = 100.0
        self.pauses = []
        self.on_pause = None
        self.step_s = 0.0001

    def clock(self):
        return self.now

    def pause(self, waited_s, limit_s):
        self.pauses.append(waited_s)
        assert len(self.pauses) < 3000
        if self.on_pause is not None:
            self.on_pause(waited_s)
        self.now += self.step_s

    def resume(self):
        """Nothing to do."""


class Alone:
    """A scheduler on rank 1 of a pool whose other ranks are the test."""

    def __init__(self):
        self.network = Network(4, 0)
        self.idler = Idler()
        self.endpoint = self.network.endpoint(1)
        self.scheduler = Scheduler(self.endpoint, Codec(), self.idler.clock, self.idler)

    def give(self):
        """Gives a task away, just now."""
        self.scheduler.submit(abs, (-1,), None)
        self.hear(BROKER, Grant((3,)))
        self.scheduler.look(Terms(eager=True))
        assert [dest for _, dest, message in self.network.log if type(message) is Tasks] == [3]

    def hear(self, source, message):
        self.network.endpoint(source).send(1, message)
        while self.network.deliver_one() is not None:
            pass

    def handed_on(self):
        return [message.workers for source, dest, message in self.network.log
                if (source, dest) == (1, BROKER) and isinstance(message, Request)
                and message.workers != (1,)]
