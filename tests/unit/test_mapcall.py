"""One map: how it is cut, what comes back, that every item is accounted for once."""

import itertools
import random
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.mapcall import ABANDONED, TRANSITIONS, Failed, MapCall, MapState

CHUNK_S = 0.003
"""Seconds of work to aim at in a chunk, if it matters."""


class Boom(Exception):
    """Raised by items on purpose."""


def fail(error):
    raise error


def make_call(items, func=abs, **options):
    options.setdefault("workers", 2)
    starred = options.pop("starred", False)
    return MapCall(7, 1, func, iter(items), starred, **options)


def tick():
    """A clock that goes on by one second at each look."""
    return itertools.count().__next__


def deliver(call, chunk, elapsed_s=0.0):
    """Takes the outcome of a chunk that has run to its call."""
    length = len(chunk.values) + (1 + chunk.skipped if chunk.error is not None else 0)
    call.deliver(chunk.start, chunk.values, chunk.error, length, elapsed_s)


def run_all(call):
    while (chunk := call.cut(CHUNK_S)) is not None:
        chunk.run(tick())
        deliver(call, chunk)


def in_order(call):
    """All values, as a consumer puts them together."""
    values, position = [], 0
    while position in call.results:
        part = call.results.pop(position)
        if isinstance(part, Failed):
            return [*values, part.error]
        values += part
        position += len(part)
    return values


# -- cutting ---------------------------------------------------------------


def test_the_first_chunk_is_one_item():
    assert len(make_call(range(1000)).cut(CHUNK_S)) == 1


def test_chunks_aim_at_a_time():
    call = make_call(range(1_000_000), workers=1)
    call.learn(CHUNK_S / 20)
    assert len(call.cut(CHUNK_S)) == 20


def test_chunks_of_slow_items_are_single():
    call = make_call(range(1000))
    call.learn(10 * CHUNK_S)
    assert len(call.cut(CHUNK_S)) == 1


def test_no_chunk_is_more_than_a_fair_share():
    call = make_call(range(1000), workers=5)
    call.learn(1e-9)
    sizes = []
    while (chunk := call.cut(CHUNK_S)) is not None:
        sizes.append(len(chunk))
    assert sum(sizes) == 1000
    assert sizes[0] == 1000 // (2 * 5)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


@pytest.mark.parametrize("chunksize, sizes", [
    (1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (100, [7]),
])
def test_a_given_chunksize(chunksize, sizes):
    call = make_call(range(7), chunksize=chunksize)
    call.learn(1e-9)
    chunks = list(iter(lambda: call.cut(CHUNK_S), None))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [chunk.start for chunk in chunks] == list(
        itertools.accumulate([0, *sizes[:-1]]))
    assert [arg for chunk in chunks for arg in chunk.args()] == list(range(7))


@pytest.mark.parametrize("takers", [1, 2, 5])
def test_chunks_for_several_are_so_many_times_as_large(takers):
    call = make_call(range(1000))
    assert len(call.cut(1.0, takers)) == takers
    call.learn(1.0)
    assert len(call.cut(20.0, takers)) == 20 * takers
    call = make_call(range(1000), chunksize=3)
    assert len(call.cut(1.0, takers)) == 3 * takers


def test_no_chunk_for_several_is_more_than_is_left():
    call = make_call(range(10))
    call.cut(CHUNK_S)
    chunk = call.cut(1.0, 50)
    assert (chunk.start, chunk.stop) == (1, 10)
    assert call.cut(1.0, 50) is None


def test_a_chunk_aims_at_the_time_it_is_asked_for():
    call = make_call(range(1_000_000), workers=1)
    call.learn(CHUNK_S / 20)
    assert len(call.cut(2 * CHUNK_S)) == 40


def test_items_are_light_if_they_take_little_time_here():
    call = make_call(range(100))
    assert not call.light  # not known
    call.learn(TUNING.light_item_s / 100)
    assert not call.light  # not known here
    call.learn_here(2 * TUNING.light_item_s)
    assert not call.light
    call.learn_here(TUNING.light_item_s / 2)
    assert call.light
    assert call.cut(CHUNK_S).light


def test_light_items_grow_heavy_step_by_step():
    """One chunk that lost its core means nothing; several do."""
    call = make_call(range(100))
    call.learn_here(TUNING.light_item_s / 6)
    light = []
    for _ in range(4):
        call.learn_here(1.0)
        light.append(call.light)
    assert light == [True, True, False, False]
    assert not call.cut(CHUNK_S).light
    call.learn_here(TUNING.light_item_s / 6)  # and are light again at once
    assert call.light


def test_a_measurement_of_nothing_makes_nothing_light():
    """A coarse clock says so; it is as good as none."""
    call = make_call(range(100))
    call.learn_here(0.0)
    assert not call.light


def test_the_estimate_follows_what_is_measured():
    call = make_call(range(100))
    assert call.estimate_s == 0.0
    call.deliver(0, [0, 1], None, 2, 0.5)
    assert call.estimate_s == 0.25
    call.deliver(2, [2], None, 1, 0.75)
    assert call.estimate_s == 0.5


def test_chunks_carry_the_estimate():
    call = make_call(range(100))
    call.learn(0.125)
    assert call.cut(CHUNK_S).estimate_s == 0.125


def test_nothing_to_cut():
    call = make_call([])
    assert call.cut(CHUNK_S) is None
    assert (call.remaining, call.unfinished, call.exhausted) == (0, 0, True)


def test_an_item_is_cut_once_by_many_threads(many_switches):
    call = make_call(range(20_000), chunksize=1)
    cut = [[] for _ in range(4)]
    all_here = threading.Barrier(4)

    def take(mine):
        all_here.wait(10)
        while (chunk := call.cut(CHUNK_S)) is not None:
            mine.append(chunk.start)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in cut]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(cut)
    assert sorted(start for mine in cut for start in mine) == list(range(20_000))


