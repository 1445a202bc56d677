"""What a generator makes, and the draws it makes it from.

A section is one small program: definitions, and a body that returns a value. Where the
definitions stand (at top level, under the main guard, inside the function, in an imported
module) is drawn as well, and must not change what the body returns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

PLACES = ("top", "module", "split", "guard", "local")
"""Where definitions may stand. 'module': body and definitions are in an imported module;
'split': only the definitions are."""
SHARED_PLACES = ("top", "module", "split")
"""Those whose definitions every rank has at its top level."""


WITHOUT = ("identity", "timeouts")
"""What sections can be made without: reliance on the identity of what travels by value;
timeouts (long ones, that never pass) of the verbs of trees."""


class Draw(random.Random):
    """Draws for one section.

    Args:
        key: the section's name; the same key gives the same draws.
        without: of WITHOUT, what is left out.
    """

    def __init__(self, key: str, without: Collection[str] = ()) -> None:
        super().__init__(key)
        self.identity = "identity" not in without
        self.timeouts = "timeouts" not in without

    def maybe(self, probability: float = 0.5) -> bool:
        """True with this probability."""
        return self.random() < probability

    def one(self, *options: str) -> str:
        """One of some texts."""
        return self.choice(options)

    def places(self) -> tuple[str, ...]:
        """Where definitions whose identity matters may stand."""
        return PLACES if self.identity else SHARED_PLACES


@dataclass
class Text:
    """Lines of a program that is being written."""

    lines: list[str] = field(default_factory=list)

    def add(self, *blocks: str) -> None:
        """Adds lines; a block may hold several."""
        for block in blocks:
            self.lines += block.strip("\n").split("\n")

    def indented(self, spaces: int) -> list[str]:
        """The lines, as they stand inside something."""
        return [" " * spaces + line if line else "" for line in self.lines]


class Section(NamedTuple):
    """One small program; ``name`` is that of its function, and a prefix of all its names."""

    name: str
    place: str
    definitions: list[str]
    body: list[str]


Generator = Callable[[Draw, str, Text, Text], str]
"""Writes definitions and body for a name (draw, name, definitions, body); returns the place."""


def make(
    generator: Generator, kind: str, number: int, without: Collection[str]
) -> Section:
    """The section of a kind and a number."""
    name = f"{kind}_{number}"
    draw = Draw(name, without)
    definitions, body = Text(), Text()
    place = generator(draw, name, definitions, body)
    return Section(name, place, definitions.lines, body.lines)
