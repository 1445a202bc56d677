"""Without a program: the check of the pool, on one host and on several, and with faults."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest
from clusters.base import wait_until
from launching import PACKAGE_FOLDER, uses_open_mpi
from telling import PROGRAMS

FAULTS = os.pathsep.join([PACKAGE_FOLDER, str(PROGRAMS / "faults")])


@pytest.fixture
def check(hosts, tmp_path):
    """Checks the pool of one worker on each of three hosts: check(options..., fault)."""
    def check(*options, fault="", rank=2):
        line = [sys.executable, "-m", "scoop_mpi", "--ssh-executable", hosts.ssh,
                "--hosts", "h1", "h2", "h3", *options]
        env = {"FAULT": fault, "FAULT_RANK": str(rank)}
        if fault:
            line += ["--pythonpath", FAULTS]
            if uses_open_mpi():  # which takes only what is named to other hosts
                line += ["--mpi-args", " ".join(f"-x {name}" for name in env)]
        return hosts.run("h1", line, cwd=tmp_path, env=env, timeout=40)
    yield check
    try:
        wait_until(lambda: not hosts.pids(), "the end of all processes on the hosts", 5)
    finally:
        hosts.sweep()


def test_on_one_host(run):
    done = run("--threads", "1", ranks=3, launcher="self")
    assert done.returncode == 0, done
    assert "3 ranks on 1 host, a broker and 2 workers" in done.stdout
    assert re.search(r"(?m)^host +ranks .*\n\S+ +0-2 ", done.stdout)
    assert re.search(r"(?m)^broker - worker +round trip .*\(2 pairs\)", done.stdout)
    assert re.search(r"(?m)^on one host +round trip .*\(1 pair\)", done.stdout)
    assert re.search(r"(?m)^map +2 workers took part", done.stdout)
    assert not re.search(r"(?m)^(network|between hosts|clocks|error)", done.stdout)


def test_on_three_hosts(check):
    done = check()
    assert done.returncode == 0, done
    assert "4 ranks on 3 hosts, a broker and 3 workers" in done.stdout
    for host, ranks in (("h1", "0-1"), ("h2", "2"), ("h3", "3")):
        assert re.search(rf"(?m)^{host} +{ranks} ", done.stdout), done
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in done.stdout
    assert re.search(r"(?m)^packages +mpi4py [0-9.]+, greenlet [0-9.]+, cloudpickle", done.stdout)
    library = "Open MPI" if uses_open_mpi() else "MPICH"
    assert re.search(rf"(?m)^MPI +{library} .*THREAD", done.stdout)
    assert re.search(r"(?m)^network +TCP$", done.stdout)
    assert re.search(r"(?m)^between hosts +round trip .*\(2 pairs\)", done.stdout)
    assert re.search(r"(?m)^clocks +within ", done.stdout)
    assert re.search(r"(?m)^map +3 workers took part", done.stdout)


def test_for_machines(check):
    done = check("--json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["ok"], found["size"], found["mapped"], found["missing"]) == (True, 4, 3, [])
    assert [(facts["rank"], facts["host"]) for facts in found["ranks"]] == [
        (0, "h1"), (1, "h1"), (2, "h2"), (3, "h3")]
    assert {facts["python"] for facts in found["ranks"]} == {sys.version.split()[0]}
    assert found["transports"] == ["TCP"]
    between = [pair for pair in found["pairs"] if pair["kind"] == "between hosts"]
    assert [pair["hosts"] for pair in between] == [["h1", "h2"], ["h2", "h3"]]
    assert all(0 < pair["round_trip_s"] < 1 < pair["bandwidth"] for pair in found["pairs"])


def test_under_the_users_mpiexec_with_ranks_that_differ(run):
    done = run("--json", ranks=3, launcher="mpirun", env={
        "FAULT": "other versions", "FAULT_RANK": "2", "PYTHONPATH": FAULTS})
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["ok"], found["size"]) == (True, 3)
    warnings = "\n".join(found["warnings"])
    assert re.search(r"mpi4py differs: \S+ on \S+ \(rank 0, 1\); 9\.9 on \S+ \(rank 2\)", warnings)


def test_more_workers_than_cores(run):
    # All ranks of this host say that it has one core.
    done = run("-q", ranks=3, launcher="self", env={
        "FAULT": "other versions", "FAULT_RANK": "all", "PYTHONPATH": FAULTS})
    assert done.returncode == 0, done
    assert re.search(r"(?m)^warning: \S+: 2 workers on 1 core; they take turns", done.stdout), done


def test_a_single_rank(run):
    done = run("--json", ranks=1, launcher="mpirun")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["ok"], found["size"], found["pairs"]) == (True, 1, [])


def test_worlds_of_one_rank(run):
    rank, size = ("PMI_RANK", "PMI_SIZE") if uses_open_mpi() else (
        "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
    done = run("-m", "scoop_mpi", launcher="python", env={rank: "0", size: "3"})
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "the launcher started 3 ranks, but MPI sees a world of 1" in done.stderr


@pytest.mark.parametrize("where, output, text", [
    ("in statistics", "stdout", "error: rank 2 on h2 has not answered within 5 s\n"),
    ("in scoop_mpi.wire.mpi", "stderr", "MPI has not started within 5 s: rank 0 on h1 waits "
     "for a rank that does not come; the ranks are on h1:2,h2:1,h3:1."),
    ("before the pool", "stderr", "MPI has not started within 5 s: rank 0 on h1 waits for a rank"),
    ("in scoop_mpi.check.program", "stdout", "error: rank 2 on h2 took no part in a map within "),
], ids=["tells nothing", "does not start MPI", "does not join", "takes no part"])
def test_a_rank_that_is_stopped(check, where, output, text):
    done = check("--timeout", "5", fault=f"stop {where}")
    assert done.returncode not in (0, 2), done
    assert getattr(done, output).count(text) == 1, done
    assert "All is well" not in done.stdout
