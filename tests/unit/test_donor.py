"""The second thread of a worker: when it looks, how long it naps, what a defect does."""

from types import SimpleNamespace

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.process.donor import Donor
from scoop_mpi.process.machine import Machine


class Machined(Machine):
    """Runs the thread's loop in place, for as many naps as the test has steps."""

    def __init__(self):
        super().__init__()
        self.naps, self.reported, self.steps = [], [], []

    def run_beside(self, work):
        self.work = work
        return lambda: None

    def sleep(self, seconds):
        self.naps.append(seconds)
        if self.steps:
            self.steps.pop(0)()
        else:
            self.donor.stop()

    def report(self, text):
        self.reported.append(text)


class Exchange:
    looks = received = 0

    def __init__(self):
        self.large = False

    def transferring(self):
        return self.large


class Watched:
    """A donor whose rank is the test."""

    def __init__(self):
        self.machine = Machined()
        self.exchange = Exchange()
        self.donations, self.aborted = [], []
        self.idler = SimpleNamespace(busy=SimpleNamespace(
            wait=lambda: None, set=lambda: None))
        scheduler = SimpleNamespace(
            exchange=self.exchange, donate=lambda: self.donations.append(len(self.machine.naps)))
        self.machine.donor = Donor(scheduler, self.idler, self.aborted.append, self.machine)

    def run(self, *steps):
        """Runs the loop; each step is what the rank does during one nap."""
        self.machine.steps = list(steps)
        self.machine.work()

    def look(self):
        self.exchange.looks += 1

    def hear(self):
        self.exchange.received += 1

    def nothing(self):
        pass


@pytest.fixture
def watched():
    return Watched()


def test_it_looks_only_if_the_first_thread_has_not(watched):
    watched.run(watched.look, watched.nothing, watched.look, watched.nothing, watched.nothing)
    assert watched.donations == [2, 4, 5]


def test_naps_grow_while_nobody_writes(watched):
    watched.run(*[watched.nothing] * 8)
    naps = watched.machine.naps
    assert naps[0] == TUNING.donor_nap_s
    assert naps == sorted(naps)
    assert naps[-1] == TUNING.donor_nap_max_s


def test_naps_are_short_again_when_somebody_writes(watched):
    watched.run(*[watched.nothing] * 8, watched.hear, watched.nothing)
    assert watched.machine.naps[8] == TUNING.donor_nap_max_s
    assert watched.machine.naps[9] == TUNING.donor_nap_s


def test_a_large_message_is_looked_after(watched):
    watched.exchange.large = True
    watched.run(watched.nothing)
    assert set(watched.machine.naps) == {TUNING.donor_nap_transfer_s}


def test_it_rests_while_the_worker_sleeps(watched):
    waits = []
    watched.idler.busy.wait = lambda: waits.append(len(watched.machine.naps))
    watched.run(watched.nothing, watched.nothing)
    assert waits == [1, 2, 3]


def test_a_defect_takes_the_job_down_with_its_traceback(watched):
    def fail():
        raise RuntimeError("a defect")

    watched.run(fail)
    assert watched.aborted == [1]
    assert watched.machine.reported[0].endswith("RuntimeError: a defect\n")
