"""What SCOOP's futures tell of themselves: ``scoop_mpi.tasks.attributes``."""

import concurrent.futures
import gc
import itertools
import operator
import random
import time
import weakref

import pytest

from scoop_mpi import NotPicklableError
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.base.job import Job, Settings, worker_name
from scoop_mpi.base.messages import Lacking, RejectedTasks
from scoop_mpi.process.alone import NoPause
from scoop_mpi.process.alone import Alone
from scoop_mpi.process.schedulers import make_scheduler
from scoop_mpi.tasks import attributes
from scoop_mpi.tasks.attributes import CallbackType, StopWatch
from scoop_mpi.tasks.future import CANCELLED, PENDING, RUNNING, SENT, ForeignTask, Future, State
from scoop_mpi.wire.codec import Codec

pytestmark = pytest.mark.usefixtures("scheduler")

ME = worker_name(1)
PROGRAM = (ME, 0)
MILLIONS = itertools.count(10 ** 6, 10 ** 6)


class Boom(Exception):
    """Raised by tasks on purpose."""


def fail(error):
    raise error


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(scheduler, monkeypatch):
    """The scheduler's clock, and the time of day, in the test's hand."""
    clock = scheduler.clock = Clock(scheduler.clock())
    offset = time.time() - clock.now
    monkeypatch.setattr(attributes.time, "time", lambda: clock.now + offset)
    return clock


# -- ids -------------------------------------------------------------------


def test_an_id_is_worker_and_number():
    first, second = futures.submit(abs, 1), futures.submit(abs, 2)
    assert first.id[0] == second.id[0] == ME
    assert isinstance(first.id[1], int)
    assert first.id != second.id
    assert first.id[1] < second.id[1]


def test_ids_are_unique_and_can_be_keys():
    fs = [futures.submit(abs, n) for n in range(200)]
    assert len({f.id for f in fs} | {PROGRAM}) == 201


def test_an_id_stays():
    future = futures.submit(abs, 1)
    before = future.id
    future.result()
    assert future.id == before


def test_the_id_where_a_task_of_another_worker_runs():
    task = ForeignTask(7, 3, abs, (1,), None)
    assert task.id == (worker_name(3), 7)


# -- parents ---------------------------------------------------------------


def test_the_parent_of_what_the_program_creates():
    assert futures.submit(abs, 1).parentId == PROGRAM


def test_parents_of_nested_tasks():
    def leaf():
        return None

    def middle():
        made.append(futures.submit(leaf))
        made[-1].result()
        made.append(futures.submit(leaf))

    def top():
        made.append(futures.submit(middle))
        made[-1].result()
        return futures.submit(leaf)

    made = []
    outer = futures.submit(top)
    last = outer.result()
    inner, first, second = made
    assert inner.parentId == last.parentId == outer.id
    assert first.parentId == second.parentId == inner.id
    assert outer.parentId == futures.submit(leaf).parentId == PROGRAM


def test_parents_of_tasks_that_other_greenlets_run():
    # The parents wait with a time limit, so their children run in a runner.
    def child():
        return futures.submit(abs, 1)

    def parent():
        mine = futures.submit(child)
        grandchild = mine.result(timeout=60)
        after = futures.submit(abs, 1)  # after it was parked, and went on
        return mine, grandchild, after

    fs = [futures.submit(parent) for _ in range(5)]
    for future in futures.as_completed(fs):
        mine, grandchild, after = future.result()
        assert mine.parentId == after.parentId == future.id
        assert grandchild.parentId == mine.id


def test_the_parent_of_what_an_item_of_a_map_creates():
    def item(n):
        return futures.submit(abs, n)

    made = list(futures.map(item, range(3)))
    [parent] = {future.parentId for future in made}
    assert parent[0] == ME
    assert parent != PROGRAM  # the map's own id
    assert parent not in {future.id for future in made}


def test_the_parent_of_what_a_callback_creates():
    made = []
    future = futures.submit(abs, 1)
    future.add_done_callback(lambda f: made.append(futures.submit(abs, 2)))
    future.result()
    assert made[0].parentId in (future.id, PROGRAM)


