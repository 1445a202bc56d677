"""Rank 0's state machine: matching, draining, stopping."""

import pytest

from scoop_mpi.base.messages import (
    Drain, Drained, Failure, Finished, Goodbye, Grant, Items, Leave, Left, Offer, RejectedItems,
    RejectedTasks, Request, Results, Shutdown, Tasks,
)
from scoop_mpi.broker.broker import Broker, BrokerState


def to_all(broker, message):
    return [(worker, message) for worker in broker.workers]


def draining(size):
    broker = Broker(size)
    broker.handle(1, Finished(0, True))
    return broker


def stopping(size, exit_code=0):
    broker = Broker(size)
    broker.handle(1, Finished(exit_code, False))
    return broker


# -- matching --------------------------------------------------------------


def test_starts_out_matching():
    broker = Broker(4)
    assert broker.state is BrokerState.MATCHING
    assert list(broker.workers) == [1, 2, 3]
    assert broker.present == {1, 2, 3}
    assert (broker.exit_code, broker.report) == (0, "")


def test_an_idle_worker_waits_for_an_offer():
    broker = Broker(4)
    assert broker.handle(2, Request((2,))) == []
    assert broker.handle(1, Offer()) == [(1, Grant((2,)))]


def test_an_offer_waits_for_an_idle_worker():
    broker = Broker(4)
    assert broker.handle(1, Offer()) == []
    assert broker.handle(3, Request((3,))) == [(1, Grant((3,)))]


def test_an_offer_and_a_request_are_used_up():
    broker = Broker(4)
    broker.handle(1, Offer())
    broker.handle(2, Request((2,)))
    assert broker.handle(3, Request((3,))) == []
    assert broker.handle(1, Offer()) == [(1, Grant((3,)))]
    assert broker.handle(1, Offer()) == []


def test_all_idle_workers_go_to_the_only_offer():
    broker = Broker(6)
    for worker in (2, 3, 4, 5):
        broker.handle(worker, Request((worker,)))
    assert broker.handle(1, Offer()) == [(1, Grant((2, 3, 4, 5)))]


def test_two_offers_share_at_one_go():
    broker = Broker(8)
    broker.handle(1, Offer())
    broker.handle(2, Offer())
    sends = broker.handle(3, Request((3, 4, 5, 6, 7)))
    assert sends == [(1, Grant((3, 4, 5))), (2, Grant((6, 7)))]


@pytest.mark.parametrize("givers", range(1, 7))
@pytest.mark.parametrize("takers", range(1, 13))
def test_shares_differ_by_one_at_most(givers, takers):
    broker = Broker(20)
    for giver in range(1, givers + 1):
        broker.handle(giver, Offer())
    idle = tuple(range(7, 7 + takers))
    sends = broker.handle(7, Request(idle))
    dealt = [worker for _, grant in sends for worker in grant.workers]
    assert sorted(dealt) == list(idle)
    shares = [len(grant.workers) for _, grant in sends]
    assert len(sends) == min(givers, takers)
    assert max(shares) - min(shares) <= 1
    assert len({giver for giver, _ in sends}) == len(sends)


def test_offers_that_got_nobody_stand():
    broker = Broker(5)
    broker.handle(1, Offer())
    broker.handle(2, Offer())
    assert broker.handle(3, Request((3,))) == [(1, Grant((3,)))]
    assert broker.handle(4, Request((4,))) == [(2, Grant((4,)))]


def test_the_oldest_of_many_offers_are_used():
    broker = Broker(10_000)
    for giver in range(1, 9000):
        broker.handle(giver, Offer())
    sends = broker.handle(9001, Request((9001, 2, 9002)))
    assert [giver for giver, _ in sends] == [1, 2, 3]
    assert sorted(grant.workers for _, grant in sends) == [(2,), (9001,), (9002,)]
    # The others stand; so does that of a giver that is the only one idle.
    assert broker.handle(4, Request((4,))) == [(5, Grant((4,)))]
    assert broker.handle(9003, Request((9003,))) == [(4, Grant((9003,)))]


def test_an_offer_from_the_only_idle_worker_stays():
    broker = Broker(4)
    broker.handle(1, Request((1,)))
    assert broker.handle(1, Offer()) == []
    assert broker.handle(2, Request((2,))) == [(1, Grant((2,)))]
    # Worker 1 itself is still idle.
    assert broker.handle(3, Offer()) == [(3, Grant((1,)))]


