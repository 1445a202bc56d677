"""The name that programs import from ``scoop.fallbacks``."""

from .base.errors import ScoopError

__all__ = ["NotStartedProperly"]


class NotStartedProperly(ScoopError):
    """What SCOOP raises without its launcher. Never raised here: verbs then run serially."""