# -- delivering ------------------------------------------------------------


def test_results_in_order():
    call = make_call([-1, -2, -3], chunksize=2)
    run_all(call)
    assert in_order(call) == [1, 2, 3]
    assert call.unfinished == 0


def test_results_out_of_order():
    call = make_call(range(10), chunksize=3)
    chunks = list(iter(lambda: call.cut(CHUNK_S), None))
    for chunk in reversed(chunks):
        chunk.run(tick())
        deliver(call, chunk)
    assert list(call.arrived) == [9, 6, 3, 0]
    assert call.unfinished == 0
    assert in_order(call) == list(range(10))


def test_those_who_wait_are_told():
    told = []
    call = make_call(range(2), chunksize=1)
    call.on_arrival = lambda: told.append(call.unfinished)
    run_all(call)
    assert told == [1, 0]


def test_an_error_ends_the_cutting():
    call = make_call(range(10), chunksize=2)
    first, second = call.cut(CHUNK_S), call.cut(CHUNK_S)
    second.func = lambda n: fail(Boom())
    second.run(tick())
    deliver(call, second)
    assert call.cut(CHUNK_S) is None
    assert call.exhausted
    assert call.unfinished == 2
    first.run(tick())
    deliver(call, first)
    assert call.unfinished == 0
    values = in_order(call)
    assert values[:2] == [0, 1]
    assert isinstance(values[2], Boom)


def test_an_error_in_the_middle_of_a_chunk():
    call = make_call(range(6), lambda n: fail(Boom()) if n == 3 else n, chunksize=6)
    run_all(call)
    *values, error = in_order(call)
    assert values == [0, 1, 2]
    assert isinstance(error, Boom)
    assert call.unfinished == 0


def test_two_errors():
    call = make_call([Boom("a"), Boom("b")], fail, chunksize=1)
    first, second = call.cut(CHUNK_S), call.cut(CHUNK_S)
    for chunk in (second, first):
        chunk.run(tick())
        deliver(call, chunk)
    assert call.unfinished == 0
    assert str(in_order(call)[0]) == "a"


def test_an_empty_outcome_changes_nothing():
    call = make_call(range(3), chunksize=3)
    chunk = call.cut(CHUNK_S)
    rest = chunk.take_rest()
    chunk.run(tick())
    deliver(call, chunk)
    assert (call.unfinished, call.results) == (3, {})
    rest.run(tick())
    deliver(call, rest)
    assert call.unfinished == 0
    assert in_order(call) == [0, 1, 2]


