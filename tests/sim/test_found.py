"""One seed, or program, for every bug that was found: it must stay dead."""

from __future__ import annotations

import pytest

from test_simulation import numbered, simulate, wide


@pytest.mark.parametrize("verb", ["submit", "as_completed", "wait", "first"])
def test_own_tasks_passed_on_to_their_owner_come_home(verb):
    """A task that was given away, not started and passed on to its owner ran as a copy."""
    simulate(2, 0, numbered(wide(verb, 8, 3), [0]))
