"""In a job, ``import scoop`` means this package, on every rank; elsewhere it does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import given
import pytest
from launching import PACKAGE_FOLDER, Finished

Run = Callable[..., Finished]

IMPORTS_FUTURES = """
from scoop import futures

if __name__ == "__main__":
    print(list(futures.map(abs, [-1, -2])))
"""
TELLS_WHOSE = """
import scoop

if __name__ == "__main__":
    print(scoop.__file__)
"""


@pytest.fixture
def original(tmp_path: Path) -> dict[str, str]:
    """An environment in which a SCOOP is installed, before us; importing it raises."""
    package = tmp_path / "installed" / "scoop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('raise ImportError("the original was imported")\n')
    return {"PYTHONPATH": os.pathsep.join([str(package.parent), PACKAGE_FOLDER])}


def printed(finished: Finished) -> str:
    assert finished.returncode == 0, finished
    return finished.stdout.strip()


# -- names and module constants --------------------------------------------

WAYS = ["a file", "a module", "a module in a package"]


def arguments(way: str, tmp_path: Path) -> list[str]:
    if way == "a file":
        return [str(given.PROGRAMS / "names.py")]
    for name in ("names.py", "helper_of_names.py"):
        (tmp_path / name).write_text((given.PROGRAMS / name).read_text())
    if way == "a module":
        return ["-m", "names"]
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import scoop.futures\n")
    (tmp_path / "names.py").rename(package / "names.py")
    return ["-m", "package.names"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 4), ("self", 3)])
@pytest.mark.parametrize("installed", [False, True])
def test_names_and_constants(
    run: Run, tmp_path: Path, original: dict[str, str], way: str, launcher: str, ranks: int,
    installed: bool,
) -> None:
    args = arguments(way, tmp_path)
    found = json.loads(printed(run(
        *args, ranks=ranks, launcher=launcher, env=original if installed else None,
    )))
    root, seen = found["root"], found["all"]
    workers = max(1, ranks - 1)
    names = [one["worker"] for one in seen]
    assert len(seen) == workers
    assert sorted(names) == [f"worker-{number + 1}" for number in range(workers)]
    assert root["worker"] == "worker-1" and root["origin"]
    assert [one["worker"] for one in seen if one["origin"]] == ["worker-1"]
    for one in seen:
        assert one["running"] and not one["stopping"] and not one["debug"]
        assert one["size"] == workers
        assert one["pair"] == [one["worker"], root["pair"][1]]
        assert one["broker"] == root["broker"]
        assert one["main"] == args[-1]
        assert one["cwd"] == str(tmp_path)
        assert one["configuration"]["headless"] is False
        at_import = {name: one[name] for name in ("origin", "worker", "size")}
        assert one["at_import"] == one["helper"] == at_import
        assert one["from_import"] == [one["origin"], workers, one["pair"], one["broker"]]
    assert root["fields"] == ["hostname", "task_port", "info_port", "externalHostname"]
    assert root["broker"] == [os.uname().nodename, 0, 0, os.uname().nodename]


# -- the original beside us ------------------------------------------------


def with_options(tmp_path: Path, text: str, *options: str) -> list[str]:
    (tmp_path / "program.py").write_text(text)
    return [*options, str(tmp_path / "program.py")]


@pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 3), ("self", 3)])
def test_the_alias_can_be_switched_off(
    run: Run, tmp_path: Path, original: dict[str, str], launcher: str, ranks: int
) -> None:
    args = with_options(tmp_path, IMPORTS_FUTURES, "--no-scoop-alias")
    finished = run(*args, launcher=launcher, ranks=ranks, env=original)
    assert finished.returncode == 1, finished
    assert "ImportError: the original was imported" in finished.stderr, finished
    assert finished.stderr.count("Traceback") == 1, finished


def test_switched_off_the_original_is_what_it_is(
    run: Run, tmp_path: Path, original: dict[str, str]
) -> None:
    package = tmp_path / "installed" / "scoop" / "__init__.py"
    package.write_text("")
    args = with_options(tmp_path, TELLS_WHOSE, "--no-scoop-alias")
    assert printed(run(*args, env=original)) == str(package)
    args = with_options(tmp_path, TELLS_WHOSE)
    assert Path(printed(run(*args, env=original))).parent == Path(PACKAGE_FOLDER, "scoop_mpi")


@pytest.mark.parametrize("launcher, ranks", [("mpirun", 1), ("mpirun", 3), ("self", 3)])
def test_switched_off_without_any_scoop(
    run: Run, tmp_path: Path, launcher: str, ranks: int
) -> None:
    args = with_options(tmp_path, IMPORTS_FUTURES, "--no-scoop-alias")
    finished = run(*args, launcher=launcher, ranks=ranks)
    assert finished.returncode == 1, finished
    assert finished.stderr.count("ModuleNotFoundError: No module named 'scoop'") == 1, finished


def test_a_module_that_scoop_mpi_does_not_have(run: Run) -> None:
    finished = run("import scoop\nimport scoop.nonsense\n")
    assert finished.returncode == 1, finished
    assert "ModuleNotFoundError: No module named 'scoop.nonsense'" in finished.stderr, finished


def test_plain_python_is_not_touched(run: Run, original: dict[str, str]) -> None:
    finished = run(IMPORTS_FUTURES, launcher="python", env=original)
    assert finished.returncode == 1, finished
    assert "ImportError: the original was imported" in finished.stderr, finished
    finished = run(f"import scoop_mpi.futures, scoop_mpi.shared\n{IMPORTS_FUTURES}",
                   launcher="python")
    assert "ModuleNotFoundError: No module named 'scoop'" in finished.stderr, finished


def test_processes_that_the_program_starts_are_not_touched(run: Run) -> None:
    program = """
