"""The messages that cross ranks. Nothing else does.

All are immutable tuples. Payloads are opaque ``bytes``: the broker forwards or
ignores them and never unpickles one; plain values of results need no such care.
``frame`` turns a message into bytes.

A worker that wants work says REQUEST, a worker that has work to give away says
OFFER, the broker answers with GRANT. TASKS, ITEMS and RESULTS then go straight
from worker to worker. Shared constants are agreed upon with the broker, which also
spreads them (``registry``). The names REQUEST, TASKS, RESULTS, VARIABLE and SHUTDOWN are
those of SCOOP's manual (section 2.5.4; TASK and REPLY there).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Union, get_args

BROKER = 0
"""Rank of the broker."""
ROOT = 1
"""Rank of the worker that runs the user's program."""


class Definition(NamedTuple):
    """A function or class that travels by value (``definitions``).

    ``key`` identifies it, so that each receiver rebuilds it once. ``needs``: the keys of
    others that it refers to.
    """

    key: bytes
    pickled: bytes
    needs: tuple[bytes, ...] = ()


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


Envelope = tuple[int, tuple[int, ...], int]
"""With work: ``giver``, whom the receiver asks when it wants more; ``onward``, workers that
the receiver gives their shares of this to, before it begins with its own; ``epoch``,
constants that the receiver must know before it starts (``Variable``)."""
NO_ENVELOPE: Envelope = (BROKER, (), 0)


class Tasks(NamedTuple):
    """Single tasks of one owner, pickled together.

    ``payload`` holds a list of (function, args, kwargs), one for each of ``ids``.
    ``needs``: keys of definitions that the receiver is taken to have. The last three are an
    :data:`Envelope`.
    """

    owner: int
    ids: tuple[int, ...]
    estimate_s: float
    payload: bytes
    definitions: tuple[Definition, ...]
    needs: tuple[bytes, ...] = ()
    giver: int = BROKER
    onward: tuple[int, ...] = ()
    epoch: int = 0


