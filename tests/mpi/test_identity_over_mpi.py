"""One rule for functions and classes; user code outside of tasks is its own affair."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import checks_in

CHECKS = [*checks_in("identity.py"), *checks_in("identity.py", indent="    "), "the end"]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_identity(look: Callable[..., None], ranks: int, check: str) -> None:
    look("identity.py", ranks, check)


@pytest.mark.parametrize("check", CHECKS)
def test_identity_with_strict(look: Callable[..., None], check: str) -> None:
    look("identity.py", 3, check, "--strict")


BY_VALUE = [*checks_in("by_value.py"), "the end"]


@pytest.mark.parametrize("check", BY_VALUE)
@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_what_is_rebuilt(look: Callable[..., None], ranks: int, check: str) -> None:
    look("by_value.py", ranks, check)


@pytest.mark.parametrize("check", BY_VALUE)
def test_what_is_rebuilt_with_strict(look: Callable[..., None], check: str) -> None:
    look("by_value.py", 3, check, "--strict")
