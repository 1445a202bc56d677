"""Every way to a task; what must come out whichever is taken."""

import functools
import time

from checking import several_workers

from scoop_mpi import futures, shared

FEW = 4
"""Calls of something that naps: some run here, some elsewhere, if there are others."""
NAP_S = 0.005


def doze():
    """Gives the other workers, if there are any, the time to take their share."""
    if several_workers():
        time.sleep(NAP_S)


def after_a_nap(function, thing):
    doze()
    return function(thing)


def from_a_task(function, thing):
    return futures.submit(after_a_nap, function, thing).result()


def from_a_constant(name, _):
    doze()
    function, thing = shared.getConst(name, timeout=30)
    return function(thing)


_numbers = iter(range(10**6))


def new_name():
    """One that no constant has yet."""
    return f"constant{next(_numbers)}"


def by_every_way(function, thing):
    """What ``function(thing)`` gives: here, submitted, mapped, nested, as a constant."""
    yield function(thing)
    call = functools.partial(after_a_nap, function)
    for future in [futures.submit(call, thing) for _ in range(FEW)]:
        yield future.result()
    yield from futures.map(call, [thing] * FEW)
    nested = functools.partial(from_a_task, function)
    yield from futures.map(nested, [thing] * FEW)
    name = new_name()
    shared.setConst(**{name: (function, thing)})
    yield from futures.map(functools.partial(from_a_constant, name), range(FEW))


def assert_same(function, thing, expected):
    """``function(thing)`` is ``expected`` wherever it runs; the very object, if a class."""
    for got in by_every_way(function, thing):
        assert got == expected, got
        assert type(got) is type(expected), type(got)


def itself(thing):
    return thing


def is_the_class(pair):
    thing, cls = pair
    return type(thing) is cls and isinstance(thing, cls)


def assert_comes_back(*things):
    """What travels comes back as the very object that it was."""
    for thing in things:
        for got in by_every_way(itself, thing):
            assert got is thing, (got, thing)


def assert_one_class(*things):
    """Instances keep their class, on whichever rank, and when they come back."""
    for thing in things:
        cls = type(thing)
        assert all(by_every_way(is_the_class, (thing, cls)))
        for got in by_every_way(itself, thing):
            assert type(got) is cls, type(got)