def test_nothing_arrives_after_close():
    told = []
    call = make_call(range(10), chunksize=2)
    chunk = call.cut(CHUNK_S)
    call.on_arrival = lambda: told.append(1)
    call.close()
    # What is out is waited for at the end of the job; nobody gets it.
    assert (call.unfinished, call.remaining, call.exhausted) == (2, 0, True)
    chunk.run(tick())
    deliver(call, chunk)
    assert (call.results, call.unfinished, told) == ({}, 0, [])
    assert call.cut(CHUNK_S) is None


def test_close_twice_and_after_the_end():
    call = make_call(range(4), chunksize=2)
    run_all(call)
    call.close()
    call.close()
    assert (call.unfinished, call.results) == (0, {})


def send(call, chunk):
    """Gives a chunk to another worker, as ``Trader`` does; returns (start, count)."""
    count = len(chunk)
    call.lent.put(chunk.start, chunk.args())
    return chunk.start, count


def test_a_chunk_comes_back():
    call = make_call(range(10, 20), chunksize=5)
    start, count = send(call, call.cut(CHUNK_S))
    assert call.chunk(start + 3, 1).args() == [13]
    again = call.chunk(start, 3)
    assert (again.start, again.args()) == (0, [10, 11, 12])
    assert call.chunk(start + 4, 1).args() == [14]
    assert call.chunk(start, count) is None


def test_no_chunk_comes_back_to_a_consumer_that_is_gone():
    call = make_call(range(10, 20), chunksize=5)
    start, count = send(call, call.cut(CHUNK_S))
    call.close()
    assert call.chunk(start, count) is None


# -- buffersize ------------------------------------------------------------


def test_without_a_buffersize_all_is_read():
    inputs = iter(range(5))
    call = make_call(inputs)
    assert next(inputs, None) is None
    assert (call.unfinished, call.exhausted) == (5, True)


def test_buffersize_bounds_what_is_read():
    inputs = itertools.count()
    call = make_call(inputs, buffersize=3)
    assert next(inputs) == 3
    assert (call.unfinished, call.exhausted, call.remaining) == (3, False, 3)


def test_more_is_read_as_it_is_asked_for():
    call = make_call(range(5), buffersize=3, chunksize=10)
    assert len(call.cut(CHUNK_S)) == 3
    assert call.cut(CHUNK_S) is None
    call.read_more(1)
    assert (call.unfinished, call.remaining, call.exhausted) == (4, 1, False)
    call.read_more(5)
    assert (call.unfinished, call.remaining, call.exhausted) == (5, 2, True)
    assert call.cut(CHUNK_S).args() == [3, 4]


def test_nothing_is_read_after_the_end():
    inputs = iter(range(3))
    call = make_call(inputs, buffersize=10)
    call.read_more(1)
    assert call.exhausted
    assert call.unfinished == 3
    call.read_more(1)
    assert call.unfinished == 3


@pytest.mark.parametrize("end", [
    lambda call: (call.close(), call.drop(0, 1)), lambda call: call.deliver(0, [], Boom(), 1, 0.0),
], ids=["close", "error"])
def test_nothing_is_read_after_close_or_an_error(end):
    inputs = itertools.count()
    call = make_call(inputs, buffersize=2, chunksize=1)
    call.cut(CHUNK_S)
    end(call)
    call.read_more(5)
    assert next(inputs) == 2
    assert call.remaining == 0
    assert call.unfinished == 0


# -- memory ----------------------------------------------------------------


class Item:
    """Something that a weak reference can point to."""


def watched(count, seen):
    """Items, with weak references to them in ``seen``."""
    for _ in range(count):
        item = Item()
        seen.append(weakref.ref(item))
        yield item


def alive(seen):
    return [at for at, ref in enumerate(seen) if ref() is not None]


def run_here(call, chunk):
    chunk.run(tick())
    deliver(call, chunk)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1]])
