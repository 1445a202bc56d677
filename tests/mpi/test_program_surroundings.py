"""A program finds what plain ``python`` would give it, and its exit code gets out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launching import Finished

Run = Callable[..., Finished]

SIBLING = """
VALUE = 42

def double(x):
    return 2 * x
"""

SURROUNDINGS = '''"""The program's docstring."""
import inspect, json, os, sys, time
import sibling
from scoop_mpi import futures

def look(_=None):
    """What a task sees, wherever it runs."""
    time.sleep(0.05)
    return {
        "argv": sys.argv, "file": __file__, "path": sys.path[0], "cwd": os.getcwd(),
        "doc": __doc__, "package": __package__, "spec": __spec__ and __spec__.name,
        "sibling": sibling.__file__, "double": list(futures.map(sibling.double, [1, 2])),
        "source": inspect.getsource(look), "main": sys.modules["__main__"].__file__,
    }

if __name__ == "__main__":
    seen = list(futures.map(look, range(12)))
    assert all(one == seen[0] for one in seen), seen
    assert look() == seen[0], (look(), seen[0])
    print(json.dumps({**look(), "name": __name__}))
'''

WORLDS = [("mpirun", 1), ("mpirun", 2), ("mpirun", 3), ("self", 3)]


def seen(finished: Finished) -> dict[str, Any]:
    assert finished.returncode == 0, finished
    assert len(finished.lines) == 1, finished
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a program and its sibling, which is not the working directory."""
    folder = tmp_path / "an app"
    folder.mkdir()
    (folder / "program.py").write_text(SURROUNDINGS)
    (folder / "sibling.py").write_text(SIBLING)
    (folder / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("launcher, ranks", WORLDS)
def test_a_file_sees_what_it_sees_under_plain_python(
    run: Run, app: Path, tmp_path: Path, launcher: str, ranks: int
) -> None:
    args = ["an app/program.py", "one", "-n", "2", "", "two words", "--x=*"]
    plain = seen(run(*args, launcher="python"))
    assert plain["name"] == "__main__"
    assert plain["argv"] == args
    assert plain["path"] == str(app)
    assert plain["cwd"] == str(tmp_path)
    assert seen(run(*args, launcher=launcher, ranks=ranks)) == plain


def test_a_file_behind_a_link(run: Run, app: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").symlink_to(app / "program.py")
    plain = seen(run("bin/tool", launcher="python"))
    assert seen(run("bin/tool", ranks=3)) == plain


@pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 3), ("self", 3)])
def test_a_module_sees_what_it_sees_under_plain_python(
    run: Run, app: Path, tmp_path: Path, launcher: str, ranks: int
) -> None:
    package = app.rename(tmp_path / "package")
    relative = SURROUNDINGS.replace("import sibling", "from . import sibling")
    (package / "module.py").write_text(relative)
    args = ["-m", "package.module", "one", "-m", "two"]
    plain = seen(run(*args, launcher="python"))
    assert plain["package"] == "package"
    assert plain["argv"] == [str(package / "module.py"), *args[2:]]
    assert seen(run(*args, launcher=launcher, ranks=ranks)) == plain


def test_a_package_runs_its_main(run: Run, app: Path, tmp_path: Path) -> None:
    package = app.rename(tmp_path / "package")
    relative = SURROUNDINGS.replace("import sibling", "from . import sibling")
    (package / "__main__.py").write_text(relative)
    plain = seen(run("-m", "package", "one", launcher="python"))
    assert seen(run("-m", "package", "one", ranks=3)) == plain


WORK = """
import os, sys, time
from scoop_mpi import futures

def where(_):
    time.sleep(0.03)
    return os.getpid()

if __name__ == "__main__":
    print(len(set(futures.map(where, range(20)))), os.getpid())
    {end}
    print("not the end")
"""


@pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 3), ("self", 3)])
@pytest.mark.parametrize("end, code, text", [
    ("sys.exit()", 0, ""),
    ("sys.exit(3)", 3, ""),
    ("sys.exit('the reason')", 1, "the reason\n"),
    ("raise LookupError('the reason')", 1, "\nLookupError: the reason\n"),
    ("next(futures.map(None.nothing, [1]))", 1, "AttributeError: 'NoneType' object"),
])
def test_exit_code(
    run: Run, launcher: str, ranks: int, end: str, code: int, text: str
) -> None:
    finished = run(WORK.format(end=end), ranks=ranks, launcher=launcher)
    assert finished.returncode == code, finished
    assert finished.lines[0][1].split()[0] == str(max(1, ranks - 1)), finished
    assert len(finished.lines) == 1, finished
    raised = code == 1 and "sys.exit" not in end
    assert finished.stderr.count("Traceback (most recent call last)") == raised, finished
    if raised:
        assert finished.stderr.count(f"\n    {end}\n") == 1, finished
        assert "/scoop_mpi/" not in finished.stderr.replace("-m scoop_mpi", ""), finished
    if text:
        assert finished.stderr.count(text) == 1, finished


def test_normal_end_is_0_and_silent(run: Run) -> None:
    for launcher in ("mpirun", "self"):
        finished = run(WORK.format(end="print('here')"), launcher=launcher)
        assert finished.returncode == 0, finished
        assert [line for _, line in finished.lines[1:]] == ["here", "not the end"]
        assert finished.stderr == "", finished


def test_error_of_a_task_ends_the_program(run: Run) -> None:
    program = """
import time
from scoop_mpi import futures

def fail(x):
    time.sleep(0.05)
    raise LookupError(f"no {x // 100}")

if __name__ == "__main__":
    list(futures.map(fail, range(20)))
"""
    finished = run(program)
    assert finished.returncode == 1, finished
    assert finished.stderr.rstrip().count("\nLookupError: no 0") in (1, 2), finished
    assert "in fail" in finished.stderr, finished
    assert "list(futures.map(fail, range(20)))" in finished.stderr, finished


def test_uncaught_exception_while_others_work(run: Run) -> None:
    program = """
import time
from scoop_mpi import futures

if __name__ == "__main__":
    naps = [futures.submit(time.sleep, 100) for _ in range(4)]
    time.sleep(0.5)
    assert any(nap.running() for nap in naps)
    raise LookupError("the reason")
"""
    finished = run(program)
    assert finished.returncode == 1, finished
    assert finished.stderr.count("LookupError: the reason") == 1, finished
    assert finished.seconds < 20, finished


READS = """
import sys, time
from scoop_mpi import futures

def read(_):
    time.sleep(0.05)
    return sys.stdin.read()

if __name__ == "__main__":
    first = input()
    rest = sys.stdin.read()
    print(first, len(rest), rest[-5:].strip(), repr(sys.stdin.read()))
    print(set(futures.map(read, range(12))))
"""


@pytest.mark.parametrize("ranks", [2, 3])
def test_piped_input_reaches_the_root_and_ends(run: Run, ranks: int) -> None:
    text = "first line\n" + "x" * 1_000_000 + "\nlast\n"
    finished = run(READS, ranks=ranks, launcher="self", stdin=text)
    assert finished.returncode == 0, finished
    assert [line for _, line in finished.lines] == [
        f"first line {len(text) - 11} last ''", "{''}"], finished


def test_input_that_nobody_reads(run: Run) -> None:
    finished = run(WORK.format(end=""), launcher="self", stdin="x" * 1_000_000)
    assert finished.returncode == 0, finished


def test_no_input_under_mpirun_is_an_end_of_file(run: Run) -> None:
    program = "import sys\nif __name__ == '__main__':\n    print(repr(sys.stdin.read()))\n"
    finished = run(program)
    assert (finished.returncode, finished.stdout) == (0, "''\n"), finished


def test_default_number_of_workers(run: Run) -> None:
    program = """
import scoop_mpi
if __name__ == "__main__":
    print(scoop_mpi.SIZE)
"""
    finished = run(program, ranks=None, launcher="self")
    assert (finished.returncode, finished.stdout) == (
        0, f"{len(os.sched_getaffinity(0))}\n"), finished
