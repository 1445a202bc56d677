"""A worker's unstarted work: what runs first, what is given away, in what size."""

import itertools
import threading

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.backlog import Backlog
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import FINISHED, RUNNING, ForeignTask, Future
from scoop_mpi.tasks.mapcall import MapCall
from scoop_mpi.tasks.oldest import LISTED_MIN
from scoop_mpi.tasks.sizes import Sizes


def make_backlog(workers):
    return Backlog(Sizes(TUNING, workers), TUNING)


@pytest.fixture
def backlog():
    return make_backlog(workers=4)


def add_own(backlog, count, func=abs, first=1, parent=None):
    tasks = [Future(first + n, func, (n,), None, parent) for n in range(count)]
    for task in tasks:
        backlog.own[task.number] = task
    return tasks


def add_foreign(backlog, *owners, func=abs):
    tasks = [ForeignTask(n, owner, func, (n,), None) for n, owner in enumerate(owners)]
    backlog.foreign.extend(tasks)
    return tasks


def add_chunk(backlog, size, estimate_s=0.0):
    chunk = Chunk(3, 9, abs, False, 0, list(range(size)), estimate_s)
    backlog.chunks.append(chunk)
    return chunk


def add_map(backlog, size, **options):
    options.setdefault("chunksize", 1)
    call = MapCall(5, 1, abs, iter(range(size)), False, workers=4, **options)
    backlog.maps.append(call)
    return call


# -- what there is ---------------------------------------------------------


def test_empty(backlog):
    assert not backlog
    assert not backlog.more_than(0)
    assert backlog.take() is None
    assert backlog.give() is None
    assert backlog.peek_estimate_s() == 0.0


@pytest.mark.parametrize("add", [
    lambda b: add_own(b, 1), lambda b: add_foreign(b, 2), lambda b: add_chunk(b, 1),
    lambda b: add_map(b, 1),
], ids=["own", "foreign", "chunk", "map"])
def test_work_of_every_kind_counts(backlog, add):
    add(backlog)
    assert backlog
    assert backlog.more_than(0)
    assert not backlog.more_than(1)
    assert backlog.take() is not None
    assert not backlog
    assert backlog.take() is None


@pytest.mark.parametrize("add", [
    lambda b: add_own(b, 1), lambda b: add_foreign(b, 2), lambda b: add_chunk(b, 1),
    lambda b: add_map(b, 1),
], ids=["own", "foreign", "chunk", "map"])
def test_work_of_every_kind_can_be_given_away(backlog, add):
    add(backlog)
    assert backlog.give() is not None
    assert not backlog
    assert backlog.give() is None


def test_pieces_are_counted_together(backlog):
    add_own(backlog, 2)
    add_foreign(backlog, 2, 3)
    add_chunk(backlog, 10)
    add_map(backlog, 3)
    assert backlog.more_than(7)
    assert not backlog.more_than(8)


def test_a_map_that_waits_for_inputs_is_no_work(backlog):
    call = add_map(backlog, 5, buffersize=1)
    call.cut(TUNING.piece_s)
    assert not backlog
    assert backlog.take() is None
    call.read_more(1)
    assert backlog


# -- running ---------------------------------------------------------------


def test_the_newest_own_task_runs_first(backlog):
    tasks = add_own(backlog, 3)
    assert [backlog.take() for _ in range(3)] == tasks[::-1]


def test_own_work_runs_before_that_of_others(backlog):
    foreign = add_foreign(backlog, 2)
    chunk = add_chunk(backlog, 1)
    add_map(backlog, 1)
    own = add_own(backlog, 1)
    taken = [backlog.take() for _ in range(4)]
    assert taken[0] is own[0]
    assert taken[1].map_id == 5
    assert taken[2] is chunk
    assert taken[3] is foreign[0]


def test_the_newest_map_runs_first(backlog):
    first, second = add_map(backlog, 2), add_map(backlog, 2)
    first.id, second.id = 21, 22
    assert [backlog.take().map_id for _ in range(4)] == [22, 22, 21, 21]


# -- turns -----------------------------------------------------------------


