"""The census of the standard library: the program that ``make run`` shows."""

from __future__ import annotations

import ast
import os
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Finished

CENSUS = Path(__file__).resolve().parents[2] / "examples" / "stdlib_census.py"
Run = Callable[..., Finished]


def figures(finished: Finished) -> dict[str, float]:
    """The first number of each line of the table."""
    assert finished.returncode == 0, finished
    rows = re.findall(r"^([a-z-]+) +([\d.,]+)", finished.stdout, re.MULTILINE)
    return {name: float(number.replace(",", "")) for name, number in rows}


@pytest.mark.parametrize("launcher, ranks", [("python", 1), ("mpirun", 1), ("mpirun", 3),
                                             ("self", 3)])
def test_census_of_some_files(run: Run, launcher: str, ranks: int) -> None:
    finished = run(CENSUS, "40", launcher=launcher, ranks=ranks)
    found = figures(finished)
    assert found["files"] == 40
    assert found["workers"] == max(1, ranks - 1)
    assert found["serial"] > 0
    assert found["parallel"] > 0
    assert found["speed-up"] > 0
    assert finished.stderr.count("RuntimeWarning") == (launcher == "python"), finished
    longest = re.findall(r"^ +([\d,]+) lines +(\S+):(\d+) +(\w+)$", finished.stdout, re.MULTILINE)
    assert len(longest) == 5, finished
    for length, file, line, name in longest:
        path = os.path.join(sysconfig.get_path("stdlib"), file)
        tree = ast.parse(Path(path).read_bytes())
        functions = {(node.name, node.lineno): node.end_lineno for node in ast.walk(tree)
                     if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
        end = functions[name, int(line)]
        assert end is not None
        assert end - int(line) + 1 == int(length.replace(",", ""))


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_wrong_limits_are_refused(run: Run, limit: str) -> None:
    finished = run(CENSUS, limit, launcher="python")
    assert finished.returncode == 2, finished
    assert "Traceback" not in finished.stderr, finished
