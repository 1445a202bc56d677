"""Random programs on random schedules: the right result, every task once, never stuck."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs import (
    VERBS, Unloadable, Unpicklable, breathe, numbered, play, shapes, simulate, wide,
)
from scoop_mpi import futures
from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.base.messages import Items, RejectedItems, RejectedTasks, Tasks
from scoop_mpi.base.tuning import Tuning
from simulation import Simulation


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(workers=st.integers(1, 5), seed=st.integers(0, 2**32), shape=shapes)
def test_random_programs_on_random_schedules(workers, seed, shape):
    simulate(workers, seed, numbered(shape, [0]))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("workers", [2, 7])
def test_full_trees(verb, workers):
    for seed in range(3):
        simulate(workers, seed, numbered(wide(verb, 4, 3), [0]))


def test_the_books_are_looked_at():
    """Else no test here would notice work that is lost or in two places."""
    assert sum(simulate(3, seed, numbered(wide("map", 30, 2), [0])).looks for seed in range(5)) > 5


def test_work_spreads():
    tree = numbered(wide("map", 30, 1), [0])
    simulation = simulate(4, 1, tree)
    chunks = [entry for entry in simulation.network.log if type(entry[2]).__name__ == "Items"]
    assert len({dest for _, dest, _ in chunks}) >= 3


def identity(thing):
    """A slow task that returns its argument."""
    breathe()
    return thing


def outcomes_of(arguments) -> list[Any]:
    """Submits identity(argument) for all; the type of the result or of the exception."""
    pending = [futures.submit(identity, argument) for argument in arguments]
    return [type(f.exception() or f.result()) for f in pending]


@pytest.mark.parametrize("seed", range(20))
def test_an_argument_that_cannot_travel_harms_no_other(seed):
    arguments = [1, Unpicklable(), 2, Unloadable(), 3, Unpicklable(), 4] * 3
    kinds = play(3, lambda: outcomes_of(arguments), seed).result
    for argument, kind in zip(arguments, kinds):
        # A task that was run by its owner needed no pickling.
        allowed = {type(argument)} | (set() if argument.__class__ is int else {NotPicklableError})
        assert kind in allowed
    assert kinds.count(int) == 12


@pytest.mark.parametrize("bad", [Unpicklable(), Unloadable()])
def test_a_map_item_that_cannot_travel_ends_that_map_only(bad):
    items = [*range(10), bad, *range(10, 20)]

    def program():
        results = []
        try:
            results.extend(futures.map(identity, items))
        except NotPicklableError:
            assert results == items[:10]
        else:  # its owner has run that item itself
            assert results == items
        assert list(futures.map(identity, range(20))) == list(range(20))
        return len(results)

    lengths = {play(3, program, seed).result for seed in range(20)}
    assert lengths == {10, 21}


# -- gifts for several workers, who pass them on ---------------------------

MANY = 14
"""Workers; so many that each gift is for several."""


FEW_GIFTS = Tuning(served_one_by_one=1, gifts_at_once=2)
"""As if thousands of workers asked."""


def gifts(simulation: Simulation) -> list[tuple[int, int, Tasks | Items]]:
    """Messages with work: (sender, receiver, message)."""
    return [entry for entry in simulation.network.log if isinstance(entry[2], (Tasks, Items))]


def passed_on(simulation: Simulation) -> list[tuple[int, int, Tasks | Items]]:
    """Those of them that came from a worker who was given them for this."""
    return [entry for entry in gifts(simulation) if entry[0] != entry[2].giver]


def check_ways(simulation: Simulation) -> None:
    """Nobody passes work on to itself, to the broker, or to one twice."""
    for sender, dest, message in gifts(simulation):
        takers = [dest, *message.onward]
        assert len(set(takers)) == len(takers)
        assert not {0, sender} & set(takers), (sender, dest, message)


@pytest.mark.parametrize("verb", VERBS)
def test_full_trees_with_gifts_for_several(verb):
    hops = 0
    for seed in range(3):
        simulation = simulate(MANY, seed, numbered(wide(verb, 6, 2), [0]), tuning=FEW_GIFTS)
        check_ways(simulation)
        hops += len(passed_on(simulation))
    # Others never have many items at a time, or give up before.
    assert hops or verb not in ("submit", "map", "mapReduce", "lambda", "raise", "constants")


@settings(max_examples=100, deadline=None,
          suppress_health_check=list(HealthCheck))
@given(workers=st.integers(4, MANY), seed=st.integers(0, 2**32), shape=shapes)
def test_random_programs_with_gifts_for_several(workers, seed, shape):
    simulation = simulate(workers, seed, numbered(shape, [0]), tuning=FEW_GIFTS)
    check_ways(simulation)


@pytest.mark.parametrize("verb", ["submit", "map"])
def test_gifts_are_passed_on_more_than_once(verb):
    onward = set()
    for seed in range(4):
        simulation = simulate(2 * MANY, seed, numbered(wide(verb, 80, 1), [0]), tuning=FEW_GIFTS)
        check_ways(simulation)
        assert any(message.onward for _, _, message in gifts(simulation))
        onward.update(bool(message.onward) for _, _, message in passed_on(simulation))
    assert onward == {True, False}


def rejected_by_leaders(simulation: Simulation) -> int:
    """How many workers could not load what they should have passed on."""
    onward = {(dest, message.ids if isinstance(message, Tasks) else (message.map_id,))
              for _, dest, message in gifts(simulation) if message.onward}
    return sum(
        (source, message.ids if isinstance(message, RejectedTasks) else (message.map_id,)) in onward
        for source, _, message in simulation.network.log
        if isinstance(message, (RejectedTasks, RejectedItems)))


def test_work_that_its_first_receiver_cannot_load():
    """The others came with it in vain: they get work by themselves."""
    leaders = 0
    for seed in range(20):
        arguments = [*range(3), Unloadable(), *range(20)] * 3
        simulation = play(MANY, lambda: outcomes_of(arguments), seed, tuning=FEW_GIFTS)
        check_ways(simulation)
        for argument, kind in zip(arguments, simulation.result):
            allowed = {int} if type(argument) is int else {Unloadable, NotPicklableError}
            assert kind in allowed
        leaders += rejected_by_leaders(simulation)
    assert leaders


def test_items_that_their_first_receiver_cannot_load():
    def program():
        results = []
        try:
            results.extend(futures.map(identity, [*range(60), Unloadable(), *range(60)]))
        except NotPicklableError:
            pass
        assert list(futures.map(identity, range(100))) == list(range(100))
        return results

    leaders = 0
    for seed in range(20):
        simulation = play(MANY, program, seed, tuning=FEW_GIFTS)
        results = simulation.result
        assert len(results) in (60, 121)  # 121: its owner has run that item itself
        assert results[:60] == list(range(60))
        leaders += rejected_by_leaders(simulation)
    assert leaders


@pytest.mark.parametrize("verb", ["map", "submit"])
def test_functions_by_value_are_passed_on(verb):
    """Each worker that passes such a function on sends its definition with it."""
    def program():
        more = 1000

        def add(n):
            return identity(n) + more

        if verb == "map":
            return list(futures.map(add, range(200)))
        return [future.result() for future in [futures.submit(add, n) for n in range(200)]]

    defined = 0
    for seed in range(5):
        simulation = play(MANY, program, seed, tuning=FEW_GIFTS)
        assert simulation.result == list(range(1000, 1200))
        check_ways(simulation)
        defined += sum(bool(message.definitions) for _, _, message in passed_on(simulation))
    assert defined
