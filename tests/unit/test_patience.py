"""How long work is left to other workers while somebody waits, or polls, here."""

import pytest

from scoop_mpi.base.tuning import TUNING
from scoop_mpi.workers.patience import Patience

LONG_S = TUNING.patience_deadlines_s


@pytest.fixture
def patience():
    return Patience(TUNING, 0.0)


def test_it_ends_when_nobody_takes_anything(patience):
    assert not patience.is_over(10.0, 0, True)  # from here on
    assert not patience.is_over(10.0 + 0.9 * LONG_S, 0, True)
    assert patience.is_over(10.0 + 1.1 * LONG_S, 0, True)


def test_it_begins_anew_when_something_was_taken(patience):
    patience.is_over(0.0, 0, True)
    assert not patience.is_over(1.1 * LONG_S, 1, True)
    assert not patience.is_over(2.0 * LONG_S, 1, True)
    assert patience.is_over(2.2 * LONG_S, 1, True)


def test_it_begins_when_there_is_work(patience):
    patience.is_over(0.0, 0, False)
    assert not patience.is_over(5 * LONG_S, 0, True)


def test_it_wears_off_and_comes_back(patience):
    patience.is_over(0.0, 0, True)
    patience.work_begins(was_over=True)
    patience.is_over(10.0, 0, True)
    worn_s = LONG_S * TUNING.patience_wear
    assert not patience.is_over(10.0 + 0.9 * worn_s, 0, True)
    assert patience.is_over(10.0 + 1.1 * worn_s, 0, True)
    patience.is_over(20.0, 1, True)  # somebody took something
    assert not patience.is_over(20.0 + 0.9 * LONG_S, 1, True)


def test_a_piece_that_fits_wears_nothing(patience):
    patience.is_over(0.0, 0, True)
    patience.work_begins(was_over=False)
    patience.is_over(10.0, 0, True)
    assert not patience.is_over(10.0 + 0.9 * LONG_S, 0, True)


def test_polls(patience):
    few_s = TUNING.patience_polls_s
    assert not patience.polls_are_over(0.5 * few_s, 0)
    assert patience.polls_are_over(1.5 * few_s, 0)
    assert not patience.polls_are_over(1.6 * few_s, 1)  # it makes tasks
    assert patience.polls_are_over(9 * few_s, 1)  # however far apart
