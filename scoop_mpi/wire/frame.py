"""Turns messages into bytes and back: into plain tuples, with a number for their type.

``codec`` has already pickled what a message carries.
"""

from __future__ import annotations

import pickle
from typing import Any

from ..base.messages import KINDS, Message

_NUMBER_OF = {kind: number for number, kind in enumerate(KINDS)}
PROTOCOL = 5
"""The version of pickle's format for all that travels."""


def pack(message: Message) -> tuple[int, bytes]:
    """Returns the message's number and its bytes."""
    return _NUMBER_OF[type(message)], pickle.dumps(tuple(message), PROTOCOL)


def unpack(number: int, data: Any) -> Message:
    """Inverse of :func:`pack`."""
    return KINDS[number](*pickle.loads(data))