import subprocess, sys

if __name__ == "__main__":
    child = subprocess.run([sys.executable, "-c", "import scoop"], stderr=subprocess.PIPE)
    print(child.stderr.decode().splitlines()[-1])
"""
    assert printed(run(program)) == "ModuleNotFoundError: No module named 'scoop'"


# -- the logger ------------------------------------------------------------

LOGS = """
import logging
import sys
import time
import scoop
from scoop import futures

def chat(number):
    for line in range(20):
        scoop.logger.warning("w%d %s", number, "x" * 200)
    scoop.logger.error("e%d", number)
    scoop.logger.warn("old spelling %d", number)
    scoop.logger.info("i%d", number)
    scoop.logger.debug("d%d", number)
    time.sleep(0.01)

if __name__ == "__main__":
    list(futures.map(chat, range(40)))
    logging.getLogger("of the program").warning("plain %s", logging.getLogger().handlers)
"""
LINE = re.compile(r"\[(.*?)\] (worker-\d+) (\w+) +(\w+) +(.*)")
AMOUNTS = {"ERROR": 40, "WARNING": 21 * 40, "INFO": 40, "DEBUG": 40}
LEVELS = {"-q": 1, "": 2, "-v": 3, "-vv": 4}
OUR_LINES = {"-q": 0, "": 0, "-v": 5, "-vv": 10}
"""Lines that the five workers themselves log: where they are, at the end what they did."""


@pytest.mark.parametrize("option", LEVELS)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_of_the_logger(run: Run, tmp_path: Path, option: str, unbuffered: str) -> None:
    args = with_options(tmp_path, LOGS, *filter(None, [option]))
    finished = run(*args, ranks=6, env={"PYTHONUNBUFFERED": unbuffered})
    assert finished.returncode == 0, finished
    lines = finished.stderr.splitlines()
    own = "plain []"
    assert lines.count(own) == 1, finished
    counts = dict.fromkeys(list(AMOUNTS)[:LEVELS[option]], 0)
    workers, our_lines = set(), 0
    for line in lines:
        if line == own:
            continue
        match = LINE.fullmatch(line)
        assert match, line
        _, worker, module, level, text = match.groups()
        if module in ("rank", "worker_rank"):
            our_lines += 1
            continue
        assert module == "program"
        assert re.fullmatch(r"w\d+ x{200}|[eid]\d+|old spelling \d+", text), line
        counts[level] += 1
        workers.add(worker)
    assert counts == {level: AMOUNTS[level] for level in counts}
    assert len(workers) > 1
    assert our_lines == OUR_LINES[option]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_printed_lines_do_not_mix(run: Run, unbuffered: str) -> None:
    program = """
import time
from scoop import futures

def chat(number):
    for line in range(20):
        print("line", line, "of", number)
    time.sleep(0.01)

if __name__ == "__main__":
    list(futures.map(chat, range(100)))
"""
    finished = run(program, ranks=5, env={"PYTHONUNBUFFERED": unbuffered})
    expected = sorted(f"line {line} of {number}" for number in range(100) for line in range(20))
    assert sorted(printed(finished).splitlines()) == expected


# -- what programs take from inside SCOOP ----------------------------------

INSIDE = """
import sys, time
from scoop import futures

