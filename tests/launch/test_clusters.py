"""The clusters of these tests are real: a bare MPI program runs in each of them."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clusters import SGE, ClusterError, Hosts, Slurm, Torque
from clusters.base import free_ports, wait_until
from launching import Finished, JobError, find_mpiexec, uses_open_mpi

HELLO = """\
import socket
from mpi4py import MPI
world = MPI.COMM_WORLD
names = world.allgather(socket.gethostname())
print(f"rank {world.rank} of {world.size} on {names[world.rank]}\\n", end="", flush=True)
"""
OPTIONS = ["--bind-to", "none"] if uses_open_mpi() else []


@pytest.fixture(scope="module")
def hello(tmp_path_factory):
    """The command that runs a rank that says who it is."""
    program = tmp_path_factory.mktemp("hello") / "hello.py"
    program.write_text(HELLO)
    return [sys.executable, str(program)]


@pytest.fixture
def script(tmp_path, hello):
    """Makes a batch script of the given lines and an mpiexec of four ranks."""
    def make(*lines, options=()):
        file = tmp_path / "job.sh"
        command = " ".join([find_mpiexec(), *OPTIONS, *options, "-n", "4", *hello])
        file.write_text("\n".join(["#!/bin/sh", *lines, command, "exit 3", ""]))
        file.chmod(0o755)
        return file
    return make


def sizes(finished: Finished) -> list[int]:
    """What the ranks say of the size of their world."""
    return [int(size) for size in re.findall(r"rank \d+ of (\d+)", finished.stdout)]


def ranks_on(finished: Finished) -> dict[str, int]:
    """How many ranks say that they are on each host."""
    return dict(collections.Counter(re.findall(r"rank \d+ of \d+ on (\w+)", finished.stdout)))


def test_mpiexec_in_a_slurm_allocation_starts_ranks_on_all_nodes(slurm, hello):
    done = slurm.run(["salloc", "-Q", "-N3", "-n6", find_mpiexec(), *OPTIONS, *hello], bare=True)
    assert done.returncode == 0, done
    assert sizes(done) == [6] * 6, done


def test_srun_with_the_right_pmi_makes_one_world(slurm, hello):
    way = "pmix" if uses_open_mpi() else "pmi2"
    done = slurm.run(["srun", "-N3", "-n3", f"--mpi={way}", *hello], bare=True)
    assert sizes(done) == [3] * 3, done


def test_srun_without_pmi_makes_worlds_of_one_rank(slurm, hello):
    done = slurm.run(["srun", "-N3", "-n3", "--mpi=none", *hello], bare=True)
    assert (done.returncode, sizes(done)) == (0, [1] * 3), done


def test_a_batch_job_of_slurm_gives_its_exit_code_and_output(slurm, script):
    done = slurm.submit(script(), options=["-N2", "-n4"], bare=True)
    assert (done.returncode, sizes(done)) == (3, [4] * 4), done


def test_a_batch_job_that_takes_too_long_is_cancelled(slurm, tmp_path):
    file = tmp_path / "job.sh"
    file.write_text("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(JobError, match="the end of job"):
        slurm.submit(file, timeout=1)
    wait_until(lambda: not slurm.pids(), "the end of the job's processes", 5)


def test_a_job_of_sge_has_slots_and_runs_ranks(sge, script):
    oversubscribe = ["--oversubscribe"] if uses_open_mpi() else []
    file = script("echo slots $NSLOTS", "cut -d' ' -f2 $PE_HOSTFILE", options=oversubscribe)
    done = sge.submit(file, options=["-pe", "mpi", "4"], bare=True)
    assert (done.returncode, sizes(done)) == (3, [4] * 4), done
    assert done.stdout.startswith("slots 4\n4\n"), done


def test_a_job_of_torque_has_a_node_file_and_runs_ranks(torque, script):
    file = script("#PBS -l nodes=2:ppn=2", "env | grep ^SLURM_JOB", "cat $PBS_NODEFILE")
    done = torque.submit(file, bare=True)
    assert (done.returncode, sizes(done)) == (3, [4] * 4), done
    assert done.stdout.startswith("n1\nn1\nn2\nn2\n"), done


def test_ranks_on_three_hosts(hosts, hello):
    hostlist = "h1:2,h2:2,h3:2"
    if uses_open_mpi():
        command = [find_mpiexec(), *OPTIONS, "--prefix", sys.prefix, "--host", hostlist]
        env = {"PRTE_MCA_plm_ssh_agent": hosts.ssh}
    else:
        command = [find_mpiexec(), "-launcher-exec", hosts.ssh, "-hosts", hostlist]
        env = {}
    done = hosts.run("h1", [*command, "-n", "6", *hello], env=env, bare=True)
    assert done.returncode == 0, done
    assert ranks_on(done) == {"h1": 2, "h2": 2, "h3": 2}, done
    assert not hosts.pids()


def test_processes_on_a_host_are_found_when_the_ssh_to_them_is_gone(hosts):
    job = hosts.begin("h1", [hosts.ssh, "h2", "echo up; exec sleep 600"])
    try:
        job.wait_for_line("up")
        assert hosts.pids("h2") and not hosts.pids("h3")
        job.kill()
        job.finish()
        assert hosts.pids("h2")
    finally:
        hosts.sweep()
    assert not hosts.pids()


def test_a_start_that_fails_shows_the_logs_and_leaves_nothing(tmp_path, slurm):
    class Broken(Slurm):
        def _configuration(self):
            return super()._configuration() + "NoSuchSetting=1\n"

    broken = Broken(tmp_path / "broken")
    with pytest.raises(ClusterError, match="(?s)did not start.*NoSuchSetting.*munged.log"):
        broken.start()
    assert not [*Path(broken.folder).glob("*.pid")]
    broken.stop()


@pytest.mark.parametrize("kind", [Slurm, SGE, Torque, Hosts])
def test_what_is_missing_is_named(kind):
    assert kind.missing("/nowhere") == f"{kind.name} is not installed ({', '.join(kind.commands)})"


@pytest.mark.parametrize("kind, pid_file", [(Slurm, "slurmctld.pid"), (Hosts, "h1.pid")])
def test_stop_leaves_a_stranger_alone_that_has_the_number_of_a_daemon(kind, pid_file, tmp_path):
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            (tmp_path / pid_file).write_text(str(stranger.pid))
            kind(tmp_path).stop()
            kind(tmp_path).stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_free_ports_are_in_a_row():
    ports = free_ports(4)
    assert ports == list(range(ports[0], ports[0] + 4))
