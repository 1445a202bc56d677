"""What the pool check warns of: from what the ranks tell."""

import pytest

from scoop_mpi.check.facts import Facts
from scoop_mpi.check.findings import CLOCK_SKEW_S, SHM_BYTES, SLOW_ROUND_TRIP_S, findings

MPICH = "MPICH Version:\t4.2.0\nMPICH Device:\tch4:ofi"


def rank(number, host="a", **told):
    """One that has nothing to complain of: two cores of its own on a host of eight."""
    sound = {
        "library": MPICH, "thread_level": "MPI_THREAD_SERIALIZED", "host": host, "pid": 1,
        "python": "3.12.1", "packages": {"numpy": "2.0"}, "cores": [2 * number, 2 * number + 1],
        "host_cores": 8, "omp_threads": "", "devices": [], "memlock": -1, "shm_free": 1 << 30,
    }
    return Facts(rank=number, **{**sound, **told})


def found(*ranks, transports=(), clock_skew_s=0.0, round_trip_s=0.0):
    return findings(ranks, transports, clock_skew_s, round_trip_s)


def test_nothing_to_complain_of():
    assert found(rank(0), rank(1), rank(2), rank(3, "b"), transports=["TCP"]) == []


@pytest.mark.parametrize("told, text", [
    ({"python": "3.11.2"}, "Python differs: 3.12.1 on a (rank 0, 1); 3.11.2 on b (rank 2)"),
    ({"library": "Open MPI v5.0.1, package: x"},
     "the MPI library differs: MPICH Version: 4.2.0 on a (rank 0, 1); Open MPI v5.0.1 on b"),
    ({"packages": {"numpy": "1.26"}}, "numpy differs: 2.0 on a (rank 0, 1); 1.26 on b (rank 2)"),
    ({"packages": {}}, "numpy differs: 2.0 on a (rank 0, 1); not installed on b (rank 2)"),
])
def test_ranks_that_differ(told, text):
    [warning] = found(rank(0), rank(1), rank(2, "b", **told))
    assert warning.startswith(text)
    assert warning.endswith("Use one environment on all hosts")


def test_many_hosts_are_not_all_named():
    ranks = [rank(0), *(rank(number, f"h{number}", python="3.9") for number in range(1, 7))]
    [warning] = found(*ranks)
    assert "3.9 on h1, h2, h3 and 3 more hosts (rank 1, 2, 3 ...)" in warning


def test_more_workers_than_cores():
    ranks = [rank(number, host_cores=2, cores=[0, 1]) for number in range(4)]
    [warning] = found(*ranks)
    assert warning.startswith("a: 3 workers on 2 cores; they take turns. Start 2 ")


def test_the_broker_needs_no_core():
    assert found(*(rank(number, host_cores=2, cores=[0, 1]) for number in range(3))) == []


def test_workers_bound_to_one_core():
    [warning] = found(*(rank(number, cores=[0]) for number in range(3)))
    assert warning.startswith("a: 2 workers may use 1 of 8 cores; they take turns. Ask the ")


@pytest.mark.parametrize("threads, warned", [("1", False), ("2", False), ("3", True),
                                             ("", False), ("2,1", False)])
def test_threads_of_numerical_libraries(threads, warned):
    warnings = found(*(rank(number, omp_threads=threads) for number in range(3)))
    assert len(warnings) == warned
    assert all(f"OMP_NUM_THREADS={threads} for 2 workers on 4 cores" in one for one in warnings)


@pytest.mark.parametrize("free, warned", [(SHM_BYTES, False), (SHM_BYTES - 1, True), (-1, False)])
def test_little_shared_memory(free, warned):
    warnings = found(rank(0), rank(1, shm_free=free))
    assert [one[:14] for one in warnings] == ["a: /dev/shm ha"] * warned


@pytest.mark.parametrize("transports, warned", [
    (["TCP"], True), (["RDMA verbs (InfiniBand, RoCE, EFA)", "TCP"], False), ([], False)])
def test_a_fast_network_that_is_not_used(transports, warned):
    devices = ["InfiniBand or RoCE (mlx5_0)"]
    warnings = found(rank(0, devices=devices), rank(1, "b"), transports=transports)
    assert len(warnings) == warned
    assert all("though there is InfiniBand or RoCE (mlx5_0)" in one for one in warnings)


def test_locked_memory_matters_where_there_is_an_adapter():
    assert found(rank(0), rank(1, memlock=65536)) == []
    [warning] = found(rank(0), rank(1, memlock=65536, devices=["Omni-Path (hfi1_0)"]))
    assert warning.startswith("locked memory is limited to 64 KiB on a (rank 1)")


@pytest.mark.parametrize("level, warned", [
    ("MPI_THREAD_SINGLE", True), ("MPI_THREAD_FUNNELED", True), ("MPI_THREAD_MULTIPLE", False)])
def test_a_library_without_threads(level, warned):
    warnings = found(rank(0, thread_level=level), rank(1, thread_level=level))
    assert len(warnings) == warned
    assert all(f"gives {level} only" in one for one in warnings)


@pytest.mark.parametrize("how, text", [
    ({"clock_skew_s": 2 * CLOCK_SKEW_S}, "the hosts' clocks differ by up to 2.0 s"),
    ({"round_trip_s": 2 * SLOW_ROUND_TRIP_S}, "a round trip on one host takes 4.0 ms"),
])
def test_what_was_measured(how, text):
    [warning] = found(rank(0), rank(1), **how)
    assert warning.startswith(text)
    assert found(rank(0), rank(1), **{name: value / 4 for name, value in how.items()}) == []
