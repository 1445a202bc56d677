"""What a worker sends and takes in: results that ask, what does not pickle, what is lacking."""

import threading
from types import SimpleNamespace

import pytest
from peers import Alone, Pool, feed

from scoop_mpi.base.context import here
from scoop_mpi.base.errors import NotPicklableError, ThreadError
from scoop_mpi.base.messages import BROKER, Grant, Items, Lacking, RejectedTasks, Results, Tasks
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.future import PENDING, SENT, Future
from scoop_mpi.tasks.mapcall import MapCall
from scoop_mpi.wire.codec import find_reference
from scoop_mpi.workers.trader import Terms


@pytest.fixture
def pool():
    return Pool(3)


# -- results that ask ------------------------------------------------------


def test_results_ask_for_more(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    [(source, dest, results)] = pool.sent(Results)
    assert (source, dest, results.asks) == (2, 1, True)
    # It is asked for once: not by itself, too.
    pool[2].ask()
    assert pool.requests(2) == [(BROKER, (2,))]


def test_whoever_asks_with_results_is_given_more(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    pool.submit(1, 1)
    pool.look(1)
    assert [dest for source, dest, _ in pool.sent(Tasks)] == [2, 2]
    assert not pool.requests(1)


def test_whoever_asks_with_results_is_handed_on_if_nothing_is_left(pool):
    feed(pool, 1, 2)
    pool.run(2)
    pool.look(2)
    pool.look(1)
    assert pool.requests(1) == [(BROKER, (2,))]


def test_results_do_not_ask_twice(pool):
    feed(pool, 1, 2)
    pool[2].ask()
    pool.run(2)
    pool.look(2)
    assert [results.asks for _, _, results in pool.sent(Results)] == [False]
    assert pool.requests(2) == [(BROKER, (2,)), (1, (2,))]


def test_results_do_not_ask_while_there_is_work(pool):
    feed(pool, 1, 2, count=2)
    pool.backlog(2).estimates.learn(abs, 1.0)  # else it is little work
    second = pool.backlog(2).foreign.pop()
    pool.run(2)
    pool.backlog(2).foreign.append(second)
    pool.look(2, gives=False)
    pool.run(2)
    pool.look(2)
    assert [results.asks for _, _, results in pool.sent(Results)] == [False, True]


def test_results_to_others_than_the_giver_do_not_ask(pool):
    """Rank 2 gives a task of rank 1 to rank 3."""
    feed(pool, 1, 2)
    pool[3].ask()
    pool.grant(2, 3)
    pool.look(2)
    pool.look(3)
    pool.run(3)
    pool.look(3)
    [(source, dest, results)] = pool.sent(Results)
    assert (source, dest, results.asks) == (3, 1, False)
    pool[3].ask()
    assert pool.requests(3) == [(BROKER, (3,)), (2, (3,))]


@pytest.mark.parametrize("takes_s, asks", [
    (0.0, False), (TUNING.ask_with_results_s / 2, False), (TUNING.ask_with_results_s * 2, True),
    (TUNING.ask_late_s / 2, True), (TUNING.ask_late_s * 2, False),
])
def test_what_is_asked_for_ahead(pool, takes_s, asks):
    """Not while there is much to do, nor if the results can ask soon."""
    pool[2].ask_ahead(takes_s)
    assert pool.requests(2) == [(BROKER, (2,))] * asks


# -- a scheduler: who looks when -------------------------------------------


@pytest.fixture
def one():
    return Alone()


# -- what cannot be pickled on the donor thread ----------------------------


class FirstThreadOnly:
    """Pickles on the thread that runs tasks; elsewhere a verb raises, or hides that."""

    donating = False
    hides = False

    def __reduce__(self):
        if self.donating:
            here.refused = True  # as context.current() notes it
            if not self.hides:
                raise ThreadError("not here")
        return int, (3,)


@pytest.fixture(params=[False, True], ids=["raises", "hides it"])
def picky(request, monkeypatch):
    monkeypatch.setattr(FirstThreadOnly, "hides", request.param)
    monkeypatch.setattr(here, "refused", False)
    return FirstThreadOnly


def donate(pool, rank, picky):
    """The donor thread of a rank looks, while a task computes."""
    pool.deliver()
    picky.donating = True
    pool[rank].exchange(1.0, Terms(eager=True, donor=True), True)
    picky.donating = False


def create(pool, rank, count, picky):
    for _ in range(count):
        pool.created += 1
        pool.backlog(rank).own[pool.created] = Future(pool.created, abs, (picky(),), None)


def test_the_first_thread_sends_what_the_donor_could_not(pool, picky):
    create(pool, 1, 2, picky)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Tasks) == [] and not pool[1].ledger.sent
    assert {task.state for task in pool.backlog(1).own.values()} == {PENDING}
    # Who asked is handed on, and asked for again when there is somebody to serve it.
    assert pool.requests(1) == [(BROKER, (2,))]
    pool.grant(1, 2)
    pool.look(1)
    [(_, dest, gift)] = pool.sent(Tasks)
    assert dest == 2 and set(gift.ids) <= {1, 2}
    pool.look(2)
    pool.run(2)
    assert pool[2].reports.finished


def test_the_donor_gives_nothing_until_the_first_thread_has_looked(pool, picky):
    create(pool, 1, 1, picky)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    pool.submit(1, 5)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Tasks) == []
    pool.look(1, gives=False)
    del pool.backlog(1).own[1]
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert [dest for _, dest, _ in pool.sent(Tasks)] == [2]


