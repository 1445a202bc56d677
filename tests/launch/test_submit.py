"""``python -m scoop_mpi submit``: real job scripts, submitted to real schedulers."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from clusters.base import wait_until
from launching import PACKAGE_FOLDER, Finished
from telling import PLACED, told

SUBMIT = [sys.executable, "-m", "scoop_mpi", "submit"]
ARGUMENTS = ["7", "-n", "a 'b'", "$HOME"]


@pytest.mark.parametrize("name, more", [
    ("slurm", []), ("torque", ["--nodes", "2"]), ("sge", []),
])
def test_for_real(request, tmp_path, name, more):
    cluster = request.getfixturevalue(name)
    options = ["--scheduler", name, "-n", "3", *more, "--time", "0:05:00", "--output", "output",
               "--setup", "export OMP_NUM_THREADS=5", PLACED, *ARGUMENTS]
    said = cluster.run([*SUBMIT, *options], cwd=tmp_path)
    assert said.returncode == 0, said
    job = re.search(r"(?m)^(?:\D* )?([0-9]+)\b", said.stdout)
    assert job is not None, said
    code = cluster.wait_for(job[1])
    # Our Torque's qsub overrules what a file says of the output.
    (output,) = tmp_path.glob(f"*.o{job[1]}" if name == "torque" else "output")
    done = Finished(code, output.read_text(), "", 0.0, [])
    assert code == 7, done
    assert told(done)["words"] == ARGUMENTS[1:]
    workers = told(done)["workers"].values()
    assert [facts["OMP_NUM_THREADS"] for facts in workers] == ["5"] * 3
    assert {facts["directory"] for facts in workers} == {str(tmp_path)}
    # What was submitted can be submitted again.
    assert (tmp_path / f"placed.{name}.sh").exists()
    wait_until(lambda: not cluster.pids(), "the end of all processes", 5)


@pytest.fixture
def submit(tmp_path):
    """Runs it where there are no schedulers, with our program at hand."""
    (tmp_path / "program.py").touch()
    (tmp_path / "bin").mkdir()

    def submit(*arguments):
        environ = {**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": PACKAGE_FOLDER}
        done = subprocess.run([*SUBMIT, *arguments], cwd=tmp_path, env=environ, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done
    return submit


@pytest.mark.parametrize("name, time", [
    ("slurm", "#SBATCH --time=1:00:00"), ("torque", "#PBS -l walltime=1:00:00"),
    ("pbs", "#PBS -l walltime=1:00:00"), ("sge", "#$ -l h_rt=1:00:00"),
])
def test_a_dry_run(submit, tmp_path, name, time):
    nodes = ["--nodes", "2"] if name == "torque" else []
    done = submit("--scheduler", name, "-n", "4", *nodes, "--time", "1:00:00", "--dry-run",
                  "program.py", *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "#!/bin/bash" and time in lines
    assert shlex.split(lines[-1])[-8:] == [
        "scoop_mpi", "-n", "4", "program.py", *ARGUMENTS]
    shell = subprocess.run(["bash", "-n"], input=done.stdout, capture_output=True, text=True,
                           timeout=20)
    assert (shell.returncode, shell.stderr) == (0, "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bin", "program.py"]


def test_a_script_that_was_written_by_hand_stays(submit, tmp_path):
    (tmp_path / "bin" / "sbatch").symlink_to("/bin/echo")
    done = submit("--scheduler", "slurm", "-n", "2", "program.py")
    assert (done.returncode, done.stdout) == (0, "program.slurm.sh\n"), done
    # Our own may be replaced.
    assert submit("-n", "2", "program.py").returncode == 0
    script = tmp_path / "program.slurm.sh"
    script.write_text("#!/bin/sh\n")
    done = submit("-n", "2", "program.py")
    assert done.returncode == 2
    assert done.stderr.startswith("scoop_mpi: program.slurm.sh is there already")
    assert script.read_text() == "#!/bin/sh\n"


def test_the_exit_code_of_the_submit_command_is_ours(submit, tmp_path):
    (tmp_path / "bin" / "sbatch").symlink_to("/bin/false")
    assert submit("-n", "2", "program.py").returncode == 1


@pytest.mark.parametrize("options, text", [
    (["--scheduler", "slurm", "-n", "2", "program.py"], "sbatch is not on PATH"),
    (["--scheduler", "sge", "-n", "2", "program.py"], "qsub is not on PATH"),
    (["-n", "2", "program.py"], "neither sbatch nor qsub is on PATH"),
    (["-n", "2", "absent.py"], "there is no program file absent.py"),
    (["--scheduler", "torque", "-n", "2", "program.py"], "--nodes"),
    (["--scheduler", "sge", "--nodes", "2", "-n", "2", "program.py"], "--nodes: SGE's"),
    (["program.py"], "the following arguments are required: -n"),
    (["-n", "0", "program.py"], "0 is too few"),
    (["-n", "2", "--time", "soon", "program.py"], "'soon' is not a time like 1:00:00"),
    (["-n", "2", "--scheduler", "cron", "program.py"], "invalid choice: 'cron'"),
    (["-n", "2", "--partition", "a b", "program.py"], "'a b' should be one word"),
    (["-n", "2", "--nonsense", "program.py"], "--nonsense"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input(submit, tmp_path, options, text):
    done = submit(*options)
    assert done.returncode == 2, done
    assert text in done.stderr, done
    assert done.stdout == ""
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bin", "program.py"]
