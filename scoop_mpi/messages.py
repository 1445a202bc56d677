"""The messages that cross ranks. Nothing else does.

All are immutable tuples. Payloads are opaque ``bytes``: the broker forwards or
ignores them and never unpickles one. ``codec`` turns a message into bytes.

A worker that wants work says REQUEST, a worker that has work to give away says
OFFER, the broker answers with GRANT. TASKS, CHUNK and RESULTS then go straight
from worker to worker. The names REQUEST, TASKS, RESULTS and SHUTDOWN are those
of SCOOP's manual (section 2.5.4; TASK and REPLY there).
"""

from __future__ import annotations

from typing import NamedTuple, Union

BROKER = 0
"""Rank of the broker."""
ROOT = 1
"""Rank of the worker that runs the user's program."""


class Definition(NamedTuple):
    """A function or class that travels by value.

    ``digest`` identifies the pickled form, so that each receiver loads it once.
    """

    digest: bytes
    pickled: bytes


class Request(NamedTuple):
    """These workers want work.

    From a worker to the broker, from a worker to the one that fed it last, or
    handed on to the broker by a worker that has nothing left for them.
    """

    workers: tuple[int, ...]


class Offer(NamedTuple):
    """The sender has more unstarted work than it is about to start."""


class Grant(NamedTuple):
    """Broker to an offering worker: feed these workers, or hand them back."""

    workers: tuple[int, ...]


class Tasks(NamedTuple):
    """Single tasks of one owner, pickled together.

    ``payload`` holds a list of (function, args, kwargs), one for each of ``ids``.
    """

    owner: int
    ids: tuple[int, ...]
    estimate_s: float
    payload: bytes
    definitions: tuple[Definition, ...]


class Chunk(NamedTuple):
    """``length`` consecutive items, from ``start`` on, of one ``map`` call.

    ``function`` is the pickled callable, ``payload`` the pickled list of arguments
    (of argument tuples, if ``starred``).
    """

    owner: int
    map_id: int
    start: int
    length: int
    starred: bool
    estimate_s: float
    function: bytes
    payload: bytes
    definitions: tuple[Definition, ...]


class Results(NamedTuple):
    """Outcomes, from the executor to the owner.

    ``values`` holds a pickled list, the values of the tasks ``ids`` (the common case:
    they returned something plain, after ``elapsed_s`` seconds on average). ``records``
    holds the pickled rest: chunks, exceptions, other values (``parcels``).
    """

    ids: tuple[int, ...]
    elapsed_s: float
    values: bytes
    records: bytes
    definitions: tuple[Definition, ...]


class Rejected(NamedTuple):
    """The receiver of TASKS or CHUNK could not unpickle it; nothing was run.

    To the owner. ``digest`` names a definition the receiver lacks, if that was
    the cause, and ``attribute`` a global of the program it could not find.
    """

    ids: tuple[int, ...]
    start: int
    length: int
    digest: bytes
    attribute: str
    reason: str


class Failure(NamedTuple):
    """A rank cannot go on: the broker prints ``text`` once and stops the job."""

    text: str
    exit_code: int


class Finished(NamedTuple):
    """Root to broker: the program ended. ``drain``: let submitted tasks finish."""

    exit_code: int
    drain: bool


class Drain(NamedTuple):
    """Broker to workers: answer when nothing of yours is unfinished."""

    turn: int


class Drained(NamedTuple):
    """Answer to DRAIN, with the number of tasks the worker has created so far."""

    turn: int
    created: int


class Shutdown(NamedTuple):
    """Broker to workers: stop working; the job's exit code."""

    exit_code: int


class Goodbye(NamedTuple):
    """Worker to broker, its last message: all it sent before has been received."""


class Leave(NamedTuple):
    """Broker to workers, its last message: nothing is in flight any more."""


Message = Union[
    Request, Offer, Grant, Tasks, Chunk, Results, Rejected,
    Failure, Finished, Drain, Drained, Shutdown, Goodbye, Leave,
]

KINDS: tuple[type[Message], ...] = (
    Request, Offer, Grant, Tasks, Chunk, Results, Rejected,
    Failure, Finished, Drain, Drained, Shutdown, Goodbye, Leave,
)
"""All message types; a type's position is its number on the wire (the MPI tag)."""
