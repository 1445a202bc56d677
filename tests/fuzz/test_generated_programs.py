"""Some hundred generated programs give on workers what they give serially."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import WAYS
from .found import FOUND
from .kinds import KINDS
from .run import Runner, Way

SECTIONS = 25
"""Sections in each job: all of them together take some two minutes."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS[:4], ids=str)
def test_workers_agree_with_one_process(tmp_path: Path, kind: str, way: Way) -> None:
    start = SECTIONS * WAYS.index(way)
    names = [f"{kind}_{number}" for number in range(start, start + SECTIONS)]
    found = list(Runner(tmp_path).finds(names, way, reduce=False))
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("way", [Way(2), Way(4), Way(3, strict=True)], ids=str)
def test_what_went_wrong_once_is_right(tmp_path: Path, way: Way) -> None:
    found = list(Runner(tmp_path).finds(list(FOUND), way, reduce=False))
    assert not found, "\n".join(map(str, found))
