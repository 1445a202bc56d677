"""Fixtures: those of ``tests/mpi``, and what stands in for the original SCOOP."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

MPI_TESTS = Path(__file__).resolve().parent.parent / "mpi"
if str(MPI_TESTS) not in sys.path:
    sys.path.append(str(MPI_TESTS))

_spec = importlib.util.spec_from_file_location("mpi_fixtures", MPI_TESTS / "conftest.py")
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
start, run = _fixtures.start, _fixtures.run

from given import GIVEN  # noqa: E402

collect_ignore = [given.file for given in GIVEN if given.file and not given.value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was not tested because it was not pointed at."""
    for given in GIVEN:
        if not given.value:
            terminalreporter.write_line(f"not run: {given.what} ({given.variable} is not set)")
