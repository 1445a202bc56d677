"""What is done is let go at once, in every verb: inputs, results, errors, callbacks.

Counted by weak references, with the garbage collector off: what is in a cycle counts as
kept. Here all of it runs in one process; tests/mpi measures the memory of every rank.
"""

import gc
import itertools
import weakref

import pytest

from scoop_mpi import futures, shared

pytestmark = pytest.mark.usefixtures("scheduler", "no_collector")

ITEMS = 30


class Boom(Exception):
    """Raised by tasks on purpose."""


class Thing:
    """An input or a result."""

    def __init__(self, number=0):
        self.number = number


class Things:
    """Makes things, and knows which of them are alive."""

    def __init__(self):
        self.refs = []

    def make(self, number=0):
        thing = Thing(number)
        self.refs.append(weakref.ref(thing))
        return thing

    def several(self, count=ITEMS):
        return (self.make(number) for number in range(count))

    @property
    def alive(self):
        return sum(ref() is not None for ref in self.refs)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def inputs():
    return Things()


@pytest.fixture
def results():
    return Things()


def number_of(thing, other=None):
    return thing.number


def fail(thing):
    here = thing
    raise Boom(here.number)


MAPS = pytest.mark.parametrize("verb", [futures.map, futures.map_as_completed])


# -- maps ------------------------------------------------------------------


@MAPS
@pytest.mark.parametrize("buffersize", [1, 4])
@pytest.mark.parametrize("iterables", [1, 2])
def test_a_buffer_is_bounded(inputs, results, verb, buffersize, iterables):
    several = [inputs.several()] + [itertools.count()] * (iterables - 1)
    count = 0
    for result in verb(lambda thing, other=None: results.make(thing.number), *several,
                       buffersize=buffersize):
        assert inputs.alive <= buffersize + 1  # one may be on its way from the iterable
        assert results.alive <= buffersize
        del result
        count += 1
    assert count == len(results.refs) == ITEMS
    assert (inputs.alive, results.alive) == (0, 0)


@MAPS
def test_inputs_go_as_they_are_done(inputs, verb):
    for at, _ in enumerate(verb(number_of, inputs.several(), chunksize=1)):
        assert inputs.alive == ITEMS - at - 1


@MAPS
@pytest.mark.parametrize("chunksize", [1, 10, None])
def test_results_go_as_they_are_taken(results, verb, chunksize):
    for result in verb(results.make, range(ITEMS), chunksize=chunksize):
        made = len(results.refs)
        number = result.number
        del result
        assert results.alive == made - number - 1


@MAPS
@pytest.mark.parametrize("buffersize", [None, 4])
@pytest.mark.parametrize("end", ["break", "close", "error", "timeout"])
def test_a_map_that_ends_early_keeps_nothing(inputs, results, verb, buffersize, end):
    def work(thing):
        if end == "error" and thing.number == 5:
            raise Boom
        return results.make()

    def consume():
        taken = verb(work, inputs.several(), buffersize=buffersize,
                     timeout=0.0 if end == "timeout" else None)
        try:
            for at, _ in enumerate(taken):
                if at == 3 and end == "break":
                    return None
                if at == 3 and end == "close":
                    taken.close()
        except (Boom, TimeoutError, futures.TimeoutError):
            pass
        return taken

    kept = consume()
    assert inputs.alive == results.alive == 0
    assert (kept is None) == (end == "break")


@MAPS
def test_a_map_that_nobody_takes_from_is_run_but_not_kept(scheduler, inputs, results, verb):
    verb(lambda thing: results.make(thing.number), inputs.several())
    assert inputs.alive == ITEMS
    scheduler.serve()
    assert len(results.refs) == ITEMS
    assert (inputs.alive, results.alive) == (0, 0)


def test_the_iterable_of_a_map_that_ends_early():
    endless = itertools.count()
    watched = (number for number in endless)
    gone = weakref.ref(watched)
    taken = futures.map(abs, watched, buffersize=3)
    del watched
    next(taken)
    taken.close()
    assert gone() is None
    assert next(endless) <= 4


# -- reductions ------------------------------------------------------------


def test_a_reduction_keeps_no_inputs(inputs):
    left = []

    def add(one, other):
        left.append(inputs.alive)
        return one + other

    assert futures.mapReduce(number_of, add, inputs.several(64)) == sum(range(64))
    assert left[-1] == 0  # on the highest level
    assert inputs.alive == 0


