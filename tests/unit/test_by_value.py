"""What travels by value: functions and classes that other ranks do not have."""

import functools
import pickle
import sys
import threading

import pytest
from apart import send

from scoop_mpi.wire.codec import Codec


def module_level(n):
    return n + 1


def dump(codec, obj):
    """The pickle, and the definitions it needs."""
    found = {}
    return codec.dumps(obj, found), found


def test_lambdas():
    assert send(lambda n: n * 3)(5) == 15


def test_closures():
    factor = 7
    assert send(lambda n: n * factor)(5) == 35


def test_a_closure_is_sent_as_it_is_now():
    sender, receiver = Codec(), Codec()
    factor = 2

    def scale(n):
        return n * factor

    first = send(scale, sender, receiver)
    factor = 3
    second = send(scale, sender, receiver)
    assert (first(10), second(10)) == (20, 30)


def test_a_function_that_uses_a_changed_default():
    sender, receiver = Codec(), Codec()

    def add(a, b=1):
        return a + b

    first = send(add, sender, receiver)
    add.__defaults__ = (5,)
    assert (first(1), send(add, sender, receiver)(1)) == (2, 6)


def test_partials_of_lambdas():
    assert send(functools.partial(lambda a, b: (a, b), 1))(2) == (1, 2)


def test_functions_inside_of_values():
    received = send({"functions": [lambda: 1, (lambda: 2,)]})
    assert [received["functions"][0](), received["functions"][1][0]()] == [1, 2]


def test_functions_that_call_themselves():
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert send(factorial)(5) == 120


def test_functions_defined_in_functions():
    def outer():
        def inner(n):
            return module_level(n)
        return inner

    assert send(outer())(1) == 2


def test_decorated_functions():
    def twice(func):
        @functools.wraps(func)
        def wrapper(*args):
            return 2 * func(*args)
        return wrapper

    @twice
    def one():
        return 1

    assert send(one)() == 2


def test_a_function_that_its_module_knows_under_another_object(monkeypatch):
    # As a decorator leaves it: the name stands for the wrapper, not for this.
    original = module_level
    monkeypatch.setitem(globals(), "module_level", lambda n: "wrapped")
    data, found = dump(Codec(), original)
    assert len(found) == 1


def test_classes_defined_locally():
    class Point:
        def __init__(self, x):
            self.x = x

        def double(self):
            return 2 * self.x

    received = send([Point, Point(4), Point(5).double])
    assert received[0](3).double() == 6
    assert received[1].double() == 8
    assert received[2]() == 10


def test_instances_of_a_local_class_have_one_class():
    class Thing:
        pass

    sender, receiver = Codec(), Codec()
    first, second = send(Thing(), sender, receiver), send(Thing(), sender, receiver)
    assert type(first) is type(second)


def test_local_exceptions():
    class Local(ValueError):
        pass

    received = send(Local("text", 3))
    assert received.args == ("text", 3)
    assert isinstance(received, ValueError)


def test_things_that_only_cloudpickle_knows():
    assert send(sys) is sys
    assert list(send({"a": 1}.keys())) == ["a"]
    assert send([sys, lambda: 5])[1]() == 5


def test_before_names_are_noted_they_are_taken_as_they_are():
    sender = Codec()
    assert not dump(sender, [abs, module_level, Codec])[1]


@pytest.mark.parametrize("obj", [
    threading.Lock(), (n for n in ()), sys._getframe(),
], ids=lambda obj: type(obj).__name__)
def test_things_that_cannot_be_pickled_raise(obj):
    with pytest.raises((TypeError, pickle.PicklingError)):
        dump(Codec(), [obj])
