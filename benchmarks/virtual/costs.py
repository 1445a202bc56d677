"""What things cost on virtual time: measured on one machine, or taken from data sheets.

``measure`` takes the figures anew (``scale.py --measure``). Those of the machine of
README.md are kept here, so that a simulation gives the same figures everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from scoop_mpi.base.messages import Message
from scoop_mpi.base.tuning import TUNING


@dataclass(frozen=True)
class Costs:
    """Seconds of one rank's core, unless it says something else."""

    send_s: float = 1.7e-6
    """To pack and send a small message (``MpiEndpoint.send``)."""
    receive_s: float = 3.0e-6
    """To receive and unpack one."""
    byte_s: float = 0.4e-9
    """More of both for each byte of a payload."""
    item_s: float = 15e-9
    """More of both for each item of a tuple in a message."""
    poll_s: float = 0.35e-6
    """A receive that finds nothing."""
    dumps_s: float = 3.0e-6
    """To pickle a payload (``Codec.dumps``) ..."""
    dumps_byte_s: float = 5e-9
    """... of small objects such as numbers, for each byte."""
    loads_s: float = 1.0e-6
    loads_byte_s: float = 7e-9
    look_s: float = 2.2e-6
    """``Scheduler.look`` and ``Exchange.exchange``, besides the messages."""
    trade_s: float = 6.0e-6
    """What a worker does about each message besides: what to cut, whom to wake."""
    task_s: float = 3.0e-6
    """To run a task or a chunk, besides the call."""
    submit_s: float = 0.8e-6
    map_item_s: float = 0.1e-6
    """An item of a map, on its owner: read, and handed to the consumer."""
    match_s: float = 2.8e-6
    """The broker, for each message ..."""
    scan_s: float = 1.0e-6
    """... and for each offer that it looks at."""
    latency_s: float = 1.5e-6
    """The network: from the send to the arrival ..."""
    bytes_per_s: float = 12e9
    """... and its speed."""
    oversleep_s: float = 0.08e-3
    """By how much a sleep is longer than asked for."""
    gil_s: float = 1e-3
    """Until the donor thread gets the GIL from a task in Python (``sys.setswitchinterval``)."""


@dataclass(frozen=True)
class Idling:
    """How idle ranks wait for messages (``machine``).

    ``bell_s``: seconds in which a message wakes a rank on its own node (``wire.doorbell``).
    """

    yield_s: float = TUNING.yield_s
    worker_sleep_s: float = TUNING.sleep_max_s
    broker_sleep_s: float = TUNING.broker_sleep_max_s
    bell_s: float = 50e-6
    node: int = 64
    """Ranks on one node."""


def size_of(message: Message) -> tuple[int, int]:
    """(bytes on the wire, items in tuples), nearly."""
    size, items = 20, 0
    for field in message:
        if type(field) is bytes:
            size += len(field) + 2
        elif type(field) is tuple:
            items += len(field)
            size += 5 * len(field) + 2
            for one in field:
                if type(one) is not int:  # definitions, constants
                    size += size_of(one)[0]
        else:
            size += 5
    return size, items
