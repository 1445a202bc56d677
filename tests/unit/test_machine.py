"""How idle ranks rest, and what they print."""

import time

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.process import machine
from scoop_mpi.process.machine import MACHINE
from scoop_mpi.wire import doorbell


def test_a_short_wait_yields(naps):
    MACHINE.pause(0.0)
    MACHINE.pause(TUNING.yield_s / 2)
    assert naps == [0.0, 0.0]


@pytest.mark.parametrize("waited_s", [0.001, 0.01, 0.1, 1.0, 10.0, 1e6])
def test_a_long_wait_sleeps_for_a_hundredth_of_it(naps, waited_s):
    MACHINE.pause(waited_s)
    assert naps == [min(waited_s / 100, TUNING.sleep_max_s)]


@pytest.mark.parametrize("limit_s, nap_s", [
    (0.005, 0.005), (10.0, TUNING.sleep_max_s), (0.0, 0.0), (-1.0, 0.0),
])
def test_no_sleep_is_longer_than_its_limit(naps, limit_s, nap_s):
    MACHINE.pause(100.0, limit_s)
    assert naps == [pytest.approx(nap_s)]


class FakeEndpoint:
    """Sleeps by the clock, and tells what would ring."""

    def __init__(self, all_can_ring=False, crowded=False, transferring=False):
        self.all_can_ring = all_can_ring
        self.crowded = crowded
        self.transferring = lambda: transferring

    def sleep(self, seconds, has_mail):
        assert not has_mail()
        time.sleep(seconds)

    def has_mail(self):
        return False


def test_whom_all_can_wake_sleeps_for_long(naps):
    MACHINE.pause(0.001, endpoint=FakeEndpoint(all_can_ring=True))
    assert naps == [doorbell.LONGEST_S]


def test_a_large_message_on_its_way_is_looked_after(naps):
    MACHINE.pause(0.001, endpoint=FakeEndpoint(all_can_ring=True, transferring=True))
    assert naps == [0.001 / 100]


@pytest.mark.parametrize("all_can_ring, first_nap", [(True, doorbell.LONGEST_S), (False, 0.0)])
def test_without_a_core_to_itself_a_rank_sleeps_at_once_if_it_can_be_woken(
    naps, all_can_ring, first_nap
):
    MACHINE.pause(0.0, endpoint=FakeEndpoint(all_can_ring, crowded=True))
    assert naps == [first_nap]


def test_reports_go_to_standard_error(capsys):
    machine.report("what happened\n")
    machine.report("")
    assert capsys.readouterr() == ("", "what happened\n")
