"""The oldest task of a dict that is used from both ends."""

from scoop_mpi.tasks.future import Future
from scoop_mpi.tasks.oldest import LISTED_MIN, Oldest


def make_own(count):
    return {number: Future(number, abs, (), None) for number in range(count)}


def test_nothing_is_there():
    assert Oldest({}).peek() is None


def test_it_stays_where_it_is():
    own = make_own(3)
    oldest = Oldest(own)
    assert oldest.peek() is oldest.peek() is own[0]
    assert len(own) == 3


def test_those_that_left_are_passed_over():
    own = make_own(4 * LISTED_MIN)
    oldest = Oldest(own)
    for number in range(4 * LISTED_MIN):
        assert oldest.peek() is own[number]
        del own[number]
    assert oldest.peek() is None


def test_one_that_comes_when_nothing_is_left():
    own = make_own(1)
    oldest = Oldest(own)
    oldest.peek()
    own.clear()
    assert oldest.peek() is None
    own[7] = Future(7, abs, (), None)
    assert oldest.peek() is own[7]


def test_one_that_was_put_back_is_found():
    """It may have come back from another worker; it is then the newest in the dict."""
    own = make_own(2)
    oldest = Oldest(own)
    oldest.peek()
    own[0] = own.pop(0)
    assert oldest.peek() is own[0]


def test_a_look_passes_over_few(monkeypatch):
    """A dict that has lost thousands at its front must not be searched at each look."""
    steps = []

    class Counting(dict):
        def __iter__(self):
            for number in super().__iter__():
                steps.append(number)
                yield number

    own = Counting(make_own(10 * LISTED_MIN))
    oldest = Oldest(own)
    for number in range(LISTED_MIN):
        oldest.peek()
        del own[number]
    assert len(steps) <= 2 * LISTED_MIN


def test_another_thread_may_change_the_dict_meanwhile():
    changes = [2]

    class Changing(dict):
        def __iter__(self):
            if changes[0]:
                changes[0] -= 1
                raise RuntimeError("dictionary changed size during iteration")
            return super().__iter__()

    own = Changing(make_own(1))
    assert Oldest(own).peek() is own[0]
