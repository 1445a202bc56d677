"""One worker rank: when it has a second thread."""

import logging
import sys

import pytest

from scoop_mpi.base import context
from scoop_mpi.process import worker_rank
from scoop_mpi.process.worker_rank import Worker
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.memory import MemoryEndpoint, Network


class Endpoint(MemoryEndpoint):
    all_can_ring = crowded = False

    def __init__(self, rank, size, two_threads):
        super().__init__(Network(size, 0), rank)
        self.two_threads = two_threads

    def abort(self, exit_code):
        raise AssertionError


@pytest.fixture
def donors(monkeypatch):
    made = []
    monkeypatch.setattr(worker_rank, "Donor", lambda *args: made.append(args))
    yield made
    context.install(None)


@pytest.mark.parametrize("size, two_threads, has_gil, has_donor", [
    (3, True, True, True), (3, True, False, False), (3, False, True, False), (2, True, True, False),
])
def test_who_has_a_donor_thread(donors, monkeypatch, size, two_threads, has_gil, has_donor):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: has_gil, raising=False)
    Worker(Endpoint(1, size, two_threads), Codec()).start()
    assert len(donors) == has_donor


@pytest.mark.parametrize("rank, warned", [(1, True), (2, False)])
def test_a_python_without_the_gil_is_told_of_once(donors, monkeypatch, caplog, rank, warned):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(logging.getLogger("scoop_mpi"), "propagate", True)
    Worker(Endpoint(rank, 4, True), Codec()).start()
    assert ("PYTHON_GIL=1" in caplog.text) is warned
