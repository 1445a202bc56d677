"""What a worker says to the others: when it asks, what it gives to whom, whom it holds."""

import contextlib
import threading
from collections import deque
from types import SimpleNamespace

import pytest

from scoop_mpi.base.context import here
from scoop_mpi.base.errors import NotPicklableError, ThreadError
from scoop_mpi.base.messages import (
    BROKER, Grant, Items, Lacking, Offer, RejectedTasks, Request, Results, Tasks,
)
from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.tasks.backlog import Backlog
from scoop_mpi.tasks.future import PENDING, SENT, ForeignTask, Future
from scoop_mpi.tasks.mapcall import MapCall
from scoop_mpi.tasks.sizes import Sizes
from scoop_mpi.wire.codec import Codec, find_reference
from scoop_mpi.wire.memory import Network
from scoop_mpi.wire.outcomes import Outcomes
from scoop_mpi.workers import trader as module
from scoop_mpi.workers.cadence import Cadence
from scoop_mpi.workers.exchange import Exchange
from scoop_mpi.workers.scheduler import Scheduler
from scoop_mpi.workers.trader import Terms

FEW_GIFTS = Tuning(served_one_by_one=1, gifts_at_once=2)
"""As if thousands of workers asked."""


class Pool:
    """What the workers of a pool say, without any scheduler; the test is the broker."""

    def __init__(self, workers, tuning=TUNING):
        self.network = Network(workers + 1, 0)
        self.codecs, self.backlogs, self.cadences, self.exchanges = [], [], [], []
        for rank in range(1, workers + 1):
            sizes = Sizes(tuning, workers)
            self.codecs.append(Codec())
            self.backlogs.append(Backlog(sizes, tuning))
            self.cadences.append(Cadence(tuning, sizes, 0.0))
            self.exchanges.append(Exchange(
                self.network.endpoint(rank), self.codecs[-1], self.backlogs[-1],
                self.cadences[-1], tuning))
        self.created = 0

    def __getitem__(self, rank):
        return self.exchanges[rank - 1]

    def backlog(self, rank):
        return self.backlogs[rank - 1]

    def codec(self, rank):
        return self.codecs[rank - 1]

    def ration_s(self, rank):
        return self.cadences[rank - 1].ration_s

    def submit(self, rank, count, func=abs):
        """Makes tasks on a rank."""
        tasks = []
        for _ in range(count):
            self.created += 1
            tasks.append(Future(self.created, func, (-self.created,), None))
            self.backlog(rank).own[self.created] = tasks[-1]
        return tasks

    def grant(self, rank, *workers):
        self.network.endpoint(BROKER).send(rank, Grant(workers))

    def deliver(self):
        while self.network.deliver_one() is not None:
            pass

    def look(self, rank, now=1.0, gives=True, eager=True, again=False):
        """All that has been sent arrives, and a rank deals with what is for it."""
        self.deliver()
        self[rank].exchange(now, Terms(eager=eager, again=again), gives)
        self[rank].take_in()

    def settle(self, *ranks):
        """Looks at the network on these ranks until all is quiet."""
        length = -1
        while length != len(self.network.log):
            length = len(self.network.log)
            for rank in ranks:
                self.look(rank)

    def run(self, rank, elapsed_s=0.0):
        """Runs all tasks of others that a rank has, and reports them."""
        foreign = self.backlog(rank).foreign
        while foreign:
            task = foreign.popleft()
            task.run()
            task.elapsed_s = elapsed_s
            self[rank].reports.add_task(task)

    def sent(self, kind):
        """(sender, receiver, message) of one kind, so far."""
        return [entry for entry in self.network.log if isinstance(entry[2], kind)]

    def requests(self, rank):
        """What a rank has said about who wants work: (to whom, who)."""
        return [(dest, message.workers) for source, dest, message in self.sent(Request)
                if source == rank]


@pytest.fixture
def pool():
    return Pool(3)


def feed(pool, giver, taker, count=1):
    """A worker that has asked the broker gets some new tasks of another."""
    tasks = pool.submit(giver, count)
    pool[taker].ask()
    for _ in tasks:
        pool.grant(giver, taker)
        pool.look(giver)
    pool.look(taker)
    assert len(pool.backlog(taker).foreign) == count
    return tasks


# -- results that ask ------------------------------------------------------


