"""What these tests use only if they are pointed at it, by environment variables.

None of it is fetched. Tests that need what is not given are not collected, and the end
of the report says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Given:
    """One variable; ``file``: the tests that make no sense without it (default: a part)."""

    variable: str
    what: str
    file: str = ""

    @property
    def value(self) -> str:
        """Empty if the variable is not set."""
        return os.environ.get(self.variable, "")


EXAMPLES = Given("SCOOP_EXAMPLES", "the examples of a SCOOP sdist", "test_scoop_examples.py")
ORIGINAL = Given("SCOOP_PYTHON", "the same programs with the original SCOOP's python")
PYPET = Given("PYPET_PYTHON", "an experiment with pypet", "test_pypet.py")
GIVEN = (EXAMPLES, ORIGINAL, PYPET)
