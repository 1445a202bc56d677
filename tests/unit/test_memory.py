"""The network in memory, and the endpoint of a world of one."""

import pytest

from scoop_mpi.base.messages import (
    BROKER, Constant, Define, Defined, Finished, Forget, Forgotten, Found, Lookup, Offer, Request,
    Undefine, Undefined,
)
from scoop_mpi.process.alone import Alone
from scoop_mpi.wire.memory import Network


def deliveries(seed, count=20):
    network = Network(3, seed)
    sender, receiver = network.endpoint(0), network.endpoint(1)
    for number in range(count):
        sender.send(1, Request((number,)))
    while network.deliver_one() is not None:
        pass
    return [receiver.receive()[1].workers[0] for _ in range(count)]


def test_a_message_arrives_when_it_is_delivered():
    network = Network(3, 0)
    network.endpoint(0).send(2, Offer())
    receiver = network.endpoint(2)
    assert receiver.receive() is None
    assert network.deliver_one() == 2
    assert receiver.receive() == (0, Offer())
    assert receiver.receive() is None
    assert network.deliver_one() is None


def test_every_message_arrives_once():
    assert sorted(deliveries(5)) == list(range(20))


def test_the_seed_decides_the_order():
    orders = {tuple(deliveries(seed)) for seed in range(5)}
    assert len(orders) > 1
    assert deliveries(3) == deliveries(3)


def test_messages_reach_only_their_rank():
    network = Network(3, 0)
    network.endpoint(0).send(1, Offer())
    network.deliver_one()
    assert network.endpoint(2).receive() is None
    assert network.endpoint(1).receive() == (0, Offer())


def test_a_rank_may_write_to_itself():
    network = Network(2, 0)
    network.endpoint(1).send(1, Offer())
    assert network.deliver_one() == 1
    assert network.endpoint(1).receive() == (1, Offer())


@pytest.mark.parametrize("dest", [-1, 3])
def test_nobody_there(dest):
    with pytest.raises(ValueError, match="of 3"):
        Network(3, 0).endpoint(1).send(dest, Offer())


def test_what_was_sent_is_logged():
    network = Network(2, 0)
    network.endpoint(0).send(1, Request((7,)))
    assert network.log == [(0, 1, Request((7,)))]


# -- a world of one --------------------------------------------------------


def constant(name):
    return Constant(name, 1, False, b"pickled", ())


def asked(alone, message):
    """All that comes back when ``message`` is sent."""
    alone.send(BROKER, message)
    answers = []
    while (arrived := alone.receive()) is not None:
        source, answer = arrived
        assert source == BROKER
        answers.append(answer)
    return answers


def test_alone_nobody_speaks_by_himself():
    alone = Alone()
    alone.progress()
    assert alone.receive() is None
    assert not alone.transferring()
    assert (alone.rank, alone.size) == (1, 2)


@pytest.mark.parametrize("message", [Offer(), Request((1,)), Finished(0, True)])
def test_alone_nobody_listens(message):
    alone = Alone()
    with pytest.raises(AssertionError, match=type(message).__name__):
        alone.send(BROKER, message)
    assert alone.receive() is None


def test_alone_constants_are_defined_once():
    alone = Alone()
    assert asked(alone, Define(1, (constant("a"), constant("b")))) == [Defined(1, 1, 0, "")]
    assert asked(alone, Define(2, (constant("c"), constant("b")))) == [Defined(2, 0, 0, "b")]
    assert asked(alone, Define(3, (constant("c"),))) == [Defined(3, 2, 0, "")]


def test_alone_constants_are_found():
    alone = Alone()
    assert asked(alone, Lookup(1, "a", False)) == [Found(1, -1, 0, ())]
    asked(alone, Define(2, (constant("a"),)))
    assert asked(alone, Lookup(3, "a", False)) == [Found(3, 7, 1, (constant("a"),))]


def test_alone_constants_are_freed():
    alone = Alone()
    assert asked(alone, Undefine(1, "a")) == [Undefined(1, False)]
    asked(alone, Define(2, (constant("a"),)))
    assert asked(alone, Undefine(3, "a")) == [Forget("a", 1)]
    assert asked(alone, Define(4, (constant("a"),))) == [Defined(4, 0, 0, "a")]
    assert asked(alone, Forgotten("a")) == [Undefined(3, True)]
    assert asked(alone, Define(5, (constant("a"),))) == [Defined(5, 2, 0, "")]


def test_alone_answers_come_in_order():
    alone = Alone()
    for ticket in range(5):
        alone.send(BROKER, Lookup(ticket, "a", False))
    assert [alone.receive()[1].ticket for _ in range(5)] == list(range(5))
    assert alone.receive() is None


def test_each_world_of_one_has_constants_of_its_own():
    first, second = Alone(), Alone()
    asked(first, Define(1, (constant("a"),)))
    assert asked(second, Define(1, (constant("a"),))) == [Defined(1, 1, 0, "")]