def test_the_parent_on_another_worker(scheduler):
    made = []
    task = ForeignTask(7, 3, lambda: made.append(futures.submit(abs, 1)), (), None)
    scheduler.exchange.reports.add_task = lambda task: None  # there is nobody to report to
    scheduler.backlog.foreign.append(task)
    assert futures.submit(abs, -1).result(timeout=60) == 1
    while not made:
        scheduler.poll()
    assert made[0].parentId == (worker_name(3), 7)
    assert made[0].id[0] == ME


def test_children_do_not_keep_what_their_ancestors_returned():
    # Else a chain of tasks, each of which creates the next one, fills the memory.
    class Thing:
        pass

    def step(n):
        if n:
            futures.submit(step, n - 1)
        else:
            gc.collect()
            alive.append(len([thing for thing in things if thing() is not None]))
        thing = Thing()
        things.append(weakref.ref(thing))
        return thing

    things, alive = [], []
    futures.submit(step, 20)
    while not alive:
        context.current().poll()
    assert len(things) >= 20
    assert alive[0] <= 1


# -- children --------------------------------------------------------------


@pytest.fixture
def numbers_of_its_own(scheduler):
    """Children are told by their parent's number: not those of other tests here."""
    scheduler.created = next(MILLIONS)
    scheduler.backlog.note_begun(scheduler.created)  # they have all begun


@pytest.mark.usefixtures("numbers_of_its_own")
def test_children_of_a_task():
    def parent():
        made = [futures.submit(abs, n) for n in range(3)]
        seen.append(dict.fromkeys(made))
        seen.append(me[0].children)
        made[1].result()
        seen.append(me[0].children)
        return made

    seen = []
    me = [futures.submit(parent)]
    made = me[0].result()
    all_of_them, before, after = seen
    assert list(before) == list(all_of_them)
    assert list(after) == [made[0], made[2]]
    for future in made:
        future.result()
    assert me[0].children == {}


@pytest.mark.usefixtures("numbers_of_its_own")
def test_children_are_not_grandchildren_and_not_cancelled_ones():
    def child():
        inner.append(futures.submit(abs, 1))

    def parent():
        done, cancelled = futures.submit(child), futures.submit(abs, 2)
        cancelled.cancel()
        done.result()
        return me[0].children

    inner = []
    me = [futures.submit(parent)]
    assert me[0].result() == {}
    assert inner[0].parentId != me[0].id


@pytest.mark.usefixtures("numbers_of_its_own")
def test_no_children():
    assert futures.submit(abs, 1).children == {}


# -- who runs it -----------------------------------------------------------


def test_the_executor():
    def look():
        return future.executor

    future = futures.submit(look)
    assert future.executor is None
    assert future.result() == (ME, None)
    assert future.executor == (ME, None)


def test_the_executor_elsewhere():
    future = futures.submit(abs, 1)
    future.state = SENT
    assert future.executor is None  # whoever gets it may hand it on
    future.ran_on = 5
    future.finish(1, None)
    assert future.executor == (worker_name(5), None)


def test_nobody_executes_what_was_cancelled():
    future = futures.submit(abs, 1)
    future.cancel()
    assert future.executor is None


def test_the_executor_tells_the_first_callbacks_group():
    future = futures.submit(abs, 1)
    future.add_done_callback(id, inCallbackGroup="first")
    future.add_done_callback(id, inCallbackGroup="second")
    future.result()
    assert future.executor == (ME, "first")


# -- times -----------------------------------------------------------------


def test_creation_time_is_as_ctime_gives_it(clock):
    before = time.ctime(attributes.time.time())
    future = futures.submit(abs, 1)
    context.current().look()
    assert future.creationTime == before
    clock.sleep(100)
    context.current().look()
    assert future.creationTime == before
    assert time.strptime(future.creationTime)


def test_creation_times_of_several(clock):
    fs, expected = [], []
    for _ in range(5):
        expected.append(time.ctime(attributes.time.time()))
        fs.append(futures.submit(abs, 1))
        context.current().look()
        clock.sleep(10)
    assert [future.creationTime for future in fs] == expected


def test_wait_time_is_from_creation_to_the_call(clock):
    def work():
        clock.sleep(5)
        return future.waitTime

    future = futures.submit(work)
    context.current().look()
    assert future.waitTime == 0.0
    clock.sleep(20)
    assert future.result(timeout=1000) == pytest.approx(20)
    assert future.waitTime == pytest.approx(20)


