"""What a rank arranges for itself: prolog, directory, niceness, paths, threads."""

import os
import signal
import sys

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.process import surroundings
from scoop_mpi.process.surroundings import (
    THREAD_VARIABLES, enter, fair_threads, hear_interrupts, prolog_is_due, run_prolog, set_home,
    set_nice, set_pythonpath, set_threads,
)


def test_this_command_starts_again_behind_a_prolog(monkeypatch):
    started = []
    monkeypatch.setattr(surroundings.os, "execve", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-u", "-m", "scoop_mpi", "prog.py"])
    environ = {"A": "1"}
    run_prolog(["/bin/bash", "-c", "x"], environ)
    [(path, command, second)] = started
    assert path == "/bin/bash"
    assert command == ["/bin/bash", "-c", "x", sys.executable, "-u", "-m", "scoop_mpi", "prog.py"]
    # In its second life it is not due, and leaves no trace for the program's children.
    assert prolog_is_due(environ) and not prolog_is_due(second)
    assert second == environ == {"A": "1"}


def test_a_prolog_for_real(run_python, tmp_path):
    prolog = tmp_path / "prolog.sh"
    prolog.write_text("export SET_BY_PROLOG=yes")
    done = run_python(
        "import os, sys\nfrom scoop_mpi.launch.command import prolog_command\n"
        "from scoop_mpi.process.surroundings import prolog_is_due, run_prolog\n"
        f"if prolog_is_due(): run_prolog(prolog_command({str(prolog)!r}))\n"
        "print(os.environ['SET_BY_PROLOG'], sys.flags.utf8_mode, 'SCOOP_MPI_PROLOG_DONE' in "
        "os.environ)\n", "-X", "utf8")
    assert (done.stdout, done.stderr) == ("yes 1 False\n", "")


def test_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    enter(str(tmp_path))
    assert os.getcwd() == str(tmp_path)


@pytest.mark.parametrize("name", ["absent", "file"])
def test_a_directory_that_cannot_be_entered(tmp_path, name):
    (tmp_path / "file").touch()
    path = str(tmp_path / name)
    with pytest.raises(LaunchError, match=f"--path {path}: .* on {os.uname().nodename}"):
        enter(path)


def test_paths_for_modules(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", ["program", "/old", "/lib"])
    monkeypatch.chdir(tmp_path)
    environ = {"PYTHONPATH": f"/old{os.pathsep}"}
    set_pythonpath(f"/a{os.pathsep}b", environ)
    assert environ == {"PYTHONPATH": f"/a{os.pathsep}b"}
    assert sys.path == ["program", "/a", str(tmp_path / "b"), "/lib"]


def test_no_paths_for_modules(monkeypatch):
    monkeypatch.setattr(sys, "path", ["program", "/old", "/lib"])
    environ = {"PYTHONPATH": "/old"}
    set_pythonpath("", environ)
    assert sys.path == ["program", "/lib"]
    assert environ == {"PYTHONPATH": ""}


def test_niceness(run_python):
    level = os.nice(0)
    done = run_python("import os\nfrom scoop_mpi.process.surroundings import set_nice\n"
                      f"set_nice({min(19, level + 3)})\nset_nice({min(19, level + 3)})\n"
                      "print(os.nice(0))\n")
    assert (done.stdout, done.stderr) == (f"{min(19, level + 3)}\n", "")


def test_niceness_that_is_not_allowed(monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(surroundings.os, "setpriority", refuse)
    with pytest.raises(LaunchError, match="--nice -5: Permission denied on .*; only root"):
        set_nice(-5)


def test_threads_unless_the_user_has_said():
    environ = {"MKL_NUM_THREADS": "7"}
    set_threads(3, environ)
    assert environ == {**dict.fromkeys(THREAD_VARIABLES, "3"), "MKL_NUM_THREADS": "7"}
    assert "OMP_NUM_THREADS" in environ


@pytest.mark.parametrize("mine, neighbours, threads", [
    ("0123", ["0123"], 4),
    ("0123", ["0123", "0123"], 2),
    ("0123", ["0123"] * 3, 1),
    ("0123", ["0123"] * 9, 1),
    ("01", ["01", "23"], 2),  # bound to cores of their own
    ("01", ["01", "12", "3"], 1),
    ("0", ["0"], 1),
    ("01", [], 2),
])
def test_a_fair_share_of_the_cores(mine, neighbours, threads):
    assert fair_threads(frozenset(mine), [frozenset(cores) for cores in neighbours]) == threads


def test_a_home_for_who_has_none(monkeypatch):
    environ = {}
    set_home(environ)
    assert environ["HOME"] == os.path.expanduser(f"~{surroundings.pwd.getpwuid(os.getuid())[0]}")
    monkeypatch.setattr(surroundings.os, "getuid", lambda: 987_654)  # no entry
    environ = {}
    set_home(environ)
    assert environ == {"HOME": "/"}
    environ = {"HOME": ""}  # set, if to nothing
    set_home(environ)
    assert environ == {"HOME": ""}


@pytest.fixture
def held_back():
    """SIGINT is held back, as from a rank's first instruction on."""
    before = signal.getsignal(signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    yield
    signal.signal(signal.SIGINT, before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def test_an_interrupt_that_came_before_is_told_and_not_delivered(held_back):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)  # this thread alone: others do not hold it back
    assert hear_interrupts()
    assert not hear_interrupts()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_is_ignored_has_not_come(held_back):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
    assert not hear_interrupts()