def has_turn(backlog, begun):
    """At a look, when so many pieces have begun."""
    if begun >= backlog.turn_at:
        backlog.note_begun(begun)
    return backlog.turn


def test_the_oldest_has_its_turn_after_so_many_others(backlog):
    tasks = add_own(backlog, 5)
    assert not has_turn(backlog, TUNING.turn_after - 1)
    assert backlog.take() is tasks[4]
    assert has_turn(backlog, TUNING.turn_after)
    assert backlog.take() is tasks[0]
    assert backlog.take() is tasks[3]


def test_each_kind_has_its_turn(backlog):
    own = add_own(backlog, 20)
    foreign = add_foreign(backlog, *[2] * 20)
    chunks = [add_chunk(backlog, 1) for _ in range(20)]
    calls = [add_map(backlog, 20) for _ in range(2)]
    calls[0].id, calls[1].id = 21, 22
    begun, taken = 0, []
    for _ in range(8):
        begun += TUNING.turn_after
        assert has_turn(backlog, begun)
        taken.append(backlog.take())
        if isinstance(taken[-1], Chunk):
            taken[-1].elapsed_s = 1.0  # it has run
    tasks = [one for one in taken if not isinstance(one, Chunk)]
    assert sorted(tasks, key=id) == sorted(own[:2] + foreign[:2], key=id)
    assert [one for one in taken if one in chunks] == chunks[:2]
    assert [one.start for one in taken if one not in chunks + tasks] == [0, 1]
    assert calls[1].remaining == 20


def test_whoever_is_not_done_delays_the_next_turn(backlog):
    """By as much again: else a tree would be run breadth first."""
    tasks = add_own(backlog, 5)
    begun = 0
    for unfinished in range(3):
        begun += TUNING.turn_after * (1 + unfinished)
        assert not has_turn(backlog, begun - 1)
        assert has_turn(backlog, begun)
        backlog.take().state = RUNNING
    tasks[0].state = tasks[1].state = FINISHED
    assert has_turn(backlog, begun + 2 * TUNING.turn_after)


def test_turns_of_what_is_gone_delay_nobody(backlog):
    add_chunk(backlog, 1)
    assert has_turn(backlog, TUNING.turn_after)
    backlog.take()
    add_foreign(backlog, 2)
    assert has_turn(backlog, 2 * TUNING.turn_after)


def test_without_work_nobody_has_been_passed_over(backlog):
    assert not has_turn(backlog, 10 * TUNING.turn_after)
    add_own(backlog, 1)
    assert not has_turn(backlog, 11 * TUNING.turn_after - 1)
    assert has_turn(backlog, 11 * TUNING.turn_after)


@pytest.mark.parametrize("add", [add_own, add_foreign])
def test_whose_turn_it_is_may_be_given_away(backlog, add):
    add(backlog, 1)
    assert has_turn(backlog, TUNING.turn_after)
    assert backlog.give() is not None
    assert backlog.take() is None
    tasks = add_own(backlog, 2, first=7)
    assert backlog.take() is tasks[1]


def test_estimate_of_the_oldest(backlog):
    assert backlog.peek_oldest_s() == 0.0
    backlog.estimates.learn(abs, 0.5)
    add_own(backlog, 1)
    assert backlog.peek_oldest_s() == 0.5
    add_chunk(backlog, 4, 0.25)
    assert backlog.peek_oldest_s() == 1.0
    add_foreign(backlog, 2, func=pow)
    assert backlog.peek_oldest_s() == 0.0  # not known
    backlog.foreign.clear()
    add_map(backlog, 2).learn(2.0)
    assert backlog.peek_oldest_s() == 2.0


def test_a_claimed_task_is_gone(backlog):
    first, second = add_own(backlog, 2)
    assert backlog.claim(first)
    assert not backlog.claim(first)
    assert backlog.take() is second
    assert not backlog.claim(second)


# -- giving away -----------------------------------------------------------


def test_the_oldest_own_task_is_given_first(backlog):
    tasks = add_own(backlog, 3)
    assert [backlog.give() for _ in range(3)] == [[task] for task in tasks]