@pytest.mark.parametrize("lent", [False, True])
def test_items_are_let_go_when_their_results_are_in(order, lent):
    """In whatever order they come, and be they few."""
    seen = []
    call = make_call(watched(12, seen), id, chunksize=3)
    chunks = [call.cut(CHUNK_S) for _ in range(4)]
    if lent:
        here = [Chunk(1, 7, id, False, chunk.start, [1, 2, 3], 0.0) for chunk in chunks]
        for chunk in chunks:
            send(call, chunk)
        chunks = here
    left = set(range(12))
    for at in order:
        run_here(call, chunks[at])
        chunks[at] = None
        left -= set(range(3 * at, 3 * at + 3))
        assert alive(seen) == sorted(left)
    assert call.unfinished == 0


def test_what_is_sent_is_kept_until_its_results_are_in():
    """Parts of it may come back, be run here, be sent again."""
    seen = []
    call = make_call(watched(10, seen), id, chunksize=10)
    send(call, call.cut(CHUNK_S))
    assert alive(seen) == list(range(10))
    call.deliver(2, [0, 0], None, 2, 0.0)
    assert alive(seen) == [0, 1, 4, 5, 6, 7, 8, 9]
    send(call, call.chunk(4, 4))
    call.deliver(5, [0], None, 1, 0.0)
    assert alive(seen) == [0, 1, 4, 6, 7, 8, 9]
    run_here(call, call.chunk(8, 2))
    assert alive(seen) == [0, 1, 4, 6, 7]
    call.deliver(0, [0], Boom(), 2, 0.0)
    assert alive(seen) == [4, 6, 7]
    call.close()
    assert alive(seen) == []


@pytest.mark.parametrize("end", [
    lambda call: call.close(), lambda call: call.abandon(),
    lambda call: call.deliver(0, [], Boom(), 1, 0.0),
], ids=["close", "abandon", "error"])
@pytest.mark.parametrize("buffersize", [None, 5])
def test_what_will_not_run_is_let_go_at_once(end, buffersize):
    seen = []
    call = make_call(watched(20, seen), id, chunksize=1, buffersize=buffersize)
    call.cut(CHUNK_S)
    inputs = weakref.ref(call._inputs) if buffersize else list
    end(call)
    assert alive(seen) == []
    assert not inputs()


def test_the_inputs_are_let_go_when_all_are_read():
    seen = []
    inputs = watched(2, seen)
    call = MapCall(7, 1, id, inputs, False, workers=2, buffersize=2)
    gone = weakref.ref(inputs)
    del inputs
    call.read_more(1)
    assert gone() is None


@pytest.mark.parametrize("func", [str, int], ids=["returns", "raises"])
def test_a_chunk_that_has_run_holds_no_items(func):
    seen = []
    call = make_call(watched(4, seen), func, chunksize=4)
    chunk = call.cut(CHUNK_S)
    chunk.run(tick())
    deliver(call, chunk)
    assert (len(chunk), alive(seen)) == (0, [])


def raise_boom(number):
    raise Boom


def test_an_error_does_not_keep_its_chunk():
    chunk = Chunk(1, 7, raise_boom, False, 0, [1], 0.0)
    chunk.run(tick())
    error, gone = chunk.error, weakref.ref(chunk)
    del chunk
    assert gone() is None
    assert isinstance(error, Boom)


def test_a_range_is_not_copied():
    count = 10**12
    call = MapCall(7, 1, abs, range(-count, 0), False, workers=2, chunksize=2)
    assert (call.remaining, call.unfinished) == (count, count)
    chunk = call.cut(CHUNK_S)
    assert len(chunk) == 2
    run_here(call, chunk)
    assert chunk.values == [count, count - 1]
    assert call.unfinished == count - 2
    assert call.cut(CHUNK_S).args() == [2 - count, 3 - count]
    call.close()
    assert (call.remaining, call.cut(CHUNK_S)) == (0, None)


def test_a_list_stays_as_it_is():
    inputs = list(range(10))
    call = MapCall(7, 1, abs, inputs, False, workers=2, chunksize=4)
    run_all(call)
    assert inputs == list(range(10))
    assert in_order(call) == inputs


def test_endless_inputs_take_no_more_and_more_memory():
    seen = []
    call = make_call(watched(10**9, seen), id, buffersize=10)
    position = 0
    for _ in range(1000):
        while position not in call.results:
            chunk = call.cut(CHUNK_S)
            run_here(call, chunk)
        values = call.results.pop(position)
        position += len(values)
        call.read_more(len(values))
        assert len(alive(seen)) <= 10


