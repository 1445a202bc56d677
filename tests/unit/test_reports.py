"""What has become of others' work, until it is sent to them."""

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import ForeignTask
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.outcomes import Outcomes, TaskOutcome
from scoop_mpi.workers.reports import Reports


@pytest.fixture
def reports():
    return Reports(Outcomes(Codec(), 3), 4, TUNING)


def run(number, owner, func=abs, *args):
    task = ForeignTask(number, owner, func, args or (-number,), None)
    task.run()
    return task


def test_one_message_for_each_owner(reports):
    for number, owner in (1, 1), (2, 2), (3, 1):
        reports.add_task(run(number, owner))
    assert reports
    sends = reports.take(1.0, None, 5)
    assert [(dest, results.ids, results.epoch) for dest, results in sends] == [
        (1, (1, 3), 5), (2, (2,), 5)]
    assert not reports


def test_only_who_is_asked_is_asked(reports):
    for owner in (1, 2):
        reports.add_task(run(owner, owner))
    assert [(dest, results.asks) for dest, results in reports.take(1.0, 2, 0)] == [
        (1, False), (2, True)]


def test_what_may_change_is_pickled_at_once(reports):
    shared = [1]
    reports.add_task(run(1, 1, lambda _: shared))
    shared.append(2)
    [(_, results)] = reports.take(1.0, None, 0)
    assert Outcomes(Codec(), 1).unpack(results) == [TaskOutcome(1, 0.0, [1], None)]


def test_chunks(reports):
    chunk = Chunk(2, 9, abs, False, 4, [-1, -2], 0.0)
    chunk.run(lambda: 0.0)
    reports.add_chunk(chunk)
    [(dest, results)] = reports.take(1.0, None, 0)
    [outcome] = Outcomes(Codec(), 2).unpack(results)
    assert (dest, outcome.map_id, outcome.start, outcome.values) == (2, 9, 4, [1, 2])


def test_they_may_wait_for_more_for_a_while(reports):
    assert not reports.may_wait(0.0)
    reports.take(1.0, None, 0)
    assert reports.may_wait(1.0 + 0.9 * TUNING.report_every_s)
    assert not reports.may_wait(1.0 + 1.1 * TUNING.report_every_s)


def test_they_wait_for_longer_in_a_large_pool():
    size = 10_000
    reports = Reports(Outcomes(Codec(), 3), size, TUNING)
    reports.take(1.0, None, 0)
    assert reports.may_wait(1.0 + 0.9 * TUNING.report_every_s_per_worker * size)
