"""Inputs of a map: uncut, and lent to other workers."""

import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi.tasks.items import Lent, Uncut


@pytest.mark.parametrize("inputs", [range(3, 13), list(range(3, 13))], ids=["range", "list"])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_inputs_leave_in_order(inputs, count):
    uncut = Uncut(copy.copy(inputs))
    taken = []
    while len(taken) + count <= 10:
        part = uncut.take(count)
        assert len(part) == count
        taken += part
    assert taken == list(range(3, 3 + len(taken)))


def test_a_range_stays_one():
    uncut = Uncut(range(10**15))
    assert uncut.take(3) == range(3)
    assert uncut.take(10**14) == range(3, 10**14 + 3)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=60))
def test_what_is_added_comes_last(steps):
    uncut = Uncut([])
    added = taken = 0
    for adds, count in steps:
        if adds:
            uncut.append(list(range(added, added + count)))
            added += count
        elif count <= added - taken:
            assert list(uncut.take(count)) == list(range(taken, taken + count))
            taken += count


def test_nothing_is_lent():
    assert Lent().take(0, 5) == []
    lent = Lent()
    lent.put(10, [1, 2])
    assert lent.take(0, 5) == lent.take(12, 5) == lent.take(9, 1) == []
    assert len(lent) == 2


@given(st.integers(0, 10**6))
def test_each_input_is_had_back_once(seed):
    """Any part of what was lent together; some of it is lent again."""
    choose = random.Random(seed)
    lent = Lent()
    out = []
    at = 0
    for _ in range(choose.randrange(1, 6)):
        at += choose.randrange(3)
        count = choose.randrange(1, 20)
        out.append((at, count))
        at += count
    choose.shuffle(out)
    for start, count in out:
        lent.put(start, list(range(start, start + count)))
    while out:
        start, count = out.pop(choose.randrange(len(out)))
        first = choose.randrange(count)
        size = choose.randrange(1, count - first + 1)
        assert lent.take(start + first, size) == list(range(start + first, start + first + size))
        if first:
            out.append((start, first))
        if first + size < count:
            out.append((start + first + size, count - first - size))
        if size > 1 and choose.random() < 0.5:
            start += first
            lent.put(start, list(range(start, start + size)))
            out.append((start, size))
        assert len(lent) == sum(count for _, count in out)


def test_the_first_that_is_lent():
    lent = Lent()
    assert lent.first() is None
    lent.put(7, [7, 8])
    lent.put(3, [3])
    assert lent.first() == 3
    lent.take(3, 1)
    assert lent.first() == 7