# -- every item is accounted for -------------------------------------------


def split_in_two(chunk):
    return chunk.split(max(1, len(chunk) // 2))


@given(
    size=st.integers(0, 60), chunksize=st.one_of(st.none(), st.integers(1, 20)),
    bad=st.sets(st.integers(0, 59), max_size=3), seed=st.integers(0, 1000),
    buffersize=st.one_of(st.none(), st.integers(1, 20)), close_at=st.integers(0, 200),
)
def test_every_item_is_accounted_for_once(size, chunksize, bad, seed, buffersize, close_at):
    choose = random.Random(seed)
    ran = []

    def work(n):
        ran.append(n)
        if choose.random() < 0.2 and (rest := running[-1].take_rest()) is not None:
            out.append(rest)
        if n in bad:
            raise Boom(n)
        return n

    call = make_call(range(size), work, chunksize=chunksize, buffersize=buffersize)
    out, done, running = [], [], []
    steps = 0
    while call.unfinished or not call.exhausted or out or done:
        steps += 1
        assert steps < 10_000
        if steps == close_at:
            call.close()
        action = choose.choice(["cut", "run", "deliver", "split", "read", "again"])
        if action == "cut" and (chunk := call.cut(CHUNK_S)) is not None:
            out.append(chunk)
        elif action == "run" and out:
            running.append(out.pop(choose.randrange(len(out))))
            running[-1].run(tick())
            done.append(running.pop())
        elif action == "deliver" and done:
            deliver(call, done.pop(choose.randrange(len(done))), choose.random())
        elif action == "split" and out:
            parts = split_in_two(out.pop(choose.randrange(len(out))))
            out += [part for part in parts if part is not None]
        elif action == "again" and out and call.state is not ABANDONED:
            # As when a chunk could not be rebuilt where it was sent.
            lost = out.pop(choose.randrange(len(out)))
            if len(lost):
                out.append(call.chunk(*send(call, lost)))
        elif action == "read":
            call.read_more(choose.randrange(4))
        assert call.unfinished >= 0
    assert call.unfinished == 0
    assert call.remaining == 0
    assert len(ran) == len(set(ran))
    if call.state is not ABANDONED:
        *values, last = [*in_order(call), None]
        if isinstance(values[-1] if values else None, Boom):
            last = values.pop()
            assert last.args[0] == min(bad & set(range(size)))
        assert values == list(range(len(values)))
        if last is None:
            assert len(values) == size


# -- states ----------------------------------------------------------------


def raise_in_an_item(call):
    call.deliver(0, [], Boom(0), 1, 0.0)


def finish(call):
    for chunk in iter(lambda: call.cut(CHUNK_S), None):
        chunk.run(tick())
        deliver(call, chunk)
    assert call.end_if_over()


WAYS = {MapState.FAILED: raise_in_an_item, MapState.FORGOTTEN: MapCall.forget,
        MapState.ABANDONED: MapCall.close, MapState.OVER: finish}


@pytest.mark.parametrize("before", list(MapState))
@pytest.mark.parametrize("after", list(WAYS))
def test_lives(before, after):
    """What a caller may do at any time changes the state only if the table has it."""
    call = make_call(range(4), chunksize=1)
    if before is not MapState.OPEN:
        first = call.cut(CHUNK_S) if before is MapState.FAILED else None
        assert first is None or len(first) == 1
        WAYS[before](call)
    assert call.state is before
    if after in (MapState.FORGOTTEN, MapState.ABANDONED):
        WAYS[after](call)
        assert call.state is (after if after in TRANSITIONS[before] else before)
    elif after not in TRANSITIONS[before]:
        with pytest.raises(AssertionError, match=f"cannot go from .*{before.name}"):
            call._enter(after)


def test_a_map_is_over_once_all_is_in():
    call = make_call(range(4), chunksize=1)
    assert not call.end_if_over()
    finish(call)
    assert call.state is MapState.OVER and call.end_if_over()


def test_a_forgotten_map_runs_and_keeps_nothing():
    call = make_call(range(4), chunksize=1)
    call.forget()
    assert call.remaining == 4
    finish(call)
    assert (call.results, len(call.arrived)) == ({}, 0)
