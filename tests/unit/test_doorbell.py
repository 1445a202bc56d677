"""Ranks of one host that sleep, and those that wake them."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import scoop_mpi
from scoop_mpi.wire import doorbell
from scoop_mpi.wire.doorbell import Address, Doorbell

FOR_EVER_S = 60.0
"""Longer than any test: whoever sleeps so long and ends has been woken."""
SHORT_S = 0.05

NEIGHBOUR = """
import json, sys
from scoop_mpi.wire.doorbell import Address, Doorbell

bell = Doorbell(2)
print(json.dumps(bell.address), flush=True)
assert bell.connect([Address(*address) for address in json.loads(input())])
print("connected", flush=True)
for line in sys.stdin:
    if line == "sleep\\n":
        bell.sleep(60, lambda: print("asleep", flush=True))
        print("awake", flush=True)
    else:
        bell.ring(1)
        print("rang", flush=True)
"""


def neighbours(*ranks):
    """Bells of so many ranks, connected."""
    bells = [Doorbell(rank) for rank in ranks]
    addresses = [bell.address for bell in bells]
    for bell in bells:
        assert bell.connect(addresses)
    return bells


def was_rung(bell):
    """True if there is a byte in the bell's pipe."""
    return bool(select.select([bell._heard], [], [], 0)[0])


def seconds_of_sleep(bell, seconds, has_mail=lambda: False):
    began = time.monotonic()
    bell.sleep(seconds, has_mail)
    return time.monotonic() - began


@pytest.fixture
def never_wait(monkeypatch):
    """Whoever waits fails."""
    def select(*args):
        raise AssertionError(f"select{args}")
    monkeypatch.setattr(doorbell.select, "select", select)