def test_a_giver_is_not_granted_itself():
    broker = Broker(4)
    broker.handle(1, Request((1,)))
    broker.handle(2, Request((2,)))
    assert broker.handle(1, Offer()) == [(1, Grant((2,)))]


def test_two_givers_that_are_idle_get_each_other():
    broker = Broker(4)
    broker.handle(1, Offer())
    broker.handle(2, Offer())
    assert broker.handle(1, Request((1,))) == [(2, Grant((1,)))]


def test_a_worker_is_idle_once():
    broker = Broker(4)
    broker.handle(2, Request((2,)))
    broker.handle(2, Request((2, 2)))
    assert broker.handle(1, Offer()) == [(1, Grant((2,)))]
    assert broker.handle(1, Offer()) == []


def test_an_offer_made_twice_counts_once():
    broker = Broker(4)
    broker.handle(1, Offer())
    broker.handle(1, Offer())
    assert broker.handle(2, Request((2,))) == [(1, Grant((2,)))]
    assert broker.handle(3, Request((3,))) == []


def test_workers_handed_back_are_idle():
    broker = Broker(5)
    broker.handle(2, Request((2, 3)))
    assert broker.handle(1, Offer()) == [(1, Grant((2, 3)))]
    assert broker.handle(1, Request((2, 3))) == []
    assert broker.handle(4, Offer()) == [(4, Grant((2, 3)))]


# -- draining --------------------------------------------------------------


def test_the_end_of_the_program_starts_a_turn():
    broker = Broker(4)
    assert broker.handle(1, Finished(5, True)) == to_all(broker, Drain(1))
    assert broker.state is BrokerState.DRAINING
    assert broker.exit_code == 5


def test_work_is_matched_while_draining():
    broker = draining(4)
    broker.handle(2, Request((2,)))
    assert broker.handle(1, Offer()) == [(1, Grant((2,)))]


def test_two_equal_turns_end_the_job():
    broker = draining(3)
    assert broker.handle(1, Drained(1, 7)) == []
    assert broker.handle(2, Drained(1, 0)) == to_all(broker, Drain(2))
    assert broker.handle(2, Drained(2, 0)) == []
    assert broker.handle(1, Drained(2, 7)) == to_all(broker, Shutdown(0))
    assert broker.state is BrokerState.STOPPING


def test_turns_go_on_while_tasks_are_created():
    broker = draining(3)
    for turn in range(1, 6):
        broker.handle(1, Drained(turn, turn))
        assert broker.handle(2, Drained(turn, 0)) == to_all(broker, Drain(turn + 1))
    broker.handle(1, Drained(6, 5))
    assert broker.handle(2, Drained(6, 0)) == to_all(broker, Shutdown(0))


def test_the_same_total_by_others_is_not_equal():
    broker = draining(3)
    broker.handle(1, Drained(1, 3))
    broker.handle(2, Drained(1, 4))
    broker.handle(1, Drained(2, 4))
    assert broker.handle(2, Drained(2, 3)) == to_all(broker, Drain(3))


def test_one_turn_without_any_task_is_not_enough():
    broker = draining(2)
    assert broker.handle(1, Drained(1, 0)) == [(1, Drain(2))]
    assert broker.handle(1, Drained(2, 0)) == [(1, Shutdown(0))]


def test_answers_to_an_earlier_turn_do_not_count():
    broker = draining(3)
    broker.handle(1, Drained(1, 0))
    broker.handle(2, Drained(1, 0))
    assert broker.handle(1, Drained(1, 0)) == []
    assert broker.handle(2, Drained(1, 0)) == []
    assert broker.state is BrokerState.DRAINING


def test_an_answer_given_twice_counts_once():
    broker = draining(3)
    assert broker.handle(1, Drained(1, 0)) == []
    assert broker.handle(1, Drained(1, 0)) == []
    assert broker.state is BrokerState.DRAINING


# -- stopping --------------------------------------------------------------


def test_the_end_without_draining():
    broker = Broker(4)
    assert broker.handle(1, Finished(3, False)) == to_all(broker, Shutdown(3))
    assert broker.state is BrokerState.STOPPING
    assert broker.report == ""


