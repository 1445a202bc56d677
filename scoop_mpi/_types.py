"""The names that programs import from ``scoop._types``."""

from .attributes import CallbackType, StopWatch
from .futures import CancelledError, Future, TimeoutError

__all__ = ["CallbackType", "CancelledError", "Future", "StopWatch", "TimeoutError"]