def test_results_ask_for_more(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    [(source, dest, results)] = pool.sent(Results)
    assert (source, dest, results.asks) == (2, 1, True)
    # It is asked for once: not by itself, too.
    pool[2].ask()
    assert pool.requests(2) == [(BROKER, (2,))]


def test_whoever_asks_with_results_is_given_more(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    pool.submit(1, 1)
    pool.look(1)
    assert [dest for source, dest, _ in pool.sent(Tasks)] == [2, 2]
    assert not pool.requests(1)


def test_whoever_asks_with_results_is_handed_on_if_nothing_is_left(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    pool.look(1)
    assert pool.requests(1) == [(BROKER, (2,))]


def test_results_do_not_ask_twice(pool):
    feed(pool, 1, 2)
    pool[2].ask()
    pool.run(2)
    pool.look(2)
    assert [results.asks for _, _, results in pool.sent(Results)] == [False]
    assert pool.requests(2) == [(BROKER, (2,)), (1, (2,))]


def test_results_do_not_ask_while_there_is_work(pool):
    feed(pool, 1, 2, count=2)
    pool.backlog(2).estimates.learn(abs, 1.0)  # else it is little work
    second = pool.backlog(2).foreign.pop()
    pool.run(2)
    pool.backlog(2).foreign.append(second)
    pool.look(2, gives=False)
    pool.run(2)
    pool.look(2)
    assert [results.asks for _, _, results in pool.sent(Results)] == [False, True]


def test_results_to_others_than_the_giver_do_not_ask(pool):
    """Rank 2 gives a task of rank 1 to rank 3."""
    feed(pool, 1, 2)
    pool[3].ask()
    pool.grant(2, 3)
    pool.look(2)
    pool.look(3)
    pool.run(3)
    pool.look(3)
    [(source, dest, results)] = pool.sent(Results)
    assert (source, dest, results.asks) == (3, 1, False)
    pool[3].ask()
    assert pool.requests(3) == [(BROKER, (3,)), (2, (3,))]


@pytest.mark.parametrize("takes_s, asks", [
    (0.0, False), (TUNING.ask_with_results_s / 2, False), (TUNING.ask_with_results_s * 2, True),
    (TUNING.ask_late_s / 2, True), (TUNING.ask_late_s * 2, False),
])
def test_what_is_asked_for_ahead(pool, takes_s, asks):
    """Not while there is much to do, nor if the results can ask soon."""
    pool[2].ask_ahead(takes_s)
    assert pool.requests(2) == [(BROKER, (2,))] * asks


# -- small gifts are rationed ----------------------------------------------


def test_rations_grow_while_gifts_turn_out_small(pool):
    seen = [pool.ration_s(1)]
    for _ in range(8):
        feed(pool, 1, 2)
        pool.run(2, TUNING.small_gift_s / 2)
        pool.look(2)
        pool.look(1)
        seen.append(pool.ration_s(1))
    assert seen == [min(TUNING.ration_s * 2**n, TUNING.ration_max_s) for n in range(9)]
    assert seen[-1] == seen[-2] == TUNING.ration_max_s
    feed(pool, 1, 2)
    pool.run(2, TUNING.small_gift_s)
    pool.look(2)
    pool.look(1)
    assert pool.ration_s(1) == TUNING.ration_s


def test_many_small_tasks_at_once_are_no_small_gift(pool):
    feed(pool, 1, 2, count=5)
    pool.run(2, TUNING.small_gift_s / 4)
    pool.look(2)
    pool.look(1)
    assert pool.ration_s(1) == TUNING.ration_s


@pytest.mark.parametrize("estimate_s, small", [
    (0.0, False), (TUNING.small_gift_s / 2, True), (TUNING.small_gift_s, False),
])
def test_a_small_gift_is_noticed(pool, estimate_s, small):
    if estimate_s:
        pool.backlog(1).estimates.learn(abs, estimate_s)
    feed(pool, 1, 2)
    assert pool[1].trader.small_gift is small


# -- who asks right after a gift -------------------------------------------


def gave_to_2_and_3_asks(pool):
    feed(pool, 1, 2)
    pool[3].ask()
    pool.grant(1, 3)


def test_who_asks_right_after_a_gift_is_held(pool):
    gave_to_2_and_3_asks(pool)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s / 2, again=True)
    assert pool.requests(1) == []
    # ... and gets the next.
    pool.submit(1, 1)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s / 2, again=True)
    assert [dest for _, dest, _ in pool.sent(Tasks)] == [2, 3]


def test_who_was_held_is_handed_on_later(pool):
    gave_to_2_and_3_asks(pool)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s / 2, again=True)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s * 2, again=True)
    assert pool.requests(1) == [(BROKER, (3,))]
    pool.look(1, 1.0 + TUNING.wait_after_gift_s * 3, again=True)
    assert pool.requests(1) == [(BROKER, (3,))]


