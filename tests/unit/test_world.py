"""What the launcher's environment says about the job."""

import os
import pty
from pathlib import Path

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.process.world import (
    ROOT_PID_VARIABLE, SIZE_VARIABLE, STDIN_BY_LAUNCHER, STDIN_VARIABLE, TERMINAL_VARIABLE,
    announce_root, check_size, forget_launcher, in_interactive_step, is_first_of_host, is_inherited,
    launched_rank, launched_size, take_stdin, told,
)

RECORDED = Path(__file__).resolve().parent.parent / "launch" / "recorded"


def recorded(name):
    """An environment of a real job or rank."""
    lines = (RECORDED / f"{name}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


LAUNCHERS = {
    "MPICH": ("PMI_RANK", "PMI_SIZE"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "srun": ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
    "MVAPICH2": ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    "jsrun": ("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),
}


@pytest.mark.parametrize("rank, size", LAUNCHERS.values(), ids=LAUNCHERS)
def test_every_launcher_is_known(rank, size):
    environ = {rank: "3", size: "8"}
    assert launched_rank(environ) == 3
    assert launched_size(environ) == 8


def test_a_shell_is_no_launcher():
    assert launched_rank({"PATH": "/bin"}) is None
    assert launched_size({"PATH": "/bin"}) is None


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", " "])
def test_values_that_are_no_numbers(value):
    assert launched_rank({"PMI_RANK": value}) is None
    assert launched_size({"PMI_SIZE": value}) is None


def test_a_slurm_allocation_is_no_launcher():
    assert launched_rank({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}) is None


def test_a_rank_whose_launcher_does_not_say_the_size():
    assert launched_rank({"PMIX_RANK": "2"}) == 2
    assert launched_size({"PMIX_RANK": "2"}) is None


# -- recorded on real systems ------------------------------------------------


@pytest.mark.parametrize("name, rank, size", [
    ("mpich_rank1", 1, 2),
    ("openmpi_rank1", 1, 2),
    ("slurm_srun_pmi2_rank1", 1, 3),
    ("slurm_srun_pmix_rank1", 1, 3),
    ("slurm_srun_none_rank1", 1, 3),
    ("slurm_srun_pty", None, 1),
    ("slurm_sbatch", None, None),
    ("slurm_sbatch_nodes_only", None, None),
    ("slurm_salloc", None, None),
    ("sge_job", None, None),
    ("torque_job", None, None),
])
def test_recorded_environments(name, rank, size):
    environ = recorded(name)
    assert launched_rank(environ) == rank
    assert launched_size(environ) == size
    assert in_interactive_step(environ) == (name == "slurm_srun_pty")


@pytest.mark.parametrize("name, text", [
    ("mpich_rank1", "mpiexec belongs to another MPI than the library that mpi4py loads"),
    ("openmpi_rank1", "Use the launcher of that library"),
    ("slurm_srun_pmi2_rank1", "srun --mpi=pmi2 speaks another PMI than the library"),
    ("slurm_srun_pmix_rank1", "srun --mpi=pmix speaks another PMI"),
    ("slurm_srun_none_rank1", "srun speaks another PMI than the library"),
])
def test_worlds_of_one_rank(name, text):
    environ = recorded(name)
    rank_names = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
    with pytest.raises(LaunchError) as second:
        check_size(1, environ)
    assert (str(second.value), second.value.exit_code) == ("", 1)
    first = {**environ, **{name: "0" for name in rank_names if name in environ}}
    with pytest.raises(LaunchError, match=text) as raised:
        check_size(1, first)
    assert raised.value.exit_code == 1
    assert ("srun --mpi=pmix for Open MPI" in str(raised.value)) == ("srun" in name)


def test_a_mpiexec_in_a_shell_of_slurm_starts_ranks():
    shell = recorded("slurm_srun_pty")
    assert launched_rank({**shell, **recorded("mpich_rank1")}) == 1
    assert launched_rank({**shell, **recorded("openmpi_rank1")}) == 1
    assert launched_rank({**shell, SIZE_VARIABLE: "3", "PMI_RANK": "2"}) == 2


def test_an_interactive_salloc():
    # LaunchParameters=use_interactive_step
    shell = {**recorded("slurm_srun_pty"), "SLURM_STEP_ID": "4294967290"}
    del shell["SLURM_PTY_PORT"]
    assert in_interactive_step(shell)
    assert launched_rank(shell) is None
    assert not in_interactive_step({**shell, "SLURM_STEP_ID": "0"})


@pytest.mark.parametrize("environ, first", [
    ({}, True), ({"MPI_LOCALRANKID": "0"}, True), ({"MPI_LOCALRANKID": "1"}, False),
    ({"OMPI_COMM_WORLD_LOCAL_RANK": "2"}, False), ({"SLURM_LOCALID": "0"}, True),
    # mpiexec in a batch script, whose own SLURM_LOCALID is 0.
    ({"MPI_LOCALRANKID": "1", "SLURM_LOCALID": "0"}, False),
])
def test_who_speaks_for_a_host(environ, first):
    assert is_first_of_host(environ) is first


# -- sizes -----------------------------------------------------------------


def test_our_own_launcher_is_believed_first():
    assert launched_size({"PMI_SIZE": "1", SIZE_VARIABLE: "4"}) == 4


@pytest.mark.parametrize("environ, mpi_size", [
    ({}, 1), ({}, 8), ({"PMI_RANK": "2", "PMI_SIZE": "8"}, 8), ({SIZE_VARIABLE: "3"}, 3),
    ({"PMIX_RANK": "0"}, 5), ({"PMI_RANK": "0", "PMI_SIZE": "4"}, 8),
])
def test_sizes_that_agree_or_cannot_be_told(environ, mpi_size):
    check_size(mpi_size, environ)


@pytest.mark.parametrize("environ, mpi_size", [
    ({"PMI_RANK": "0", "PMI_SIZE": "4"}, 1),
    ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, 1),
    ({SIZE_VARIABLE: "4"}, 1),
    ({SIZE_VARIABLE: "4", "PMI_RANK": "0"}, 2),
])
def test_sizes_that_do_not_agree(environ, mpi_size):
    with pytest.raises(LaunchError, match="4 ranks") as raised:
        check_size(mpi_size, environ)
    assert f"world of {mpi_size}" in str(raised.value)
    assert raised.value.exit_code == 1


def test_only_the_first_rank_complains():
    for rank in ("1", "2", "3"):
        with pytest.raises(LaunchError) as raised:
            check_size(1, {"PMI_RANK": rank, "PMI_SIZE": "4"})
        assert str(raised.value) == ""
        assert raised.value.exit_code == 1


def test_the_root_reads_what_was_piped(run_python, tmp_path):
    piped = tmp_path / "input.txt"
    piped.write_text("first\nsecond\n")
    done = run_python(
        "import sys\nfrom scoop_mpi.process.world import take_stdin\n"
        f"take_stdin({{{STDIN_VARIABLE!r}: {str(piped)!r}}})\n"
        "print([input(), sys.stdin.read(), sys.stdin.fileno()])\n"
    )
    assert (done.stdout, done.stderr) == ("['first', 'second\\n', 0]\n", "")


@pytest.mark.parametrize("environ", [{}, {STDIN_VARIABLE: ""}, {STDIN_VARIABLE: "/not/there"}])
def test_nothing_was_piped(run_python, environ):
    done = run_python(
        "import sys\nfrom scoop_mpi.process.world import take_stdin\n"
        f"before = sys.stdin\ntake_stdin({environ!r})\nprint(sys.stdin is before)\n"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_root_that_mpich_does_not_feed_reads_nothing(run_python):
    done = run_python(
        "import sys\nfrom scoop_mpi.process.world import take_stdin\n"
        "before = sys.stdin\ntake_stdin({'MPI_LOCALNRANKS': '2'})\n"
        "print(sys.stdin is before, repr(sys.stdin.read()))\n"
    )
    assert (done.stdout, done.stderr) == ("False ''\n", "")


def test_a_root_that_its_launcher_feeds(run_python):
    done = run_python(
        "import sys\nfrom scoop_mpi.process.world import take_stdin\n"
        f"before = sys.stdin\ntake_stdin({{{STDIN_VARIABLE!r}: {STDIN_BY_LAUNCHER!r}}})\n"
        "print(sys.stdin is before)\n"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_others_read_nothing(run_python):
    done = run_python(
        "import os, sys\nfrom scoop_mpi.process.world import leave_stdin\n"
        "leave_stdin()\nprint(repr(sys.stdin.read()), os.read(0, 1))\n"
    )
    assert (done.stdout, done.stderr) == ("'' b''\n", "")


# -- the terminal of a prompt ----------------------------------------------


@pytest.fixture
def terminal():
    """A terminal: the descriptor of its user's side, and its path."""
    user, program = pty.openpty()
    yield user, os.ttyname(program)
    os.close(user)
    os.close(program)


def test_the_root_talks_with_the_terminal(run_python, tmp_path, terminal):
    user, path = terminal
    pid_file = tmp_path / "root"
    os.write(user, b"typed\n")
    done = run_python(
        "import os, sys\nfrom scoop_mpi.process.world import announce_root, take_stdin\n"
        f"environ = {{{TERMINAL_VARIABLE!r}: {path!r}, {ROOT_PID_VARIABLE!r}: "
        f"{str(pid_file)!r}}}\n"
        "announce_root(environ)\ntake_stdin(environ)\n"
        "print('read', input(), [sys.stdin.isatty(), os.isatty(1), os.isatty(2)], os.getpid())\n"
        "print('error', file=sys.stderr)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    seen = os.read(user, 10_000).decode().replace("\r\n", "\n")
    assert f"read typed [True, True, True] {pid_file.read_text()}\n" in seen
    assert "error\n" in seen


@pytest.mark.parametrize("path, pid_file", [("absent", "root"), ("there", "absent/root")])
def test_a_terminal_that_is_out_of_reach(tmp_path, path, pid_file):
    # The root may be on another host.
    (tmp_path / "there").touch()
    path = str(tmp_path / path)
    environ = {TERMINAL_VARIABLE: path, ROOT_PID_VARIABLE: str(tmp_path / pid_file)}
    with pytest.raises(LaunchError, match="cannot open") as raised:
        take_stdin(environ)
    assert path in str(raised.value)
    assert os.uname().nodename in str(raised.value)


# -- what a rank's children are told -----------------------------------------


@pytest.fixture
def environ_of(monkeypatch):
    """Makes a recorded environment that of this process, for a while."""
    def environ_of(name):
        for variable in list(os.environ):
            if variable.startswith(("PMI", "OMPI", "PRTE", "MPI_", "SLURM_", "SCOOP_MPI_")):
                monkeypatch.delenv(variable)
        for variable, value in recorded(name).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("SCOOP_MPI_RANK", "")
    monkeypatch.setattr("scoop_mpi.process.world._told", {})
    return environ_of


SETTINGS = {"OMPI_MCA_btl": "^ofi", "PMIX_MCA_psec": "native", "PRTE_MCA_x": "1",
            "MPICH_ASYNC_PROGRESS": "1", "UCX_TLS": "tcp", "HYDRA_IFACE": "eth0"}


@pytest.mark.parametrize("name, inherited", [
    ("mpich_rank1", False), ("openmpi_rank1", False), ("slurm_srun_pmi2_rank1", True),
    ("slurm_srun_pmix_rank1", True),
])
def test_children_of_a_rank_are_no_ranks(environ_of, monkeypatch, name, inherited):
    environ_of(name)
    for variable, value in SETTINGS.items():
        monkeypatch.setenv(variable, value)
    before = dict(os.environ)
    forget_launcher()
    child = {**os.environ}
    assert SETTINGS.items() <= child.items()
    lost = before.keys() - child.keys()
    assert lost and all(told(variable) == before[variable] for variable in lost)
    assert {"PATH"} <= child.keys() and not any(one.startswith("SLURM_") for one in lost)
    # Where it is on its host: programs choose a GPU by it.
    assert any(one in child for one in
               ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"))
    # SLURM's variables stay, so they are known to be another process's.
    assert (launched_rank(child) is not None) == inherited
    assert not is_inherited(child)  # this process is the rank
    pid, _, mark = child["SCOOP_MPI_RANK"].partition(" ")
    assert is_inherited({**child, "SCOOP_MPI_RANK": f"{int(pid) + 1} {mark}"})
    # A launcher that the child starts tells its ranks something else.
    inner = {**child, "SCOOP_MPI_RANK": f"{int(pid) + 1} {mark}", "PMI_RANK": "0", "PMIX_RANK": "0"}
    assert not is_inherited({**inner, "OMPI_COMM_WORLD_RANK": "0", "SLURM_STEP_ID": "9"})


def test_what_the_launcher_listens_to_is_not_inherited(environ_of, monkeypatch):
    environ_of("mpich_rank1")
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)
    monkeypatch.setenv("PMI_FD", str(writes))
    forget_launcher()
    assert not os.get_inheritable(writes)
    os.close(reads)
    os.close(writes)


def test_the_root_tells_where_it_can_be_interrupted(tmp_path):
    announce_root({})
    announce_root({ROOT_PID_VARIABLE: str(tmp_path / "elsewhere" / "root")})  # another host's
    announce_root({ROOT_PID_VARIABLE: str(tmp_path / "root")})
    assert (tmp_path / "root").read_text() == str(os.getpid())
    assert os.listdir(tmp_path) == ["root"]