def test_wait_time_of_what_never_began(clock):
    future = futures.submit(abs, 1)
    future.cancel()
    clock.sleep(5)
    assert future.waitTime == 0.0


def test_execution_time(clock):
    def work():
        clock.sleep(3)
        seen.append(future.executionTime)

    seen = []
    future = futures.submit(work)
    clock.sleep(5)
    assert future.executionTime == 0.0
    future.result()
    clock.sleep(7)
    assert seen == [0.0]
    assert future.executionTime == pytest.approx(3)


def test_execution_time_of_what_raised(clock):
    def work():
        clock.sleep(3)
        raise Boom

    future = futures.submit(work)
    assert isinstance(future.exception(), Boom)
    assert future.executionTime == pytest.approx(3)


def test_execution_time_of_what_ran_elsewhere():
    future = futures.submit(abs, 1)
    future.state = SENT
    future.ran_on, future.elapsed_s = 5, 2.5
    assert future.executionTime == 0.0
    future.finish(1, None)
    assert future.executionTime == 2.5


def test_execution_time_of_nested_calls_is_that_of_others(clock):
    # Waits inside waits are not timed one by one.
    def leaf():
        clock.sleep(2)

    def parent():
        inner = futures.submit(leaf)
        inner.result()
        return inner

    futures.submit(leaf).result()
    inner = futures.submit(parent).result()
    assert inner.executionTime == pytest.approx(2)
    assert inner.waitTime == 0.0


def test_what_was_cancelled_took_no_time(clock):
    def work():
        clock.sleep(3)

    futures.submit(work).result()
    future = futures.submit(work)
    future.cancel()
    assert future.executionTime == 0.0
    assert future.stopWatch.get() == 0.0


def test_the_stop_watch_of_a_future(clock):
    def work():
        clock.sleep(3)

    future = futures.submit(work)
    context.current().look()
    clock.sleep(20)
    assert future.stopWatch.get() == pytest.approx(20)
    assert not future.stopWatch.halted
    future.result()
    clock.sleep(20)
    watch = future.stopWatch
    assert isinstance(watch, StopWatch)
    assert watch.halted
    assert watch.get() == pytest.approx(3)


@pytest.mark.parametrize("name", ["waitTime", "executionTime"])
def test_times_of_a_task_of_another_worker(clock, name):
    task = ForeignTask(7, 3, abs, (1,), None)
    clock.sleep(10)
    assert getattr(task, name) == 0.0
    assert time.strptime(task.creationTime)
    assert task.stopWatch.get() == pytest.approx(0)


# -- StopWatch -------------------------------------------------------------


def test_a_stop_watch_counts(clock):
    watch = StopWatch()
    assert watch.get() == 0.0
    clock.sleep(3)
    assert watch.get() == pytest.approx(3)
    clock.sleep(1)
    assert watch.get() == pytest.approx(4)


def test_a_stop_watch_is_halted_and_resumed(clock):
    watch = StopWatch()
    clock.sleep(3)
    watch.halt()
    clock.sleep(10)
    assert watch.get() == pytest.approx(3)
    watch.resume()
    clock.sleep(2)
    assert watch.get() == pytest.approx(5)


def test_a_stop_watch_is_halted_twice(clock):
    # SCOOP's counts the time in between.
    watch = StopWatch()
    clock.sleep(3)
    watch.halt()
    clock.sleep(10)
    watch.halt()
    assert watch.get() == pytest.approx(3)


def test_a_stop_watch_is_reset(clock):
    watch = StopWatch()
    clock.sleep(3)
    watch.halt()
    watch.reset()
    assert watch.get() == 0.0
    clock.sleep(1)
    assert watch.get() == pytest.approx(1)


# -- outcome ---------------------------------------------------------------


def test_outcome_of_a_call_that_returned():
    future = futures.submit(abs, -3)
    assert (future.isDone, future.resultValue, future.exceptionValue) == (False, None, None)
    assert future.exceptionTraceback is None
    future.result()
    assert (future.isDone, future.resultValue, future.exceptionValue) == (True, 3, None)
    assert future.exceptionTraceback is None


def test_outcome_of_a_call_that_raised():
    error = Boom("why")
    future = futures.submit(fail, error)
    future.exception()
    assert (future.isDone, future.resultValue) == (True, None)
    assert future.exceptionValue is error
    text = future.exceptionTraceback
    assert text.startswith("Traceback (most recent call last):\n")
    assert ", in fail\n" in text
    assert text.endswith("Boom: why\n")


