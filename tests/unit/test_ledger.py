"""Own work that is elsewhere: it goes, comes back, is settled; the books are true."""

import pytest

from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.base.messages import Lacking, RejectedItems, RejectedTasks, Results
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.backlog import Backlog
from scoop_mpi.tasks.future import FINISHED, PENDING, SENT, Future
from scoop_mpi.tasks.mapcall import MapCall
from scoop_mpi.tasks.sizes import Sizes
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.outcomes import ItemsOutcome, TaskOutcome
from scoop_mpi.workers.ledger import Ledger

NOTHING = Lacking((), "", "")


@pytest.fixture
def backlog():
    return Backlog(Sizes(TUNING, 3), TUNING)


@pytest.fixture
def ledger(backlog):
    one = Ledger(1, 4, Codec(), backlog)
    yield one
    one.validate()


def send(ledger, *numbers):
    tasks = [Future(number, abs, (-number,), None) for number in numbers]
    ledger.send_out(tasks)
    return tasks


def lend(ledger, items=10, count=4, func=abs):
    """A map of which some items were given away; returns it and the chunk."""
    call = MapCall(7, 1, func, range(items), False, workers=3, chunksize=count)
    ledger.open_map(call)
    chunk = call.cut(1.0)
    call.lent.put(chunk.start, chunk.args())
    return call, chunk


def results(ids, values, elapsed_s=0.5):
    return Results(tuple(ids), elapsed_s, tuple(values), b"", ())


# -- tasks -----------------------------------------------------------------


def test_a_task_goes_and_its_result_comes(ledger):
    [task] = send(ledger, 5)
    assert (task.state, ledger.is_open()) == (SENT, True)
    assert ledger.receive(2, results([5], [50]), [], now=9.0) == 0.5
    assert task.state is SENT  # it is told in settle()
    ledger.settle()
    assert (task.state, task.value, task.ran_on, task.began_at) == (FINISHED, 50, 2, 8.5)
    assert not ledger.is_open()


def test_the_time_of_everything_in_a_message_counts(ledger):
    send(ledger, 1, 2, 3)
    outcomes = [TaskOutcome(3, 0.25, [], None)]
    assert ledger.receive(2, results([1, 2], [1, 2]), outcomes, 9.0) == 1.25


def test_a_task_comes_home_unstarted(ledger, backlog):
    [task] = send(ledger, 5)
    ledger.come_home([5])
    assert (task.state, list(backlog.own), ledger.is_open()) == (PENDING, [5], False)


def test_a_callback_may_wait_for_a_result_of_the_same_message(ledger):
    first, second = send(ledger, 1, 2)
    seen = []

    def callback(future):
        ledger.settle()  # whoever runs meanwhile finds the rest
        seen.append(second.state)

    first.add_done_callback(callback)
    ledger.receive(2, results([1, 2], [10, 20]), [], 9.0)
    ledger.settle()
    assert seen == [FINISHED]


def test_what_was_rejected_is_tried_one_by_one_then_given_up(ledger, backlog):
    tasks = send(ledger, 1, 2)
    ledger.take_back_tasks(2, RejectedTasks((1, 2), NOTHING, "why"))
    assert [task.state for task in tasks] == [PENDING] * 2
    assert set(backlog.singly) == {1, 2}
    backlog.own.clear()
    ledger.send_out(tasks[:1])
    ledger.take_back_tasks(2, RejectedTasks((1,), NOTHING, "why"))
    assert isinstance(tasks[0].error, NotPicklableError)


def test_a_definition_that_was_lacking_goes_with_the_next(ledger, backlog):
    [task] = send(ledger, 1)
    ledger.take_back_tasks(2, RejectedTasks((1,), Lacking((b"key",), "", ""), "why"))
    backlog.own.clear()
    assert ledger.send_out([task]) is True
    ledger.come_home([1])
    backlog.own.clear()
    assert ledger.send_out([task]) is False
    ledger.come_home([1])


# -- maps ------------------------------------------------------------------


def test_items_go_and_their_results_come(ledger):
    call, chunk = lend(ledger, 4)
    ledger.deliver(ItemsOutcome(7, 0, 4, 1.0, [0, 1, 2, 3], None))
    assert call.results == {0: [0, 1, 2, 3]}
    assert not ledger.is_open() and not ledger.maps


def test_items_come_home_unstarted(ledger, backlog):
    call, chunk = lend(ledger)
    ledger.items_come_home(7, 0, 4)
    [back] = backlog.chunks
    assert (back.start, back.stop, back.args()) == (0, 4, [0, 1, 2, 3])


@pytest.mark.parametrize("end", [
    lambda ledger: ledger.deliver(ItemsOutcome(7, 0, 4, 1.0, [0, 1, 2, 3], None)),
    lambda ledger: ledger.deliver(ItemsOutcome(7, 0, 4, 1.0, [], KeyError())),
    lambda ledger: ledger.items_come_home(7, 0, 4),
    lambda ledger: ledger.take_back_items(2, RejectedItems(7, 0, 4, NOTHING, "why")),
], ids=["results", "an error", "unstarted", "rejected"])
def test_the_job_waits_for_what_is_out_of_a_map_that_nobody_wants(ledger, backlog, end):
    """Its calls may have begun."""
    call, _ = lend(ledger)
    call.abandon()
    ledger.settle()
    assert ledger.is_open()
    end(ledger)
    assert not ledger.is_open() and not ledger.maps and not backlog


def test_own_chunks_of_a_map_that_nobody_wants_are_dropped(ledger):
    call = MapCall(7, 1, abs, range(10), False, workers=3, chunksize=4)
    ledger.open_map(call)
    chunk = call.cut(1.0)
    assert not ledger.drop_unwanted(chunk)
    call.abandon()
    ledger.settle()
    assert ledger.drop_unwanted(chunk)
    assert not ledger.is_open() and not ledger.maps


def test_a_rejected_item_is_the_end_of_its_map(ledger, backlog):
    call, _ = lend(ledger)
    ledger.take_back_items(2, RejectedItems(7, 0, 4, NOTHING, "why"))
    assert [len(chunk) for chunk in backlog.chunks] == [1] * 4
    one = backlog.chunks.popleft()
    call.lent.put(one.start, one.args())
    ledger.take_back_items(2, RejectedItems(7, 0, 1, NOTHING, "why"))
    assert isinstance(call.results[0].error, NotPicklableError)


def test_books_that_are_not_true(backlog):
    ledger = Ledger(1, 4, Codec(), backlog)
    [task] = send(ledger, 5)
    backlog.own[5] = task
    with pytest.raises(AssertionError, match="here and elsewhere"):
        ledger.validate()
