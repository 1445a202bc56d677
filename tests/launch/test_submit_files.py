"""The submit files run as they are: with a program, and without one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from clusters.base import wait_until

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "submit_files"
PI = str(TOP / "examples" / "pi.py")
FILES = sorted(FOLDER.iterdir())
QUIET = {"PMIX_MCA_psec": "native"}
"""Without it Open MPI's wheel complains of SLURM's PMIx, which offers munge."""


TWENTY_TASKS = ("314,327 of 400,000 points are inside the circle\n"
                "pi is about 3.1433\n")
FIFTY_TASKS = ("785,635 of 1,000,000 points are inside the circle\n"
               "pi is about 3.1425\n")


def assert_pi(done, output=TWENTY_TASKS):
    """The example has run."""
    assert done.returncode == 0, done
    assert done.stdout.endswith(output), done


def assert_checked(done):
    """The pool was checked, with the four ranks of the file."""
    assert done.returncode == 0, done
    assert "4 ranks on " in done.stdout and "a broker and 3 workers" in done.stdout, done
    assert re.search("(?m)^map +3 workers took part", done.stdout), done


@pytest.mark.parametrize("name", ["slurm", "slurm_srun"])
def test_slurm(slurm, tmp_path, name):
    file = FOLDER / f"{name}.sh"
    assert_pi(slurm.submit(file, PI, "20", cwd=tmp_path, env=QUIET))
    assert_checked(slurm.submit(file, cwd=tmp_path, env=QUIET))
    assert not slurm.pids()


def test_torque(torque, tmp_path):
    file = FOLDER / "torque.sh"
    # With -v this qsub forgets the -V in the file; it knows no values of several words.
    done = torque.submit(file, options=["-V", "-v", f"PROGRAM={PI}"], cwd=tmp_path)
    assert_pi(done, FIFTY_TASKS)
    assert_checked(torque.submit(file, cwd=tmp_path))
    wait_until(lambda: not torque.pids(), "the end of all processes", 5)


def test_sge(sge, tmp_path):
    assert_pi(sge.submit(FOLDER / "sge.sh", PI, "20", cwd=tmp_path))
    assert_checked(sge.submit(FOLDER / "sge.sh", cwd=tmp_path))
    wait_until(lambda: not sge.pids(), "the end of all processes", 5)


def test_pbs(hosts, tmp_path):
    """There is no PBS here: on hosts, with what PBS puts into the environment of a job."""
    (tmp_path / "nodes").write_text("h1\nh1\nh2\nh2\n")
    job = {
        "PBS_NODEFILE": str(tmp_path / "nodes"), "PBS_JOBID": "7.server",
        "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_O_WORKDIR": str(tmp_path),
        "PATH": f"{Path(hosts.ssh).parent}:{hosts.environ['PATH']}",
    }
    command = ["bash", str(FOLDER / "pbs.sh")]
    assert_pi(hosts.run("h1", command, env={**job, "PROGRAM": f"{PI} 20"}))
    done = hosts.run("h1", command, env=job)
    assert_checked(done)
    for host, ranks in (("h1", "0-1"), ("h2", "2-3")):
        assert re.search(rf"(?m)^{host} +{ranks} ", done.stdout), done
    wait_until(lambda: not hosts.pids(), "the end of all processes on the hosts", 5)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_shell_understands_it(file):
    done = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_tests_for_all():
    assert [file.name for file in FILES] == ["pbs.sh", "sge.sh", "slurm.sh", "slurm_srun.sh",
                                             "torque.sh"]
