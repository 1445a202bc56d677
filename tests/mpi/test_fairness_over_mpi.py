"""Nobody starves, with however many workers: old work runs while the program makes new work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import Finished

CHAIN = """
import time
from scoop_mpi import futures

def identity(number):
    return number

done = []

def chain(future):
    done.append(1)
    if len(done) < 200:
        futures.submit(identity, 0).add_done_callback(chain)

def endless(waits):
    if waits:
        futures.submit(identity, 1).result()
    else:
        list(futures.map(identity, range(4)))

if __name__ == "__main__":
    for waits in True, False:
        done.clear()
        began = time.monotonic()
        futures.submit(identity, 0).add_done_callback(chain)
        while len(done) < 200 and time.monotonic() - began < 20:
            endless(waits)
        print("steps", len(done))
"""


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_a_chain_of_callbacks(run: Callable[..., Finished], ranks: int) -> None:
    finished = run(CHAIN, ranks=ranks)
    assert finished.returncode == 0, finished
    assert finished.stdout == "steps 200\n" * 2, finished


def test_a_chain_of_callbacks_without_a_launcher(run: Callable[..., Finished]) -> None:
    finished = run(CHAIN, launcher="python")
    assert finished.stdout == "steps 200\n" * 2, finished


FOREIGN = """
import time
from scoop_mpi import futures, shared
from scoop_mpi.base import context

def rank():
    return context.current().rank

def busy(number):
    '''Makes tasks of its own until the constant is there: a worker that is never idle.'''
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for _ in range(100):
            futures.submit(abs, number).result()
        if (told := shared.getConst("over", timeout=0)) is not None:
            return told
    return None

def quick(number):
    return number

if __name__ == "__main__":
    workers = context.current().workers
    endless = [futures.submit(busy, number) for number in range(3 * workers)]
    seen = sum(futures.map(quick, range(100)))
    shared.setConst(over="told")
    assert seen == 4950
    print({one.result() for one in endless})
"""


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_workers_that_are_never_idle(run: Callable[..., Finished], ranks: int) -> None:
    """Three endless tasks for each worker: all begin, all hear of the constant."""
    finished = run(FOREIGN, ranks=ranks)
    assert finished.returncode == 0, finished
    assert finished.stdout == "{'told'}\n", finished