def test_work_of_others_leaves_first(backlog):
    add_own(backlog, 1)
    add_map(backlog, 1)
    add_foreign(backlog, 2)
    add_chunk(backlog, 1)
    given = [backlog.give() for _ in range(4)]
    assert (given[0].owner, given[0].map_id) == (3, 9)
    assert [task.owner for task in given[1]] == [2]
    assert given[2].map_id == 5
    assert [type(task) for task in given[3]] == [Future]


def test_unmeasured_tasks_are_given_one_by_one(backlog):
    add_own(backlog, 1000)
    assert len(backlog.give()) == 1


def test_bundles_aim_at_a_time(backlog):
    add_own(backlog, 1000)
    backlog.estimates.learn(abs, TUNING.piece_s / 20)
    assert [task.number for task in backlog.give()] == list(range(1, 21))


def test_a_bundle_is_no_more_than_a_fair_share(backlog):
    add_own(backlog, 80)
    backlog.estimates.learn(abs, 1e-9)
    assert len(backlog.give()) == 80 // (2 * 4)


def test_a_bundle_has_a_largest_size(backlog):
    add_own(backlog, 100_000)
    backlog.estimates.learn(abs, 1e-9)
    assert len(backlog.give()) == TUNING.bundle_max


def test_slow_tasks_are_given_one_by_one(backlog):
    add_own(backlog, 1000)
    backlog.estimates.learn(abs, 1.0)
    assert len(backlog.give()) == 1


def test_bundles_give_everything_once(backlog):
    tasks = add_own(backlog, 500)
    backlog.estimates.learn(abs, 1e-6)
    given = list(itertools.chain.from_iterable(iter(backlog.give, None)))
    assert given == tasks


def test_a_task_that_must_travel_alone(backlog):
    tasks = add_own(backlog, 100)
    backlog.estimates.learn(abs, 1e-9)
    backlog.singly[3] = 0
    bundles = list(iter(backlog.give, None))
    assert [tasks[2]] in bundles
    assert sorted(task.number for bundle in bundles for task in bundle) == list(range(1, 101))


def test_a_bundle_of_others_has_one_owner(backlog):
    tasks = add_foreign(backlog, 2, 2, 3, 2, *[2] * 60)
    backlog.estimates.learn(abs, 1e-9)
    bundles = list(iter(backlog.give, None))
    assert bundles[0] == tasks[:2]
    assert bundles[1] == [tasks[2]]
    assert all(len({task.owner for task in bundle}) == 1 for bundle in bundles)
    assert list(itertools.chain(*bundles)) == tasks


def test_a_short_chunk_is_given_whole(backlog):
    chunk = add_chunk(backlog, 10, TUNING.piece_s / 100)
    assert backlog.give() is chunk
    assert not backlog


def test_half_of_a_long_chunk_is_given(backlog):
    add_chunk(backlog, 10, TUNING.piece_s)
    given, kept = backlog.give(), backlog.take()
    assert (given.start, given.stop, kept.start, kept.stop) == (0, 5, 5, 10)
    assert not backlog


def test_a_long_single_item_is_given(backlog):
    add_chunk(backlog, 1, 100 * TUNING.piece_s)
    assert backlog.give().stop == 1
    assert not backlog


def test_the_oldest_map_is_given_first(backlog):
    first, second = add_map(backlog, 1), add_map(backlog, 1)
    first.id, second.id = 21, 22
    assert [backlog.give().map_id for _ in range(2)] == [21, 22]


# -- gifts in large pools --------------------------------------------------


@pytest.mark.parametrize("workers, aim_s", [
    (1, TUNING.piece_s), (4, TUNING.piece_s), (5000, 5000 * TUNING.gift_cost_s),
])
def test_gifts_grow_with_the_pool(workers, aim_s):
    backlog = make_backlog(workers)
    backlog.estimates.learn(abs, aim_s / 20.5)
    add_own(backlog, 100 * workers)
    assert len(backlog.give()) == 20


