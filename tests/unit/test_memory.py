"""The network in memory, and the endpoint of a world of one."""

import pytest

from scoop_mpi.messages import Offer, Request
from scoop_mpi.transport.endpoint import Alone
from scoop_mpi.transport.memory import Network


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


def test_alone_nobody_speaks_or_listens():
    alone = Alone()
    alone.send(0, Offer())
    alone.progress()
    assert alone.receive() is None
    assert (alone.rank, alone.size) == (1, 2)
