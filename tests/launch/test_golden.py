"""The exact command lines: every launcher, in every scheduler, with every kind of option.

The expected texts are in ``golden/``, a file for each launcher: what ``--dry-run`` shows.
``UPDATE_GOLDEN=1 pytest tests/launch/test_golden.py`` writes them anew; read the difference.
"""

import os
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.hosts.allocation import find_allocation
from scoop_mpi.launch import start
from scoop_mpi.launch.command import PROLOG_SCRIPT, build
from scoop_mpi.launch.launchers import Choice, named_launcher
from scoop_mpi.launch.named import named_hosts
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.plan import is_local, make_plan
from scoop_mpi.process.world import STDIN_BY_LAUNCHER, STDIN_VARIABLE

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
RECORDED = HERE / "recorded"
CORES = 4
HOST_FILE = "/tmp/hosts"

CRAY = "MPI VERSION : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)"
LIBRARIES = {
    "mpich": ["MPICH Version: 5.0.2"],
    "openmpi": ["Open MPI v5.0.8"],
    "intelmpi": ["Intel(R) MPI Library 2021.10 for Linux* OS"],
    "srun": ["Open MPI v5.0.8", "MPICH Version: 5.0.2", CRAY],
    "flux": ["MPICH Version: 5.0.2"],
    "pals": [CRAY],
}
EXECUTABLES = {"srun": "/usr/bin/srun", "flux": "/usr/bin/flux"}

SCHEDULERS = ["none", "slurm_salloc", "slurm_sbatch", "torque_job", "sge_job", "lsf_job"]
LSF = {"LSB_JOBID": "7", "LSB_DJOB_HOSTFILE": "/home/user/hosts", "LSB_MCPU_HOSTS": "n1 2 n2 2"}
ENVIRON = {"PATH": "/opt/mpi/bin:/usr/bin", "HOME": "/home/user", "LANG": "C.UTF-8",
           "PYTHONPATH": "/home/user/lib", "OMP_PLACES": "cores"}

LINES = [
    "prog.py",
    "-n 1 prog.py arg 'with space'",
    "-n 2 --strict -v prog.py",
    "-n 11 -m package.module",
    "--hosts n1 n1 n2 -- prog.py",
    "-n 6 --hosts n1:2 n2 -- prog.py",
    "--hosts localhost localhost -- prog.py",
    "--hostfile hosts prog.py",
    "--path /home/user/work prog.py",
    "--prolog env.sh prog.py",
    "--hosts n2 --ssh-executable /usr/bin/oarsh prog.py",
    "--hosts n2 --rsh prog.py",
    "--mpi-args '-verbose --tag \"a b\"' prog.py",
    "--pythonpath /home/user/other prog.py",
    "--python-interpreter /opt/other/bin/python prog.py",
    "python -O -Werror -m scoop_mpi prog.py -x : =",
    "-n 2",
    "--hosts n2 n3 -- prog.py <input",  # the root is elsewhere
]
FLAGS = []
"""Those of the interpreter, at this moment."""
HOSTFILE = "n1 2\nn[2-3] # as many as it has cores\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One that is the same everywhere: its names, user, cores and folders."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename="node1"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "executable", "/opt/python/bin/python")
    monkeypatch.setattr(start, "interpreter_flags", lambda: list(FLAGS))
    monkeypatch.setattr(start.shutil, "which", lambda name: name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text(HOSTFILE)
    (tmp_path / "env.sh").write_text("module load mpi\n")
    return monkeypatch


def scheduler_environment(name):
    """(environment, function that reads the files it names) of a job."""
    if name == "none":
        return {}, None
    if name == "lsf_job":
        return LSF, lambda path: "n1\nn1\nn2\nn2\n"
    lines = (RECORDED / f"{name}.env").read_text().splitlines()
    text = "".join(path.read_text() for path in RECORDED.glob(f"{name}.*file"))
    return dict(line.split("=", 1) for line in lines), lambda path: text


def command_text(choice, line, environ, read):
    """What ``--dry-run`` would show; for a line with input, what would be run."""
    python, _, line = line.rpartition("-m scoop_mpi ")
    FLAGS[:] = python.split()[1:]
    words, _, stdin = line.partition(" <")
    options, settings, program = parse(shlex.split(words))
    named, source = named_hosts(options)
    plan = make_plan(
        options.n, named, source, find_allocation(environ, read), choice.launcher.schedulers,
        CORES, lambda names: dict.fromkeys(names, 8))
    arguments, variables = start.rank_arguments(settings, program)
    stdin_to = None
    if stdin and choice.launcher.stdin and not is_local(plan.host_of(1)):
        variables, stdin_to = {STDIN_VARIABLE: STDIN_BY_LAUNCHER}, 1
    request = start._request(options, arguments, variables, stdin_to)
    command = build(choice, plan, request, {**ENVIRON, **environ}, HOST_FILE)
    return start.describe(choice, plan, command, HOST_FILE)


def sections(name, machine):
    """The whole text for a launcher."""
    launcher = named_launcher(name)
    for library in LIBRARIES[name]:
        choice = Choice(launcher, EXECUTABLES.get(name, "/opt/mpi/bin/mpiexec"), library)
        for scheduler in SCHEDULERS:
            environ, read = scheduler_environment(scheduler)
            with machine.context() as patch:
                patch.delenv("SLURMD_NODENAME", raising=False)
                if "SLURMD_NODENAME" in environ:
                    patch.setenv("SLURMD_NODENAME", environ["SLURMD_NODENAME"])
                for line in LINES if library == LIBRARIES[name][0] else LINES[:1]:
                    try:
                        text = command_text(choice, line, environ, read)
                    except LaunchError as error:
                        text = f"scoop_mpi: {error}"
                    text = text.replace(os.getcwd(), "/home/user")
                    text = text.replace(PROLOG_SCRIPT, "/opt/scoop_mpi/launch/prolog.sh")
                    yield f"## {scheduler}: {line}\n\n{text}\n\n"


@pytest.mark.parametrize("name", LIBRARIES)
def test_golden(name, machine):
    about = f"The command lines of test_golden.py; hosts: {HOSTFILE!r}\n\n"
    text = about + "".join(sections(name, machine))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    # Compared piece by piece, so that a failure shows only what differs.
    assert text.split("\n## ") == path.read_text().split("\n## ")


def test_every_launcher_has_a_golden_file():
    launchers = {path.stem for path in (HERE.parent.parent / "launchers").glob("*.toml")}
    assert set(LIBRARIES) == launchers == {path.stem for path in GOLDEN.glob("*.txt")}