def test_who_was_held_is_handed_on_once_this_rank_has_other_things_to_do(pool):
    gave_to_2_and_3_asks(pool)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s / 2, again=True)
    pool.look(1, 1.0 + TUNING.wait_after_gift_s / 2)
    assert pool.requests(1) == [(BROKER, (3,))]


def test_nobody_is_held_by_whom_has_given_nothing(pool):
    pool[3].ask()
    pool.grant(1, 3)
    pool.look(1, again=True)
    assert pool.requests(1) == [(BROKER, (3,))]


# -- what is given away ----------------------------------------------------


def light_map(pool):
    call = MapCall(pool.created + 1, 1, abs, range(1000), False, workers=3)
    call.learn_here(TUNING.light_item_s / 2)
    pool[1].ledger.open_map(call)
    return call


def test_light_items_are_neither_offered_nor_given(pool):
    light_map(pool)
    pool[2].ask()
    pool.grant(1, 2)
    pool.look(1, eager=False)
    assert not pool.sent(Items)
    assert pool.requests(1) == [(BROKER, (2,))]
    assert not pool.sent(Offer)
    pool.look(1)
    assert len(pool.sent(Offer)) == 1


def test_a_chunk_run_here_tells_if_its_items_are_light(pool):
    call = MapCall(1, 1, abs, range(1000), False, workers=3)
    pool[1].ledger.open_map(call)
    chunk = call.cut(1.0)
    chunk.run(lambda: 0.0)
    chunk.elapsed_s = TUNING.light_item_s / 2
    pool[1].ledger.chunk_has_run(chunk)
    assert call.light


# -- gifts for several -----------------------------------------------------


def test_gifts_are_for_one_each_if_few_ask():
    pool = Pool(6)
    pool.submit(1, 5)
    pool.grant(1, 2, 3, 4, 5, 6)
    pool.look(1)
    assert [(dest, len(tasks.ids), tasks.giver, tasks.onward)
            for _, dest, tasks in pool.sent(Tasks)] == [(n, 1, 1, ()) for n in range(2, 7)]


