"""In what size work is cut: pieces follow the cost of a gift, gifts the size of the pool."""

import pytest

from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.tasks.sizes import Sizes


@pytest.mark.parametrize("workers, aim_s", [
    (1, TUNING.piece_s), (4, TUNING.piece_s), (5000, 5000 * TUNING.gift_cost_s),
])
def test_gifts_grow_with_the_pool(workers, aim_s):
    assert Sizes(TUNING, workers).gift_s == pytest.approx(aim_s)


def test_a_piece_takes_many_times_the_cost_of_a_gift():
    sizes = Sizes(Tuning(piece_s=0.001, piece_max_s=1.0, costs_in_a_piece=200), 2)
    for _ in range(100):
        sizes.learn_cost(0.0001)
    assert sizes.piece_s == pytest.approx(0.02)


@pytest.mark.parametrize("cost_s, piece_s", [(0.0, 0.003), (1.0, 0.05)])
def test_pieces_have_bounds(cost_s, piece_s):
    sizes = Sizes(Tuning(piece_s=0.003, piece_max_s=0.05), 2)
    for _ in range(100):
        sizes.learn_cost(cost_s)
    assert sizes.piece_s == pytest.approx(piece_s)


def test_one_measurement_that_is_far_too_long_counts_little():
    """Whoever lost its core for a while measures nonsense."""
    sizes = Sizes(Tuning(gift_cost_s=1e-5, cost_jump=4.0, cost_learning=0.25,
                         costs_in_a_piece=1000, piece_s=0.0, piece_max_s=10.0), 2)
    sizes.learn_cost(100.0)
    assert sizes.piece_s == pytest.approx(1000 * 1.75e-5)


def test_a_giver_has_served_all_before_the_first_asks_again():
    sizes = Sizes(Tuning(costs_in_a_round=4), 1000)
    for _ in range(100):
        sizes.learn_cost(0.0001)
    assert sizes.gift_s == pytest.approx(4 * 0.0001 * 1000)
    assert 0 < sizes.least_s < sizes.gift_s


@pytest.mark.parametrize("estimate_s, available, count", [
    (0.0, 10_000, 1),  # not measured: it may be long
    (0.001, 10_000, 3), (10.0, 10_000, 1), (1e-9, 10_000, 256),
    (0.0001, 40, 5), (0.0001, 1, 1),  # a half of the fair share
])
def test_tasks_in_a_bundle(estimate_s, available, count):
    assert Sizes(TUNING, 4).in_a_bundle(estimate_s, available) == count
