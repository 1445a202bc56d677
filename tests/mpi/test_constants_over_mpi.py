"""Shared constants on real ranks, and in a program that no launcher has started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import PROGRAMS, Finished, checks_in

GUARDED = checks_in("constants.py", indent="    ")
"""Checks that stand under the main guard."""
CHECKS = [*checks_in("constants.py"), *GUARDED]


@pytest.mark.parametrize("check", [*CHECKS, "the end"])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_constant(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("constants.py", ranks, check)


def test_constants_without_a_launcher(run: Callable[..., Finished], tmp_path: Path) -> None:
    report = tmp_path / "report"
    finished = run(PROGRAMS / "constants.py", str(report), launcher="python")
    assert finished.returncode == 0, finished
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    ended = {name: trouble for kind, name, trouble in entries if kind == "ended"}
    assert sorted(ended) == sorted(CHECKS)
    for name, trouble in ended.items():
        assert not trouble, f"{name}: {trouble}"
