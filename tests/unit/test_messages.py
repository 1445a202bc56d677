"""The messages: immutable tuples, each with a number of its own."""

import typing

import pytest

from scoop_mpi.base import messages


def test_every_message_has_a_number():
    assert set(messages.KINDS) == set(typing.get_args(messages.Message))
    assert len(set(messages.KINDS)) == len(messages.KINDS)


def test_every_message_type_of_the_module_is_listed():
    types = {
        value for value in vars(messages).values()
        if isinstance(value, type) and issubclass(value, tuple)
    }
    # Parts of messages, no messages themselves.
    assert types == {*messages.KINDS, messages.Definition, messages.Constant}


TYPES = [*messages.KINDS, messages.Definition, messages.Constant]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_messages_are_immutable_and_described(kind):
    message = kind(*range(len(kind._fields)))
    assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}(")
    for field in kind._fields:
        with pytest.raises(AttributeError):
            setattr(message, field, None)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_no_field_hides_a_method_of_tuple(kind):
    assert not set(kind._fields) & set(dir(tuple))
