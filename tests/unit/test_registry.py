"""The broker's table of constants: who defines first, how they spread, when a name is free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi.base.messages import (
    Constant, Define, Defined, Definition, Forget, Forgotten, Found, Lookup, Offer, Undefine,
    Undefined, Variable,
)
from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.broker.registry import Registry, forward, size_of

SMALL, FANOUT = TUNING.small_constant, TUNING.constant_fanout


def constant(name, size=10, is_callable=False, owner=1, definitions=()):
    return Constant(name, owner, is_callable, bytes(size), definitions)


def holding(*names, workers=(1, 2, 3)):
    """A registry in which worker 1 has defined each of the names."""
    one = Registry(workers)
    for name in names:
        one.handle(1, Define(0, (constant(name),)))
    return one


def look_up(one, name, source=2):
    """The size of a constant; -1 if there is none."""
    [(dest, found)] = one.handle(source, Lookup(9, name, False))
    assert (dest, found.ticket) == (source, 9)
    return found.size


# -- DEFINE ----------------------------------------------------------------


def test_a_small_constant_goes_to_every_other_worker():
    x = constant("x")
    sends = Registry([1, 2, 3, 4]).handle(2, Define(7, (x,)))
    news = Variable(1, 0, (x,), ())
    assert sends == [(2, Defined(7, 1, 0, "")), (1, news), (3, news), (4, news)]


def test_the_only_worker_gets_nothing_but_the_answer():
    for size in (10, SMALL + 1):
        sends = Registry([1]).handle(1, Define(7, (constant("x", size),)))
        assert sends == [(1, Defined(7, 1, 0, ""))]


def test_several_constants_travel_together():
    both = constant("x"), constant("y", is_callable=True)
    sends = Registry([1, 2]).handle(1, Define(7, both))
    assert sends == [(1, Defined(7, 1, 1, "", 1)), (2, Variable(1, 1, both, (), 1))]


def test_serial_counts_definitions_and_epoch_those_with_callables():
    one = Registry([1, 2])
    kinds = [False, True, False, True, True]
    answers = [one.handle(1, Define(n, (constant(f"x{n}", is_callable=kind),)))[0][1]
               for n, kind in enumerate(kinds)]
    assert [answer.serial for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.epoch for answer in answers] == [0, 1, 0, 2, 3]


@pytest.mark.parametrize("source", [1, 2])
def test_a_name_is_given_once(source):
    one = holding("x")
    again = Define(8, (constant("x", owner=source),))
    assert one.handle(source, again) == [(source, Defined(8, 0, 0, "x"))]


def test_none_of_several_is_defined_if_one_is_taken():
    one = holding("x")
    three = constant("a"), constant("x"), constant("b", is_callable=True)
    assert one.handle(2, Define(8, three)) == [(2, Defined(8, 0, 0, "x"))]
    assert look_up(one, "a") == look_up(one, "b") == -1
    # Neither number was used up: a gap would be waited for.
    later = Define(9, (constant("a", is_callable=True),))
    assert one.handle(2, later)[0] == (2, Defined(9, 2, 1, "", 1))


def test_a_refused_definition_leaves_the_first_as_it_was():
    one = holding("x")
    one.handle(2, Define(8, (constant("x", size=99),)))
    assert look_up(one, "x") == 10


# -- LOOKUP ----------------------------------------------------------------


def test_nobody_has_defined_it():
    assert Registry([1, 2]).handle(2, Lookup(5, "x", True)) == [(2, Found(5, -1, 0, ()))]


@pytest.mark.parametrize("urgent", [False, True])
def test_a_small_constant_comes_with_the_answer(urgent):
    x = constant("x")
    one = Registry([1, 2])
    one.handle(1, Define(0, (constant("w"),)))
    one.handle(1, Define(0, (x,)))
    assert one.handle(2, Lookup(5, "x", urgent)) == [(2, Found(5, 10, 2, (x,)))]


def test_a_large_one_comes_with_it_if_urgent():
    x = constant("x", SMALL + 1)
    one = Registry([1, 2])
    one.handle(1, Define(0, (x,)))
    assert one.handle(2, Lookup(5, "x", False)) == [(2, Found(5, SMALL + 1, 1, ()))]
    assert one.handle(2, Lookup(6, "x", True)) == [(2, Found(6, SMALL + 1, 1, (x,)))]


def test_only_the_one_that_was_asked_for_comes():
    x, y = constant("x"), constant("y")
    one = Registry([1, 2])
    one.handle(1, Define(0, (x, y)))
    assert one.handle(2, Lookup(5, "y", False)) == [(2, Found(5, 10, 1, (y,)))]


# -- UNDEFINE, FORGOTTEN ---------------------------------------------------


def test_there_is_nothing_to_free():
    assert Registry([1, 2]).handle(2, Undefine(5, "x")) == [(2, Undefined(5, False))]


def test_every_worker_is_told_to_forget():
    one = holding("w", "x")
    assert one.handle(3, Undefine(5, "x")) == [(to, Forget("x", 2)) for to in (1, 2, 3)]


@given(order=st.permutations([1, 2, 3, 4]), deleter=st.integers(1, 4))
def test_a_name_is_free_when_the_last_worker_has_forgotten(order, deleter):
    one = holding("x", workers=(1, 2, 3, 4))
    one.handle(deleter, Undefine(5, "x"))
    *early, last = order
    for worker in early:
        assert one.handle(worker, Forgotten("x")) == []
        assert one.handle(1, Define(6, (constant("x"),))) == [(1, Defined(6, 0, 0, "x"))]
    assert one.handle(last, Forgotten("x")) == [(deleter, Undefined(5, True))]
    assert one.handle(1, Define(6, (constant("x"),)))[0] == (1, Defined(6, 2, 0, ""))


def test_while_it_is_being_freed_nobody_finds_it():
    one = holding("x")
    one.handle(3, Undefine(5, "x"))
    assert look_up(one, "x") == -1
    assert one.handle(2, Undefine(6, "x")) == [(2, Undefined(6, False))]


def test_those_defined_with_it_stay():
    one = Registry([1])
    one.handle(1, Define(0, (constant("x"), constant("y"))))
    one.handle(1, Undefine(5, "x"))
    one.handle(1, Forgotten("x"))
    assert (look_up(one, "x"), look_up(one, "y")) == (-1, 10)


def test_two_names_are_freed_at_the_same_time():
    one = holding("x", "y", workers=(1, 2))
    one.handle(1, Undefine(5, "x"))
    one.handle(2, Undefine(6, "y"))
    assert one.handle(1, Forgotten("y")) == []
    assert one.handle(1, Forgotten("x")) == []
    assert one.handle(2, Forgotten("y")) == [(2, Undefined(6, True))]
    assert one.handle(2, Forgotten("x")) == [(1, Undefined(5, True))]


def test_other_messages_are_not_for_it():
    with pytest.raises(AssertionError, match="Offer"):
        Registry([1]).handle(1, Offer())


# -- large constants -------------------------------------------------------


def test_the_size_counts_all_that_is_sent():
    definitions = (Definition(b"d1", bytes(30)), Definition(b"d2", bytes(4)))
    assert size_of(constant("x", 200, definitions=definitions)) == 234


@pytest.mark.parametrize("sizes, is_direct", [
    ((SMALL,), True), ((SMALL + 1,), False),
    ((SMALL // 2, SMALL // 2), True), ((SMALL // 2, SMALL // 2 + 1), False),
])
def test_what_is_large(sizes, is_direct):
    """All of a definition together; what is large goes to few workers, who hand it on."""
    constants = tuple(constant(f"x{n}", size) for n, size in enumerate(sizes))
    _, *sends = Registry(range(1, 10)).handle(1, Define(0, constants))
    assert len(sends) == (8 if is_direct else FANOUT)
    assert all(bool(news.route) != is_direct for _, news in sends)


def deliver_down(sends):
    """Lets each receiver hand on what it gets; the receivers, and how deep each was."""
    depth_of = {}
    level = 1
    while sends:
        following = []
        for dest, message in sends:
            assert dest not in depth_of, f"worker {dest} got it twice"
            depth_of[dest] = level
            parts = forward(message, FANOUT)
            assert len(parts) <= FANOUT
            following += parts
        sends, level = following, level + 1
    return depth_of


@given(st.data())
def test_a_large_constant_reaches_every_worker_once(data):
    workers = data.draw(st.integers(1, 70).map(lambda n: list(range(1, n + 1))))
    author = data.draw(st.sampled_from(workers))
    (dest, answer), *sends = Registry(workers).handle(
        author, Define(3, (constant("x", SMALL + 1),)))
    # The author sends nothing: it knows by the answer.
    assert (dest, answer) == (author, Defined(3, 1, 0, ""))
    assert len(sends) <= FANOUT
    depth_of = deliver_down(sends)
    assert sorted(depth_of) == [worker for worker in workers if worker != author]
    assert 2 ** (max(depth_of.values(), default=1) - 1) <= len(workers)


def test_the_end_of_a_route_forwards_nothing():
    assert forward(Variable(1, 0, (), ()), FANOUT) == []


def test_what_is_forwarded_differs_in_its_route_only():
    message = Variable(4, 2, (constant("x"),), (5, 6, 7))
    for _, part in forward(message, FANOUT):
        assert part._replace(route=()) == message._replace(route=())


def test_a_limit_can_be_set():
    """The simulations make small constants take the way of large ones."""
    one = Registry(range(1, 8), Tuning(small_constant=4))
    one.handle(1, Define(7, (constant("x"),)))
    assert one.handle(2, Lookup(5, "x", False)) == [(2, Found(5, 10, 1, ()))]


def test_every_answer_tells_the_newest_epoch():
    one = Registry([1, 2])
    assert one.handle(1, Lookup(1, "f", False)) == [(1, Found(1, -1, 0, (), 0))]
    one.handle(1, Define(2, (constant("f", is_callable=True),)))
    [(_, defined), (_, variable)] = one.handle(2, Define(3, (constant("go"),)))
    refused = one.handle(2, Define(4, (constant("go"),)))[0][1]
    found = one.handle(1, Lookup(5, "go", False))[0][1]
    missing = one.handle(1, Lookup(6, "no", False))[0][1]
    undefined = one.handle(1, Undefine(7, "no"))[0][1]
    answers = [defined, variable, refused, found, missing, undefined]
    assert [answer.since for answer in answers] == [1] * 6
