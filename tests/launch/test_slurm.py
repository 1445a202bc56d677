"""The command line in real jobs of SLURM: allocations, batch jobs, srun, shells in a step."""

from __future__ import annotations

import os
import sys

import pytest
from clusters.base import wait_until
from launching import PACKAGE_FOLDER, uses_open_mpi
from telling import (
    PLACED, WAITING, nodes, nodes_as_told_by_launcher, told,
)

PYTHON = [sys.executable, "-m", "scoop_mpi"]
SALLOC = ["salloc", "-Q", "-N3", "-n6"]
PMI = "pmix" if uses_open_mpi() else "pmi2"
QUIET = {"PMIX_MCA_psec": "native"}
"""Without it Open MPI's wheel complains of SLURM's PMIx, which offers munge."""


@pytest.fixture(autouse=True)
def nothing_is_left(slurm):
    """After each test."""
    yield
    left = slurm.pids()
    slurm.sweep()
    assert not left


def test_an_allocation_gives_hosts_and_slots(slurm, tmp_path):
    done = slurm.run([*SALLOC, *PYTHON, "-v", PLACED, "7", "-n", "a b"], cwd=tmp_path)
    assert done.returncode == 7, done
    assert told(done)["words"] == ["-n", "a b"]
    assert nodes(done) == ["n1", "n2", "n2", "n3", "n3"] == nodes_as_told_by_launcher(done)
    assert {facts["directory"] for facts in told(done)["workers"].values()} == {str(tmp_path)}
    assert "5 workers and the broker on 3 hosts: SLURM job " in done.stderr
    assert "n1: ranks 0-1 (broker, root)" in done.stderr


@pytest.mark.parametrize("arguments, ranks", [
    (["-n", "2"], {"n1": 2, "n2": 1}), (["-n", "8"], {"n1": 3, "n2": 3, "n3": 3}),
    (["--hosts", "n3", "n2", "n2", "n2", "--"], {"n2": 4, "n3": 1}),
])
def test_other_numbers_and_hosts(slurm, arguments, ranks):
    done = slurm.run([*SALLOC, *PYTHON, *arguments, PLACED])
    assert done.returncode == 0, done
    expected = [node for node, number in ranks.items() for _ in range(number)]
    assert nodes(done) == expected[1:]
    assert nodes_as_told_by_launcher(done) == expected[1:]
    assert done.stderr == ""


def test_a_batch_job(slurm, tmp_path):
    file = tmp_path / "job.sh"
    file.write_text(f'#!/bin/sh\n{" ".join(PYTHON)} {PLACED} "$@"\n')
    done = slurm.submit(file, "5", "x", options=["-N2", "-n3"])
    assert done.returncode == 5, done
    assert told(done)["words"] == ["x"]
    assert nodes(done) == nodes_as_told_by_launcher(done) == ["n1", "n2"]


def test_srun_as_our_launcher(slurm):
    done = slurm.run([*SALLOC, *PYTHON, "--launcher", "srun", PLACED, "7", "stdin"], env=QUIET,
                     stdin="some\nlines")
    assert done.returncode == 7, done
    assert nodes(done) == ["n1", "n2", "n2", "n3", "n3"] == nodes_as_told_by_launcher(done)
    assert told(done)["stdin"] == "some\nlines"
    # Open MPI cannot start more ranks on a node through srun than it has CPUs in the job.
    line = ["--launcher", "srun", "--hosts", "n3", "n2", "--", PLACED]
    done = slurm.run([*SALLOC, *PYTHON, *line], env=QUIET)
    assert done.returncode == 0, done
    assert nodes(done) == ["n2", "n3"] == nodes_as_told_by_launcher(done)


def test_srun_of_the_user(slurm):
    line = [f"--mpi={PMI}", *PYTHON, "-n", "3", PLACED, "7"]
    done = slurm.run(["srun", "-N3", "-n6", *line], env=QUIET)
    assert done.returncode == 7, done
    assert nodes(done) == ["n1", "n2", "n2", "n3", "n3"]
    assert done.stderr.count("-n: ignored, as a launcher has started the ranks already") == 1


@pytest.mark.parametrize("program", [[PLACED], []], ids=["program", "check"])
def test_srun_that_makes_worlds_of_one_rank(slurm, program):
    done = slurm.run(["srun", "-N2", "-n2", "--mpi=none", *PYTHON, *program])
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.count("the launcher started 2 ranks, but MPI sees a world of 1") == 1
    assert "Use srun --mpi=pmix for Open MPI, srun --mpi=pmi2 for MPICH" in done.stderr


def test_a_shell_in_a_step_uses_the_whole_job(slurm, tmp_path):
    # script(1) makes a terminal, which srun --pty wants.
    line = " ".join(["srun", "-n1", "--pty", *PYTHON, PLACED, "7"])
    done = slurm.run([*SALLOC, "script", "-qec", line, str(tmp_path / "typescript")])
    assert done.returncode == 7, done
    assert nodes(done) == ["n1", "n2", "n2", "n3", "n3"]


def test_what_is_wrong_is_said(slurm, tmp_path):
    file = tmp_path / "several.sh"
    ours = " ".join(PYTHON)
    file.write_text("\n".join([
        f"SLURM_TASKS_PER_NODE='2(x' {ours} {PLACED}; echo $?",
        f"SLURM_JOB_NODELIST='n[1-' {ours} {PLACED}; echo $?",
        f"{ours} --hosts n1 n3 -- {PLACED}; echo $?", ""]))
    done = slurm.run(["salloc", "-Q", "-N2", "-n2", "sh", str(file)])
    assert done.stdout == "2\n2\n2\n", done
    first, second, third = done.stderr.splitlines()
    assert first == "scoop_mpi: SLURM_TASKS_PER_NODE=2(x is not what SLURM writes (like 2(x3),1)"
    assert second.startswith("scoop_mpi: SLURM_JOB_NODELIST is not what SLURM writes: ")
    assert third.startswith("scoop_mpi: n3 is not among the hosts of SLURM job ")
    assert third.endswith(": n1, n2")


@pytest.fixture
def running(slurm, tmp_path):
    """Submits a job that takes a minute; returns its number and its output, when it is up."""
    file, output, folder = tmp_path / "job.sh", tmp_path / "output", tmp_path / "up"
    folder.mkdir()

    def begin(*options):
        file.write_text(f'#!/bin/sh\nexec {" ".join([*PYTHON, *options, WAITING])} {folder}\n')
        job = slurm.call("sbatch", "--parsable", "-N3", "-n6", f"--output={output}", str(file),
                         environ={**os.environ, **slurm.environ, "PYTHONPATH": PACKAGE_FOLDER})
        wait_until(lambda: output.exists() and "up " in output.read_text(),
                   "the start of the program", 30)
        assert slurm.pids()
        return job.strip(), output
    return begin


@pytest.mark.parametrize("launcher", [(), ("--launcher", "srun")], ids=["mpiexec", "srun"])
def test_a_cancelled_job_leaves_no_process(slurm, running, launcher):
    job, output = running(*launcher)
    slurm.call("scancel", job)
    wait_until(lambda: not slurm.pids(), "the end of the job's processes", 15)


def test_a_job_that_is_over_its_time_limit(slurm, running):
    job, output = running()
    slurm.call("scontrol", "update", f"JobId={job}", "EndTime=now")
    # slurmctld looks at the limits every 30 seconds.
    wait_until(lambda: not slurm.pids(), "the end of the job's processes", 45)
    assert "DUE TO TIME LIMIT" in output.read_text()
