"""Callables and objects of every kind, as tasks that run on several workers."""

import enum
import functools
import math
import operator
import sys
from collections import namedtuple
from dataclasses import dataclass

import checking
from checking import MANY, assert_spread, nap, run_checks

from scoop_mpi import futures

FACTOR = 10


def spread(function, expected):
    """Calls it MANY times, by map and by submit; checks the values and who worked.

    The function returns (value, pid) after a nap, as ``nap`` does.
    """
    for got in (
        list(futures.map(function, range(MANY))),
        [f.result() for f in [futures.submit(function, n) for n in range(MANY)]],
    ):
        values = [value for value, _ in got]
        assert values == [expected(n) for n in range(MANY)], values
        assert_spread(pid for _, pid in got)


def plain(n):
    return nap(n * FACTOR)


def redefined(n):
    return nap("the version outside the main guard")


def plus(n, *more, times=1):
    return nap((n + sum(more)) * times)


class Adder:
    """Its instances can be called; its methods too."""

    class Inner:
        @staticmethod
        def negate(n):
            return nap(-n)

    def __init__(self, amount):
        self.amount = amount

    def __call__(self, n):
        return nap(n + self.amount)

    def add(self, n):
        return nap(n + self.amount)

    @classmethod
    def of_class(cls, n):
        return nap((cls.__name__, n))

    @staticmethod
    def static(n):
        return nap(n)


class Slotted:
    __slots__ = ("amount",)

    def __init__(self, amount):
        self.amount = amount


@dataclass(frozen=True)
class Point:
    x: int
    y: int


Pair = namedtuple("Pair", "left right")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def make_point(n):
    return nap(Point(n, -n))


def hand_back(thing):
    return nap(thing)


def is_known(thing):
    """Is the class of what arrived the program's own class, on this worker?"""
    return nap(type(thing) is globals()[type(thing).__name__])


def factorial_by_tasks(n):
    return 1 if n < 2 else n * futures.submit(factorial_by_tasks, n - 1).result()


def check_function_of_the_program():
    spread(plain, lambda n: n * 10)


def check_function_of_an_imported_module():
    spread(checking.nap, lambda n: n)


def check_builtins_and_library_functions():
    assert list(futures.map(math.factorial, range(30))) == list(map(math.factorial, range(30)))
    assert list(futures.map(str.upper, "abcdef" * 9)) == list("ABCDEF" * 9)
    assert list(futures.map(operator.itemgetter(1), ["ab", "cd"] * 30)) == ["b", "d"] * 30
    assert list(futures.map(int, "12345" * 9)) == [int(digit) for digit in "12345" * 9]
    assert list(futures.map("-".join, [("a", "b")] * 50)) == ["a-b"] * 50


def check_lambda():
    spread(lambda n: nap(n + FACTOR), lambda n: n + 10)


def check_closure():
    offset = 7

    def shifted(n):
        return nap(n + offset)

    spread(shifted, lambda n: n + 7)


def check_closure_sees_its_variables_as_they_are():
    def shifted(n):
        return nap(n + offset)

    for offset in (1, 100):
        spread(shifted, functools.partial(operator.add, offset))


def check_partials():
    spread(functools.partial(plus, 1, 2, times=3), lambda n: (1 + 2 + n) * 3)
    spread(functools.partial(lambda a, n: nap(a * n), 5), lambda n: 5 * n)


def check_bound_methods():
    spread(Adder(5).add, lambda n: n + 5)
    spread(Adder.of_class, lambda n: ("Adder", n))
    spread(Adder.static, lambda n: n)
    spread(Adder.Inner.negate, lambda n: -n)


def check_callable_object():
    spread(Adder(6), lambda n: n + 6)


def check_recursive_local_function():
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    spread(lambda n: nap(fibonacci(n % 12)), lambda n: fibonacci(n % 12))


def check_local_class_comes_back_as_the_same():
    class Local:
        def __init__(self, n):
            self.n = n

    out = list(futures.map(lambda n: nap(Local(n)), range(MANY)))
    assert [thing.n for thing, _ in out] == list(range(MANY))
    assert all(isinstance(thing, Local) for thing, _ in out)
    assert_spread(pid for _, pid in out)


