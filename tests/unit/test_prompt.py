"""The interactive prompt, with what is typed read from memory."""

import io
import sys

import pytest

import scoop_mpi
from scoop_mpi import futures, shared
from scoop_mpi.base import context
from scoop_mpi.base.job import Job
from scoop_mpi.process import prompt

pytestmark = pytest.mark.usefixtures("scheduler")


@pytest.fixture
def type_in(monkeypatch, capsys):
    """Types lines at a prompt; returns the globals and what was printed."""
    for name in ("ps1", "ps2"):
        monkeypatch.setattr(sys, name, f"{name}> ", raising=False)
    # Not a hook that a library has set for itself.
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)

    def run(text, **namespace):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        namespace.setdefault("__name__", "__main__")
        try:
            prompt.interact(namespace)
        finally:
            out, err = capsys.readouterr()
            run.out, run.err = out.replace("ps1> ", "").replace("ps2> ", ""), err
        return namespace
    return run


def test_statements_are_run_until_the_end_of_input(type_in):
    names = type_in("x = 3\nx * 7\n")
    assert names["x"] == 3
    assert "21\n" in type_in.out


def test_statements_of_several_lines(type_in):
    names = type_in("def f(n):\n    return n + 1\n\ny = f(1)\n")
    assert names["y"] == 2


def test_the_programs_globals_are_there_and_can_be_changed(type_in):
    names = type_in("y = x + 1\nx = 0\ndel z\n", x=4, z=1)
    assert (names["x"], names["y"]) == (0, 5)
    assert "z" not in names


def test_the_verbs_are_at_hand(type_in):
    names = type_in("r = list(futures.map(abs, [-1, 2]))\n")
    assert names["r"] == [1, 2]
    assert names["futures"] is futures
    assert names["shared"] is shared
    assert names["scoop_mpi"] is scoop_mpi


def test_functions_that_were_typed_are_tasks(type_in):
    names = type_in(
        "def f(n):\n    return n * k\n\nk = 3\nr = list(futures.map(f, range(4)))\n"
        "k = 4\ns = futures.submit(lambda: f(2)).result()\n"
    )
    assert names["r"] == [0, 3, 6, 9]
    assert names["s"] == 8


def test_names_of_the_program_go_first(type_in):
    names = type_in("x = futures\n", futures="mine")
    assert names["x"] == names["futures"] == "mine"


def test_an_error_does_not_end_it(type_in):
    names = type_in("1 / 0\nfutures.submit(int, 'x').result()\nx = 5\n")
    assert names["x"] == 5
    assert "ZeroDivisionError" in type_in.err
    assert "ValueError: invalid literal" in type_in.err


def test_a_syntax_error_does_not_end_it(type_in):
    names = type_in("x = = 1\nx = 5\n")
    assert names["x"] == 5
    assert 'File "<prompt>", line 1' in type_in.err
    assert "SyntaxError" in type_in.err


@pytest.mark.parametrize("line, code", [
    ("raise SystemExit(4)", 4), ("import sys; sys.exit(3)", 3), ("exit(5)", 5), ("quit()", None),
])
def test_it_can_be_left(type_in, line, code):
    with pytest.raises(SystemExit) as request:
        type_in(f"{line}\nprint('not reached')\n")
    assert request.value.code == code
    assert "not reached" not in type_in.out


def test_nothing_typed(type_in):
    type_in("")
    assert type_in.out == ""


@pytest.mark.parametrize("workers, text", [(1, "1 worker,"), (4, "4 workers,")])
def test_the_first_line_says_what_there_is(type_in, monkeypatch, workers, text):
    monkeypatch.setattr(context, "_job", Job(workers=workers))
    type_in("")
    assert f"scoop_mpi {scoop_mpi.__version__} with {text}" in type_in.err
    for name in ("futures", "shared", "scoop_mpi", sys.version.split()[0]):
        assert name in type_in.err


def test_lines_are_edited_only_at_a_terminal(type_in, monkeypatch):
    edited = []
    monkeypatch.setattr(prompt, "_edit_lines", edited.append)
    type_in("")
    assert edited == []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(""))
    names = {}
    prompt.interact(names)
    assert edited == [names]
    assert edited[0] is names


def test_a_python_without_line_editing(monkeypatch):
    monkeypatch.setitem(sys.modules, "readline", None)
    prompt._edit_lines({})


def test_completion_knows_the_programs_names(run_python):
    done = run_python(
        "import readline\nfrom scoop_mpi.process import prompt\n"
        "prompt._edit_lines({'simulate_everything': 1})\n"
        "print(readline.get_completer()('simulate', 0))\n"
    )
    assert (done.stdout, done.stderr) == ("simulate_everything\n", "")
