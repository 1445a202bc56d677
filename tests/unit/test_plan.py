"""Which host gets which ranks."""

import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi.hosts.allocation import Allocation
from scoop_mpi.hosts.hostlist import Host
from scoop_mpi.launch import plan as plan_module
from scoop_mpi.launch.plan import Plan, is_local, make_plan

CORES = 4


@pytest.fixture(autouse=True)
def this_host(monkeypatch):
    """This host's name is here.example.org."""
    monkeypatch.setattr(plan_module, "os", SimpleNamespace(
        uname=lambda: SimpleNamespace(nodename="here.example.org"), environ={}))
    return plan_module.os


def never(names):
    """Nobody's cores are asked for."""
    raise AssertionError(names)


def plan_of(workers=None, named=(), allocation=None, finds=(), ask=never):
    """A plan, made on a host of four cores."""
    return make_plan(workers, [Host(*host) for host in named], "--hosts", allocation, finds,
                     CORES, ask)


# -- one machine -----------------------------------------------------------


@pytest.mark.parametrize("workers, ranks", [(None, CORES + 1), (1, 2), (9, 10)])
def test_this_machine(workers, ranks):
    plan = plan_of(workers)
    assert plan.hosts == (("here.example.org", ranks),)
    assert (plan.workers, plan.ranks) == (ranks - 1, ranks)
    assert not plan.given and not plan.is_remote
    assert plan.source == "this machine"


# -- hosts that are named: SCOOP counts workers -----------------------------


@pytest.mark.parametrize("workers, hosts", [
    (None, (("a", 3), ("b", 1))),  # the broker is on the first
    (1, (("a", 2),)),
    (2, (("a", 3),)),
    (3, (("a", 3), ("b", 1))),
    (4, (("a", 4), ("b", 1))),
    (6, (("a", 5), ("b", 2))),
])
def test_named_hosts(workers, hosts):
    plan = plan_of(workers, [("a", 2), ("b", 1)])
    assert plan.hosts == hosts
    assert plan.ranks == plan.workers + 1 == sum(ranks for _, ranks in hosts)
    assert plan.workers == (workers or 3)
    assert plan.given and plan.is_remote
    assert plan.source == "--hosts"


def test_a_launcher_need_not_be_told_of_this_host():
    assert not plan_of(None, [("localhost", 2), ("here", 2)]).given
    assert plan_of(None, [("localhost", 2), ("a", 2)]).given


def test_a_launcher_is_told_of_this_host_inside_a_job():
    job = Allocation("SLURM", "1", [("here", 2), ("b", 2)])
    plan = plan_of(None, [("here", 2)], job, ["SLURM"])
    assert plan.given and not plan.is_remote
    assert plan.hosts == (("here", 3),)


def test_hosts_without_a_number_have_their_cores():
    asked = []

    def ask(names):
        asked.append(names)
        return {"a": 16, "b": 2}

    plan = plan_of(None, [("a", None), ("c", 1), ("b", None), ("here", None)], ask=ask)
    assert asked == [["a", "b"]]
    assert plan.hosts == (("a", 17), ("c", 1), ("b", 2), ("here", CORES))


def test_only_this_hosts_cores():
    assert plan_of(None, [("localhost", None)]).hosts == (("localhost", CORES + 1),)


# -- inside a job: the scheduler counts slots -------------------------------

JOB = Allocation("SLURM", "17", [("a", 2), ("b", 2)])


@pytest.mark.parametrize("workers, hosts", [
    (None, (("a", 2), ("b", 2))),  # the broker takes a slot
    (1, (("a", 2),)),
    (2, (("a", 2), ("b", 1))),
    (3, (("a", 2), ("b", 2))),
    (4, (("a", 3), ("b", 2))),  # as many workers as slots, if asked for
    (7, (("a", 4), ("b", 4))),
])
def test_slots(workers, hosts):
    plan = plan_of(workers, allocation=JOB)
    assert plan.hosts == hosts
    assert plan.workers == (workers or 3)
    assert plan.source == "SLURM job 17, 4 slots"


@pytest.mark.parametrize("finds, given_", [([], True), (["SLURM"], False), (["PBS"], True)])
def test_a_launcher_that_finds_the_hosts_by_itself(finds, given_):
    assert plan_of(allocation=JOB, finds=finds).given is given_


def test_more_ranks_than_slots_are_placed_as_planned():
    # Hydra, left alone, goes around: of four ranks on a:1,b:1 it puts rank 1 on b.
    job = Allocation("SLURM", "1", [("a", 1), ("b", 1)])
    plan = plan_of(3, allocation=job, finds=["SLURM"])
    assert plan.hosts == (("a", 2), ("b", 2))
    assert plan.given


def test_a_job_of_one_slot_has_a_worker():
    plan = plan_of(allocation=Allocation("SGE", "1", [("a", 1)]))
    assert plan.workers == 1
    assert plan.hosts == (("a", 2),)


def test_first_hosts_of_one_slot_each():
    plan = plan_of(allocation=Allocation("PBS", "1", [("a", 1), ("b", 1), ("c", 1)]))
    assert [plan.host_of(rank) for rank in range(3)] == ["a", "b", "c"]
    assert plan.lines() == ["a: rank 0 (broker)", "b: rank 1 (root)", "c: rank 2"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.one_of(st.none(),
                                                                      st.integers(1, 99)))
def test_no_rank_is_lost(slots, workers):
    hosts = [(f"n{at}", count) for at, count in enumerate(slots)]
    for plan in (plan_of(workers, hosts), plan_of(workers, allocation=Allocation("X", "", hosts))):
        assert sum(ranks for _, ranks in plan.hosts) == plan.ranks == plan.workers + 1
        if workers:
            assert plan.workers == workers
        told = [name for name, ranks in plan.hosts for _ in range(ranks)]
        assert [plan.host_of(rank) for rank in range(plan.ranks)] == told


# -- for people ------------------------------------------------------------


def test_ranks_of_each_host():
    plan = Plan(6, (("a", 3), ("b", 1), ("c", 3)), True, "")
    assert plan.lines() == ["a: ranks 0-2 (broker, root)", "b: rank 3", "c: ranks 4-6"]


# -- this host -------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "localhost", "127.0.0.1", "::1", "here", "here.example.org", "n7", "n7.cluster",
])
def test_names_of_this_host(name, this_host):
    this_host.environ["SLURMD_NODENAME"] = "n7"
    assert is_local(name)


@pytest.mark.parametrize("name", [
    "there", "here2", "her", "here.another.org", "example.org", "10.0.0.1", "n7", "",
])
def test_names_of_others(name):
    assert not is_local(name)


def test_the_real_host(monkeypatch):
    monkeypatch.setattr(plan_module, "os", os)
    assert is_local(os.uname().nodename)