def test_a_reduction_keeps_no_results(results):
    def add(one, other):
        return results.make(one.number + other.number)

    total = futures.mapReduce(results.make, add, range(64))
    assert total.number == sum(range(64))
    assert results.alive == 1


def test_a_scan_keeps_its_values_only(inputs, results):
    def add(one, other):
        return results.make(one.number + other.number)

    values = futures.mapScan(lambda thing: results.make(thing.number), add, inputs.several(64))
    assert [one.number for one in values] == list(itertools.accumulate(range(64)))
    assert (inputs.alive, results.alive) == (0, 64)


# -- single tasks ----------------------------------------------------------


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("func", [number_of, fail])
def test_arguments_go_when_the_task_is_done(inputs, func, by_name):
    thing = inputs.make()
    task = futures.submit(func, thing=thing) if by_name else futures.submit(func, thing)
    del thing
    futures.wait([task])
    if func is number_of:
        assert inputs.alive == 0
    del task
    assert inputs.alive == 0


def test_arguments_go_when_the_task_is_cancelled(inputs):
    task = futures.submit(number_of, inputs.make())
    assert task.cancel()
    assert inputs.alive == 0


def get(task, timeout=None):
    try:
        return task.result(timeout)
    except Boom:
        return None
    finally:
        del task  # else the traceback, which has this frame in it, would keep it


WAYS = {
    "result": lambda tasks: get(tasks.pop()),
    "result in time": lambda tasks: get(tasks.pop(), timeout=5),
    "exception": lambda tasks: tasks.pop().exception(),
    "wait": lambda tasks: futures.wait([tasks.pop()]),
    "wait for any": lambda tasks: futures.wait([tasks.pop()], -1, futures.FIRST_COMPLETED),
    "as_completed": lambda tasks: list(futures.as_completed([tasks.pop()])),
    "poll": lambda tasks: tasks.pop() if tasks[-1].done() else None,
    "a child": lambda tasks: futures.submit(get, tasks.pop()).result(),
    "a map": lambda tasks: list(futures.map(get, [tasks.pop()])),
    "a callback": lambda tasks: tasks[-1].add_done_callback(get) or get(tasks.pop()),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_a_future_that_is_dropped_keeps_nothing(inputs, results, way, fails, before):
    """Neither does the scheduler, nor an error's traceback by frames of ours."""
    def work(thing):
        made = results.make()
        if fails:
            raise Boom
        return made

    tasks = [futures.submit(work, inputs.make()) for _ in range(3)]
    if before:  # they are run by a runner, not where they are waited for
        futures.submit(abs, 1).result(timeout=1)
    while tasks:
        way(tasks)
    assert (inputs.alive, results.alive) == (0, 0)
    assert len(results.refs) == 3


def test_futures_that_were_yielded_are_the_callers_alone(results):
    tasks = [futures.submit(results.make, number) for number in range(ITEMS)]
    completed = futures.as_completed(tasks)
    del tasks
    taken = 0
    for task in completed:
        task.result()
        made = len(results.refs)
        taken += 1
        del task
        assert results.alive == made - taken
    assert taken == ITEMS


@pytest.mark.parametrize("timeout", [None, 5])
def test_an_error_does_not_keep_its_neighbours(results, timeout):
    calls = [(fail, Thing())] + [(results.make, 1)] * 5
    done = [futures.wait([futures.submit(*call) for call in calls], timeout).done]
    [error] = filter(None, [done[0].pop().exception() for _ in range(6)])
    done.clear()
    assert isinstance(error, Boom)
    assert results.alive == 0


def test_callbacks_go_with_their_future(inputs):
    def use():
        thing = inputs.make()
        task = futures.submit(abs, 1)
        task.add_done_callback(lambda _: thing.number)
        task.result()

    use()
    assert inputs.alive == 0


def test_parked_tasks_and_their_runners_keep_nothing(inputs, results):
    """Runners that are spare have run tasks which waited."""
    def work(thing):
        return futures.submit(results.make).result(timeout=5)

    def use():
        tasks = [futures.submit(work, inputs.make()) for _ in range(100)]
        for task in futures.as_completed(tasks):
            task.result()

    use()
    assert (inputs.alive, results.alive) == (0, 0)


# -- constants -------------------------------------------------------------


def test_a_constant_that_was_deleted(scheduler):
    refs = []
    for number in range(5):
        shared.setConst(thing=Thing(number))
        refs.append(weakref.ref(shared.getConst("thing")))
        assert refs[-1]() is not None
        shared.delConst("thing")
    assert [ref() for ref in refs] == [None] * 5
