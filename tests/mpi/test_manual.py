"""The manual is true: its programs run as printed, its options and names exist.

A fenced block ```python is a program; the words behind it say how it is run: options of
``python -m scoop_mpi``, and "fails" if its exit code is not 0. Blocks that follow it tell
what comes out: ```output, its standard output (with "unordered": its lines in any order),
and ```stderr, lines that are found on standard error ("..." stands for anything).
A ```pycon block is a session at the prompt, a ```toml block a launcher file. Commands in
```console blocks are parsed, not run; ```text blocks are left alone.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import io
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from launching import Finished

import scoop_mpi
from scoop_mpi import futures, shared
from scoop_mpi import cli
from scoop_mpi.launch.interpreter import interpreter_flags
from scoop_mpi.launch.launchers import Launcher, known_launchers, read_launcher
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.submit import SCHEDULERS, submit
from scoop_mpi.tools import debug_plots

Run = Callable[..., Finished]

HOME = Path(__file__).resolve().parents[2]
DOCS = HOME / "docs"
PAGES = [HOME / "README.md", *sorted(DOCS.glob("*.md"))]
REFERENCE = DOCS / "reference.md"
CLUSTERS = DOCS / "clusters.md"
LAUNCHERS = DOCS / "launchers.md"


class Block(NamedTuple):
    """A fenced block: the words behind the fence, and what stands in it."""

    page: Path
    line: int
    words: list[str]
    text: str

    @property
    def kind(self) -> str:
        return self.words[0] if self.words else ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_in(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    blocks: list[Block] = []
    inside: list[str] | None = None
    words: list[str] = []
    start = 0
    for number, line in enumerate(page.read_text().splitlines(keepends=True), 1):
        if not line.startswith("```"):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside, words, start = [], line[3:].split(), number
        else:
            blocks.append(Block(page, start, words, "".join(inside)))
            inside = None
    assert inside is None, f"{page}:{start}: this block does not end"
    return blocks


class Program(NamedTuple):
    """A python block with the blocks that tell what comes out of it."""

    block: Block
    results: list[Block]


def programs() -> Iterator[Program]:
    """All programs in all pages."""
    for page in PAGES:
        found: list[Program] = []
        for block in blocks_in(page):
            if block.kind == "python":
                found.append(Program(block, []))
            elif block.kind in ("output", "stderr"):
                assert found, f"{block}: of which program?"
                found[-1].results.append(block)
        yield from found


PROGRAMS = list(programs())


def test_there_are_programs() -> None:
    assert len(PROGRAMS) > 25
    pages = {program.block.page.name for program in PROGRAMS}
    assert pages == {"README.md", "manual.md", "reference.md", "from_scoop.md", "clusters.md"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: str(program.block))
def test_program(run: Run, tmp_path: Path, program: Program) -> None:
    file = tmp_path / "program.py"
    file.write_text(program.block.text)
    words = program.block.words[1:]
    options = [word for word in words if word != "fails"]
    finished = run(*options, "program.py")
    assert (finished.returncode != 0) == ("fails" in words), finished
    for block in program.results:
        if block.kind == "output":
            printed, expected = finished.stdout, block.text
            if "unordered" in block.words:
                printed, expected = (sorted_lines(text) for text in (printed, expected))
            assert printed == expected, f"{block}: {finished}"
        else:
            for line in block.text.splitlines():
                pattern = ".*".join(map(re.escape, line.split("...")))
                assert re.search(f"^{pattern}$", finished.stderr, re.MULTILINE), (
                    f"{block}: {line!r} is not on standard error: {finished}")
    if "fails" not in words and not any(block.kind == "stderr" for block in program.results):
        assert finished.stderr == "", finished


def sorted_lines(text: str) -> str:
    return "".join(sorted(text.splitlines(keepends=True)))


SESSIONS = [block for page in PAGES for block in blocks_in(page) if block.kind == "pycon"]


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_session(run: Run, session: Block) -> None:
    lines = session.text.splitlines()
    typed = [line[4:] for line in lines if re.match(r"(>>>|\.\.\.)( |$)", line)]
    answers = [line for line in lines if not line.startswith((">>>", "..."))]
    finished = run("-i", stdin="\n".join(typed) + "\n", launcher="self")
    assert finished.returncode == 0, finished
    printed = [re.sub(r"^((>>>|\.\.\.) )+", "", line) for line in finished.stdout.splitlines()]
    assert [line for line in printed if line] == answers, finished


# -- options ---------------------------------------------------------------


def help_of(command: Callable[[list[str]], Any]) -> set[str]:
    """The options in the help of a command."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        command(["--help"])
    lines = re.findall(r"^  (-.*)$", output.getvalue(), re.MULTILINE)
    named = [line.split("  ")[0] for line in lines]
    return {option for names in named for option in re.findall(r"(?:^|, )(--?[\w-]+)", names)}