class Items(NamedTuple):
    """``length`` consecutive items, from ``start`` on, of one ``map`` call.

    ``function`` is the pickled callable, ``payload`` the pickled list of arguments
    (of argument tuples, if ``starred``). The rest as in :class:`Tasks`.
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
    needs: tuple[bytes, ...] = ()
    giver: int = BROKER
    onward: tuple[int, ...] = ()
    epoch: int = 0


class Results(NamedTuple):
    """Outcomes, from the executor to the owner. ``asks``: it wants more work, too.

    ``values`` are those of the tasks ``ids`` (the common case: they returned something
    plain, after ``elapsed_s`` seconds on average). ``records`` holds the pickled rest, if
    there is any: chunks, exceptions, other values (``parcels``). ``epoch`` as in
    :class:`Tasks`: whoever hears of a task's end may rely on the constants it defined.
    """

    ids: tuple[int, ...]
    elapsed_s: float
    values: tuple[Any, ...]
    records: bytes
    definitions: tuple[Definition, ...]
    asks: bool = False
    epoch: int = 0


class Lacking(NamedTuple):
    """What a rank has not: definitions (their keys), or a global, ``name`` of ``module``.

    Also sent by itself, to whoever gave it work: the sender does not have these.
    """

    keys: tuple[bytes, ...]
    module: str
    name: str


class RejectedTasks(NamedTuple):
    """The receiver of TASKS could not unpickle them; nothing was run.

    To the owner. If nothing was ``lacking`` they cannot be rebuilt there, for that ``reason``.
    """

    ids: tuple[int, ...]
    lacking: Lacking
    reason: str


class RejectedItems(NamedTuple):
    """The receiver of ITEMS could not unpickle them. The rest as in :class:`RejectedTasks`."""

    map_id: int
    start: int
    length: int
    lacking: Lacking
    reason: str


class Constant(NamedTuple):
    """A shared constant. ``owner``: the worker that defined it."""

    name: str
    owner: int
    is_callable: bool
    pickled: bytes
    definitions: tuple[Definition, ...]


class Define(NamedTuple):
    """Worker to broker: all of these constants, or none. ``ticket``: for the answer."""

    ticket: int
    constants: tuple[Constant, ...]


class Defined(NamedTuple):
    """The answer to DEFINE, as in :class:`Variable`; or ``taken``, a name that is in use.

    Whoever gets this, FOUND or UNDEFINED may have heard of what came before it, and so must
    know all epochs up to ``since`` first.
    """

    ticket: int
    serial: int
    epoch: int
    taken: str
    since: int = 0


class Variable(NamedTuple):
    """New constants, from the broker, handed on by each receiver along ``route``.

    ``serial`` counts the definitions. ``epoch`` counts those with a callable among
    them (0: this has none), which a task may use by its bare name: it must not start
    before they are there. ``since``: the newest epoch when this was defined.
    """

    serial: int
    epoch: int
    constants: tuple[Constant, ...]
    route: tuple[int, ...]
    since: int = 0


class Lookup(NamedTuple):
    """Worker to broker: is there such a constant? ``urgent``: send it even if large."""

    ticket: int
    name: str
    urgent: bool


class Found(NamedTuple):
    """The answer to LOOKUP: the number of bytes (-1: there is no such constant).

    ``constants`` holds it, unless it is large and so better awaited (:class:`Variable`).
    """

    ticket: int
    size: int
    serial: int
    constants: tuple[Constant, ...]
    since: int = 0


class Undefine(NamedTuple):
    """Worker to broker: free this constant everywhere."""

    ticket: int
    name: str


class Forget(NamedTuple):
    """Broker to workers: drop this constant, now or when it comes, and say FORGOTTEN."""

    name: str
    serial: int


class Forgotten(NamedTuple):
    """Worker to broker: its last copy is gone, and none is on its way."""

    name: str


class Undefined(NamedTuple):
    """The answer to UNDEFINE: every worker has forgotten it, or there was none."""

    ticket: int
    existed: bool
    since: int = 0


class Failure(NamedTuple):
    """A rank cannot go on: the broker prints ``text`` once and stops the job."""

    text: str
    exit_code: int


class Left(NamedTuple):
    """The program has left (an exception, ``sys.exit``) while a worker imported it.

    If it does so on the root, too, that end counts. Else the job fails for ``text``.
    """

    text: str


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
    Request, Offer, Grant, Tasks, Items, Results, RejectedTasks, RejectedItems, Lacking,
    Define, Defined, Variable, Lookup, Found, Undefine, Forget, Forgotten, Undefined,
    Failure, Left, Finished, Drain, Drained, Shutdown, Goodbye, Leave,
]

Sends = list[tuple[int, Message]]
"""What a state machine wants sent: (to which rank, what), in that order."""

ANSWERS: dict[type[Message], dict[type[Message], str]] = {
    Offer: {Grant: "as soon as other workers want work; it uses the offer up"},
    Define: {Defined: "at once"},
    Lookup: {Found: "at once"},
    Undefine: {Undefined: "when every worker has said FORGOTTEN"},
    Forget: {Forgotten: "when the worker's copy is gone, and none is on its way"},
    Drain: {Drained: "when nothing of the worker's own work is unfinished"},
    Shutdown: {Goodbye: "when all that the worker sent has been received"},
    Goodbye: {Leave: "when every worker has said it"},
}
"""Between the broker and one worker: which message answers which, and when. Once each.

``Enquiries`` raises at an answer that is not in it, the simulation at every message. Work is
answered by whoever has it: REQUEST by TASKS or ITEMS, and those by RESULTS, or by REJECTED,
from whoever got them. The simulation looks for each task and item instead."""

KINDS: tuple[type[Message], ...] = get_args(Message)
"""All message types; a type's position is its number on the wire (the MPI tag)."""