def test_the_items_of_a_map_are_given_by_the_same_measure():
    backlog = make_backlog(300)
    call = MapCall(5, 1, abs, range(100_000), False, workers=300)
    call.learn(Sizes(TUNING, 300).gift_s / 20.5)
    backlog.maps.append(call)
    assert len(backlog.give()) == 20


# -- gifts for several workers ---------------------------------------------


@pytest.mark.parametrize("takers", [1, 2, 5])
def test_unmeasured_tasks_for_several_are_one_for_each(backlog, takers):
    add_own(backlog, 1000)
    add_foreign(backlog, *[2] * 1000)
    assert len(backlog.give(takers)) == takers  # of others
    backlog.foreign.clear()
    assert len(backlog.give(takers)) == takers


@pytest.mark.parametrize("takers", [1, 2, 5])
def test_bundles_for_several_are_so_many_times_as_large(backlog, takers):
    add_own(backlog, 1000)
    backlog.estimates.learn(abs, TUNING.piece_s / 20)
    assert [task.number for task in backlog.give(takers)] == list(range(1, 20 * takers + 1))


def test_no_bundle_is_more_than_there_is(backlog):
    tasks = add_own(backlog, 3)
    assert backlog.give(5) == tasks
    tasks = add_foreign(backlog, 2, 2, 2)
    assert backlog.give(5) == tasks
    assert backlog.give(5) is None


@pytest.mark.parametrize("takers", [1, 2, 5])
def test_items_for_several(backlog, takers):
    call = add_map(backlog, 1000, chunksize=None)
    assert len(backlog.give(takers)) == takers
    call.learn(TUNING.piece_s / 20)
    assert len(backlog.give(takers)) == 20 * takers


@pytest.mark.parametrize("takers, given, kept", [(1, 6, 6), (2, 8, 4), (3, 9, 3), (11, 11, 1)])
def test_takers_and_giver_get_equal_shares_of_a_chunk(backlog, takers, given, kept):
    chunk = add_chunk(backlog, 12, TUNING.piece_s)
    chunk.start = 100
    gift = backlog.give(takers)
    assert (gift.start, len(gift)) == (100, given)
    [rest] = backlog.chunks
    assert (rest.start, len(rest)) == (100 + given, kept)


def test_a_short_chunk_is_divided_among_several(backlog):
    add_chunk(backlog, 12, TUNING.piece_s / 1000)
    assert len(backlog.give(2)) == 8


@pytest.mark.parametrize("takers", [1, 3])
def test_a_single_item_is_given_to_one_of_several(backlog, takers):
    add_chunk(backlog, 1, 100 * TUNING.piece_s)
    assert backlog.give(takers).args() == [0]
    assert not backlog


# -- what is sooner run than sent ------------------------------------------


def make_light(call):
    call.learn_here(TUNING.light_item_s / 2)
    assert call.light


def test_light_items_are_kept(backlog):
    call = add_map(backlog, 100)
    make_light(call)
    assert not backlog.more_than(0, without_light=True)
    assert backlog.give(without_light=True) is None
    assert call.remaining == 100
    assert backlog.more_than(99)
    assert backlog.give().map_id == call.id


def test_all_but_light_items_is_given(backlog):
    light, heavy = add_map(backlog, 100), add_map(backlog, 2)
    light.id, heavy.id = 21, 22
    make_light(light)
    [task] = add_own(backlog, 1)
    assert backlog.more_than(2, without_light=True)
    assert not backlog.more_than(3, without_light=True)
    given = [backlog.give(without_light=True) for _ in range(4)]
    assert [chunk.map_id for chunk in given[:2]] == [22, 22]
    assert given[2:] == [[task], None]
    assert backlog.give().map_id == 21


def test_light_items_are_run(backlog):
    make_light(add_map(backlog, 100))
    assert backlog
    assert backlog.take() is not None


# -- the oldest own tasks --------------------------------------------------


