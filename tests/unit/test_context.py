"""The running scheduler of a process, and who may use it."""

import threading

import pytest

from scoop_mpi import MainGuardError, ThreadError
from scoop_mpi import futures
from scoop_mpi.base import context


@pytest.fixture
def fresh(monkeypatch):
    """No scheduler, and none of the state of others."""
    for name in ("_scheduler", "_start_alone"):
        monkeypatch.setattr(context, name, None)
    monkeypatch.setattr(context, "_importing", False)
    context.install(None)
    yield context
    context.install(None)


def test_the_installed_one_is_current(scheduler):
    assert context.current() is scheduler


def test_the_first_use_starts_one(fresh):
    started = []

    def start():
        started.append(object())
        return started[-1]

    fresh.on_first_use(start)
    assert fresh.current() is fresh.current() is started[0]
    assert len(started) == 1


def test_another_thread_may_not_use_it(fresh):
    fresh.install(object())
    raised = []

    def use():
        try:
            fresh.current()
        except ThreadError as error:
            raised.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(raised) == 1


@pytest.mark.parametrize("verb", [
    lambda: futures.submit(abs, 1), lambda: futures.map(abs, [1]), lambda: futures.wait([]),
    lambda: futures.mapReduce(abs, max, [1]),
], ids=["submit", "map", "wait", "mapReduce"])
def test_verbs_while_a_worker_imports_the_program(fresh, verb):
    fresh.set_importing(True)
    with pytest.raises(MainGuardError):
        verb()
    fresh.set_importing(False)
    assert not fresh.is_importing()