@pytest.mark.parametrize("asking, each", [(64, 1), (65, 5), (160, 10), (1000, 63)])
def test_for_how_many_a_gift_is(pool, asking, each):
    assert pool[1].trader.takers_of_a_gift(asking) == each
    assert each == 1 or -(-asking // each) <= TUNING.gifts_at_once


def test_many_who_ask_share_gifts():
    """Each passes on what is for others, and all ask the giver for more."""
    pool = Pool(8, FEW_GIFTS)
    tasks = pool.submit(1, 7)
    pool.grant(1, *range(2, 9))
    pool.look(1)
    # 7 ask: a gift for 4 of them; then 3 ask: a gift for 2; then the last one.
    assert [(dest, len(gift.ids), gift.onward) for _, dest, gift in pool.sent(Tasks)] == [
        (2, 4, (3, 4, 5)), (6, 2, (7,)), (8, 1, ()),
    ]
    pool.settle(*range(2, 9))
    assert [len(pool.backlog(rank).foreign) for rank in range(2, 9)] == [1] * 7
    assert {gift.giver for _, _, gift in pool.sent(Tasks)} == {1}
    for rank in range(2, 9):
        pool.run(rank)
    pool.settle(*range(2, 9))
    assert [(dest, results.asks) for _, dest, results in pool.sent(Results)] == [(1, True)] * 7
    pool.settle(1)
    assert [task.result() for task in tasks] == list(range(1, 8))
    assert pool.requests(1) == [(BROKER, tuple(range(2, 9)))]


def test_items_are_passed_on():
    pool = Pool(5, FEW_GIFTS)
    call = MapCall(1, 1, abs, range(-9, 0), False, workers=4)
    pool[1].ledger.open_map(call)
    pool.grant(1, 2, 3, 4, 5)
    pool.look(1)
    pool.settle(2, 3, 4, 5)
    chunks = [pool.backlog(rank).chunks for rank in range(2, 6)]
    assert all(chunks)
    items = sorted(item for held in chunks for chunk in held for item in chunk.args())
    assert items == list(range(-9, 0))[:len(items)]
    for _, _, chunk in pool.sent(Items):
        assert (chunk.owner, chunk.giver) == (1, 1)


def test_no_more_come_with_a_gift_than_it_has_tasks():
    pool = Pool(8, FEW_GIFTS)
    pool.submit(1, 2)
    pool.grant(1, *range(2, 9))
    pool.look(1)
    assert [(dest, gift.onward) for _, dest, gift in pool.sent(Tasks)] == [(2, (3,))]
    assert pool.requests(1) == [(BROKER, (4, 5, 6, 7, 8))]


class Unpicklable:
    """Travels to nobody."""

    def __reduce__(self):
        raise TypeError("not this one")


def test_those_who_came_with_less_than_was_meant_for_them_ask_by_themselves():
    """Two of three tasks for three workers turned out not to travel."""
    pool = Pool(6, FEW_GIFTS)
    pool.submit(1, 1)
    for _ in range(2):
        pool.created += 1
        pool.backlog(1).own[pool.created] = Future(pool.created, id, (Unpicklable(),), None)
    pool.grant(1, 2, 3, 4, 5, 6)
    pool.look(1)
    [(_, dest, gift)] = pool.sent(Tasks)
    assert (dest, gift.ids, gift.onward) == (2, (1,), (3, 4))
    for _ in range(2):
        pool.look(2, gives=False)
    assert len(pool.backlog(2).foreign) == 1
    assert pool.requests(2) == [(BROKER, (3, 4))]


class Unloadable:
    """Pickles, but cannot be rebuilt."""

    def __reduce__(self):
        return int, ("what is no number",)


def test_those_who_came_with_what_cannot_be_loaded_ask_by_themselves():
    pool = Pool(5, FEW_GIFTS)
    for _ in range(3):
        pool.created += 1
        task = Future(pool.created, id, (Unloadable(),), None)
        pool.backlog(1).own[task.number] = task
    pool.grant(1, 2, 3, 4)
    pool.look(1)
    [leader, *_] = [(dest, gift) for _, dest, gift in pool.sent(Tasks) if gift.onward]
    pool.look(leader[0])
    assert [dest for _, dest, _ in pool.sent(RejectedTasks)] == [1]
    pool.look(leader[0])
    assert pool.requests(leader[0]) == [(BROKER, leader[1].onward)]


def test_those_who_came_with_tasks_of_the_receiver_ask_by_themselves():
    """Own tasks come home, and are not given to those who came with them by this way."""
    pool = Pool(4, FEW_GIFTS)
    tasks = pool.submit(1, 2)
    pool.grant(1, 2)
    pool.look(1)
    pool.grant(1, 2)
    pool.look(1)
    pool.look(2)
    pool.grant(2, 1, 3, 4)
    pool.look(2)
    [(_, dest, gift)] = [entry for entry in pool.sent(Tasks) if entry[0] == 2]
    assert (dest, gift.onward, gift.giver, gift.owner) == (1, (3,), 2, 1)
    pool.look(1, gives=False)
    assert list(pool.backlog(1).own.values()) == tasks
    assert not pool[1].ledger.sent
    pool.look(1, gives=False)
    assert pool.requests(1) == [(BROKER, (3,))]


def test_no_more_are_taken_than_can_get_some():
    takers = deque([5, 6, 7])
    assert module._pop_some(takers, 2, [None] * 9) == [5, 6]
    assert takers == deque([7])
    assert module._pop_some(deque([5, 6, 7]), 3, [None]) == [5]


# -- a scheduler: who looks when -------------------------------------------


class Idler:
    """Lets a little of a made-up clock's time pass whenever there is nothing to do."""

    spin_s = 0.0003

    def __init__(self):
        self.now = 100.0
        self.pauses = []
        self.on_pause = None
        self.step_s = 0.0001

    def clock(self):
        return self.now

    def pause(self, waited_s, limit_s):
        self.pauses.append(waited_s)
        assert len(self.pauses) < 3000
        if self.on_pause is not None:
            self.on_pause(waited_s)
        self.now += self.step_s

    def resume(self):
        """Nothing to do."""


class Alone:
    """A scheduler on rank 1 of a pool whose other ranks are the test."""

    def __init__(self):
        self.network = Network(4, 0)
        self.idler = Idler()
        self.endpoint = self.network.endpoint(1)
        self.scheduler = Scheduler(self.endpoint, Codec(), self.idler.clock, self.idler)

    def give(self):
        """Gives a task away, just now."""
        self.scheduler.submit(abs, (-1,), None)
        self.hear(BROKER, Grant((3,)))
        self.scheduler.look(Terms(eager=True))
        assert [dest for _, dest, message in self.network.log if type(message) is Tasks] == [3]

    def hear(self, source, message):
        self.network.endpoint(source).send(1, message)
        while self.network.deliver_one() is not None:
            pass

    def handed_on(self):
        return [message.workers for source, dest, message in self.network.log
                if (source, dest) == (1, BROKER) and isinstance(message, Request)
                and message.workers != (1,)]


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


# -- a program that polls --------------------------------------------------


def poll_for(one, seconds):
    """Polls every now and then, for so long."""
    for _ in range(round(seconds / (TUNING.patience_polls_s / 10))):
        one.scheduler.poll()
        one.idler.now += TUNING.patience_polls_s / 10


def test_a_program_that_polls_runs_what_nobody_takes(one):
    task = one.scheduler.submit(abs, (-5,), None)
    poll_for(one, 0.8 * TUNING.patience_polls_s)
    assert task.value is None
    poll_for(one, 0.5 * TUNING.patience_polls_s)
    assert task.value == 5


def test_a_new_task_restarts_the_patience(one):
    first = one.scheduler.submit(abs, (-5,), None)
    poll_for(one, 1.5 * TUNING.patience_polls_s)
    assert first.value == 5
    for _ in range(3):
        task = one.scheduler.submit(abs, (-6,), None)
        poll_for(one, 0.8 * TUNING.patience_polls_s)
        assert task.value is None
        poll_for(one, 0.5 * TUNING.patience_polls_s)
        assert task.value == 6


def test_polls_that_are_far_apart_run_what_nobody_takes(one):
    """A program may sleep between them."""
    task = one.scheduler.submit(abs, (-5,), None)
    one.scheduler.poll()
    one.idler.now += 3 * TUNING.patience_polls_s
    assert task.value is None
    one.scheduler.poll()
    assert task.value == 5


@pytest.mark.parametrize("timeout, value", [
    (0.9 * TUNING.patience_deadlines_s, None), (3 * TUNING.patience_deadlines_s, 5)])
def test_a_wait_leaves_what_may_outlast_it_to_others_for_a_time(one, timeout, value):
    """But not for ever: all may wait so, for one another."""
    task = one.scheduler.submit(abs, (-5,), None)

    one.idler.step_s = TUNING.patience_deadlines_s / 10
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(task, timeout)
    assert task.value == value


def test_short_waits_leave_work_to_others_no_longer_than_a_long_one(one):
    """All may wait in loops with short timeouts."""
    began = one.idler.now
    task = one.scheduler.submit(abs, (-5,), None)
    one.idler.step_s = TUNING.patience_deadlines_s / 10
    while task.value is None:
        with contextlib.suppress(TimeoutError):
            one.scheduler.wait_for(task, 0.3 * TUNING.patience_deadlines_s)
        assert one.idler.now - began < 2 * TUNING.patience_deadlines_s
    assert one.idler.now - began > TUNING.patience_deadlines_s


def test_a_wait_has_all_its_patience_for_what_was_created_since(one):
    one.idler.step_s = TUNING.patience_deadlines_s / 10
    never = Future(0, abs, (), None, None)
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(never, 0.9 * TUNING.patience_deadlines_s)  # with nothing to leave
    task = one.scheduler.submit(abs, (-5,), None)
    with contextlib.suppress(TimeoutError):
        one.scheduler.wait_for(never, 0.9 * TUNING.patience_deadlines_s)
    assert task.value is None


def test_patience_wears_off_where_nobody_takes_anything(one):
    """In a tree of waits with deadlines each would have to be patient."""
    began = one.idler.now
    one.idler.step_s = TUNING.patience_deadlines_s / 1000
    for number in range(10):
        task = one.scheduler.submit(lambda: None, (), None)
        one.scheduler.backlog.estimates.learn(task.func, 10.0)
        one.scheduler.wait_for(task, 60)
    assert one.idler.now - began < 2 * TUNING.patience_deadlines_s


# -- what cannot be pickled on the donor thread ----------------------------


class FirstThreadOnly:
    """Pickles on the thread that runs tasks; elsewhere a verb raises, or hides that."""

    donating = False
    hides = False

    def __reduce__(self):
        if self.donating:
            here.refused = True  # as context.current() notes it
            if not self.hides:
                raise ThreadError("not here")
        return int, (3,)


@pytest.fixture(params=[False, True], ids=["raises", "hides it"])
def picky(request, monkeypatch):
    monkeypatch.setattr(FirstThreadOnly, "hides", request.param)
    monkeypatch.setattr(here, "refused", False)
    return FirstThreadOnly


def donate(pool, rank, picky):
    """The donor thread of a rank looks, while a task computes."""
    pool.deliver()
    picky.donating = True
    pool[rank].exchange(1.0, Terms(eager=True, donor=True), True)
    picky.donating = False


def create(pool, rank, count, picky):
    for _ in range(count):
        pool.created += 1
        pool.backlog(rank).own[pool.created] = Future(pool.created, abs, (picky(),), None)


def test_the_first_thread_sends_what_the_donor_could_not(pool, picky):
    create(pool, 1, 2, picky)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Tasks) == [] and not pool[1].ledger.sent
    assert {task.state for task in pool.backlog(1).own.values()} == {PENDING}
    # Who asked is handed on, and asked for again when there is somebody to serve it.
    assert pool.requests(1) == [(BROKER, (2,))]
    pool.grant(1, 2)
    pool.look(1)
    [(_, dest, gift)] = pool.sent(Tasks)
    assert dest == 2 and set(gift.ids) <= {1, 2}
    pool.look(2)
    pool.run(2)
    assert pool[2].reports.finished


