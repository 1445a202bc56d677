"""Exceptions and unpicklable things reach the caller; the pool goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import checks_in


@pytest.mark.parametrize("check", [*checks_in("errors.py"), "the end"])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_error(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("errors.py", ranks, check)
