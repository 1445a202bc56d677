"""A module that programs import: functions and classes under other names than their own."""

import enum
import functools
import threading
from collections import namedtuple
from dataclasses import make_dataclass

Point = namedtuple("Pt", "x y")
Colour = enum.Enum("Shade", "RED BLUE")
Made = make_dataclass("Maid", ["n"])
Trouble = type("Distress", (Exception,), {})


def unit(name):
    """Makes a class, and bears its name nowhere."""
    class Unit:
        def __init__(self, n):
            self.n = n

        def __eq__(self, other):
            return isinstance(other, Unit) and self.n == other.n

        __hash__ = None
        symbol = name
    return Unit


Metre, Second = unit("m"), unit("s")


def locked(function):
    """A decorator without functools.wraps, whose closure cannot be pickled."""
    lock = threading.Lock()

    def call(*args):
        with lock:
            return function(*args)
    return call


def wrapped(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)
    return call


class Counted:
    """A decorator that is a class."""

    def __init__(self, function):
        self.lock = threading.Lock()
        functools.update_wrapper(self, function)

    def __call__(self, *args):
        return self.__wrapped__(*args)


@locked
def plus_one(n):
    return n + 1


@wrapped
def plus_two(n):
    return n + 2


@functools.lru_cache
def plus_three(n):
    return n + 3


@functools.singledispatch
def plus_four(n):
    return n


@plus_four.register
def _(n: int):
    return n + 4


@Counted
def plus_five(n):
    return n + 5


def replaced(n):
    return "as imported"


class Patched:
    def answer(self):
        return "as imported"
