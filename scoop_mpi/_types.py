"""The names that programs import from ``scoop._types``."""

from .futures import CancelledError, Future, TimeoutError
from .tasks.attributes import CallbackType, StopWatch

__all__ = ["CallbackType", "CancelledError", "Future", "StopWatch", "TimeoutError"]
