"""The figures: each says what it trades and where it is from, is used, and cannot be changed."""

import ast
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

import scoop_mpi
from scoop_mpi.base import tuning
from scoop_mpi.base.tuning import TUNING, Tuning

PACKAGE = Path(scoop_mpi.__file__).parent
NAMES = [field.name for field in fields(Tuning)]


def docs():
    """{figure: what stands below it}."""
    [record] = [node for node in ast.parse(Path(tuning.__file__).read_text()).body
                if isinstance(node, ast.ClassDef)]
    pairs = zip(record.body, [*record.body[1:], ast.Pass()])
    return {
        figure.target.id: " ".join(text.value.value.split()) if isinstance(text, ast.Expr) else ""
        for figure, text in pairs if isinstance(figure, ast.AnnAssign)
    }


DOCS = docs()
PAIRS = [{"more", "less"}, {"more", "fewer"}, {"longer", "shorter"}]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_where_it_is_from(name):
    text = DOCS[name]
    assert re.search(r" (Measured: [a-z`\"].+|Guess( \([^)]+\))?)\.$", text), text
    assert "..." not in text, text


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_what_it_trades(name):
    ways = ["more|longer", "less|fewer|shorter"]
    one, other = re.search(rf"\b({'|'.join(ways)}): .+?; (\w+): ", DOCS[name], re.I).groups()
    assert {one.lower(), other.lower()} in PAIRS


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_used(name):
    files = [path for path in PACKAGE.rglob("*.py")
             if re.search(rf"\.{name}\b", path.read_text())]
    assert files, f"nothing reads {name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_positive(name):
    assert getattr(TUNING, name) > 0


def test_nobody_changes_the_figures_of_a_pool():
    with pytest.raises(FrozenInstanceError):
        TUNING.look_every_s = 1.0