def test_it_is_the_donor_thread_beside_light_items_too(one, picky):
    one.scheduler.running_chunk = SimpleNamespace(light=True)
    for _ in range(2):
        task = one.scheduler.submit(abs, (picky(),), None)
    one.hear(BROKER, Grant((3,)))
    picky.donating = True
    one.scheduler.donate()
    assert [message for _, _, message in one.network.log if type(message) is Tasks] == []
    assert task.state is PENDING and not one.scheduler.exchange.trader.refused
    assert one.scheduler.exchange.trader.stays


class Changing:
    """Fails as what another thread changes meanwhile does: not for its type."""

    def __reduce__(self):
        raise RuntimeError("dictionary changed size during iteration")


def test_what_the_first_thread_cannot_pickle_is_final(pool):
    pool.created += 1
    task = pool.backlog(1).own[1] = Future(1, abs, (Changing(),), None)
    pool.grant(1, 2)
    donate(pool, 1, FirstThreadOnly)
    pool[1].take_in()
    assert task.state is PENDING
    pool.grant(1, 2)
    pool.look(1)
    assert isinstance(task.error, NotPicklableError)


@pytest.mark.parametrize("mapped", [False, True])
def test_what_pickle_refuses_is_final_on_the_donor_thread(pool, mapped):
    """Else the owner would run all such tasks alone, and nobody would know why."""
    if mapped:
        pool[1].ledger.open_map(MapCall(7, 1, abs, [threading.Lock()] * 4, False, workers=3))
    else:
        pool.created += 1
        pool.backlog(1).own[1] = Future(1, abs, (threading.Lock(),), None)
    pool.grant(1, 2)
    donate(pool, 1, FirstThreadOnly)
    owners, outcomes = zip(*pool[1].trader.refused)
    assert set(owners) == {1}
    assert {type(outcome.error) for outcome in outcomes} == {NotPicklableError}


def test_chunks_stay_whole_when_the_donor_cannot_pickle_them(pool, picky):
    call = MapCall(7, 1, abs, [picky() for _ in range(4)], False, workers=3)
    pool[1].ledger.open_map(call)
    pool.grant(1, 2)
    donate(pool, 1, picky)
    assert pool.sent(Items) == []
    assert sum(map(len, pool.backlog(1).chunks)) + call_rest(call) == 4
    pool.grant(1, 2)
    pool.look(1)
    assert [dest for _, dest, _ in pool.sent(Items)] == [2]


