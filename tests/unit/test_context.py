"""The running scheduler of a process, and who may use it."""

import threading
import time
from types import SimpleNamespace

import pytest

from scoop_mpi import MainGuardError, futures
from scoop_mpi.base import context


@pytest.fixture
def fresh(monkeypatch):
    """No scheduler, and none of the state of others."""
    for name in ("_scheduler", "_start"):
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
        started.append(SimpleNamespace(beside=False))
        return started[-1]

    fresh.on_first_use(start)
    assert fresh.current() is fresh.current() is started[0]
    assert len(started) == 1


def test_several_threads_may_be_the_first(fresh, many_switches):
    started = []

    def start():
        time.sleep(0.01)
        started.append(SimpleNamespace(beside=True, visitor=object))
        return started[-1]

    fresh.on_first_use(start)
    desks = []
    threads = [threading.Thread(target=lambda: desks.append((fresh.current(), fresh.current())))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    assert all(first is second for first, second in desks)
    assert len({id(first) for first, _ in desks}) == 4


def test_another_thread_is_a_visitor(fresh):
    fresh.install(SimpleNamespace(beside=False, visitor=lambda: "visitor"))
    seen = []
    thread = threading.Thread(target=lambda: seen.append(fresh.current()))
    thread.start()
    thread.join()
    assert seen == ["visitor"]


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
