"""In simulations a microsecond passes at every look at the clock: so long takes less."""

import pytest

from scoop_mpi import scheduler


@pytest.fixture(autouse=True)
def soon_hidden(monkeypatch):
    """The donor thread soon takes a task for a long one."""
    monkeypatch.setattr(scheduler, "HIDDEN_S", 2e-5)
