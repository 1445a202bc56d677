"""Bad input through the real command line: one clear message, exit code 2, nothing started."""

import os
import shlex
import subprocess
import sys

import pytest
from launching import PACKAGE_FOLDER

LAUNCHER = """\
name = "Ours"
executables = ["ours"]
recognised_by = ["OURS"]
ranks = ["-n", "{ranks}"]
hosts = ["--hosts", "{hosts}"]

[libraries]
"MPICH" = []
"Open MPI" = []
"Intel(R) MPI" = []
"""


@pytest.fixture
def scoop_mpi(tmp_path):
    """Runs the command line with a launcher that only takes a note that it was started."""
    ours = tmp_path / "ours"
    ours.write_text("#!/bin/sh\n[ $1 = --version ] && exec echo OURS\ntouch started\n")
    ours.chmod(0o755)
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n[ $1 = --version ] || touch started\necho 'Another MPI 1.0'\n")
    other.chmod(0o755)
    (tmp_path / "ours.toml").write_text(LAUNCHER)
    (tmp_path / "foreign.toml").write_text(
        LAUNCHER[:LAUNCHER.index('"MPICH"')] + '"Another MPI" = []\n')
    (tmp_path / "bad.toml").write_text(LAUNCHER.replace("hosts = ", "host = "))
    (tmp_path / "prog.py").write_text("print('started')\n")
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "zero").write_text("a 2\nlocalhost 0\n")
    (tmp_path / "words").write_text("a b c\n")

    def run(line, fine=False, **variables):
        environ = {name: value for name, value in os.environ.items()
                   if not name.startswith(("SLURM", "PBS_", "PE_", "LSB_", "PMI", "OMPI_"))}
        done = subprocess.run(
            [sys.executable, "-m", "scoop_mpi", *shlex.split(line)], cwd=tmp_path, timeout=60,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**environ, "PYTHONPATH": PACKAGE_FOLDER, **variables})
        assert (tmp_path / "started").exists() is fine
        assert "Traceback" not in done.stderr
        return done
    return run


OURS = "--launcher ours.toml --mpiexec ./ours"