def test_the_traceback_of_another_rank_is_part_of_it():
    future = futures.submit(abs, 1)
    future.state = SENT
    error = Boom("why")
    error.__cause__ = Exception("there it was raised")
    future.finish(None, error)
    assert "there it was raised" in future.exceptionTraceback
    assert future.exceptionTraceback.endswith("Boom: why\n")


def test_outcome_of_what_was_cancelled():
    future = futures.submit(abs, 1)
    future.cancel()
    assert (future.isDone, future.resultValue) == (True, None)
    assert isinstance(future.exceptionValue, concurrent.futures.CancelledError)
    assert future.exceptionTraceback is None


@pytest.mark.parametrize("state", list(State))
def test_is_done_by_state(state):
    future = Future(7, abs, (), None)
    future.state = state
    assert future.isDone is (state not in (PENDING, RUNNING, SENT))


def test_is_done_only_looks():
    # done() may run something; a program that asks isDone sees no change.
    future = futures.submit(abs, 1)
    for _ in range(1000):
        assert not future.isDone
    assert future.state is PENDING


# -- the call --------------------------------------------------------------


def test_callable_and_arguments():
    future = futures.submit(int, "ff", base=16)
    assert future.callable is int
    assert future.args == ("ff",)
    assert future.kargs == {"base": 16}
    future.result()
    assert future.callable is int
    assert future.kargs == {}


def test_no_keyword_arguments():
    assert futures.submit(abs, 1).kargs == {}


@pytest.mark.parametrize("option", ["strict", "debug", "profile"])
def test_callable_while_tasks_are_looked_at(monkeypatch, tmp_path, option):
    settings = Settings(**{option: True})
    job = Job(settings=settings, directory=str(tmp_path))
    monkeypatch.setattr(context, "_job", job)
    one = make_scheduler(Alone(), Codec(), NoPause(), alone=True)
    context.install(one)
    future = futures.submit(int, "ff", base=16)
    assert future.callable is int
    assert future.result() == 255
    assert future.callable is int


# -- order and hash --------------------------------------------------------


def test_futures_are_ordered_by_creation():
    fs = [futures.submit(abs, n) for n in range(20)]
    mixed = fs[:]
    random.Random(1).shuffle(mixed)
    assert sorted(mixed) == fs
    assert fs[0] < fs[1]
    assert fs[1] > fs[0]
    assert not fs[1] < fs[0]
    assert not operator.lt(fs[0], fs[0])


def test_futures_are_hashed_and_compared_by_themselves():
    first, second = futures.submit(abs, 1), futures.submit(abs, 1)
    assert first == first and first != second
    assert {first: 1, second: 2}[first] == 1
    assert len({first, second, first}) == 2
    before = hash(first)
    first.result()
    assert hash(first) == before


# -- callbacks -------------------------------------------------------------


def test_callback_lists_all_of_them():
    def one(future):
        pass

    def other(future):
        pass

    future = futures.submit(abs, 1)
    assert future.callback == []
    future.add_done_callback(one)
    future.add_done_callback(other, inCallbackType=CallbackType.universal, inCallbackGroup=7)
    expected = [(one, "standard", None), (other, "universal", 7)]
    assert future.callback == expected
    future.result()
    assert future.callback == expected
    future.add_done_callback(one, CallbackType.standard, "late")
    assert future.callback == [*expected, (one, "standard", "late")]


def test_entries_of_callback_have_scoops_names():
    future = futures.submit(abs, 1)
    future.add_done_callback(id, CallbackType.universal, "group")
    [entry] = future.callback
    assert (entry.func, entry.callbackType, entry.groupID) == (id, "universal", "group")


def test_callback_does_not_list_those_who_wait():
    def wait():
        return target.result(timeout=60)

    def look():
        seen.append(target.callback)
        return gate.result(timeout=60)

    seen = []
    gate = futures.submit(abs, 1)
    target = futures.submit(look)
    waiting = [futures.submit(wait) for _ in range(3)]
    futures.wait([target, *waiting], timeout=60)
    assert seen == [[]]
    assert target.callback == []


