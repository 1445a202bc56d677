"""The section States of ARCHITECTURE.md is drawn from the tables in the code."""

import re
from pathlib import Path

import pytest

from scoop_mpi.base.messages import ANSWERS
from scoop_mpi.broker import broker
from scoop_mpi.tasks import future, mapcall

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"


def drawn(table, name):
    """A line for each transition."""
    steps = [(name(before), name(after), why)
             for before, afters in table.items() for after, why in afters.items()]
    widths = [max(len(step[column]) for step in steps) for column in (0, 1)]
    return "".join(f"    {before:{widths[0]}} ──▶ {after:{widths[1]}}   {why}\n"
                   for before, after, why in steps)


def in_the_docs(heading):
    """The first indented block after ``heading``, within the section States."""
    section = ARCHITECTURE.read_text().split("\n## States\n")[1].split("\n## ")[0]
    assert heading in section
    return re.search(r"(?:^    .*\n)+", section.split(heading)[1], re.MULTILINE)[0]


@pytest.mark.parametrize("heading, table", [
    ("A future (`tasks/future`)", future.TRANSITIONS),
    ("A map (`tasks/mapcall`)", mapcall.TRANSITIONS),
    ("The broker (`broker/broker`)", broker.TRANSITIONS),
])
def test_states(heading, table):
    states = type(next(iter(table)))
    assert table.keys() == set(states)
    assert in_the_docs(heading) == drawn(table, lambda state: state.name)


def test_answers():
    expected = drawn(ANSWERS, lambda message: message.__name__.upper())
    assert in_the_docs("Messages that have an answer (`base/messages`)") == expected