@pytest.mark.parametrize("before", [lambda: Broker(4), lambda: draining(4)],
                         ids=["matching", "draining"])
def test_a_failure_stops_the_job_at_once(before):
    broker = before()
    assert broker.handle(2, Failure("why", 9)) == to_all(broker, Shutdown(9))
    assert broker.state is BrokerState.STOPPING
    assert (broker.report, broker.exit_code) == ("why", 9)


def test_a_failure_is_reported_once():
    broker = Broker(4)
    broker.handle(2, Failure("first", 9))
    assert broker.handle(3, Failure("second", 8)) == []
    assert (broker.report, broker.exit_code) == ("first", 9)


@pytest.mark.parametrize("drain", [True, False])
def test_the_program_leaves_on_all_ranks(drain):
    broker = Broker(4)
    assert broker.handle(2, Left("why")) == broker.handle(3, Left("why, too")) == []
    assert broker.left == "why"
    assert broker.handle(1, Finished(2, drain))
    assert broker.handle(3, Left("late")) == []
    assert (broker.report, broker.exit_code, broker.left) == ("", 2, "")


def test_the_program_fails_on_all_ranks():
    broker = Broker(4)
    broker.handle(2, Left("why"))
    assert broker.handle(1, Failure("traceback", 1)) == to_all(broker, Shutdown(1))
    assert (broker.report, broker.left) == ("traceback", "")


@pytest.mark.parametrize("goes_on", [
    lambda broker: broker.handle(1, Offer()), lambda broker: broker.handle(1, Request((1,))),
    lambda broker: broker.root_goes_on(),
], ids=["offers", "asks", "in time"])
def test_the_program_leaves_on_workers_only(goes_on):
    broker = Broker(4)
    broker.handle(3, Request((3,)))
    broker.handle(2, Left("why"))
    assert broker.handle(2, Request((2,))) == []
    assert goes_on(broker) == to_all(broker, Shutdown(1))
    assert (broker.report, broker.exit_code, broker.left) == ("why", 1, "")


def test_a_failure_after_the_end_is_not_reported():
    broker = stopping(4, exit_code=5)
    assert broker.handle(3, Failure("late", 8)) == []
    assert (broker.report, broker.exit_code) == ("", 5)


@pytest.mark.parametrize("drain", [True, False])
def test_the_program_ends_after_a_failure(drain):
    broker = Broker(4)
    broker.handle(2, Failure("why", 9))
    assert broker.handle(1, Finished(0, drain)) == []
    assert broker.state is BrokerState.STOPPING
    assert broker.exit_code == 9


@pytest.mark.parametrize("message", [
    Request((2,)), Offer(), Drained(1, 0), Finished(1, True), Finished(1, False), Failure("x", 1),
], ids=lambda message: type(message).__name__)
def test_nothing_but_leave_after_shutdown(message):
    broker = Broker(4)
    broker.handle(1, Offer())
    broker.handle(3, Request((1,)))
    broker.handle(1, Finished(0, False))
    assert broker.handle(2, message) == []
    assert broker.state is BrokerState.STOPPING


def test_drain_answers_after_a_failure():
    broker = draining(3)
    broker.handle(1, Drained(1, 0))
    broker.handle(2, Failure("why", 9))
    assert broker.handle(2, Drained(1, 0)) == []
    assert broker.exit_code == 9


def test_the_last_goodbye_lets_all_leave():
    broker = stopping(4)
    assert broker.handle(2, Goodbye()) == []
    assert broker.handle(1, Goodbye()) == []
    assert broker.present == {3}
    assert broker.state is BrokerState.STOPPING
    assert broker.handle(3, Goodbye()) == to_all(broker, Leave())
    assert broker.state is BrokerState.STOPPED


def test_a_goodbye_said_twice():
    broker = stopping(3)
    broker.handle(1, Goodbye())
    assert broker.handle(1, Goodbye()) == []
    assert broker.state is BrokerState.STOPPING


@pytest.mark.parametrize("kind", [
    Grant, Shutdown, Leave, Drain, Results, Tasks, Items, RejectedTasks, RejectedItems,
], ids=lambda kind: kind.__name__)
def test_messages_that_are_not_for_the_broker(kind):
    with pytest.raises(AssertionError, match="not a message for the broker"):
        Broker(3).handle(1, kind(*range(len(kind._fields))))
