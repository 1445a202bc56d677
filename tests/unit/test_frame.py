"""Messages as bytes."""

import pytest

from scoop_mpi.base import messages
from scoop_mpi.wire.frame import pack, unpack


@pytest.mark.parametrize("kind", messages.KINDS, ids=lambda kind: kind.__name__)
def test_messages_come_through(kind):
    message = kind(*(f"{name}".encode() for name in kind._fields))
    number, data = pack(message)
    assert isinstance(data, bytes)
    for received in (data, bytearray(data), memoryview(data)):
        again = unpack(number, received)
        assert again == message
        assert type(again) is kind


def test_padding_after_a_message_does_no_harm():
    number, data = pack(messages.Request((1, 2)))
    assert unpack(number, data + bytes(4096)) == messages.Request((1, 2))


def test_definitions_come_through():
    message = messages.Tasks(1, (2,), 0.5, b"payload", (messages.Definition(b"d", b"p"),))
    assert unpack(*pack(message)).definitions[0].pickled == b"p"