def test_the_donor_gives_nothing_until_the_first_thread_has_looked(pool, picky):
    create(pool, 1, 1, picky)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    pool.submit(1, 5)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Tasks) == []
    pool.look(1, gives=False)
    del pool.backlog(1).own[1]
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert [dest for _, dest, _ in pool.sent(Tasks)] == [2]


def test_it_is_the_donor_thread_beside_light_items_too(one, picky):
    one.scheduler.running_chunk = SimpleNamespace(light=True)
    for _ in range(2):
        task = one.scheduler.submit(abs, (picky(),), None)
    one.hear(BROKER, Grant((3,)))
    picky.donating = True
    one.scheduler.donate()
    assert [message for _, _, message in one.network.log if type(message) is Tasks] == []
    assert task.state is PENDING and not one.scheduler.exchange.trader.refused
    assert one.scheduler.exchange.trader.stays


class Changing:
    """Fails as what another thread changes meanwhile does: not for its type."""

    def __reduce__(self):
        raise RuntimeError("dictionary changed size during iteration")


def test_what_the_first_thread_cannot_pickle_is_final(pool):
    pool.created += 1
    task = pool.backlog(1).own[1] = Future(1, abs, (Changing(),), None)
    pool.grant(1, 2)
    donate(pool, 1, FirstThreadOnly)
    pool[1].take_in()
    assert task.state is PENDING
    pool.grant(1, 2)
    pool.look(1)
    assert isinstance(task.error, NotPicklableError)


