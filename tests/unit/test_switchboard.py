"""Which greenlet runs: waits, deadlines, runners, errors that surface."""

import pytest
from greenlet import getcurrent, greenlet

from scoop_mpi.base.frames import Leaving
from scoop_mpi.workers.switchboard import Parked, Switchboard


class Board(Switchboard):
    """Runs pieces from a list; wakes the program when there is none."""

    def __init__(self, *pieces, spare_max=64):
        self.pieces = list(pieces)
        self.program = None
        super().__init__(self.next_piece, spare_max)

    def next_piece(self):
        if self.pieces:
            self.pieces.pop(0)()
        else:
            self.program.wake()

    def wait_until_idle(self):
        self.program = Parked(self.ready)
        self.wait(self.program)


def test_pieces_run_while_the_program_waits():
    ran = []
    board = Board(*[lambda n=n: ran.append(n) for n in range(5)])
    board.wait_until_idle()
    assert ran == list(range(5))
    assert not board.asleep and not board.ready


def test_a_piece_that_waits_lets_others_run():
    ran = []

    def waits():
        parked = Parked(board.ready)
        woken.append(parked)
        board.wait(parked)
        ran.append("waited")

    woken = []
    board = Board(waits, lambda: ran.append("other"), lambda: woken[0].wake(),
                  lambda: ran.append("new"))
    board.wait_until_idle()
    assert ran == ["other", "waited", "new"]  # whoever is ready goes first


def test_many_events_wake_once():
    board = Board()
    parked = Parked(board.ready)
    for _ in range(3):
        parked.wake()
    assert list(board.ready) == [parked]


def test_runners_are_kept_up_to_a_number():
    waiting = []

    def waits():
        waiting.append(Parked(board.ready))
        board.wait(waiting[-1])

    def wake_all():
        for one in waiting:
            one.wake()

    board = Board(*[waits] * 10, wake_all, spare_max=3)
    board.wait_until_idle()
    assert len(board._spare) <= 3


def test_deadlines_come_in_order():
    board = Board()
    first, second, late = (Parked(board.ready) for _ in range(3))
    board.set_timer(2.0, second, punctual=True)
    board.set_timer(1.0, first, punctual=False)
    board.set_timer(9.0, late, punctual=True)
    assert board.next_deadline() == 1.0
    board.wake_due(2.5)
    assert set(board.ready) == {first, second}
    assert board.next_deadline() == 9.0
    late.wake()
    board.drop_woken()
    assert board.next_deadline() is None


def test_a_step_lasts_until_one_piece_is_over():
    ran = []

    def piece(name):
        board.piece_begins()
        ran.append(name)

    board = Board(lambda: piece("one"), lambda: piece("two"))
    me = Parked(board.ready)
    board.stepping.append(me)
    board.program = me
    board.wait(me)
    assert ran == ["one"]


def test_a_step_ends_if_no_piece_begins():
    board = Board()
    me = Parked(board.ready)
    board.stepping.append(me)
    board.stop_stepping()
    assert me.woken and not board.stepping and not board.has_stepped


def test_an_error_of_a_runner_surfaces_in_the_program():
    def fail():
        raise KeyError("a defect")

    board = Board(fail)
    with pytest.raises(KeyError, match="a defect"):
        board.wait_until_idle()
    # What it waited for does not resume it later, out of another wait.
    board.program.wake()
    assert not board.ready and not board.asleep


def test_a_wait_can_be_ended_by_another():
    board = Board()
    parked = Parked(board.ready)
    board.end_wait(parked)
    parked.wake()
    assert not board.ready
    other = Parked(board.ready)
    other.wake()
    board.end_wait(other)
    assert not board.ready


def test_a_greenlet_that_is_taken_apart_leaves():
    seen = []

    def waits():
        try:
            board.wait(Parked(board.ready), onward=getcurrent().parent)
        except Leaving as error:
            seen.append(error)
            raise

    board = Board()
    one = greenlet(waits)
    one.switch()
    one.throw()  # GreenletExit, as when the process ends
    assert [type(error) for error in seen] == [Leaving]
    assert not board.asleep


def test_where_the_program_waits():
    frames = []
    board = Board(lambda: frames.append(board.main_frame()))
    assert board.main_frame() is None
    board.wait_until_idle()
    assert frames[0] is not None
