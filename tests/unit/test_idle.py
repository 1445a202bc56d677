"""A worker without work: it sleeps, and its donor thread rests meanwhile."""

from types import SimpleNamespace

import pytest

from scoop_mpi.process.idle import MachineIdler


class Endpoint:
    """Notes for how long its rank sleeps, and whether it asks for mail before."""

    all_can_ring = crowded = False

    def __init__(self):
        self.sleeps = []

    def transferring(self):
        return False

    def has_mail(self):
        return False

    def sleep(self, seconds, has_mail):
        self.sleeps.append((seconds, has_mail))

    def rouse(self):
        self.sleeps.append("roused")


@pytest.fixture
def endpoint():
    return Endpoint()


@pytest.mark.parametrize("all_can_ring", [False, True])
def test_the_donor_rests_while_the_worker_sleeps(naps, endpoint, all_can_ring):
    endpoint.all_can_ring = all_can_ring
    idler = MachineIdler(endpoint)
    idler.pause(0.0, None)
    assert idler.busy.is_set()
    idler.pause(100.0, None)
    assert not idler.busy.is_set()
    idler.resume()
    assert idler.busy.is_set()


def test_a_short_wait_yields(naps, endpoint):
    MachineIdler(endpoint).pause(0.0, None)
    assert naps == [0.0]
    assert endpoint.sleeps == []


def test_a_crowded_rank_sleeps_at_once(endpoint):
    endpoint.crowded = endpoint.all_can_ring = True
    idler = MachineIdler(endpoint)
    assert idler.spin_s == 0.0
    idler.pause(0.0, 0.02)
    assert endpoint.sleeps == [(0.02, endpoint.has_mail)]


def test_it_is_asked_before_it_sleeps_whether_there_is_something_to_do(endpoint):
    idler = MachineIdler(endpoint)
    idler.has_mail = SimpleNamespace(name="the scheduler's")
    idler.pause(100.0, 0.02)
    assert endpoint.sleeps == [(0.02, idler.has_mail)]


def test_a_signal_handler_ends_the_sleep(endpoint):
    MachineIdler(endpoint).rouse()
    assert endpoint.sleeps == ["roused"]
