"""Whose code runs, told from frames."""

import logging
import sys

import pytest

from scoop_mpi import futures, shared
from scoop_mpi.base.frames import PROGRAM, Called, calls_user_code, is_ours, look_at

pytestmark = pytest.mark.usefixtures("scheduler")


def look(*args):
    """A task that looks at its own stack."""
    return look_at(sys._getframe())


def test_code_of_the_user_that_nobody_of_us_has_called():
    stack = look()
    assert stack.in_user_code
    assert not stack.bare
    assert stack.scopes == []


@pytest.mark.parametrize("run", [
    lambda: futures.submit(look).result(),
    lambda: next(futures.map(look, [1])),
    lambda: futures.mapReduce(look, max, [1]),
    lambda: futures.mapScan(look, max, [1])[0],
], ids=["task", "map", "mapReduce", "mapScan"])
def test_a_task_is_code_of_the_user_in_a_scope_of_its_own(run):
    stack = run()
    assert stack.in_user_code and not stack.bare
    assert len(stack.scopes) == 1 and stack.scopes[0] is not PROGRAM


def test_a_callback_has_a_scope_of_its_own():
    found = []
    future = futures.submit(abs, 1)
    future.add_done_callback(lambda future: found.append(look()))
    future.result()
    [stack] = found
    assert stack.in_user_code and stack.in_callback


def test_a_task_that_runs_where_another_waits_comes_first():
    def outer():
        return futures.submit(look).result(), look()

    inner, outer_ = futures.submit(outer).result()
    assert len(inner.scopes) == 2
    assert inner.scopes[1:] == outer_.scopes


class Looks:
    """Looks at the stack where it is pickled, iterated, deleted, logged."""

    def __init__(self):
        self.found = []

    def __reduce__(self):
        self.found.append(look())
        return Looks, ()

    def __iter__(self):
        self.found.append(look())
        yield 1
        self.found.append(look())

    def __del__(self):
        self.found.append(look())


def test_what_a_library_calls_for_us_is_a_step_of_ours():
    one = Looks()
    shared.setConst(one=one)
    assert not one.found[0].in_user_code


def test_inputs_are_read_for_their_caller():
    one = Looks()
    assert list(futures.map(abs, iter(one))) == [1]
    assert [stack.in_user_code for stack in one.found] == [True, True]
    assert all(stack.scopes == [] for stack in one.found)


def test_a_finalizer_would_only_print_an_exception():
    one = Looks()
    found = one.found
    del one
    assert not found[0].in_user_code


def test_verbs_are_steps_of_ours(monkeypatch, scheduler):
    found = []
    monkeypatch.setattr(type(scheduler), "look", lambda self, **_: found.append(look()))
    list(futures.map(abs, [1]))
    assert found and not any(stack.in_user_code for stack in found)


def test_logging_for_a_callback_is_a_step_of_ours(caplog):
    found = []

    class Handler(logging.Handler):
        def emit(self, record):
            found.append(look())

    handler = Handler()
    logging.getLogger("scoop_mpi").addHandler(handler)
    try:
        future = futures.submit(abs, 1)
        future.add_done_callback(lambda future: 1 / 0)
        future.result()
    finally:
        logging.getLogger("scoop_mpi").removeHandler(handler)
    assert found and not found[0].in_user_code


def test_a_marked_function_by_itself(monkeypatch):
    def call(what):
        return look_at(sys._getframe())

    for whole in (False, True):
        calls_user_code(Called.FOR_CALLER, whole)(call)
        monkeypatch.setattr("scoop_mpi.base.frames.is_ours", lambda code: code is call.__code__)
        stack = call(1)
        assert stack.in_user_code
        assert stack.bare is not whole


def test_the_standard_library_is_told_from_packages():
    import json

    found = []
    sys.setprofile(lambda frame, event, arg: found.append(look_at(frame).in_library))
    json.dumps(1)
    sys.setprofile(None)
    assert found[0]
    assert not look().in_library


def test_the_check_is_a_program():
    from scoop_mpi.check import wire

    assert not is_ours(wire.__loader__.get_code(wire.__name__))