def test_nothing_is_wrong(scoop_mpi):
    done = scoop_mpi(f"{OURS} -n 2 prog.py", fine=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("line, text", [
    ("--hosts no-such-host.invalid -- prog.py", "unknown host no-such-host.invalid"),
    ("--hosts localhost:0 -- prog.py", "localhost:0: 0 workers"),
    ("--hosts 'n[3-1]' -- prog.py", "the range 3-1 runs backwards"),
    ("--hosts -- prog.py", "--hosts needs the names of hosts"),
    ("--hostfile zero prog.py", "zero, line 2: localhost has 0 workers"),
    ("--hostfile empty prog.py", "empty names no host"),
    ("--hostfile absent prog.py", "--hostfile absent: No such file or directory"),
    ("--hostfile words prog.py", "words, line 1: 'a b c' is not a host's name"),
    ("--hostfile . prog.py", "--hostfile .: Is a directory"),
    ("--hosts a --hostfile zero prog.py", "--hosts and --hostfile both name hosts"),
    ("--path absent prog.py", "no such directory"),
    ("--prolog absent prog.py", "--prolog absent: No such file or directory"),
    ("--ssh-executable absent prog.py", "--ssh-executable absent: there is no such program"),
    ("--python-interpreter ./absent prog.py", "/absent does not run"),
    ("--hosts localhost --rsh -- prog.py", "Ours has nothing for --rsh"),
    ("absent.py", "there is no program file absent.py"),
    ("-m no_such_module_of_ours", "no_such_module_of_ours"),
])
def test_bad_lines(scoop_mpi, line, text):
    done = scoop_mpi(f"{OURS} {line}")
    assert done.returncode == 2
    assert done.stderr.startswith("scoop_mpi: ") and text in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("line, text", [
    ("-n 0 prog.py", "0 is too few; at least 1"), ("-n -1 prog.py", "-1 is too few"),
    ("-n many prog.py", "'many' is not a number"), ("--nonsense prog.py", "--nonsense"),
    ("--timeout never prog.py", "'never' is not a number of seconds"),
])
def test_options_that_argparse_refuses(scoop_mpi, line, text):
    done = scoop_mpi(f"{OURS} {line}")
    assert done.returncode == 2
    assert text in done.stderr and "usage: python -m scoop_mpi" in done.stderr


@pytest.mark.parametrize("variables, text", [
    ({"SLURM_JOB_NODELIST": "n[1-"}, "SLURM_JOB_NODELIST is not what SLURM writes"),
    ({"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_TASKS_PER_NODE": "2(x"},
     "SLURM_TASKS_PER_NODE=2(x is not what SLURM writes"),
    ({"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_TASKS_PER_NODE": "2(x3)"},
     "SLURM_JOB_NODELIST has 2 hosts, but SLURM_TASKS_PER_NODE=2(x3) is about 3"),
    ({"PBS_NODEFILE": "absent"}, "PBS_NODEFILE names absent, which cannot be read"),
    ({"PBS_NODEFILE": "nothing"}, "nothing (PBS_NODEFILE) names no host"),
    ({"PE_HOSTFILE": "words"}, "words (PE_HOSTFILE) has the line 'a b c'"),
    ({"PE_HOSTFILE": "absent"}, "PE_HOSTFILE names absent, which cannot be read"),
    ({"LSB_DJOB_HOSTFILE": "absent"}, "LSB_DJOB_HOSTFILE names absent"),
    ({"LSB_MCPU_HOSTS": "a"}, "LSB_MCPU_HOSTS=a is not what LSF writes"),
], ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
def test_garbage_from_schedulers(scoop_mpi, tmp_path, variables, text):
    (tmp_path / "nothing").touch()
    done = scoop_mpi(f"{OURS} prog.py", **variables)
    assert done.returncode == 2
    assert done.stderr.startswith("scoop_mpi: ") and text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_host_outside_of_the_job(scoop_mpi):
    done = scoop_mpi(f"{OURS} --hosts n3 -- prog.py", SLURM_JOB_NODELIST="n[1-2]",
                     SLURM_JOB_ID="7")
    assert (done.returncode, done.stderr) == (
        2, "scoop_mpi: n3 is not among the hosts of SLURM job 7: n1, n2\n")


@pytest.mark.parametrize("line, text", [
    ("--launcher lamd", "--launcher lamd: there are flux, intelmpi, mpich, openmpi, pals, srun"),
    ("--launcher ./absent.toml", "/absent.toml: No such file"),
    ("--launcher bad.toml", "bad.toml, line 5: host must be text"),
    ("--mpiexec ./absent", "/absent: there is no such program"),
    ("--mpiexec ./prog.py", "/prog.py: there is no such program"),
    ("--mpiexec ./other", "/other is not a launcher that scoop_mpi knows"),
    ("--mpiexec ./ours --launcher foreign.toml", "/ours is that of Ours: its ranks"),
])
def test_launchers(scoop_mpi, line, text):
    done = scoop_mpi(f"{line} prog.py")
    assert done.returncode == 2
    assert done.stderr.startswith("scoop_mpi: ") and text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_launcher_that_cannot_be_executed(scoop_mpi, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    done = scoop_mpi("--mpiexec ./broken prog.py")
    assert done.returncode == 2 and "/broken does not run" in done.stderr
    done = scoop_mpi("--launcher ours.toml --mpiexec ./broken prog.py")
    assert done.returncode == 2 and "/broken does not start" in done.stderr


def test_what_a_launcher_says_when_it_fails_is_shown(scoop_mpi, tmp_path):
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho cannot reach node7 >&2\nexit 9\n")
    failing.chmod(0o755)
    done = scoop_mpi("--launcher ours.toml --mpiexec ./failing prog.py")
    assert (done.returncode, done.stderr) == (9, "cannot reach node7\n")
