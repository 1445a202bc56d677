"""What SCOOP 0.7.2 gets wrong is right here; ``programs/defects.py`` has it all.

With ``SCOOP_PYTHON`` naming a Python that has the original, the same programs must show
the defect there: so they are known to be able to fail.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import given
import pytest
from launching import Finished, Job

Run = Callable[..., Finished]

PROGRAM = given.PROGRAMS / "defects.py"

GONE = "nothing"
"""The original hangs, or dies without a word."""
HIDDEN = ""
"""The original gets by; what is wrong with how it does so has an entry of its own."""

DEFECTS = {
    "result_timeout": "waited to the end",
    "exception_timeout": "waited to the end",
    "map_timeout": "waited to the end",
    "map_as_completed_timeout": "waited to the end",
    "as_completed_timeout": "waited to the end",
    "wait_without_limit": "raised TypeError",
    "exception_waits": r"exception\(\) is None",
    "wait_first_exception": "raised ValueError",
    "wait_does_not_raise": "raised ValueError",
    "as_completed_yields_failed_ones": "raised ValueError",
    "result_is_its_own": "lost|raised ValueError",
    "false_exceptions": "lost",
    "exceptions_that_cannot_be_rebuilt": GONE,
    "standard_exceptions": "others of the same name",
    "cancelled_is_done": "not done",
    "callback_errors_are_logged": "swallowed",
    "late_callback_errors_are_ignored": "raised ZeroDivisionError",
    "map_scan": re.escape("[1, 3, 3, 4, 15, 6, 13, 8, 9, 55]"),
    "map_scan_of_one": "raised IndexError",
    "map_reduce_of_one": "raised IndexError",
    "map_reduce_of_none": "raised IndexError",
    "map_reduce_of_an_iterator": "raised TypeError",
    "constant_none": "right, but too late",
    "constant_at_once": "slept",
    "constant_everywhere": HIDDEN,  # by the sleep
    "constant_once": r"\['This constant already exists: (once\d)\.', .*\1\.'\]"
                     r"|\['defined', 'defined'\]",
    "others_run_meanwhile": "None",
    "compares_with_anything": "raised AttributeError",
}

FAILING = """
import sys
from scoop import futures

if __name__ == "__main__":
    assert list(futures.map(abs, [-1, 2])) == [1, 2]
    {ending}
"""
ENDINGS = {"sys.exit(3)": 3, "raise ValueError('uncaught')": 1}


def verdict(finished: Finished, name: str) -> str:
    found = re.search(f"^verdict of {name}: (.*)$", finished.stdout, re.MULTILINE)
    return found[1] if found else GONE


def run_original(program: Path, *args: str, cwd: Path) -> Finished:
    """Runs a program with SCOOP 0.7.2 and two workers."""
    command = [given.ORIGINAL.value, "-m", "scoop", "-n", "2", str(program), *args]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    job = Job(command, cwd=cwd, environ=environ, timeout=60)
    try:
        return job.finish()
    finally:
        job.kill()


def test_the_table_names_every_function() -> None:
    names = re.findall(r"^def (\w+)\(\):", PROGRAM.read_text(), re.MULTILINE)
    assert names == list(DEFECTS)


def test_all_are_right_here(run: Run) -> None:
    finished = run(PROGRAM, *DEFECTS, timeout=120)
    assert finished.returncode == 0, finished
    verdicts = {name: verdict(finished, name) for name in DEFECTS}
    assert verdicts == dict.fromkeys(DEFECTS, "right"), finished


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_exit_code_is_right_here(run: Run, ending: str) -> None:
    finished = run(FAILING.format(ending=ending))
    assert finished.returncode == ENDINGS[ending], finished


if given.ORIGINAL.value:

    @pytest.mark.parametrize("name", [name for name in DEFECTS if DEFECTS[name] != HIDDEN])
    def test_the_original_is_wrong(tmp_path: Path, name: str) -> None:
        finished = run_original(PROGRAM, name, cwd=tmp_path)
        assert re.match(DEFECTS[name], verdict(finished, name)), finished

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_the_originals_exit_code_is_wrong(tmp_path: Path, ending: str) -> None:
        program = tmp_path / "program.py"
        program.write_text(FAILING.format(ending=ending))
        assert run_original(program, cwd=tmp_path).returncode == 0