def double(x, plus=0):
    time.sleep(0.01 * (x % 3))
    return 2 * x + plus

def fail(x):
    raise ValueError(x)

def main(count, plus=0):
    tasks = futures._mapFuture(double, range(count), [plus] * count)
    assert futures._joinAll(*tasks) == [2 * x + plus for x in range(count)]
    tasks = [futures.submit(double, x) for x in range(count)]
    assert [one.result() for one in futures._waitAll(*tasks)] == [2 * x for x in range(count)]
    tasks = [futures.submit(double, x) for x in range(count)]
    assert set(futures._waitAny(*tasks)) == set(tasks)
    assert futures._join(futures.submit(double, 5, plus=1)) == 11
    for wait in (futures._join, futures._joinAll, lambda one: list(futures._waitAny(one)),
                 lambda one: list(futures._waitAll(one))):
        try:
            wait(futures.submit(fail, "as it should"))
        except ValueError as error:
            assert error.args == ("as it should",)
        else:
            raise AssertionError(wait)
    return count + plus

if __name__ == "__main__":
    assert futures._startup(main, 10, plus=3) == 13
    # Also in tasks, on every worker.
    assert list(futures.map(main, range(2, 12))) == list(range(2, 12))
    try:
        futures._startup(fail, 7)
    except ValueError as error:
        print("all right", error)
"""


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_verbs_with_an_underscore(run: Run, ranks: int) -> None:
    assert printed(run(INSIDE, ranks=ranks)) == "all right 7"


STARTUP = """
from scoop import futures

def add(x, y):
    return x + y

def main(*args, **kwargs):
    results = list(futures.map(add, range(8), range(8)))
    launches = [futures.submit(add, i, i) for i in range(10)]
    results += sorted(i.result() for i in futures.as_completed(launches))
    print(results == [2 * i for i in [*range(8), *range(10)]], args, kwargs)

futures.startup(main{arguments})
"""


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_programs_of_scoop_0_5(run: Run, ranks: int) -> None:
    """SCOOP 0.5's manual: no main guard, ``futures.startup`` in its place."""
    assert printed(run(STARTUP.format(arguments=""), ranks=ranks)) == "True () {}"
    program = STARTUP.format(arguments=", 1, two=2")
    assert printed(run(program, ranks=ranks)) == "True (1,) {'two': 2}"


# -- habits of programs ----------------------------------------------------

KEYWORDS = """
import operator
from scoop import futures

def power(base, exponent=2):
    return base ** exponent

if __name__ == "__main__":
    print(list(futures.map(power, [1, 2, 3], exponent=3)))
    print(sorted(futures.map_as_completed(power, [1, 2, 3], exponent=3)))
    print(futures.mapReduce(power, operator.add, [1, 2, 3], exponent=3))
    print(futures.mapScan(power, operator.add, [1, 2, 3], exponent=3))
"""


def test_keyword_arguments_of_maps(run: Run) -> None:
    """SCOOP takes any; its example tree_traversal.py and others give some."""
    lines = printed(run(KEYWORDS)).splitlines()
    assert lines == ["[1, 8, 27]", "[1, 8, 27]", "36", "[1, 9, 36]"]


PICKLED = """
import os, time
from scoop import futures

class State:
    busy = False

def work(state):
    arrived_in_the_midst = state.busy
    state.busy = True
    time.sleep(0.05)
    state.busy = False
    return arrived_in_the_midst, os.getpid()

if __name__ == "__main__":
    state = State()
    found = list(futures.map(work, [state] * 40))
    print(any(midst for midst, _ in found), len({pid for _, pid in found}) > 1)
"""


def test_strict_keeps_arguments_from_being_seen_half_changed(
    run: Run, tmp_path: Path
) -> None:
    """What a task does to its argument for its own time is not seen by other tasks.

    Without --strict the object may be pickled for another worker meanwhile. Programs
    that change an argument and put it back (pypet's locks do) need this option.
    """
    (tmp_path / "state.py").write_text(PICKLED)
    assert printed(run("--strict", "state.py")) == "False True"


def test_the_tests_run_without_an_original() -> None:
    """Tests above say what happens where no SCOOP is installed: so here is none."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found: Any = subprocess.run([sys.executable, "-c", "import scoop"], env=environ, timeout=30,
                                stderr=subprocess.PIPE, cwd="/", text=True)
    assert "No module named 'scoop'" in found.stderr
