"""How the program's arguments get past a launcher, whatever they are and however many.

Launchers read the whole line: a ``:`` begins another program for them, and some rewrite
options that look like their own. Such arguments get a mark in front.

Open MPI copies the whole line into one variable of every rank, and Linux lets no variable
and no argument have more than 128 KiB. So many arguments travel in variables of ours, each
of them shorter than that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..base.errors import LaunchError
from ..process.world import ARGUMENTS_VARIABLE

MOST_BYTES = 100_000
"""Bytes in one argument or variable of a command; Linux ends at 128 KiB."""
ESCAPED = "escaped"
IN_VARIABLES = "variables"
_MARK = "="


class Carried(NamedTuple):
    """Arguments as they are sent: ``way`` is empty if they are as they were."""

    way: str
    words: tuple[str, ...]
    variables: dict[str, str]


def carried(arguments: Sequence[str], most_bytes: int = MOST_BYTES) -> Carried:
    """How these arguments of a program are sent to the ranks.

    Args:
        most_bytes: in one argument or variable.
    """
    if sum(len(os.fsencode(word)) + 1 for word in arguments) > most_bytes:
        data = os.fsencode(json.dumps(arguments, ensure_ascii=False, separators=(",", ":")))
        pieces = [data[at:at + most_bytes] for at in range(0, len(data), most_bytes)]
        return Carried(IN_VARIABLES, (), {
            f"{ARGUMENTS_VARIABLE}{number}": os.fsdecode(piece)
            for number, piece in enumerate(pieces)})
    if any(word.startswith(("-", ":")) for word in arguments):
        return Carried(ESCAPED, tuple(
            _MARK + word if word.startswith(("-", ":", _MARK)) else word for word in arguments
        ), {})
    return Carried("", tuple(arguments), {})


def received(way: str, words: Sequence[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """The arguments, from what :func:`carried` made of them.

    Raises:
        LaunchError: the launcher has not passed the variables on.
    """
    if way == ESCAPED:
        return [word.removeprefix(_MARK) for word in words]
    if way != IN_VARIABLES:
        return list(words)
    pieces: list[str] = []
    while (piece := environ.get(f"{ARGUMENTS_VARIABLE}{len(pieces)}")) is not None:
        pieces.append(piece)
    data = os.fsdecode(b"".join(map(os.fsencode, pieces)))
    try:
        return list(json.loads(data))
    except ValueError:
        raise LaunchError("the launcher has not passed on the variables with the program's "
                          "arguments; put these into a file that the program reads") from None
