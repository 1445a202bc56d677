"""Which MPI library mpi4py loads, for a choice among launchers."""

import sys

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.launch.launchers import known_launchers
from scoop_mpi.process import library
from scoop_mpi.process.library import loaded_library


@pytest.mark.parametrize("text, first", [
    ("MPICH Version:      5.0.2\nMPICH Release date: today\n\0", "MPICH Version: 5.0.2"),
    ("Open MPI v5.0.8, package: Open MPI x Distribution, ident: 5.0.8\0", "Open MPI v5.0.8"),
    ("Intel(R) MPI Library 2021.10 for Linux* OS\n\0",
     "Intel(R) MPI Library 2021.10 for Linux* OS"),
    ("MVAPICH2 Version      :\t2.3.7\nMVAPICH2 Release date", "MVAPICH2 Version : 2.3.7"),
    ("MPI VERSION    : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)\nMPI BUILD INFO",
     "MPI VERSION : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)"),
    ("", ""),
])
def test_the_first_words_of_a_librarys_version(monkeypatch, text, first):
    monkeypatch.setattr(library, "_here", lambda: text)
    assert loaded_library() == first
    if first:
        # Every library that the launchers are written for is one of theirs.
        assert any(one.options_for(loaded_library()) is not None for one in known_launchers())


@pytest.mark.parametrize("error", [ImportError("no module"), RuntimeError("cannot load MPI")])
def test_no_library(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(library, "_here", fail)
    with pytest.raises(LaunchError, match=f"cannot load an MPI library: {error}\n") as raised:
        loaded_library()
    assert "pip install mpich" in str(raised.value)


@pytest.fixture
def python(tmp_path):
    """Another interpreter: a script."""
    def make(text):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)
    return make


def test_another_interpreter_is_asked(python):
    assert loaded_library(python("echo MPICH Version: 4.3")) == "MPICH Version: 4.3"


def test_an_interpreter_without_mpi4py(python):
    path = python("echo 'Traceback' >&2; echo 'ModuleNotFoundError: mpi4py' >&2; exit 1")
    with pytest.raises(LaunchError, match=f"{path}: ModuleNotFoundError: mpi4py\nInstall one"):
        loaded_library(path)


@pytest.mark.parametrize("text, cause", [("exit 7", "exit code 7"), ("echo >&2; exit 7",
                                                                    "exit code 7")])
def test_an_interpreter_that_fails_in_silence(python, text, cause):
    with pytest.raises(LaunchError, match=cause):
        loaded_library(python(text))


def test_an_interpreter_that_is_not_there(tmp_path):
    path = str(tmp_path / "absent")
    with pytest.raises(LaunchError, match=f"--python-interpreter {path} does not run"):
        loaded_library(path)


def test_an_interpreter_that_does_not_answer(python):
    with pytest.raises(LaunchError, match="does not run"):
        loaded_library(python("exec sleep 20"), limit_s=0.1)


def test_what_is_asked_is_python():
    compile(library._ASK, "ask", "exec")
    assert sys.executable == library.loaded_library.__defaults__[0]
