"""Finding mpiexec, knowing which one it is, and its command line. None is started."""

import os
import signal
import sys

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.launch import mpiexec
from scoop_mpi.launch.mpiexec import Launcher, find_mpiexec, known_launchers, recognise
from scoop_mpi.launch.world import (
    ROOT_PID_VARIABLE, SIZE_VARIABLE, STDIN_VARIABLE, TERMINAL_VARIABLE,
)


@pytest.fixture
def script(tmp_path):
    """Makes an executable file."""
    def make(name, text):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)
    return make


def test_the_launchers_that_are_described():
    launchers = {launcher.name: launcher for launcher in known_launchers()}
    assert {"MPICH", "Open MPI"} <= set(launchers)
    for launcher in launchers.values():
        assert any("{ranks}" in part for part in launcher.ranks)
        assert launcher.recognised_by


@pytest.mark.parametrize("version, name", [
    ("HYDRA build details:\\n    Version: 5.0.2", "MPICH"),
    ("mpirun (Open MPI) 4.1.6", "Open MPI"),
    ("mpirun (Open MPI) 5.0.8\\nReport bugs", "Open MPI"),
])
def test_launchers_are_recognised(script, version, name):
    assert recognise(script("mpiexec", f"printf '{version}'")).name == name


def test_a_launcher_that_writes_to_standard_error(script):
    assert recognise(script("mpiexec", "echo 'HYDRA' >&2")).name == "MPICH"


def test_an_unknown_launcher(script):
    path = script("mpiexec", "echo Some other MPI")
    with pytest.raises(LaunchError, match="MPICH, Open MPI") as raised:
        recognise(path)
    assert path in str(raised.value)
    assert "python -m scoop_mpi program.py" in str(raised.value)


def test_a_launcher_that_does_not_run(tmp_path):
    with pytest.raises(LaunchError, match="does not run"):
        recognise(str(tmp_path / "absent"))


def test_mpiexec_beside_this_python_comes_first(script, tmp_path, monkeypatch):
    path = script("mpiexec", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    assert find_mpiexec() == path


@pytest.mark.parametrize("name", ["mpiexec", "mpirun"])
def test_mpiexec_on_the_path(script, tmp_path, monkeypatch, name):
    path = script(name, "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mpiexec() == path


def test_no_mpiexec(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="pip install"):
        find_mpiexec()


def test_the_command_line():
    launcher = Launcher("X", "x", ["--ranks={ranks}", "-v"], ["--first"])
    assert launcher.command("/bin/mpiexec", 9) == ["/bin/mpiexec", "--first", "--ranks=9", "-v"]


@pytest.mark.parametrize("user, variables", [
    (1000, {"A": "1", "B": "2"}), (0, {"A": "1", "B": "3", "C": "4"}),
])
def test_variables_of_the_environment(monkeypatch, user, variables):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    launcher = Launcher(
        "X", "x", [], [], {"A": "1", "B": "2"}, {"B": "3", "C": "4"}, {"EMBEDDED": "1"},
    )
    assert launcher.variables("/usr/bin/mpiexec") == variables
    embedded = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    assert launcher.variables(embedded) == {**variables, "EMBEDDED": "1"}


@pytest.fixture
def run(script, tmp_path, monkeypatch):
    """Runs a script in place of mpiexec; returns the exit code and what it wrote."""
    def run_it(text, **options):
        path = script("mpiexec", f"""
if [ "$1" = --version ]; then echo HYDRA; exit 0; fi
exec > {tmp_path}/out
printf '%s\\n' "$*"
echo "size ${SIZE_VARIABLE}"
{text}""")
        monkeypatch.setattr(mpiexec, "find_mpiexec", lambda: path)
        code = mpiexec.run_mpiexec(9, ["prog.py", "a b"], **options)
        return code, (tmp_path / "out").read_text().splitlines()
    monkeypatch.setattr(sys, "stdin", None)
    return run_it


def test_a_job_is_run(run):
    code, (arguments, size) = run("exit 0")
    assert code == 0
    assert arguments.endswith("-m scoop_mpi prog.py a b")
    assert " 9 " in arguments and sys.executable in arguments
    assert size == "size 9"


@pytest.mark.parametrize("ending, code", [("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137)])
def test_the_exit_code_of_the_job(run, ending, code):
    assert run(ending)[0] == code


def test_variables_that_the_user_has_set_stay(run, monkeypatch):
    monkeypatch.setattr(mpiexec, "recognise", lambda path: Launcher(
        "X", "x", ["-n", "{ranks}"], [], {"USER_SET": "ours", "NOT_SET": "ours"}))
    monkeypatch.setenv("USER_SET", "theirs")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert run('echo "$USER_SET $NOT_SET"')[1][-1] == "theirs ours"


# -- at a terminal ---------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    """Standard input is a terminal; lists what is done to its settings."""
    done = []
    monkeypatch.setattr(mpiexec.os, "ttyname", lambda descriptor: f"/dev/tty-{descriptor}")
    monkeypatch.setattr(mpiexec.termios, "tcgetattr", lambda descriptor: ["settings"])
    monkeypatch.setattr(mpiexec.termios, "tcsetattr",
                        lambda descriptor, when, settings: done.append((descriptor, settings)))
    return done


VARIABLES = f'echo "[${TERMINAL_VARIABLE}] [${ROOT_PID_VARIABLE}] [${STDIN_VARIABLE}]"'


def test_the_root_gets_the_terminal(run, terminal):
    code, (*_, line) = run(f"{VARIABLES}; exit 3", at_terminal=True)
    assert code == 3
    where, pid_file, pipe = line.split()
    assert where == "[/dev/tty-0]"
    assert pid_file.startswith("[/") and pid_file.endswith("/root]")
    assert not os.path.exists(os.path.dirname(pid_file[1:-1]))  # gone with the job
    assert pipe == "[]"
    assert terminal == [(0, ["settings"])]


def test_without_a_prompt_nobody_gets_the_terminal(run, terminal):
    assert run(VARIABLES)[1][-1] == "[] [] []"
    assert terminal == []


@pytest.fixture
def listening(monkeypatch, tmp_path):
    """Commands that wait until signals are passed on."""
    install, path = signal.signal, tmp_path / "listening"

    def note(number, handler):
        before = install(number, handler)
        if number == signal.SIGHUP:  # the last one
            path.touch()
        return before

    monkeypatch.setattr(mpiexec.signal, "signal", note)
    return f"until [ -e {path} ]; do sleep 0.01; done"


INTERRUPT = """
trap 'kill $waiting; exit 7' INT
{before}
kill -INT $PPID
sleep 20 & waiting=$!
wait
"""


def test_ctrl_c_at_a_prompt_goes_to_the_root(run, terminal, listening):
    # There may be many: the job is not over.
    before = f"echo $$ > ${ROOT_PID_VARIABLE}\n{listening}"
    code, _ = run(INTERRUPT.format(before=before), at_terminal=True)
    assert code == 7


@pytest.mark.parametrize("at_terminal", [False, True])
def test_ctrl_c_without_a_root_ends_the_job(run, terminal, listening, at_terminal):
    code, _ = run(INTERRUPT.format(before=listening), at_terminal=at_terminal)
    assert code == 130