def call_rest(call):
    """Items of a map that are not cut."""
    return sum(len(chunk) for chunk in iter(lambda: call.cut(1e9), None))


def test_tasks_of_others_stay_when_the_donor_cannot_pickle_them(pool, picky):
    for task in feed(pool, 1, 2, 2):
        assert task.state is SENT
    for task in pool.backlog(2).foreign:
        task.args = (picky(),)
    pool.grant(2, 3)
    donate(pool, 2, picky)
    assert [source for source, _, _ in pool.sent(Tasks) if source == 2] == []
    assert len(pool.backlog(2).foreign) == 2
    pool.grant(2, 3)
    pool.look(2)
    assert [dest for source, dest, _ in pool.sent(Tasks) if source == 2] == [3]


# -- names that the receiver lacks -----------------------------------------


def reject(pool, source, task, **what):
    """A receiver of a task of rank 1 has rejected it."""
    message = RejectedTasks((task.number,), Lacking((), "", "")._replace(**what), "why")
    pool.network.endpoint(source).send(1, message)
    pool.look(1)


def send_out(pool, dest=2):
    [task] = pool.submit(1, 1)
    pool.grant(1, dest)
    pool.look(1)
    assert task.state is SENT
    return task


def test_a_task_that_nobody_can_rebuild_is_given_up_at_once(pool):
    task = send_out(pool)
    reject(pool, 2, task)
    assert isinstance(task.error, NotPicklableError)


def test_a_name_that_is_lacking_is_no_try(pool):
    task = send_out(pool)
    names = pool.codec(1).names
    for name in "abcdefgh":
        reject(pool, 2, task, module="m", name=name)
        assert task.state is PENDING
        assert not names.send_by_value("m", name)  # it has learned that
        pool.grant(1, 2)
        pool.look(1)
        assert task.state is SENT


def test_a_name_may_come_from_ranks_that_have_not_heard_of_it(pool):
    tasks = [send_out(pool, dest) for dest in (2, 3)]
    reject(pool, 2, tasks[0], module="m", name="a")
    reject(pool, 3, tasks[1], module="m", name="a")  # was on its way meanwhile
    assert {task.state for task in tasks} == {PENDING}


def test_a_name_that_is_lacking_for_ever_is_an_error(pool):
    task = send_out(pool)
    for count in range(20):
        reject(pool, 2, task, module="m", name="a")
        if task.state is not PENDING:
            break
        pool.grant(1, 2)
        pool.look(1)
    assert isinstance(task.error, NotPicklableError)
    assert count <= 5
    assert not pool.backlog(1).singly


def test_a_definition_that_was_left_out_is_no_try(pool):
    task = send_out(pool)
    for _ in range(10):
        reject(pool, 2, task, keys=(b"key",))
        assert task.state is PENDING
        pool.grant(1, 2)
        pool.look(1)
        assert task.state is SENT


class Unrebuildable:
    """Refers to a name that is nowhere."""

    def __reduce__(self):
        return find_reference, ("example_nowhere", "f")


def test_whoever_passed_it_on_learns_what_was_lacking(pool):
    feed(pool, 1, 2)
    for task in pool.backlog(2).foreign:
        task.args = (Unrebuildable(),)
    pool.grant(2, 3)
    pool.look(2)
    pool.look(3)
    [(_, dest, lacking)] = pool.sent(Lacking)
    assert (dest, lacking.module, lacking.name) == (2, "example_nowhere", "f")
    [(_, dest, rejected)] = pool.sent(RejectedTasks)
    assert (dest, rejected.lacking.module, rejected.lacking.name) == (1, "example_nowhere", "f")
    pool.look(2)
    assert not pool.codec(2).names.send_by_value("example_nowhere", "f")
