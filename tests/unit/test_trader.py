"""What a worker says to the others: when it asks, what it gives to whom, whom it holds."""

from collections import deque

import pytest
from peers import Pool, feed

from scoop_mpi.base.messages import BROKER, Items, Offer, RejectedTasks, Results, Tasks
from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.tasks.future import Future
from scoop_mpi.tasks.mapcall import MapCall
from scoop_mpi.workers import trader as module

FEW_GIFTS = Tuning(served_one_by_one=1, gifts_at_once=2)
"""As if thousands of workers asked."""


@pytest.fixture
def pool():
    return Pool(3)


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
