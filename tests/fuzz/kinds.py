"""The kinds of generated programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .changes import changes
from .constants import constants
from .functions import functions
from .identity import classes
from .outside import outside
from .section import Generator, Section, make
from .timing import timing
from .trees import tree

KINDS: dict[str, Generator] = {
    "tree": tree,
    "timing": timing,
    "constants": constants,
    "outside": outside,
    "classes": classes,
    "functions": functions,
    "changes": changes,
}


def section(name: str, without: Collection[str] = ()) -> Section:
    """The section of a name such as tree_12.

    Raises:
        ValueError: there is no such kind.
    """
    kind, _, number = name.rpartition("_")
    if kind not in KINDS or not number.isdecimal():
        raise ValueError(f"{name!r} is not KIND_NUMBER with a kind of {', '.join(KINDS)}")
    return make(KINDS[kind], kind, int(number), without)


def names(start: int, kinds: list[str]) -> Iterator[str]:
    """Names of sections from a seed on: the kinds take turns."""
    while True:
        yield f"{kinds[start % len(kinds)]}_{start}"
        start += 1
