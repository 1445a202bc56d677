"""Rank 0 and the network: time limits, ranks that do not leave. Whole jobs: ``tests/sim``."""

import pytest

from scoop_mpi.base.messages import (
    BROKER, ROOT, Drained, Failure, Finished, Goodbye, Grant, Left, Offer, Request, Shutdown,
)
from scoop_mpi.process.broker_rank import run_broker
from scoop_mpi.process.endings import LEAVE_S, LEFT_S, STOP_S
from scoop_mpi.process.machine import Machine
from scoop_mpi.wire.memory import MemoryEndpoint, Network


class Endpoint(MemoryEndpoint):
    """Rank 0 of three; an abort ends the loop."""

    all_can_ring = two_threads = crowded = False

    def abort(self, exit_code):
        raise Aborted(exit_code)


class Aborted(Exception):
    pass


class Timed(Machine):
    """A clock that goes on at each pause, and calls what the test has planned for a time."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.plan = []
        self.reported = []

    def clock(self):
        return self.now

    def pause(self, waited_s, limit_s=None, longest_s=None, endpoint=None, has_mail=None):
        assert self.now < 1000, "it does not end"
        self.now += 0.5
        while self.plan and self.plan[0][0] <= self.now:
            self.plan.pop(0)[1]()

    def report(self, text):
        if text:
            self.reported.append((self.now, text))


class Broker:
    """What the other two ranks say and hear."""

    def __init__(self):
        self.network = Network(3, 0)
        self.machine = Timed()

    def say(self, at_s, rank, message):
        """At some time a rank sends."""
        def send():
            self.network.endpoint(rank).send(BROKER, message)
            while self.network.deliver_one() is not None:
                pass
        self.machine.plan.append((at_s, send))

    def run(self, **options):
        return run_broker(Endpoint(self.network, BROKER), machine=self.machine, **options)

    def heard(self, kind):
        return [dest for source, dest, message in self.network.log
                if source == BROKER and isinstance(message, kind)]


@pytest.fixture
def broker():
    return Broker()


def test_a_job(broker):
    broker.say(1, 2, Request((2,)))
    broker.say(2, ROOT, Offer())
    broker.say(3, ROOT, Finished(3, drain=False))
    broker.say(4, 2, Goodbye())
    broker.say(5, ROOT, Goodbye())
    assert broker.run() == 3
    assert broker.heard(Grant) == [ROOT]
    assert broker.heard(Shutdown) == [1, 2]
    assert broker.machine.reported == []


def test_a_time_limit(broker):
    for rank in (1, 2):
        broker.say(7, rank, Goodbye())
    assert broker.run(timeout_s=5.0) == 124
    [(at_s, text)] = broker.machine.reported
    assert 5 < at_s < 7
    assert "--timeout 5 s" in text


def test_a_rank_that_does_not_stop_is_taken_down(broker):
    broker.say(1, ROOT, Failure("what failed", 7))
    broker.say(2, ROOT, Goodbye())
    with pytest.raises(Aborted) as aborted:
        broker.run()
    assert aborted.value.args == (7,)
    assert 1 + STOP_S < broker.machine.now < 1 + STOP_S + 3
    assert [text for _, text in broker.machine.reported] == [
        "what failed", "scoop_mpi: rank(s) 2 did not stop after the end of the job; aborting"]


def test_ranks_that_have_done_all_work_get_longer_to_leave(broker):
    broker.say(1, ROOT, Finished(0, drain=True))
    for turn in (1, 2):
        for rank in (1, 2):
            broker.say(1 + turn, rank, Drained(turn, 0))
    for rank in (1, 2):
        broker.say(0.9 * LEAVE_S, rank, Goodbye())
    assert broker.run() == 0
    assert broker.machine.reported == []


def test_a_root_that_goes_on_though_a_worker_could_not_import_the_program(broker):
    broker.say(1, 2, Left("Usage: program.py FILE\n"))
    for rank in (1, 2):
        broker.say(LEFT_S + 3, rank, Goodbye())
    assert broker.run() != 0
    [(at_s, text)] = broker.machine.reported
    assert at_s > LEFT_S
    assert "Usage: program.py FILE" in text
