"""Questions to the broker, and answers that nobody has taken yet."""

import pytest

from scoop_mpi.base.messages import Found, Lookup, Undefine, Undefined
from scoop_mpi.workers.enquiries import Enquiries


@pytest.fixture
def enquiries():
    return Enquiries()


def ask(enquiries, wake=lambda: None):
    return enquiries.ask(lambda ticket: Undefine(ticket, "x"), wake).ticket


def test_an_answer_wakes_who_asked(enquiries):
    woken = []
    tickets = [ask(enquiries, lambda n=n: woken.append(n)) for n in range(3)]
    assert len(set(tickets)) == 3 and enquiries
    answer = Undefined(tickets[1], True)
    enquiries.answered(answer)
    assert woken == [1]
    assert enquiries.take(tickets[1]) is answer
    with pytest.raises(KeyError):
        enquiries.take(tickets[1])


@pytest.mark.parametrize("first", ["answered", "ignore"])
def test_nobody_waits_any_more(enquiries, first):
    ticket = ask(enquiries)
    steps = {"answered": lambda: enquiries.answered(Undefined(ticket, True)),
             "ignore": lambda: enquiries.ignore(ticket)}
    steps.pop(first)()
    [step] = steps.values()
    step()
    assert not enquiries and not enquiries._answers


def test_an_answer_to_another_question_is_refused(enquiries):
    ticket = enquiries.ask(lambda ticket: Lookup(ticket, "x", False), lambda: None).ticket
    with pytest.raises(AssertionError, match="Undefined.*answers.*Lookup"):
        enquiries.answered(Undefined(ticket, True))


def test_a_second_answer_is_refused(enquiries):
    ticket = enquiries.ask(lambda ticket: Lookup(ticket, "x", False), lambda: None).ticket
    enquiries.answered(Found(ticket, -1, 0, ()))
    with pytest.raises(AssertionError, match="answers None"):
        enquiries.answered(Found(ticket, -1, 0, ()))