@pytest.mark.parametrize("mapped", [False, True])
def test_what_pickle_refuses_is_final_on_the_donor_thread(pool, mapped):
    """Else the owner would run all such tasks alone, and nobody would know why."""
    if mapped:
        pool[1].ledger.open_map(MapCall(7, 1, abs, [threading.Lock()] * 4, False, workers=3))
    else:
        pool.created += 1
        pool.backlog(1).own[1] = Future(1, abs, (threading.Lock(),), None)
    pool.grant(1, 2)
    donate(pool, 1, FirstThreadOnly)
    owners, outcomes = zip(*pool[1].trader.refused)
    assert set(owners) == {1}
    assert {type(outcome.error) for outcome in outcomes} == {NotPicklableError}


def test_chunks_stay_whole_when_the_donor_cannot_pickle_them(pool, picky):
    call = MapCall(7, 1, abs, [picky() for _ in range(4)], False, workers=3)
    pool[1].ledger.open_map(call)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Items) == []
    assert sum(map(len, pool.backlog(1).chunks)) + call_rest(call) == 4
    pool.grant(1, 2)
    pool.look(1)
    assert [dest for _, dest, _ in pool.sent(Items)] == [2]


def call_rest(call):
    """Items of a map that are not cut."""
    return sum(len(chunk) for chunk in iter(lambda: call.cut(1e9), None))


