"""Every figure that decides how work is shared, in one frozen record.

A figure says what it trades for what, and where it is from: *measured*, with the row of
``benchmarks`` that shows it, or *guess*. ``make tune`` shows what moving one does: where it
has a row for a guess, that row stays the same at a quarter of the figure and at four times
of it. Whoever builds a scheduler or a broker passes a ``Tuning``; nothing is read from
anywhere else.

Seconds, unless a name says otherwise. A *gift* is work that is given to another worker, a
*look* is one round of the network: receive, report, give.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """The figures of one pool; all ranks have the same."""

    # -- when a worker looks at the network --------------------------------

    look_every_s: float = 0.005
    """Between two looks of a busy worker. Shorter: others get work sooner; longer: a look
    costs 50 µs where the program has had the caches for itself. Measured: fib."""
    tasks_per_look_max: int = 1024
    """Tasks between two looks, however short. Fewer: sooner noticed when they get long;
    more: less to pay for trivial ones. Measured: submit + result in place."""
    inline_depth: int = 8
    """Nested waits that run their task on the stack of who waits. More: fewer switches;
    fewer: shallower stacks (six frames a level). Measured: fib."""
    spare_runners: int = 64
    """Greenlets kept for later. More: fewer are made anew; fewer: less memory. Guess."""
    unseen_work_s: float = 0.01
    """User code must have run so long before work may go that was taken for trivial. Shorter:
    a task that turns out to be long delays less; longer: less trivial work is sent. Guess."""
    unseen_work_crowded_s: float = 0.1
    """The same where other ranks may have had the core meanwhile. Shorter: a task that turns
    out to be long delays less; longer: less trivial work is sent. Guess."""

    # -- when work is given ------------------------------------------------

    share_after_s: float = 0.0003
    """A worker that has had work for less offers none. Shorter: others start sooner; longer:
    what is done by then takes no message to a worker that sleeps. Measured: start of a map
    of few items (``own.py``)."""
    ask_ahead_s: float = 0.01
    """A worker with less work left asks for more. More: it never runs dry, as a giver inside
    user code takes milliseconds to answer; less: work stays where it is known. Measured:
    many short tasks (``run.py``)."""
    ask_late_s: float = 0.2
    """Work that takes longer is finished before more is asked for. Longer: no gap after it;
    shorter: what was asked for waits behind it. Guess."""
    ask_with_results_s: float = 0.0001
    """Work that takes less is run before more is asked for: its results ask. Longer: fewer
    messages; shorter: sooner asked. Measured: "worker: one task in" of ``guard.py``."""
    wait_after_gift_s: float = 0.0003
    """Whoever asks so soon after a gift waits here for the next one, instead of at the broker.
    Longer: two that play ping-pong do without the broker; shorter: others' offers are seen.
    Measured: one task at a time (``own.py``)."""
    report_every_s: float = 0.003
    """Results are collected so long while there is other work. Longer: fewer messages;
    shorter: results come sooner. Measured: ``scale.py``."""
    report_every_s_per_worker: float = 0.000015
    """Results are collected at least so long for each worker of the pool: the owner takes in
    everybody's. Longer: fewer messages; shorter: results come sooner. Measured: ``scale.py``."""

    # -- in what size ------------------------------------------------------

    piece_s: float = 0.003
    """Least work in a piece, be it to run here or to give away. Longer: fewer messages;
    shorter: better balance at the end of a map. Measured: map of uneven items (``run.py``)."""
    piece_max_s: float = 0.05
    """Most work in a piece, but for the gifts of large pools. Longer: fewer messages; shorter:
    better balance at the end of a map. Measured: map of uneven items (``run.py``)."""
    gift_cost_s: float = 0.00003
    """What it takes to give work away and take in its results, until the giver has measured
    it. More: larger first gifts; less: more of them. Measured: ``scale.py --measure``."""
    costs_in_a_piece: int = 200
    """A piece takes so many times the cost of a gift. More: trading takes less; fewer: better
    balance. Guess (0.5 % for trading)."""
    costs_in_a_round: int = 4
    """Times the cost of gifts to all workers until the first asks again. More: the giver runs
    work of its own in between; fewer: smaller gifts. Measured: ``scale.py``."""
    cost_learning: float = 0.25
    """Part by which a new measurement of the cost of a gift moves the known one. More: a
    change is noticed sooner; less: one odd measurement matters less. Guess."""
    cost_jump: float = 4.0
    """A measurement of that cost counts as at most so many times the known one: whoever lost
    its core measures far too much. More: a true rise is noticed sooner; less: a false one
    matters less. Guess."""
    gifts_in_a_share: int = 2
    """A worker's equal share of what is left is given in so many gifts. More: better balance
    at the end; fewer: fewer messages. Measured: map of uneven items (``run.py``)."""
    least_part: float = 0.125
    """Part of its size that a gift has even near the end of a map, in large pools. More: the
    last items take fewer messages; less: better balance at the end. Measured: ``scale.py``."""
    bundle_max: int = 256
    """Tasks in one message, for each of its takers. More: fewer messages; fewer: less is
    lost on one that cannot be unpickled. Guess."""
    light_item_s: float = 0.0000003
    """Items of maps that take less stay here. Longer: less is sent that is sooner run than
    sent; shorter: others help sooner. Measured: map of trivial items (``own.py``)."""
    small_gift_s: float = 0.0002
    """A gift of less work is small, and the next one is delayed. Longer: fewer messages that
    are not worth it; shorter: others get small work. Measured: fib on several workers."""
    ration_s: float = 0.001
    """After a small gift nothing is given for so long; twice as long after each further one.
    Longer: less is sent that is not worth it; shorter: large subtrees behind small tasks leave
    sooner. Measured: fib on several workers."""
    ration_max_s: float = 0.016
    """The longest such time. Longer: less is sent that is not worth it; shorter: large
    subtrees behind small tasks leave sooner. Measured: fib on several workers."""
    served_one_by_one: int = 64
    """If more workers than that ask at once, a gift is for several of them. More: each gets
    work of its own; fewer: less for the giver to pack. Measured: ``scale.py``."""
    gifts_at_once: int = 16
    """Gifts to so many when more ask at once than are served one by one. More: fewer steps
    until all have some; fewer: less for the giver to pack. Measured: ``scale.py``."""

    # -- whose turn it is, and who waits -----------------------------------

    turn_after: int = 100
    """Pieces that begin between two turns of the oldest one. Fewer: nobody waits long; more:
    a tree stays a tree. Guess."""
    quick_call_s: float = 0.01
    """Calls of a quick function take no longer: only such tasks run on the stack of who may
    be interrupted. Longer: fewer switches; shorter: Ctrl-C comes sooner. Guess."""
    estimates_kept: int = 1000
    """Functions whose durations are remembered. More: programs that define functions for ever
    are known better; fewer: less memory. Guess."""
    patience_polls_s: float = 0.01
    """Work may wait so long for other workers while a task here only polls. Longer: polls
    return at once; shorter: work that nobody takes is run. Guess."""
    patience_deadlines_s: float = 1.0
    """Work that may outlast a wait with a deadline is left to others so long. Longer: waits
    are punctual for longer; shorter: a pool in which all wait is sooner busy. Guess."""
    patience_wear: float = 0.25
    """Part of that patience that remains when nobody has taken any. More: waits are
    punctual for longer; less: a pool in which all wait is sooner busy. Guess."""
    unknown_task_s: float = 1.0
    """A task of an unmeasured function is taken to last so long, near a deadline. Longer:
    waits are punctual more often; shorter: less work waits for others. Guess."""
    deadline_margin: int = 100
    """Near a deadline work is started only if there is time for it so often: calls of one
    function can differ much. More: waits are punctual more often; fewer: less work waits for
    others. Guess."""

    # -- what is told -------------------------------------------------------

    events_kept: int | None = 1000
    """Messages about own work that a worker remembers, for error messages (None: all). More:
    longer stories; fewer: less memory. Guess."""

    # -- constants ---------------------------------------------------------

    small_constant: int = 1 << 16
    """Bytes up to which a constant goes from the broker to everybody. More: one step; fewer:
    less for the broker to send. Measured: ``constants.py``."""
    constant_fanout: int = 2
    """Workers to whom each worker forwards a large constant. More: fewer steps to the last
    one; fewer: less to send for each. Measured: ``constants.py``."""
    constant_patience_s: float = 0.05
    """A large constant may be on its way for so long, and for what its bytes take, before it is
    asked for. Longer: it is not sent twice; shorter: it comes sooner where a forwarder is busy.
    Guess."""
    constant_bytes_per_s: float = 1e8
    """Speed, in bytes a second, at which those bytes may come. More: a constant comes sooner
    where a forwarder is busy; less: it is not sent twice on a slow network. Guess."""

    # -- functions and classes by value ------------------------------------

    definitions_kept_bytes: int = 64 << 20
    """Bytes of definitions that a rank keeps, pickled or rebuilt. More: fewer are sent again;
    fewer: less memory. Guess."""
    definitions_believed_bytes: int = 16 << 20
    """Bytes of definitions sent to a rank, after which it may have dropped an older one; at
    most ``definitions_kept_bytes``. More: fewer are sent again; fewer: fewer are missed there.
    Guess."""
    forms_kept: int = 1000
    """Keys that are remembered of an object whose form changes again and again: older copies of
    it may be on their way back. More: those are known again; fewer: less memory. Guess."""

    # -- idle ranks and the donor thread -----------------------------------

    yield_s: float = 0.0003
    """The first part of a wait, in which the core is yielded between polls. Longer: what comes
    soon is had without a wake-up; shorter: less of the core is used. Measured: ``idle.py``."""
    sleep_max_s: float = 0.05
    """Longest sleep of an idle worker that not all others can wake. Longer: quieter; shorter:
    the first task after a long wait is later by less. Guess."""
    broker_sleep_max_s: float = 0.01
    """The same of the broker. Longer: quieter; shorter: all who ask are answered sooner.
    Guess (half a per cent of a core)."""
    donor_nap_s: float = 0.006
    """If the first thread has not looked for so long, the donor thread does. Shorter: others
    are answered sooner; longer: a program that computes is interrupted less. Measured: long
    tasks (``own.py``)."""
    donor_nap_max_s: float = 0.01
    """The same, when no message has come for a while. Shorter: others are answered sooner;
    longer: a program that computes is interrupted less. Guess."""
    donor_nap_growth: float = 1.5
    """Factor by which it grows from the one to the other. More: fewer interruptions; less:
    others are answered sooner. Guess."""
    donor_nap_transfer_s: float = 0.0002
    """The same, while a large message is on its way: it moves on at each look only. Shorter:
    it arrives sooner; longer: a program that computes is interrupted less. Measured: large
    arguments (``own.py``)."""
    hold_still_s: float = 1.0
    """A fork waits so long for the donor thread to be between two looks. Longer: surer;
    shorter: less is lost if that thread waits for something the forking thread holds. Guess."""


TUNING = Tuning()
"""The figures that jobs run with."""
