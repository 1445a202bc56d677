"""Any callable can be a task, and objects come back as what they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import checks_in

GUARDED = checks_in("callables.py", indent="    ")
"""Checks that stand under the main guard."""


@pytest.mark.parametrize("check", [*checks_in("callables.py"), *GUARDED, "the end"])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_callable(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("callables.py", ranks, check)
