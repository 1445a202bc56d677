"""``scoop_mpi.logger``: lines on standard error that say when, which worker, and where.

It has a handler of its own and passes nothing on, so the root logger is the program's.
A record is written in one piece: lines of different ranks do not mix.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, cast

from . import context
from .job import worker_name

_FORMAT = "[%(asctime)s] %(worker)s %(module)-9s %(levelname)-7s %(message)s"
_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


class Logger(logging.Logger):
    """A logger whose ``warn`` is ``warning``, as SCOOP's manual uses it (without ado)."""

    warn = logging.Logger.warning


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what ``sys.stderr`` is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        record.worker = worker_name(context.job().rank)
        self.stream = sys.stderr
        super().emit(record)


_handler = _Handler()
_handler.setFormatter(logging.Formatter(_FORMAT))


def _make() -> Logger:
    made: Any = logging.getLogger("scoop_mpi")  # known to logging, so that it can be pickled
    made.__class__ = Logger  # whatever class it has, if the program asked for it first
    made.setLevel(logging.WARNING)
    made.addHandler(_handler)
    made.propagate = False
    return cast(Logger, made)


logger = _make()


def set_verbosity(verbosity: int) -> None:
    """-2 critical, -1 error, 0 warning, 1 info, 2 debug; more or less is the same."""
    if verbosity < -1:
        logger.setLevel(logging.CRITICAL)
    else:
        logger.setLevel(_LEVELS.get(verbosity, logging.DEBUG))


def speak_plainly() -> None:
    """In a launcher, which is no worker: only who speaks, and what."""
    _handler.setFormatter(logging.Formatter("scoop_mpi: %(message)s"))
