"""Times of functions: what counts as one function, and what the table keeps alive."""

import functools
import gc
import math
import operator
import sys
import weakref

import cloudpickle
import numpy
import pytest

from scoop_mpi.observe.strict import Strict
from scoop_mpi.tasks.estimates import Estimates, key_of


class Meter:
    """Callable objects, and methods."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, number):
        return self.factor * number

    def other(self, number):
        return number


class OtherMeter:
    """Another type of them."""

    def __call__(self, number):
        return number


def made(number):
    return lambda: number


def defined_in(name, body="return work(x)"):
    """The function ``run`` of a module that exists only here."""
    namespace = {"__name__": name}
    exec(compile(f"def run(x):\n    {body}\n", f"{name}.py", "exec"), namespace)
    return namespace["run"]


@functools.wraps(made)
def wrapper(*args):
    return made(*args)


ONE = Meter(1)
SAME = {
    "a function": (made, made),
    "lambdas of one line": (made(1), made(2)),
    "partials": (functools.partial(made, 1), functools.partial(functools.partial(made), 2)),
    "methods": (ONE.other, Meter(2).other),
    "objects of one type": (ONE, Meter(2)),
    "lru_cache": (functools.lru_cache(made), functools.cache(made)),
    "a function and its cache": (made, functools.lru_cache(made)),
    "--strict": (made, Strict(made)),
    "a builtin": (abs, abs),
    "methods in C": ([].append, [1].append),
    "a class": (Meter, Meter),
}
DIFFERENT = {
    "two modules' run": (defined_in("one"), defined_in("two")),
    "two bodies, one name": (defined_in("one"), defined_in("one", "return 1")),
    "two lambdas in a line": (lambda: 1, lambda: 2),
    "partials": (functools.partial(made, 1), functools.partial(defined_in, 1)),
    "caches": (functools.cache(made), functools.cache(defined_in)),
    "methods": (ONE.other, Meter.__call__),
    "types": (ONE, OtherMeter()),
    "classes": (Meter, OtherMeter),
    "a class and its objects' calls": (Meter, made),
    "builtins": (math.sin, math.cos),
    "modules in C with one name": (math.sqrt, __import__("cmath").sqrt),
    "methods in C": ([].append, [].extend),
    "unbound methods in C": (str.upper, str.lower),
    "operators": (operator.add, operator.mul),
}


@pytest.mark.parametrize("one, other", SAME.values(), ids=SAME)
def test_calls_of_one_function_share_an_estimate(one, other):
    estimates = Estimates(0.01, 1000)
    estimates.learn(one, 1.0)
    assert estimates.get(other) == 1.0


@pytest.mark.parametrize("one, other", DIFFERENT.values(), ids=DIFFERENT)
def test_functions_have_estimates_of_their_own(one, other):
    estimates = Estimates(0.01, 1000)
    estimates.learn(one, 1.0)
    assert estimates.get(other) == 0.0


def test_copies_of_a_function_share_an_estimate():
    first, second = (cloudpickle.loads(cloudpickle.dumps(made(3))) for _ in range(2))
    assert first is not second
    assert key_of(first) == key_of(second)


def test_functions_of_a_library_in_c():
    assert key_of(numpy.sin) == key_of(numpy.sin)
    assert key_of(numpy.sin) != key_of(numpy.cos)


def test_estimates_are_smoothed():
    estimates = Estimates(0.01, 1000)
    assert estimates.get(abs) == 0.0
    estimates.learn(abs, 1.0)
    assert estimates.get(abs) == 1.0
    estimates.learn(abs, 0.0)
    assert estimates.get(abs) == 0.5
    assert estimates.get(made) == 0.0


class Refuses:
    """A callable object that nobody may ask for anything."""

    def __getattribute__(self, name):
        raise AssertionError(f"asked for {name}")

    def __call__(self):
        return 1


class Endless:
    """Wraps itself."""

    def __init__(self):
        self.__wrapped__ = self

    def __call__(self):
        return 1


@pytest.mark.parametrize("make", [Refuses, Endless])
def test_odd_objects(make):
    estimates = Estimates(0.01, 1000)
    estimates.learn(make(), 1.0)
    assert estimates.get(make()) == 1.0


def learn_about_what_goes(estimates):
    """Returns weak references to a class, an object and a closure that holds it."""
    class Big:
        def __call__(self):
            return 1

    big = Big()
    funcs = [lambda: big, big, functools.partial(big), big.__call__, Big]
    for func in funcs:
        estimates.learn(func, 1.0)
    return [weakref.ref(one) for one in funcs[:2] + funcs[-1:]]


def test_neither_functions_nor_closures_are_kept_alive():
    estimates = Estimates(0.01, 1000)
    watched = learn_about_what_goes(estimates)
    gc.collect()
    assert [ref() for ref in watched] == [None, None, None]


def test_the_table_is_bounded():
    estimates = Estimates(0.01, kept=50)
    estimates.learn(made, 1.0)
    for number in range(1000):
        namespace = {}
        exec(f"def f(): return {number}", namespace)
        estimates.learn(namespace["f"], 0.5)
        assert estimates.get(namespace["f"]) == 0.5
        estimates.learn(abs, 2.0)
        assert len(estimates) <= 100
    assert estimates.get(abs) == 2.0  # measured again and again
    assert estimates.get(made) == 0.0


def test_an_estimate_takes_no_reference(monkeypatch):
    estimates = Estimates(0.01, 1000)
    before = sys.getrefcount(made)
    for _ in range(10):
        estimates.learn(made, 1.0)
    assert sys.getrefcount(made) == before
