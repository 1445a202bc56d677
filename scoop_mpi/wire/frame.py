"""Messages to bytes and back: plain tuples, numbered by their type.

What a message carries was pickled before (``codec``).
"""

from __future__ import annotations

import pickle
from typing import Any

from ..base.messages import KINDS, Message

_NUMBER_OF = {kind: number for number, kind in enumerate(KINDS)}
PROTOCOL = 5
"""Of pickle, for all that travels."""


def pack(message: Message) -> tuple[int, bytes]:
    """Returns the message's number and its bytes."""
    return _NUMBER_OF[type(message)], pickle.dumps(tuple(message), PROTOCOL)


def unpack(number: int, data: Any) -> Message:
    """Inverse of :func:`pack`."""
    return KINDS[number](*pickle.loads(data))