def check_instances_of_program_classes():
    out = list(futures.map(make_point, range(MANY)))
    assert [point for point, _ in out] == [Point(n, -n) for n in range(MANY)]
    assert all(type(point) is Point for point, _ in out)
    assert_spread(pid for _, pid in out)
    things = [Point(1, 2), Adder(3), Pair(1, 2), Colour.BLUE, Slotted(4)] * 6
    back = list(futures.map(hand_back, things))
    assert_spread(pid for _, pid in back)
    for thing, (other, _) in zip(things, back):
        assert type(other) is type(thing), other
    assert all(other is Colour.BLUE for other, _ in back[3::5])
    known = list(futures.map(is_known, things))
    assert all(same for same, _ in known), known
    assert_spread(pid for _, pid in known)


def check_classes_as_arguments_and_results():
    kinds = [Point, Adder, Colour, int, dict, type(None), KeyError, Adder.Inner] * 4
    back = list(futures.map(hand_back, kinds))
    assert [kind for kind, _ in back] == kinds
    assert_spread(pid for _, pid in back)


def check_modules_and_functions_as_arguments_and_results():
    things = [math, plain, len, Adder(1).add.__func__] * 6
    back = list(futures.map(hand_back, things))
    assert [thing for thing, _ in back] == things
    assert_spread(pid for _, pid in back)
    adders = list(futures.map(lambda n: nap(lambda m: n + m), range(MANY)))
    assert [adder(1) for adder, _ in adders] == [n + 1 for n in range(MANY)]


def check_the_program_on_workers():
    """It is __main__ there as well, whatever name it was imported under."""
    names = list(futures.map(where_am_i, range(MANY)))
    assert {path for (path, _), _ in names} == {__file__}
    assert all(same for (_, same), _ in names)
    assert_spread(pid for _, pid in names)


def where_am_i(_):
    return nap((__file__, sys.modules["__main__"].plain is plain))


if __name__ == "__main__":
    OWN_FACTOR = 3

    class Guarded:
        """Exists on the root only."""

        def __init__(self, n):
            self.n = n

        def double(self):
            return nap(Guarded(self.n * 2))

    def helper(n):
        return n * OWN_FACTOR

    def guarded(n):
        return nap(helper(n) + FACTOR)

    def redefined(n):  # noqa: F811
        return nap(("the version under the main guard", n))

    def guarded_factorial(n):
        return 1 if n < 2 else n * futures.submit(guarded_factorial, n - 1).result()

    def check_function_under_the_main_guard():
        spread(guarded, lambda n: n * 3 + 10)

    def check_redefinition_under_the_main_guard():
        spread(redefined, lambda n: ("the version under the main guard", n))

    def check_redefinition_called_by_a_task():
        spread(lambda n: redefined(n), lambda n: ("the version under the main guard", n))

    def check_class_under_the_main_guard():
        spread(lambda n: nap(Guarded(n).n), lambda n: n)
        back = list(futures.map(Guarded.double, [Guarded(n) for n in range(MANY)]))
        assert [thing.n for thing, _ in back] == [2 * n for n in range(MANY)]
        assert all(isinstance(thing, Guarded) for thing, _ in back)
        assert_spread(pid for _, pid in back)

    def check_tasks_of_guarded_functions_submit_more():
        assert list(futures.map(guarded_factorial, range(15))) == [
            math.factorial(n) for n in range(15)]
        assert list(futures.map(factorial_by_tasks, range(15))) == [
            math.factorial(n) for n in range(15)]

    def check_many_functions_by_value():
        """More of them than a worker keeps."""
        naps = [futures.submit(nap) for _ in range(MANY)]
        makers = [functools.partial(lambda a, b: a + b, n) for n in range(1500)]
        fs = [futures.submit(maker, 1) for maker in makers]
        assert [f.result() for f in fs] == list(range(1, 1501))
        assert_spread(f.result()[1] for f in naps)

    run_checks(globals())