def section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next one of its kind."""
    level = heading.split()[0]
    _, found, rest = page.read_text().partition(f"\n{heading}\n")
    assert found, f"{page.name} has no heading {heading!r}"
    return re.split(rf"^{level} ", rest, flags=re.MULTILINE)[0]


def test_every_option_is_in_the_reference() -> None:
    text = section(REFERENCE, "## Command line")
    before, _, after = text.partition("\n### submit\n")
    submits, _, tools = after.partition("\n### Tools\n")
    assert options_of_table(before) == help_of(cli.main)
    assert options_of_table(submits) == help_of(submit)
    assert options_of_table(tools) | {"-h", "--help"} == help_of(debug_plots.main)


def test_options_are_in_the_groups_of_the_help() -> None:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        cli.main(["--help"])
    in_help = re.findall(r"^(\w[\w ]*):$", output.getvalue(), re.MULTILINE)
    in_text = re.findall(r"^\*\*(.*)\*\*$", section(REFERENCE, "## Command line"), re.MULTILINE)
    assert [text.lower() for text in in_text] == [text.lower() for text in in_help]


def options_of_table(text: str) -> set[str]:
    cells = re.findall(r"^\| (`-.*?) \|", text, re.MULTILINE)
    return {option for cell in cells for option in re.findall(r"`(--?[\w-]+)", cell)}


def commands() -> Iterator[tuple[str, str]]:
    """(Where, command) for every command line of ours in a console block or in ``code``."""
    for page in PAGES:
        for block in blocks_in(page):
            if block.kind == "console":
                for line in block.text.splitlines():
                    assert line.startswith("$ "), f"{block}: {line!r} is no command"
                    yield str(block), line[2:]
        for code in re.findall(r"`([^`\n]*python -m scoop_mpi [^`\n]*)`", page.read_text()):
            yield page.name, code


@pytest.mark.parametrize("where, command", [
    command for command in commands() if "python -m scoop_mpi " in command[1]])
def test_command_line(
    where: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command.partition("python -m scoop_mpi ")[2], comments=True)
    if words == ["--version"]:
        with pytest.raises(SystemExit, match="^0$"), contextlib.redirect_stdout(io.StringIO()):
            parse(words)
    elif words == ["submit"]:
        pass  # spoken of, not shown
    elif words[:1] == ["submit"]:
        (tmp_path / "program.py").touch()
        (tmp_path / "first.py").touch()
        monkeypatch.chdir(tmp_path)
        script = submitted(words[1:])
        assert " -m scoop_mpi -n " in script
    else:
        parse(words)


def submitted(words: list[str]) -> str:
    """The script that ``submit`` would submit."""
    output = io.StringIO()
    # Which scheduler this machine has is of no interest; the last one named counts.
    with contextlib.redirect_stdout(output):
        assert submit(["--scheduler", "slurm", "--dry-run", *words]) == 0
    return output.getvalue()


@pytest.mark.parametrize("page", ["slurm.md", "pbs.md", "sge.md"])
def test_scripts_are_those_that_submit_writes(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").touch()
    monkeypatch.chdir(tmp_path)
    blocks = blocks_in(DOCS / page)
    at = next(n for n, block in enumerate(blocks) if "--dry-run" in block.text)
    words = shlex.split(blocks[at].text.partition("python -m scoop_mpi submit ")[2])
    flags = "".join(f" {flag}" for flag in interpreter_flags())  # of whoever runs the tests
    written = re.sub(rf"^exec \S+{re.escape(flags)}", "exec /home/ada/venvs/scoop/bin/python",
                     submitted(words), flags=re.MULTILINE)
    assert blocks[at + 1].text == written


def test_options_in_the_text() -> None:
    known = help_of(cli.main) | help_of(submit) | help_of(debug_plots.main) | {"-vv", "-qq", "--"}
    for page in PAGES:
        if page.name != "from_scoop.md":  # that has SCOOP's own
            # Options of other programs stand behind the program's name.
            named = re.findall(r"`(--?[a-z][\w-]*)[^`\n]*`", page.read_text())
            assert set(named) <= known, page


def test_options_of_scoop() -> None:
    """Those that the page for users of SCOOP has are taken."""
    text = section(DOCS / "from_scoop.md", "## Options")
    assert "all are accepted" in text
    assert options_of_table(text) <= help_of(cli.main)


# -- clusters and launchers --------------------------------------------------


@functools.cache
def texts_of_the_package() -> str:
    """All its literal texts, a line each, with ``…`` for what is filled in."""
    texts = []
    for file in (HOME / "scoop_mpi").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            constants = [part.value if isinstance(part, ast.Constant) else "…" for part in parts]
            if all(isinstance(text, str) for text in constants):
                text = re.sub(r"%[\d.]*[sdg]", "…", "".join(map(str, constants)))
                texts.append(" ".join(text.split()))
    prolog = (HOME / "scoop_mpi" / "launch" / "prolog.sh").read_text()
    texts.append(re.sub(r"\$\(.*?\)|\$\w+", "…", prolog))
    return "\n".join(texts)


def messages() -> Iterator[str]:
    """The messages that the page about clusters explains: the first columns of its tables."""
    for heading in ("## Check the pool", "## When it does not start"):
        # What follows is of MPI itself.
        text = section(CLUSTERS, heading).partition("Of MPI itself:")[0]
        yield from re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("message", list(messages()))
def test_messages_are_ours(message: str) -> None:
    parts = [re.escape(part.strip()) for part in message.split("…")]
    assert re.search(".*".join(parts), texts_of_the_package()), "nothing says that"


def test_keys_of_launcher_files() -> None:
    text = section(LAUNCHERS, "## The keys")
    written = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    required = [one.name for one in fields(Launcher)
                if one.default is MISSING and one.default_factory is MISSING]
    assert set(written) == {one.name for one in fields(Launcher)}
    assert set(written[:len(required)]) == set(required) and "first five" in text
    assert len(required) == 5


def test_launcher_file_of_the_manual(tmp_path: Path) -> None:
    [block] = [block for block in blocks_in(LAUNCHERS) if block.kind == "toml"]
    file = tmp_path / "ours.toml"
    file.write_text(block.text)
    assert read_launcher(file).name == "ours"


def test_every_launcher_and_scheduler_is_named() -> None:
    table = set(re.findall(r"launchers/(\w+)\.toml", LAUNCHERS.read_text()))
    assert table == {file.stem for file in (HOME / "launchers").glob("*.toml")}
    text = section(REFERENCE, "## Command line")
    [row] = re.findall(r"^\| `--launcher NAME` \| (.*) \|$", text, re.MULTILINE)
    names = {one.name.lower().replace(" ", "") for one in known_launchers()}
    assert {name for name in re.findall(r"`(\w+)`", row)} == names
    [row] = re.findall(r"^\| `--scheduler NAME` \| (.*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == set(SCHEDULERS)


# -- names -----------------------------------------------------------------


@pytest.mark.parametrize("module", [futures, shared, scoop_mpi], ids=lambda m: m.__name__)
def test_every_public_name_is_in_the_reference(module: Any) -> None:
    text = REFERENCE.read_text()
    missing = [name for name in module.__all__
               if not name.startswith("__") and not re.search(rf"[`.]{name}\b", text)]
    assert not missing


def test_signatures() -> None:
    found = re.findall(r"^### `(\w+)\.(\w+)(\(.*\))`$", REFERENCE.read_text(), re.MULTILINE)
    assert len(found) > 12
    for module, name, written in found:
        there = getattr({"futures": futures, "shared": shared}[module], name)
        assert written == plain_signature(there), f"{module}.{name}"


def plain_signature(func: Callable[..., Any]) -> str:
    """A signature without annotations."""
    signature = inspect.signature(func)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def scoop_names() -> Iterator[tuple[str, str, bool]]:
    """(Module, name, is it here) as the page for users of SCOOP has it."""
    module = ""
    for line in section(DOCS / "from_scoop.md", "## Names").splitlines():
        if heading := re.match(r"### `(scoop[\w.]*)`", line):
            module = heading[1]
        elif line.startswith("### "):
            module = ""
        elif line == "Of a future:":
            module = "scoop._types.Future"
        elif module and (row := re.match(r"\| (.*?) \| (.*) \|$", line)):
            for name in re.findall(r"`(\w+)`", row[1]):
                yield module, name, not row[2].startswith(("gone", "`expand_hostlist`"))


NAMES = """
import sys
import types
import scoop.futures, scoop.shared, scoop.utils, scoop._types, scoop.fallbacks

def finds(path):
    found = sys.modules["scoop"]
    for name in path.split(".")[1:]:
        if isinstance(found, types.ModuleType) and f"{found.__name__}.{name}" in sys.modules:
            found = sys.modules[f"{found.__name__}.{name}"]
        elif hasattr(found, name):
            found = getattr(found, name)
        else:
            return False
    return True

for path, is_here in PATHS.items():
    if finds(path) != is_here:
        print(path, "is not there" if is_here else "is there")
"""


def test_names_of_scoop(run: Run) -> None:
    paths = {f"{module}.{name}": is_here for module, name, is_here in scoop_names()}
    assert len(paths) > 80
    finished = run(f"PATHS = {paths!r}\n{NAMES}", ranks=1)
    assert finished.stdout == finished.stderr == "", finished
    assert finished.returncode == 0, finished


# -- links -----------------------------------------------------------------


def test_links() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            if ":" in path:
                continue
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name}: {link}"
            if anchor:
                assert anchor in anchors_of(target), f"{page.name}: {link}"


def anchors_of(page: Path) -> set[str]:
    """The names that a page's headings have in links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