def test_tasks_of_others_stay_when_the_donor_cannot_pickle_them(pool, picky):
    for task in feed(pool, 1, 2, 2):
        assert task.state is SENT
    for task in pool.backlog(2).foreign:
        task.args = (picky(),)
    pool.grant(2, 3)
    donate(pool, 2, picky)
    assert [source for source, _, _ in pool.sent(Tasks) if source == 2] == []
    assert len(pool.backlog(2).foreign) == 2
    pool.grant(2, 3)
    pool.look(2)
    assert [dest for source, dest, _ in pool.sent(Tasks) if source == 2] == [3]


# -- names that the receiver lacks -----------------------------------------


def reject(pool, source, task, **what):
    """A receiver of a task of rank 1 has rejected it."""
    message = RejectedTasks((task.number,), Lacking((), "", "")._replace(**what), "why")
    pool.network.endpoint(source).send(1, message)
    pool.look(1)


def send_out(pool, dest=2):
    [task] = pool.submit(1, 1)
    pool.grant(1, dest)
    pool.look(1)
    assert task.state is SENT
    return task


def test_a_task_that_nobody_can_rebuild_is_given_up_at_once(pool):
    task = send_out(pool)
    reject(pool, 2, task)
    assert isinstance(task.error, NotPicklableError)


def test_a_name_that_is_lacking_is_no_try(pool):
    task = send_out(pool)
    names = pool.codec(1).names
    for name in "abcdefgh":
        reject(pool, 2, task, module="m", name=name)
        assert task.state is PENDING
        assert not names.send_by_value("m", name)  # it has learned that
        pool.grant(1, 2)
        pool.look(1)
        assert task.state is SENT


def test_a_name_may_come_from_ranks_that_have_not_heard_of_it(pool):
    tasks = [send_out(pool, dest) for dest in (2, 3)]
    reject(pool, 2, tasks[0], module="m", name="a")
    reject(pool, 3, tasks[1], module="m", name="a")  # was on its way meanwhile
    assert {task.state for task in tasks} == {PENDING}


def test_a_name_that_is_lacking_for_ever_is_an_error(pool):
    task = send_out(pool)
    for count in range(20):
        reject(pool, 2, task, module="m", name="a")
        if task.state is not PENDING:
            break
        pool.grant(1, 2)
        pool.look(1)
    assert isinstance(task.error, NotPicklableError)
    assert count <= 5
    assert not pool.backlog(1).singly


def test_a_definition_that_was_left_out_is_no_try(pool):
    task = send_out(pool)
    for _ in range(10):
        reject(pool, 2, task, keys=(b"key",))
        assert task.state is PENDING
        pool.grant(1, 2)
        pool.look(1)
        assert task.state is SENT


class Unrebuildable:
    """Refers to a name that is nowhere."""

    def __reduce__(self):
        return find_reference, ("example_nowhere", "f")


def test_whoever_passed_it_on_learns_what_was_lacking(pool):
    feed(pool, 1, 2)
    for task in pool.backlog(2).foreign:
        task.args = (Unrebuildable(),)
    pool.grant(2, 3)
    pool.look(2)
    pool.look(3)
    [(_, dest, lacking)] = pool.sent(Lacking)
    assert (dest, lacking.module, lacking.name) == (2, "example_nowhere", "f")
    [(_, dest, rejected)] = pool.sent(RejectedTasks)
    assert (dest, rejected.lacking.module, rejected.lacking.name) == (1, "example_nowhere", "f")
    pool.look(2)
    assert not pool.codec(2).names.send_by_value("example_nowhere", "f")