@pytest.fixture
def neighbour():
    """(rank 1 of this process, rank 2 in a process of its own), connected."""
    package = str(Path(scoop_mpi.__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", NEIGHBOUR], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": package},
    )
    # Ends every wait for the other process, if that does not.
    limit = threading.Timer(30, process.kill)
    limit.start()
    bell = Doorbell(1)
    addresses = [bell.address, Address(*json.loads(process.stdout.readline()))]
    tell(process, json.dumps(addresses))
    assert bell.connect(addresses)
    assert process.stdout.readline() == "connected\n"
    yield bell, process
    limit.cancel()
    process.kill()
    process.wait(10)
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def tell(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


# -- in one process --------------------------------------------------------


def test_a_ring_ends_a_sleep():
    one, two = neighbours(1, 2)
    asleep = threading.Event()
    sleeper = threading.Thread(target=two.sleep, args=(FOR_EVER_S, asleep.set), daemon=True)
    sleeper.start()
    assert asleep.wait(10)
    one.ring(2)
    sleeper.join(10)
    assert not sleeper.is_alive()


def test_a_sleep_ends_by_itself():
    assert seconds_of_sleep(neighbours(1, 2)[0], SHORT_S) >= SHORT_S


def test_who_is_awake_is_not_rung():
    one, two = neighbours(1, 2)
    one.ring(2)
    assert not was_rung(two)
    two.sleep(0.0, lambda: False)
    one.ring(2)
    assert not was_rung(two)


def test_only_the_one_that_is_meant_is_rung():
    bells = neighbours(1, 2, 3)

    def ring_one():
        bells[0].ring(3)
        return True

    # The others are asleep, too.
    bells[1].sleep(0.0, lambda: bells[2].sleep(0.0, ring_one))
    assert [was_rung(bell) for bell in bells] == [False, False, True]


def test_nobody_is_asleep_who_has_mail(never_wait):
    one, two = neighbours(1, 2)
    two.sleep(FOR_EVER_S, lambda: True)


def test_mail_is_looked_for_after_saying_so():
    """Who sent before did not ring; who sends after does."""
    one, two = neighbours(1, 2)

    def mail_comes():
        one.ring(2)
        return False

    assert seconds_of_sleep(two, FOR_EVER_S, mail_comes) < FOR_EVER_S / 2
    assert not was_rung(two)


def test_a_look_that_fails_leaves_nobody_asleep():
    one, two = neighbours(1, 2)
    with pytest.raises(ZeroDivisionError):
        two.sleep(FOR_EVER_S, lambda: 1 / 0)
    one.ring(2)
    assert not was_rung(two)


@pytest.mark.parametrize("rings", [1, 10])
def test_stale_rings_cost_one_early_wake(rings):
    one, two = neighbours(1, 2)

    def rung_and_mail():
        for _ in range(rings):
            one.ring(2)
        return True

    two.sleep(FOR_EVER_S, rung_and_mail)
    assert was_rung(two)
    assert seconds_of_sleep(two, FOR_EVER_S) < FOR_EVER_S / 2
    assert seconds_of_sleep(two, SHORT_S) >= SHORT_S


def test_a_full_pipe_holds_up_nobody():
    one, two = neighbours(1, 2)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(two._pipe, bytes(4096))
    two.sleep(FOR_EVER_S, lambda: one.ring(2))
    one.ring(2)


@pytest.mark.parametrize("rank", [0, 1, 3, -1, 10**9])
def test_a_rank_elsewhere_is_not_rung(rank):
    """Nor is the one that rings: its own bell is not open to it."""
    one, two = neighbours(1, 2)
    one.sleep(0.0, lambda: one.ring(rank))
    assert not was_rung(one)
    assert not was_rung(two)


# -- not connected ---------------------------------------------------------


def test_without_neighbours_a_sleep_is_a_sleep():
    def look():
        raise AssertionError("nobody would ring for what comes after")
    bell = Doorbell(1)
    bell.ring(2)
    assert seconds_of_sleep(bell, SHORT_S, look) >= SHORT_S


def dead_pid():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    assert process.wait(30) == 0
    return process.pid


@pytest.mark.parametrize("change", [
    lambda address: address._replace(pid=dead_pid()),
    lambda address: address._replace(inode=address.inode + 1),
    lambda address: address._replace(pipe=10**6),
], ids=["a process that has ended", "another process of that id", "a pipe that is closed"])
@pytest.mark.parametrize("wrong", [0, 2])
def test_bells_out_of_reach(change, wrong):
    bells = [Doorbell(rank) for rank in (1, 2, 3)]
    addresses = [bell.address for bell in bells]
    addresses[wrong] = change(addresses[wrong])
    assert not bells[1].connect(addresses)
    before = len(os.listdir("/proc/self/fd"))
    opened = len(bells[1]._bells)
    bells[1].disconnect()
    assert len(os.listdir("/proc/self/fd")) == before - opened
    for rank in (1, 2, 3):
        bells[1].ring(rank)
    assert seconds_of_sleep(bells[1], SHORT_S) >= SHORT_S


def test_a_page_out_of_reach():
    bells = [Doorbell(rank) for rank in (1, 2)]
    addresses = [bells[0].address._replace(page=10**6), bells[1].address]
    assert not bells[1].connect(addresses)
    bells[1].disconnect()
    assert seconds_of_sleep(bells[1], SHORT_S) >= SHORT_S


def test_who_has_disconnected_rings_nobody():
    one, two = neighbours(1, 2)
    one.disconnect()
    one.disconnect()
    two.sleep(0.0, lambda: one.ring(2))
    assert not was_rung(two)


# -- between two processes -------------------------------------------------


def test_another_process_is_woken(neighbour):
    bell, process = neighbour
    for _ in range(3):
        tell(process, "sleep")
        assert process.stdout.readline() == "asleep\n"
        bell.ring(2)
        assert process.stdout.readline() == "awake\n"


def test_another_process_wakes_this_one(neighbour):
    bell, process = neighbour
    assert seconds_of_sleep(bell, 20, lambda: tell(process, "ring")) < 20
    assert process.stdout.readline() == "rang\n"
    assert not was_rung(bell)


def test_another_process_that_was_killed_in_its_sleep(neighbour):
    bell, process = neighbour
    tell(process, "sleep")
    assert process.stdout.readline() == "asleep\n"
    process.kill()
    process.wait(10)
    bell.ring(2)
    assert seconds_of_sleep(bell, SHORT_S) >= SHORT_S
