"""The loop of a rank: when it looks at its messages, and for whom it waits."""

import pytest
from peers import Alone

from scoop_mpi.base.messages import Request
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.future import SENT, ForeignTask
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.outcomes import Outcomes


@pytest.fixture
def one():
    return Alone()


def test_the_donor_thread_holds_nobody(one):
    one.give()
    one.hear(2, Request((2,)))
    one.scheduler.donate()
    assert one.handed_on() == [(2,)]


def test_a_program_that_polls_holds_those_who_ask(one):
    one.give()
    one.hear(2, Request((2,)))
    one.scheduler.poll()
    assert one.handed_on() == []
    one.idler.now += 2 * TUNING.wait_after_gift_s
    one.scheduler.poll()
    assert one.handed_on() == [(2,)]


def test_a_program_that_polled_and_does_something_else_holds_nobody(one):
    one.give()
    one.hear(2, Request((2,)))
    one.scheduler.poll()
    one.scheduler.look()
    assert one.handed_on() == [(2,)]


def wait_on(one, on_pause):
    """Waits for a task that is elsewhere, until ``on_pause`` returns True."""
    task = one.scheduler.submit(abs, (-5,), None)
    assert one.scheduler.claim(task)
    task.state = SENT
    one.scheduler.exchange.ledger.sent[task.number] = task

    there = ForeignTask(task.number, 1, abs, (-5,), None)
    there.run()

    def pause(waited_s):
        if on_pause(waited_s):
            one.hear(2, Outcomes(Codec(), 2).pack([there], []))

    one.idler.on_pause = pause
    one.scheduler.wait_for(task, None)
    assert task.value == 5


def test_a_waiting_rank_holds_who_asks_until_it_sleeps(one):
    seen = []

    def on_pause(waited_s):
        if not seen:
            one.hear(2, Request((2,)))
        seen.append((waited_s, one.handed_on()))
        return len(seen) > 20

    one.give()
    wait_on(one, on_pause)
    assert seen[1][1] == []
    asleep = [handed for waited_s, handed in seen if waited_s >= one.idler.spin_s]
    assert asleep
    assert asleep == [[(2,)]] * len(asleep)


def test_nobody_is_held_by_a_rank_that_sleeps(one, monkeypatch):
    """However long the look before took: it may have lost its core, or called callbacks."""
    seen = []

    def on_pause(waited_s):
        if not seen:
            one.hear(2, Request((2,)))
        seen.append((waited_s, one.handed_on()))
        return len(seen) > 5

    def slow_progress():
        one.idler.now += 2 * one.idler.spin_s if seen else 0.0

    monkeypatch.setattr(one.endpoint, "progress", slow_progress)
    one.give()
    wait_on(one, on_pause)
    assert seen[1][0] >= one.idler.spin_s
    assert seen[1][1] == [(2,)]
