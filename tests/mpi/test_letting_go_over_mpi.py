"""However much passes through a verb, no rank keeps what is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from launching import PROGRAMS, Finished

LIMIT_MB = 300
"""An interpreter with some dozens of items, in messages and pickles too. All: 500 MB."""
VERBS = [
    "in_order", "as_they_come", "behind_a_slow_one", "from_small", "in_a_task", "submitted",
    "as_completed", "waited", "failing", "abandoned", "reduced", "constants",
]


@pytest.mark.parametrize("ranks", [2, 4])
def test_no_rank_grows(run: Callable[..., Finished], tmp_path: Path, ranks: int) -> None:
    """In one job. If it fails: the program runs single verbs, too."""
    finished = run(PROGRAMS / "letting_go.py", ranks=ranks, timeout=120)
    assert finished.returncode == 0, finished
    assert finished.stdout.splitlines() == [f"{verb} 120" for verb in VERBS], finished
    peaks = [int(file.read_text()) for file in tmp_path.glob("peak-*")]
    assert len(peaks) == ranks - 1
    assert max(peaks) < LIMIT_MB, (peaks, finished)