def test_a_bundle_of_own_tasks_has_one_parent(backlog):
    backlog.estimates.learn(abs, 1e-9)
    first = add_own(backlog, 2, first=1, parent=7)
    second = add_own(backlog, 1, first=3, parent=8)
    third = add_own(backlog, 60, first=4, parent=7)
    assert backlog.give() == first
    assert list(backlog.own.values()) == second + third
    assert backlog.give() == second
    assert backlog.give() == third[:7]  # a fair share
    assert list(backlog.own.values()) == third[7:]


def test_a_bundle_ends_before_a_task_that_must_travel_alone(backlog):
    tasks = add_own(backlog, 40)
    backlog.estimates.learn(abs, 1e-9)
    backlog.singly[3] = 0
    assert backlog.give(2) == tasks[:2]
    assert backlog.give(2) == [tasks[2]]
    assert backlog.give(2) == tasks[3:11]


@pytest.mark.parametrize("count", [LISTED_MIN - 1, LISTED_MIN, LISTED_MIN + 1, 30 * LISTED_MIN])
def test_tasks_are_given_in_order_while_others_run(backlog, count):
    """Their ids are listed many at a time; some have gone when it is their turn."""
    tasks = add_own(backlog, count)
    gone = set()
    given = []
    for at, task in enumerate(tasks):
        if at % 7 == 0:
            [one] = backlog.give() or [None]
            given.append(one)
        if at % 3 == 0 and backlog.claim(task):
            gone.add(task)
        if at % 5 == 0:
            gone.add(backlog.take())
    given += [one for [one] in iter(backlog.give, None)]
    given = [one for one in given if one is not None]
    assert given == sorted(given, key=lambda task: task.number)
    assert not gone & set(given)
    assert gone | set(given) - {None} >= set(tasks)


def test_tasks_that_come_after_the_listing_are_given_too(backlog):
    tasks = add_own(backlog, 3)
    given = backlog.give()
    tasks += add_own(backlog, 3, first=4)
    given += [one for [one] in iter(backlog.give, None)]
    assert given == tasks


def test_a_task_that_came_back_is_given_again(backlog):
    tasks = add_own(backlog, 3)
    assert backlog.give() == tasks[:1]
    backlog.own[1] = tasks[0]
    assert sorted(task.number for [task] in iter(backlog.give, None)) == [1, 2, 3]


# -- estimates of what comes next ------------------------------------------


def test_estimate_of_the_next_own_task(backlog):
    backlog.estimates.learn(abs, 0.5)
    backlog.estimates.learn(pow, 0.25)
    add_own(backlog, 1, pow)
    add_own(backlog, 1, abs, first=2)
    assert backlog.peek_estimate_s() == 0.5
    backlog.take()
    assert backlog.peek_estimate_s() == 0.25


def test_estimate_of_the_next_chunk(backlog):
    add_chunk(backlog, 4, 0.5)
    assert backlog.peek_estimate_s() == 2.0


def test_estimate_of_a_task_of_others(backlog):
    backlog.estimates.learn(abs, 0.5)
    add_foreign(backlog, 2)
    assert backlog.peek_estimate_s() == 0.5


def test_estimate_of_a_map(backlog):
    add_map(backlog, 2).learn(0.125)
    assert backlog.peek_estimate_s() == 0.125


# -- two threads -----------------------------------------------------------


def test_no_work_is_lost_or_doubled_between_two_threads(backlog, many_switches):
    add_own(backlog, 5000)
    add_foreign(backlog, *[2] * 5000)
    add_map(backlog, 5000)
    backlog.estimates.learn(abs, TUNING.piece_s / 5)
    given, taken = [], []
    both = threading.Barrier(2)

    def give():
        both.wait(10)
        while (work := backlog.give()) is not None:
            given.extend([work] if isinstance(work, Chunk) else work)

    thread = threading.Thread(target=give)
    thread.start()
    both.wait(10)
    while (work := backlog.take()) is not None:
        taken.append(work)
    thread.join()
    assert given and taken
    everything = given + taken + list(iter(backlog.take, None))
    assert len(everything) == 15_000
    assert len({id(work) for work in everything}) == 15_000
    assert {w.start for w in everything if isinstance(w, Chunk)} == set(range(5000))
