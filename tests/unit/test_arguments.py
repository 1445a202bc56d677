"""The program's arguments on their way past a launcher: they arrive as they were."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi import LaunchError
from scoop_mpi.launch.arguments import ESCAPED, IN_VARIABLES, MOST_BYTES, carried, received

# What the system can give to a program: anything but a NUL.
words = st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
odd = st.sampled_from(["", "-", "--", ":", "=", "==", "=-", "-x", ":a", "=:", "é", "a\nb", "'\"\\"])


@given(st.lists(words | odd))
def test_arguments_arrive_as_they_were(args):
    way, sent, variables = carried(args)
    assert received(way, sent, variables) == args
    assert not any(word.startswith(("-", ":")) for word in sent)
    assert way in ("", ESCAPED) and variables == {}


@given(st.lists(words | odd, min_size=1))
def test_many_arguments_arrive_as_they_were(args):
    way, sent, variables = carried(args, 7)  # so that pieces end inside words and letters
    if way == IN_VARIABLES:
        assert sent == () and all(len(os.fsencode(one)) <= 7 for one in variables.values())
    assert received(way, sent, variables) == args


def test_what_needs_no_care_is_not_touched():
    assert carried(["a", "=b", "", "c d"]) == ("", ("a", "=b", "", "c d"), {})


def test_as_many_as_the_system_takes():
    args = [f"/data/{number:06}" for number in range(150_000)]
    way, sent, variables = carried(args)
    assert (way, sent) == (IN_VARIABLES, ())
    assert max(map(len, variables.values())) == MOST_BYTES < 128 << 10
    assert sum(map(len, variables.values())) < sum(len(word) + 4 for word in args)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_launcher_that_passes_nothing_on(missing):
    way, sent, variables = carried(["x" * 80_000] * 3)
    assert len(variables) == 3
    del variables[list(variables)[missing]]
    with pytest.raises(LaunchError, match="has not passed on the variables"):
        received(way, sent, variables)
