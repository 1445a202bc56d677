"""The kinds of generated programs."""

from __future__ import annotations

from collections.abc import Iterator

from .section import Generator, Section, make
from .trees import tree

KINDS: dict[str, Generator] = {
    "tree": tree,
}


def section(name: str, identity: bool = True) -> Section:
    """The section of a name such as tree_12.

    Raises:
        ValueError: there is no such kind.
    """
    kind, _, number = name.rpartition("_")
    if kind not in KINDS or not number.isdecimal():
        raise ValueError(f"{name!r} is not KIND_NUMBER with a kind of {', '.join(KINDS)}")
    return make(KINDS[kind], kind, int(number), identity)


def names(start: int, kinds: list[str]) -> Iterator[str]:
    """Names of sections from a seed on: the kinds take turns."""
    while True:
        yield f"{kinds[start % len(kinds)]}_{start}"
        start += 1
