"""Whatever user code raises is a value here."""

import gc
import weakref

import pytest
from greenlet import GreenletExit

from scoop_mpi.base.frames import Leaving
from scoop_mpi.base.usercode import attempt, attribute, shown


class Leave(BaseException):
    """Not even an Exception."""


ERRORS = [ValueError("why"), SystemExit(3), GreenletExit(), KeyboardInterrupt(), RecursionError(),
          Leave()]


def throw(error):
    raise error


def test_a_value():
    assert attempt(pow, 2, 3) == (8, None)
    assert attempt(lambda: None) == (None, None)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error(error):
    assert attempt(throw, error) == (None, error)


def test_the_end_of_the_process_is_no_error():
    with pytest.raises(Leaving):
        attempt(throw, Leaving())


def test_an_error_keeps_no_arguments():
    class Big:
        pass

    def fail(big):
        del big
        raise ValueError

    big = Big()
    gone = weakref.ref(big)
    _, error = attempt(fail, big)
    del big
    assert isinstance(error, ValueError)
    gc.collect()
    assert gone() is None


class Odd:
    """Raises when it is asked for anything."""

    def __init__(self, error):
        object.__setattr__(self, "error", error)

    def __getattribute__(self, name):
        if name == "there":
            return 5
        raise object.__getattribute__(self, "error")

    def __repr__(self):
        raise object.__getattribute__(self, "error")

    __str__ = __repr__


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_attributes_that_cannot_be_asked_for(error):
    assert attribute(Odd(error), "there") == 5
    assert attribute(Odd(error), "other") is None
    assert attribute(Odd(error), "other", 7) == 7


def test_attributes_that_are_not_there():
    assert attribute(3, "real") == 3
    assert attribute(3, "other", "default") == "default"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_cannot_be_shown(error):
    assert shown(Odd(error)) == "<no repr>"
    assert shown(Odd(error), str) == "<no str>"


def test_what_can_be_shown():
    assert shown([1, "a"]) == "[1, 'a']"
    assert shown("a", str) == "a"


def test_a_repr_that_is_no_text():
    class NoText:
        def __repr__(self):
            return 5

    assert shown(NoText()) == "<no repr>"
    assert shown(NoText(), lambda obj: 5) == "<no <lambda>>"
