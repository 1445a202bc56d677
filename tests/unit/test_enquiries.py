"""Questions to the broker, and answers that nobody has taken yet."""

import pytest

from scoop_mpi.base.messages import Undefined
from scoop_mpi.workers.enquiries import Enquiries


@pytest.fixture
def enquiries():
    return Enquiries()


def test_an_answer_wakes_who_asked(enquiries):
    woken = []
    tickets = [enquiries.ask(lambda n=n: woken.append(n)) for n in range(3)]
    assert len(set(tickets)) == 3 and enquiries
    answer = Undefined(tickets[1], True)
    enquiries.answered(tickets[1], answer)
    assert woken == [1]
    assert enquiries.take(tickets[1]) is answer
    with pytest.raises(KeyError):
        enquiries.take(tickets[1])


@pytest.mark.parametrize("first", ["answered", "ignore"])
def test_nobody_waits_any_more(enquiries, first):
    ticket = enquiries.ask(lambda: None)
    steps = {"answered": lambda: enquiries.answered(ticket, Undefined(ticket, True)),
             "ignore": lambda: enquiries.ignore(ticket)}
    steps.pop(first)()
    [step] = steps.values()
    step()
    assert not enquiries and not enquiries._answers