@pytest.mark.parametrize("type_", [CallbackType.standard, CallbackType.universal])
def test_callbacks_of_both_types_are_called_here(type_):
    called = []
    future = futures.submit(abs, -1)
    future.add_done_callback(called.append, inCallbackType=type_, inCallbackGroup=3)
    assert future.result() == 1
    assert called == [future]
    future.add_done_callback(called.append, inCallbackType=type_)
    assert called == [future, future]


def test_callbacks_of_both_types_in_order():
    called = []
    future = futures.submit(abs, -1)
    for n in range(6):
        type_ = CallbackType.universal if n % 2 else CallbackType.standard
        future.add_done_callback(lambda f, n=n: called.append(n), type_)
    future.result()
    assert called == list(range(6))


@pytest.mark.parametrize("type_", [CallbackType.standard, CallbackType.universal])
def test_callbacks_of_both_types_when_cancelled(type_):
    called = []
    future = futures.submit(abs, 1)
    future.add_done_callback(called.append, type_)
    future.cancel()
    assert called == [future]


def universal_and_standard(future):
    called = []
    future.add_done_callback(lambda f: called.append("universal"), CallbackType.universal)
    future.add_done_callback(lambda f: called.append("standard"))
    return called


def test_universal_callbacks_are_not_for_the_owner_of_what_ran_elsewhere():
    future = futures.submit(abs, 1)
    called = universal_and_standard(future)
    future.send_callbacks()
    future.state = SENT
    future.finish(1, None)
    assert called == ["standard"]


def test_universal_callbacks_travel():
    future = futures.submit(abs, 1)
    future.add_done_callback(print)
    future.add_done_callback(id, CallbackType.universal, "group")
    assert future.send_callbacks() == [(id, "universal", "group")]


def test_universal_callbacks_of_a_task_that_came_back_unstarted():
    future = futures.submit(abs, -1)
    called = universal_and_standard(future)
    future.state = SENT
    future.state = PENDING
    assert future.result() == 1
    assert called == ["universal", "standard"]


def test_universal_callbacks_of_a_task_that_never_left():
    # It could not be pickled: nobody else has it.
    future = futures.submit(abs, 1)
    called = universal_and_standard(future)
    future.finish(None, Boom())
    assert called == ["universal", "standard"]


def test_universal_callbacks_of_a_task_that_nobody_could_rebuild(scheduler):
    # It was sent, but it ran nowhere.
    future = futures.submit(abs, 1)
    called = universal_and_standard(future)
    scheduler.claim(future)
    future.state = SENT
    scheduler.exchange.ledger.sent[future.number] = future
    rejected = RejectedTasks((future.number,), Lacking((), "", ""), "could not be rebuilt")
    scheduler.exchange._endpoint._answers.append((2, rejected))
    scheduler.look()
    assert isinstance(future.exceptionValue, NotPicklableError)
    assert called == ["universal", "standard"]


@pytest.mark.parametrize("state", [SENT, RUNNING])
def test_universal_callbacks_that_come_too_late_to_travel(state):
    future = futures.submit(abs, 1)
    future.send_callbacks()
    future.state = state
    called = universal_and_standard(future)
    future.finish(1, None)
    assert called == ["universal", "standard"]


def test_universal_callbacks_where_the_task_runs():
    task = ForeignTask(7, 3, abs, (-4,), None)
    seen = []
    task.add_done_callback(
        lambda f: seen.append((f.id, f.result(), f.executor)), CallbackType.universal, "group")
    task.run()
    assert seen == [((worker_name(3), 7), 4, (ME, "group"))]


def test_a_callback_that_raises_does_not_stop_the_others(capsys):
    called = []
    future = futures.submit(abs, -1)
    future.add_done_callback(lambda f: fail(Boom("in a callback")), CallbackType.universal)
    future.add_done_callback(called.append)
    assert future.result() == 1
    assert called == [future]
    assert "in a callback" in capsys.readouterr().err


def test_a_cancelled_one_has_all_attributes():
    future = futures.submit(abs, 1)
    future.cancel()
    assert future.state is CANCELLED
    for name in ("id", "parentId", "children", "executor", "creationTime", "waitTime",
                 "executionTime", "stopWatch", "isDone", "resultValue", "exceptionValue",
                 "exceptionTraceback", "callback", "callable", "args", "kargs"):
        getattr(future, name)
