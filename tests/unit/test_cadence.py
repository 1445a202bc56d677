"""When a worker looks at the network, and when it gives work away."""

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.tasks.sizes import Sizes
from scoop_mpi.workers.cadence import LOOKS_KEPT, Cadence

LOOK_S = TUNING.look_every_s


@pytest.fixture
def sizes():
    return Sizes(TUNING, 4)


@pytest.fixture
def cadence(sizes):
    return Cadence(TUNING, sizes, 0.0)


def test_trivial_tasks_make_looks_rare(cadence):
    strides = []
    for number in range(20):
        cadence.look(number * LOOK_S / 10, 0, True)
        strides.append(cadence.stride)
    assert strides == [min(2 ** n, TUNING.tasks_per_look_max) for n in range(1, 21)]


def test_long_tasks_make_looks_frequent(cadence):
    cadence.stride = 1000
    cadence.look(10 * LOOK_S, 0, True)
    assert (cadence.stride, cadence.overslept) == (100, True)
    cadence.look(1000 * LOOK_S, 0, True)
    assert cadence.stride == 1


def test_looks_at_the_right_distance_change_nothing(cadence):
    cadence.stride = 7
    cadence.look(0.8 * LOOK_S, 0, True)
    assert (cadence.stride, cadence.overslept) == (7, False)


def test_a_worker_gives_what_it_has_had_for_a_while(cadence):
    for passed_s, gives in (0.5, False), (1.5, True):
        cadence.look(passed_s * TUNING.share_after_s, 0, True)
        assert cadence.may_give is gives
    cadence.look(2 * TUNING.share_after_s, 0, False)
    cadence.look(2.5 * TUNING.share_after_s, 0, True)
    assert not cadence.may_give  # this work is new


@pytest.mark.parametrize("begins", ["work_begins", "idle_ends"])
def test_work_after_none_is_new(cadence, begins):
    cadence.stride = 50
    getattr(cadence, begins)(1.0)
    cadence.look(1.0 + TUNING.share_after_s / 2, 0, True)
    assert not cadence.may_give


def test_the_first_pieces_are_short(cadence, sizes):
    cadence.look(0.0, 0, True)
    assert sizes.run_s == TUNING.share_after_s
    cadence.look(1.0, 0, True)
    assert sizes.run_s == 1.0


def test_small_gifts_are_rationed(cadence):
    cadence.look(1.0, 0, True)
    assert cadence.may_give
    cadence.gave(1.0, 1e-5, 1, small=True)
    cadence.look(1.0 + cadence.ration_s / 2, 0, True)
    assert not cadence.may_give
    cadence.look(1.0 + cadence.ration_s * 1.1, 0, True)
    assert cadence.may_give


def test_rations_grow_while_gifts_turn_out_small(cadence):
    seen = []
    for _ in range(8):
        seen.append(cadence.ration_s)
        cadence.gift_came_back(TUNING.small_gift_s / 2)
    assert seen == [min(TUNING.ration_s * 2**n, TUNING.ration_max_s) for n in range(8)]
    cadence.gift_came_back(TUNING.small_gift_s)
    assert cadence.ration_s == TUNING.ration_s


def test_creation_times_are_those_of_the_next_look(cadence):
    for number, created in enumerate([3, 3, 10], 1):
        cadence.look(float(number), created, True)
    assert [cadence.creation_time(one) for one in (1, 3, 4, 10, 11)] == [1.0, 1.0, 3.0, 3.0, None]


def test_few_looks_are_remembered(cadence):
    for number in range(1, 2 * LOOKS_KEPT):
        cadence.look(float(number), number, True)
    assert len(cadence._looks) == LOOKS_KEPT
    assert cadence.creation_time(2 * LOOKS_KEPT - 1) == 2 * LOOKS_KEPT - 1
