"""A module of the user's that ``names.py`` imports."""

import scoop
import scoop.shared
from scoop import futures
from scoop._types import Future  # noqa: F401

AT_IMPORT = {"origin": scoop.IS_ORIGIN, "worker": str(scoop.worker), "size": scoop.SIZE}


def _double(x):
    return 2 * x


def twice(values):
    """A map made in here."""
    return list(futures.map(_double, values))
