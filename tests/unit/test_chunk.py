"""Chunks of a map: they run, and give the rest of their items away meanwhile."""

import itertools
import threading

import pytest

from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.mapcall import MapCall

CHUNK_S = 0.003
"""Seconds of work to aim at in a chunk, if it matters."""


class Boom(Exception):
    """Raised by items on purpose."""


def fail(error):
    raise error


def make_chunk(args, func=abs, start=0, starred=False):
    return Chunk(1, 7, func, starred, start, list(args), 0.0)


def tick():
    """A clock that goes on by one second at each look."""
    return itertools.count().__next__


# -- chunks: running -------------------------------------------------------


def test_a_chunk_runs():
    chunk = make_chunk([-1, -2, 3], start=5)
    assert (chunk.start, chunk.stop, len(chunk)) == (5, 8, 3)
    chunk.run(tick())
    assert chunk.values == [1, 2, 3]
    assert chunk.error is None
    assert (chunk.start, chunk.stop, len(chunk), chunk.skipped) == (5, 8, 0, 0)
    assert chunk.elapsed_s == 1


def test_a_starred_chunk_runs():
    chunk = make_chunk([(2, 3), (3, 2)], pow, starred=True)
    chunk.run(tick())
    assert chunk.values == [8, 9]


def test_an_error_in_the_middle():
    error = Boom()
    chunk = make_chunk([1, 2, error, 4, 5], lambda n: fail(n) if n is error else n)
    chunk.run(tick())
    assert chunk.values == [1, 2]
    assert chunk.error is error
    assert chunk.skipped == 2
    assert len(chunk) == 0


@pytest.mark.parametrize("error", [StopIteration(), KeyboardInterrupt(), SystemExit(1)])
def test_errors_that_are_special(error):
    # StopIteration must not look like the end of the chunk.
    chunk = make_chunk([0, 1, 2], lambda n: fail(error) if n == 1 else n)
    chunk.run(tick())
    assert chunk.values == [0]
    assert chunk.error is not None
    assert chunk.skipped == 1


def test_an_error_in_the_first_and_in_the_last_item():
    for bad, values, skipped in ((0, [], 2), (2, [0, 1], 0)):
        chunk = make_chunk(range(3), lambda n, bad=bad: fail(Boom()) if n == bad else n)
        chunk.run(tick())
        assert (chunk.values, chunk.skipped) == (values, skipped)


# -- chunks: taking away ---------------------------------------------------


def test_the_rest_is_taken_while_it_runs():
    taken = []

    def work(n):
        if n == 2:
            taken.append(chunk.take_rest())
        return -n

    chunk = make_chunk(range(6), work, start=10)
    chunk.run(tick())
    [rest] = taken
    assert chunk.values == [0, -1, -2]
    assert (chunk.start, chunk.stop, chunk.skipped) == (10, 13, 0)
    assert (rest.start, rest.stop, len(rest)) == (13, 16, 3)
    rest.run(tick())
    assert rest.values == [-3, -4, -5]


def test_the_rest_is_taken_and_the_item_then_raises():
    taken = []

    def work(n):
        if n == 2:
            taken.append(chunk.take_rest())
            raise Boom
        return n

    chunk = make_chunk(range(6), work)
    chunk.run(tick())
    assert (chunk.values, chunk.stop, chunk.skipped) == ([0, 1], 3, 0)
    assert isinstance(chunk.error, Boom)
    assert taken[0].args() == [3, 4, 5]


def test_nothing_is_left_to_take_in_the_last_item():
    taken = []
    chunk = make_chunk([1], lambda n: taken.append(chunk.take_rest()))
    chunk.run(tick())
    assert taken == [None]
    assert chunk.take_rest() is None


def test_the_rest_of_the_rest():
    rests = []

    def work(n):
        if n % 2:
            rest = current[-1].take_rest()
            if rest is not None:
                rests.append(rest)
        return n

    current = [make_chunk(range(9), work)]
    done = []
    while current:
        current[-1].run(tick())
        done.append(current.pop())
        if rests:
            current.append(rests.pop())
    assert [chunk.values for chunk in done] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    assert [(chunk.start, chunk.stop) for chunk in done] == [
        (0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]


def test_all_is_taken_before_it_runs():
    chunk = make_chunk(range(3), start=4)
    rest = chunk.take_rest()
    chunk.run(tick())
    assert (chunk.values, chunk.start, chunk.stop) == ([], 4, 4)
    assert (rest.start, rest.stop) == (4, 7)


def test_another_thread_takes_the_rest(many_switches):
    inside, go_on = threading.Event(), threading.Event()

    def work(n):
        if n == 1:
            inside.set()
            assert go_on.wait(10)
        return n

    chunk = make_chunk(range(1000), work)
    thread = threading.Thread(target=chunk.run, args=(tick(),))
    thread.start()
    assert inside.wait(10)
    rest = chunk.take_rest()
    go_on.set()
    thread.join()
    assert chunk.values == [0, 1]
    assert rest.args() == list(range(2, 1000))


@pytest.mark.parametrize("size, sizes", [(10, (5, 5)), (11, (5, 6)), (2, (1, 1)), (3, (1, 2))])
def test_a_chunk_is_split(size, sizes):
    first, second = make_chunk(range(size), start=20).split(size // 2)
    assert (len(first), len(second)) == sizes
    assert (first.start, first.stop) == (20, 20 + sizes[0])
    assert (second.start, second.stop) == (20 + sizes[0], 20 + size)
    assert first.args() + second.args() == list(range(size))


def test_one_item_is_not_split():
    chunk, nothing = make_chunk([5], start=3).split(1)
    assert nothing is None
    assert (chunk.start, chunk.stop, chunk.args()) == (3, 4, [5])


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("count", [1, 2, 6, 7, 8])
def test_a_chunk_is_split_anywhere(size, count):
    parts = make_chunk(range(size), start=20).split(count)
    assert (parts[1] is None) == (count >= size)
    ranges = [(part.start, part.stop) for part in parts if part is not None]
    assert ranges == [(20, 20 + min(count, size)), (20 + count, 20 + size)][:len(ranges)]
    assert [arg for part in parts if part is not None for arg in part.args()] == list(range(size))


def test_a_part_of_a_range_is_split():
    call = MapCall(7, 1, abs, range(10, 20), False, workers=2, chunksize=6)
    first, second = call.cut(CHUNK_S).split(4)
    assert (first.args(), second.args()) == ([10, 11, 12, 13], [14, 15])


def test_parts_keep_what_they_belong_to():
    chunk = Chunk(4, 9, pow, True, 0, [(1, 2)] * 4, 0.25)
    for part in (*chunk.split(2), ):
        assert (part.owner, part.map_id, part.func, part.starred, part.estimate_s) == (
            4, 9, pow, True, 0.25)
