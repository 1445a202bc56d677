"""The manual is true: its programs run as printed, its options and names exist.

A fenced block ```python is a program; the words behind it say how it is run: options of
``python -m scoop_mpi``, and "fails" if its exit code is not 0. Blocks that follow it tell
what comes out: ```output, its standard output (with "unordered": its lines in any order),
and ```stderr, lines that are found on standard error ("..." stands for anything).
A ```pycon block is a session at the prompt.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from launching import Finished

import scoop_mpi
from scoop_mpi import futures, shared
from scoop_mpi.launch import cli
from scoop_mpi.tools import debug_plots

Run = Callable[..., Finished]

HOME = Path(__file__).resolve().parents[2]
DOCS = HOME / "docs"
PAGES = [HOME / "README.md", *sorted(DOCS.glob("*.md"))]
REFERENCE = DOCS / "reference.md"
PYTHON_TOOL = "python -m scoop_mpi.tools.debug_plots"


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
    assert pages == {"README.md", "manual.md", "reference.md", "from_scoop.md"}


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
    ours, _, tools = text.partition(PYTHON_TOOL)
    assert options_of_table(ours) == help_of(cli.main)
    assert options_of_table(tools) | {"-h", "--help"} == help_of(debug_plots.main)


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
def test_command_line(where: str, command: str) -> None:
    words = shlex.split(command.partition("python -m scoop_mpi ")[2], comments=True)
    if words == ["--version"]:
        with pytest.raises(SystemExit, match="^0$"), contextlib.redirect_stdout(io.StringIO()):
            cli.parse(words)
    else:
        cli.parse(words)


def test_options_in_the_text() -> None:
    known = help_of(cli.main) | help_of(debug_plots.main) | {"-vv", "-qq"}
    for page in PAGES:
        if page.name != "from_scoop.md":  # that has SCOOP's own
            named = re.findall(r"`(--?[a-z][\w-]*)[^`\n]*`", page.read_text())
            assert set(named) <= known, page


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
