"""The user's program: found, compiled, run as main, imported on workers."""

import ast
import importlib
import io
import os
import subprocess
import sys

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.base import context
from scoop_mpi.base.messages import Left
from scoop_mpi.identity.names import PROGRAM, PROGRAM_MODULE
from scoop_mpi.process.program import Program, divided, only_on_workers

pytestmark = pytest.mark.usefixtures("interpreter")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file in an empty working directory; returns its path."""
    monkeypatch.chdir(tmp_path)
    # Not a hook that a library has set for itself.
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)

    def write(name, source=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return str(path)

    yield write
    for name in [name for name in sys.modules if name.startswith("example_")]:
        del sys.modules[name]


def main_module():
    return vars(sys.modules["__main__"])


# -- what which rank has of the program ------------------------------------

GUARD = "if __name__ == '__main__':\n"


def bound_later(source):
    """What the part of a program from its guard on binds on every rank."""
    return divided(ast.parse(source))[2]


def bound_on_workers(source):
    return only_on_workers(ast.parse(source))


@pytest.mark.parametrize("source, names", [
    ("", set()),
    ("x = 1", {"x"}),
    ("x: int = 1", {"x"}),
    ("x += 1", {"x"}),
    ("(x := 1)", {"x"}),
    ("a = b = 1", {"a", "b"}),
    ("a, (b, *c) = 1, (2, 3)", {"a", "b", "c"}),
    ("[a, b] = 1, 2", {"a", "b"}),
    ("def f(): x = 1", {"f"}),
    ("async def f(): pass", {"f"}),
    ("class C:\n    y = 1\n    def m(self): pass", {"C"}),
    ("f = lambda y: (z := y)", {"f"}),
    ("import os", {"os"}),
    ("import os.path", {"os"}),
    ("import os.path as p, sys", {"p", "sys"}),
    ("from os import path, sep as s", {"path", "s"}),
    ("for i in []:\n    x = i\nelse:\n    y = 1", {"i", "x", "y"}),
    ("while False:\n    x = 1", {"x"}),
    ("with open('f') as f:\n    x = 1", {"f", "x"}),
    ("try:\n    x = 1\nexcept E:\n    y = 1\nelse:\n    z = 1\nfinally:\n    w = 1",
     {"x", "y", "z", "w"}),
    ("try:\n    import a\nexcept ImportError:\n    a = None", {"a"}),
    ("if True:\n    x = 1\nelif False:\n    y = 2\nelse:\n    z = 3", {"x", "y", "z"}),
    ("x.y = 1\nx[0] = 2", set()),
    ("@decorator\ndef f(): pass", {"f"}),
    ("squares = [n for n in range(3)]", {"squares"}),
    ("match x:\n    case [a, *b]:\n        c = 1", {"a", "b", "c"}),
], ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "")
def test_names_bound_outside_the_guard(source, names):
    assert bound_later(f"{GUARD}    pass\n{source}") == names
    # The same under the guard: workers have none of them.
    indented = "".join(f"    {line}\n" for line in ["pass", *source.splitlines()])
    assert bound_later(GUARD + indented) == set()
    # And in its other branch: only they have them.
    assert bound_later(f"{GUARD}    pass\nelse:\n{indented}") == set()
    assert bound_on_workers(f"{GUARD}    pass\nelse:\n{indented}") == names


@pytest.mark.parametrize("test", [
    "__name__ == '__main__'", "'__main__' == __name__", '__name__ == "__main__"',
    "(__name__ == '__main__')", "__name__ == '__main__' and True",
    "True and __name__ == '__main__'", "__name__ == '__main__' == __name__",
])
def test_ways_to_write_the_guard(test):
    before, after, later = divided(ast.parse(f"x = 1\nif {test}:\n    y = 2\nz = 3\n"))
    assert [one.lineno for one in before] == [1]
    assert [one.lineno for one in after] == [2, 4]
    assert later == {"z"}


@pytest.mark.parametrize("test", [
    "__name__", "'__main__'", "__name__ == 'other'", "name == '__main__'",
    "x.__name__ == '__main__'", "__name__ in names", "len(__name__) == 8",
])
def test_what_is_no_guard(test):
    before, after, later = divided(ast.parse(f"x = 1\nif {test}:\n    y = 2\n"))
    assert (len(before), after, later) == (2, [], set())


def test_a_program_without_a_guard_is_one_part():
    before, after, later = divided(ast.parse("x = 1\nmain()\n"))
    assert (len(before), after, later) == (2, [], set())


@pytest.mark.parametrize("source", [
    f"for n in range(2):\n    {GUARD}        y = n\n",
    f"try:\n    {GUARD}        y = 2\nfinally:\n    pass\n",
    f"with open('f'):\n    {GUARD}        y = 2\n",
    f"while True:\n    if True:\n        {GUARD}            y = 2\n",
])
def test_a_guard_inside_of_another_statement(source):
    before, after, _ = divided(ast.parse("x = 1\n" + source))
    assert (len(before), len(after)) == (1, 1)


@pytest.mark.parametrize("source", [
    f"def main():\n    {GUARD}        y = 2\n",
    f"async def main():\n    {GUARD}        y = 2\n",
    f"class Main:\n    {GUARD}        y = 2\n",
])
def test_a_guard_in_a_scope_of_its_own_divides_nothing(source):
    assert divided(ast.parse(source))[1] == []


def test_a_name_bound_once_more_under_the_guard():
    # The root has another object than workers, whichever is the last there.
    source = f"def f(): pass\n{GUARD}    def f(): pass\n    x = 1\ndef f(): pass\ndef g(): pass\n"
    assert bound_later(source) == {"g"}


def test_the_guard_may_come_first():
    source = GUARD + "    x = 1\ndef f(): pass\ndef g(): pass\n"
    before, _, later = divided(ast.parse(source))
    assert (before, later) == ([], {"f", "g"})


def test_the_else_of_the_guard_is_for_workers():
    source = GUARD + "    x = 1\nelse:\n    y = 2\n    x = 3\n"
    assert bound_on_workers(source) == {"x", "y"}
    assert bound_later(source) == set()


def test_the_elif_of_the_guard_is_for_workers():
    assert bound_on_workers(GUARD + "    x = 1\nelif True:\n    y = 2\n") == {"y"}


def test_a_guard_that_is_turned_round():
    source = "if __name__ != '__main__':\n    x = 1\nelse:\n    y = 2\nz = 3\n"
    assert bound_on_workers(source) == {"x"}
    assert bound_later(source) == {"z"}


def test_what_workers_bind_twice_is_theirs_and_the_roots():
    assert bound_on_workers("x = 0\n" + GUARD + "    y = 1\nelse:\n    x = 2\n") == set()


def test_two_guards():
    source = GUARD + "    x = 1\ny = 2\n" + GUARD + "    z = 3\n"
    assert bound_later(source) == {"y"}


def test_nested_statements_under_the_guard():
    source = GUARD + "    for x in []:\n        if x:\n            y = 1\nx = y = z = 0\n"
    assert bound_later(source) == {"z"}


def test_a_comprehension_under_the_guard_rebinds_nothing():
    source = GUARD + "    print([f for f in []], {f: 1 for f in []})\ndef f(): pass\n"
    assert bound_later(source) == {"f"}


def test_functions_called_under_the_guard_stay_everybodys():
    assert bound_later(GUARD + "    print(f())\n    del g\ndef f(): pass\n") == {"f"}


# -- what is noted of it ---------------------------------------------------


def place_of(program, name):
    """Where the others look for what a name of the program means now; None: nowhere."""
    reference = program.names.reference(main_module()[name])
    return None if reference is None else (reference.module, reference.path)


def test_what_stands_before_the_guard_goes_by_name(write):
    path = write("prog.py", "def f(): pass\n" + GUARD + "    def g(): pass\n")
    program = Program(path)
    assert program.run_as_main() == (0, False, "")
    assert place_of(program, "f") == (PROGRAM, "f")
    assert place_of(program, "g") is None


def test_what_was_given_to_another_name_under_the_guard(write):
    source = "def f(): pass\nold = f\n" + GUARD + "    def f(): pass\n    same = old\n"
    program = Program(write("prog.py", source))
    program.run_as_main()
    assert place_of(program, "f") is None
    # It was f when the others imported it, and is what they have under that name.
    assert place_of(program, "same") == (PROGRAM, "f")


def test_what_stands_behind_the_guard_goes_by_name(write):
    program = Program(write("prog.py", GUARD + "    x = 1\ndef f(): pass\n"))
    program.run_as_main()
    assert place_of(program, "f") == (PROGRAM, "f")


def test_a_program_without_a_guard_is_noted_when_the_first_is_sent(write):
    program = Program(write("prog.py", "def f(): pass\n"))
    assert program.names.due is False
    program.run_as_main()
    assert program.names.due
    assert place_of(program, "f") == (PROGRAM, "f")
    assert not program.names.due
    exec("def g(): pass", main_module())
    assert place_of(program, "g") is None


def test_what_a_worker_has_noted(write):
    source = ("def f(): pass\n" + GUARD + "    def g(): pass\nelse:\n    def h(): pass\n"
              "def after(): pass\n")
    program = Program(write("prog.py", source))
    assert program.import_on_worker(3) is None
    module = sys.modules[PROGRAM_MODULE]
    assert program.names.find(PROGRAM, "f") is module.f
    assert place_of(program, "f") == (PROGRAM, "f")
    assert place_of(program, "after") == (PROGRAM, "after")
    assert place_of(program, "h") is None  # the root does not have it


def test_features_of_the_future_hold_behind_the_guard(write):
    source = "from __future__ import annotations\n" + GUARD + "    def f(x: unknown): pass\n"
    program = Program(write("prog.py", source))
    assert program.run_as_main() == (0, False, "")
    assert main_module()["f"].__annotations__ == {"x": "unknown"}


# -- found and compiled ----------------------------------------------------


def test_a_program_that_is_there(write):
    path = write("prog.py", "x = 1\n")
    program = Program(path)
    program.check()
    assert program.path == path


def test_a_relative_path(write):
    write("prog.py", "import sys\n")
    assert Program("prog.py").run_as_main() == (0, False, "")
    assert main_module()["__file__"] == os.path.abspath("prog.py")  # as from Python 3.9 on


def test_no_such_file(write):
    with pytest.raises(LaunchError, match="there is no program file absent.py") as raised:
        Program("absent.py").check()
    assert raised.value.exit_code == 2
    assert os.getcwd() in str(raised.value)


def test_a_directory(write, tmp_path):
    with pytest.raises(LaunchError, match="is a directory"):
        Program(str(tmp_path)).check()


def test_a_syntax_error(write):
    path = write("prog.py", "x = 1\nx = = 2\n")
    with pytest.raises(LaunchError) as raised:
        Program(path).check()
    assert raised.value.exit_code == 1
    assert f'File "{path}", line 2' in str(raised.value)
    assert "SyntaxError: invalid syntax" in str(raised.value)


@pytest.mark.parametrize("data", [b"x = 1\0", b"\xff\xfe", b"# coding: nonsense\n"])
def test_a_file_that_is_no_program(write, tmp_path, data):
    (tmp_path / "prog.py").write_bytes(data)
    with pytest.raises(LaunchError) as raised:
        Program(str(tmp_path / "prog.py")).check()
    assert raised.value.exit_code == 1


def test_future_imports_of_ours_do_not_leak_into_the_program(write):
    # This package's modules say `from __future__ import annotations`; programs need not.
    program = Program(write("prog.py", "def f(x: 1 + 1): pass\nx = f.__annotations__['x']\n"))
    assert program.run_as_main() == (0, False, "")
    assert main_module()["x"] == 2


# -- modules ---------------------------------------------------------------


def test_a_module(write):
    path = write("example_module.py", "x = __name__, __spec__.name, __package__\n")
    program = Program("example_module", True, ("a",))
    assert program.path == path
    assert program.run_as_main() == (0, False, "")
    assert main_module()["x"] == ("__main__", "example_module", "")
    assert sys.argv == [path, "a"]


def test_a_package(write):
    write("example_package/__init__.py", "loaded = []\n")
    write("example_package/other.py", "value = 5\n")
    path = write("example_package/__main__.py", "from .other import value\nx = __package__\n")
    program = Program("example_package", True)
    assert program.path == path
    assert program.run_as_main() == (0, False, "")
    assert main_module()["value"] == 5
    assert main_module()["x"] == "example_package"


def test_a_module_of_a_package(write):
    write("example_outer/__init__.py")
    write("example_outer/other.py", "value = 6\n")
    write("example_outer/inner.py", "from .other import value\n")
    assert Program("example_outer.inner", True).run_as_main() == (0, False, "")
    assert main_module()["value"] == 6


def test_a_package_without_main(write):
    write("example_bare/__init__.py")
    with pytest.raises(LaunchError, match="example_bare"):
        Program("example_bare", True).check()


@pytest.mark.parametrize("name", [
    "example_absent", "example_absent.inner", "example_absent.py", "", ".example", "example..x",
])
def test_no_such_module(write, name):
    with pytest.raises(LaunchError):
        Program(name, True).check()


@pytest.mark.parametrize("error", ["ValueError", "RuntimeError", "ImportError", "KeyError"])
def test_a_package_that_fails_to_import(write, error):
    write("example_broken/__init__.py", f"raise {error}('broken package')\n")
    write("example_broken/__main__.py")
    with pytest.raises(LaunchError, match="broken package"):
        Program("example_broken", True).check()


def test_a_builtin_module(write):
    with pytest.raises(LaunchError):
        Program("sys", True).check()


# -- run as main -----------------------------------------------------------


def test_runs_as_main(write):
    path = write("prog.py", "import sys\nx = __name__, __file__, __spec__, __package__\n")
    assert Program(path, args=("a", "-b")).run_as_main() == (0, False, "")
    assert main_module()["x"] == ("__main__", path, None, None)
    assert sys.argv == [path, "a", "-b"]
    assert sys.modules["__main__"] is sys.modules[PROGRAM_MODULE]


def test_finds_modules_beside_the_program(write):
    write("folder/example_beside.py", "value = 7\n")
    path = write("folder/prog.py", "from example_beside import value\n")
    assert Program(path).run_as_main() == (0, False, "")
    assert main_module()["value"] == 7


@pytest.mark.parametrize("argument", [
    "", "None", "0", "1", "3", "255", "256", "-1", "True", "False", "'a text'", "3.5", "(1, 2)",
    "''", "[]",
])
def test_exit_codes_are_those_of_python(write, capfd, argument):
    path = write("prog.py", f"import sys\nsys.exit({argument})\n")
    code, _, text = Program(path).run_as_main()
    ours = code, capfd.readouterr().err + text
    python = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=20)
    assert ours == (python.returncode, python.stderr)


def test_an_exit_code_without_an_exit_function(write):
    assert Program(write("prog.py", "raise SystemExit(4)\n")).run_as_main() == (4, False, "")


def test_an_uncaught_exception(write):
    path = write("prog.py", "def f():\n    raise ValueError('why')\nf()\n")
    code, _, text = Program(path).run_as_main()
    assert code == 1
    python = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=20)
    assert text == python.stderr


def test_ctrl_c(write):
    code, _, text = Program(write("prog.py", "raise KeyboardInterrupt\n")).run_as_main()
    assert code == 130
    assert "KeyboardInterrupt" in text


def test_a_hook_for_uncaught_exceptions(write, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda *arguments: seen.append(arguments))
    assert Program(write("prog.py", "raise ValueError('why')\n")).run_as_main() == (1, True, "")
    [(kind, error, frames)] = seen
    assert (kind, str(error)) == (ValueError, "why")
    assert frames is not None


def test_a_program_that_cannot_be_compiled_is_not_run(write):
    with pytest.raises(LaunchError):
        Program(write("prog.py", "x = (\n")).run_as_main()


# -- imported on workers ---------------------------------------------------


def test_workers_skip_the_main_guard(write):
    path = write("prog.py", "x = __name__\n" + GUARD + "    y = 1\n")
    assert Program(path, args=("a",)).import_on_worker(3) is None
    module = sys.modules[PROGRAM_MODULE]
    assert module.x == PROGRAM_MODULE
    assert not hasattr(module, "y")
    assert sys.modules["__main__"] is module
    assert sys.argv == [path, "a"]
    assert not context.is_importing()


def test_workers_answer_to_both_names(write):
    Program(write("prog.py", "class C: pass\ndef f(): pass\n")).import_on_worker(2)
    assert importlib.import_module("__main__").f is sys.modules[PROGRAM_MODULE].f
    assert sys.modules["__main__"].C.__module__ == "__main__"


def test_a_program_that_fails_on_a_worker(write):
    path = write("prog.py", "x = 1\nraise ValueError('on the worker')\n")
    text = Program(path).import_on_worker(3).text
    assert "worker 3" in text
    assert "failed" in text
    assert f'File "{path}", line 2' in text
    assert "ValueError: on the worker" in text
    assert not context.is_importing()


def test_a_program_that_exits_on_a_worker(write):
    text = Program(write("prog.py", "import sys\nsys.exit(3)\n")).import_on_worker(3).text
    assert "exited" in text
    assert "if __name__ == '__main__':" in text


LEAVES = """
import os, sys
print("usage: prog.py NAME")
os.write(1, b"from below\\n")
print("NAME is missing", file=sys.stderr)
"""


@pytest.fixture
def import_it(write, monkeypatch, capfd):
    """Imports a program as a worker does: the outcome, and what was written meanwhile."""
    def import_it(text):
        # pytest's own streams go past the descriptors.
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            monkeypatch.setattr(sys, name, open(descriptor, "w", closefd=False))
        return Program(write("prog.py", text)).import_on_worker(3), capfd.readouterr()
    return import_it


@pytest.mark.parametrize("how", ["sys.exit(2)", "raise ValueError", "raise SystemExit", "1 / 0"])
def test_a_program_that_leaves_on_a_worker_is_not_heard(import_it, how):
    left, written = import_it(LEAVES + how)
    assert isinstance(left, Left)
    assert written == ("", "")
    for line in ("usage: prog.py NAME", "from below", "NAME is missing"):
        assert f"\n{line}\n" in left.text  # it would be, if the root did not leave as well


def test_what_an_import_writes_is_shown(import_it, capfd):
    left, (out, err) = import_it(LEAVES + "kept = sys.stderr\n")
    assert left is None
    assert sorted(out.splitlines()) == ["from below", "usage: prog.py NAME"]
    assert err == "NAME is missing\n"
    print("later", file=sys.modules[PROGRAM_MODULE].kept, flush=True)
    assert capfd.readouterr().err == "later\n"


def test_a_program_without_a_guard(write, monkeypatch):
    monkeypatch.setattr(context, "_scheduler", None)
    path = write("prog.py", "from scoop_mpi import futures\n"
                 "def f(): return list(futures.map(abs, [1]))\n\nf()\n")
    text = Program(path).import_on_worker(3).text
    assert "no main guard" in text
    assert "line 4: f()" in text
    assert text.rstrip().endswith("if __name__ == '__main__':")
    assert not context.is_importing()


def test_a_verb_in_a_module_that_the_program_imports(write, monkeypatch):
    monkeypatch.setattr(context, "_scheduler", None)
    write("example_eager.py", "from scoop_mpi import futures\nfutures.submit(abs, 1)\n")
    text = Program(write("prog.py", "import example_eager\n")).import_on_worker(3).text
    assert "no main guard" in text
    assert "line 1: import example_eager" in text


def test_startup_on_a_worker(write):
    path = write("prog.py", "from scoop_mpi import futures\nx = futures.startup(print, 'no')\n")
    assert Program(path).import_on_worker(3) is None
    assert sys.modules[PROGRAM_MODULE].x is None


def test_a_program_that_cannot_be_compiled_is_not_imported(write):
    with pytest.raises(LaunchError):
        Program(write("prog.py", "x = (\n")).import_on_worker(3)


# -- with a prompt ---------------------------------------------------------


@pytest.fixture
def type_in(monkeypatch, capsys):
    """Runs a program with a prompt at which lines are typed; returns how that ended."""
    for name in ("ps1", "ps2"):
        monkeypatch.setattr(sys, name, "", raising=False)

    def run(program, text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        ending = program.run_as_main()
        run.out, run.err = capsys.readouterr()
        return ending
    return run


def test_a_prompt_follows_the_program(write, type_in):
    path = write("prog.py", "x = 3\n" + GUARD + "    y = 4\n")
    program = Program(path, args=("a",), interactive=True)
    assert type_in(program, "z = x * y, __name__, __file__\nprint(z)\n") == (0, False, "")
    assert main_module()["z"] == (12, "__main__", path)
    assert f"(12, '__main__', {path!r})\n" in type_in.out
    assert sys.argv == [path, "a"]


def test_a_prompt_without_a_program(write, type_in):
    program = Program("", interactive=True)
    program.check()
    assert program.path == ""
    assert type_in(program, "x = __name__, __spec__\n") == (0, False, "")
    assert main_module()["x"] == ("__main__", None)
    assert "__file__" not in main_module()
    assert sys.modules["__main__"] is sys.modules[PROGRAM_MODULE]
    assert (sys.argv, sys.path[0]) == ([""], "")


def test_modules_in_the_working_directory_are_found_at_a_prompt(write, type_in):
    write("example_here.py", "value = 7\n")
    type_in(Program("", interactive=True), "from example_here import value\n")
    assert main_module()["value"] == 7


def test_a_worker_imports_no_program(write):
    assert Program("", interactive=True).import_on_worker(3) is None
    module = sys.modules[PROGRAM_MODULE]
    assert sys.modules["__main__"] is module
    assert module.__name__ == "__main__"
    assert not hasattr(module, "__file__")
    assert (sys.argv, sys.path[0]) == ([""], "")


@pytest.mark.parametrize("name", ["prog.py", "example_module"])
def test_a_worker_gets_no_prompt(write, monkeypatch, name):
    monkeypatch.setattr(sys, "stdin", None)
    write("prog.py", "x = 1\n")
    write("example_module.py", "x = 1\n")
    program = Program(name, name != "prog.py", interactive=True)
    assert program.import_on_worker(3) is None
    assert sys.modules[PROGRAM_MODULE].x == 1


def test_a_prompt_follows_a_module(write, type_in):
    write("example_module.py", "x = __name__\n")
    program = Program("example_module", True, interactive=True)
    assert type_in(program, "y = x, __spec__.name\n") == (0, False, "")
    assert main_module()["y"] == ("__main__", "example_module")


def test_a_prompt_follows_a_program_that_failed(write, type_in):
    path = write("prog.py", "x = 3\nraise ValueError('why')\n")
    assert type_in(Program(path, interactive=True), "y = x + 1\n") == (0, False, "")
    assert main_module()["y"] == 4
    assert type_in.err.count("ValueError: why") == 1
    assert f'File "{path}", line 2' in type_in.err


def test_a_prompt_follows_a_program_that_exits(write, type_in):
    # As with `python -i`.
    path = write("prog.py", "import sys\nx = 3\nsys.exit(5)\n")
    assert type_in(Program(path, interactive=True), "y = x + 1\n") == (0, False, "")
    assert main_module()["y"] == 4


@pytest.mark.parametrize("line, code", [
    ("raise SystemExit", 0), ("raise SystemExit(4)", 4), ("import sys; sys.exit(300)", 44),
    ("raise SystemExit('a text')", 1),
])
def test_exit_codes_of_a_prompt(write, type_in, line, code):
    program = Program("", interactive=True)
    assert type_in(program, f"{line}\nx = 1\n") == (code, False, "")
    assert "x" not in main_module()
    assert ("a text" in type_in.err) == ("a text" in line)


def test_an_error_at_a_prompt_does_not_end_it(write, type_in):
    assert type_in(Program("", interactive=True), "1 / 0\nx = 1\n") == (0, False, "")
    assert main_module()["x"] == 1
    assert "ZeroDivisionError" in type_in.err


def test_no_prompt_unless_it_is_asked_for(write, type_in):
    assert type_in(Program(write("prog.py", "x = 1\n")), "x = 2\n") == (0, False, "")
    assert main_module()["x"] == 1


def asked_at_the_prompt(program, name):
    """A line that notes where workers are believed to have what ``name`` means now."""
    sys.modules["example_ask"] = type(sys)("example_ask")
    sys.modules["example_ask"].ask = lambda: noted.append(place_of(program, name))
    noted = []
    return noted, "__import__('example_ask').ask()\n"


@pytest.mark.parametrize("line, place", [
    ("", (PROGRAM, "f")), ("g = 1", (PROGRAM, "f")), ("def f(): pass\n", None),
    ("f = lambda: 2", None), ("same = f; f = 1; f = same", (PROGRAM, "f")),
    ("h = f; f = len; f = h", (PROGRAM, "f")), ("f.__defaults__ = (1,)", None),
])
def test_what_was_rebound_at_the_prompt_is_not_the_workers(write, type_in, line, place):
    program = Program(write("prog.py", "def f(): pass\n"), interactive=True)
    noted, ask = asked_at_the_prompt(program, "f")
    type_in(program, f"{ask}{line}\n{ask}")
    assert noted == [(PROGRAM, "f"), place]


def test_what_has_lost_its_name_at_the_prompt_is_still_the_workers(write, type_in):
    program = Program(write("prog.py", "def f(): pass\n"), interactive=True)
    noted, ask = asked_at_the_prompt(program, "g")
    type_in(program, f"g = f; del f\n{ask}")
    assert noted == [(PROGRAM, "f")]


def test_what_is_typed_is_not_the_workers(write, type_in):
    for name in write("prog.py", "y = 1\n"), "":
        program = Program(name, interactive=True)
        type_in(program, "def f(): pass\n\nclass C: pass\n\n")
        assert place_of(program, "f") is None
        assert place_of(program, "C") is None


def test_what_stands_under_the_guard_is_not_the_workers_at_the_prompt(write, type_in):
    path = write("prog.py", "def x(): pass\n" + GUARD + "    def y(): pass\n")
    program = Program(path, interactive=True)
    type_in(program, "")
    assert place_of(program, "x") == (PROGRAM, "x")
    assert place_of(program, "y") is None


def test_names_are_taken_as_they_are_while_the_program_itself_runs(write, type_in):
    path = write("prog.py", "def f(): pass\n__import__('example_ask').ask()\n")
    program = Program(path, interactive=True)
    noted, ask = asked_at_the_prompt(program, "f")
    type_in(program, f"def f(): pass\n\n{ask}")
    assert noted == [(PROGRAM, "f"), None]


def test_the_prompts_own_names_are_found_where_they_come_from(write, type_in):
    # Workers, whose program did not import them, do not have them in the program.
    program = Program("", interactive=True)
    type_in(program, "from scoop_mpi.futures import submit\n")
    assert place_of(program, "submit") == ("scoop_mpi.futures", "submit")
