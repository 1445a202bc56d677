"""SCOOP's own examples run unmodified.

``SCOOP_EXAMPLES`` names the folder ``examples`` of an unpacked sdist of SCOOP 0.7.
:data:`EXAMPLES` says of every program in it what it needs and what it must print; of
one that cannot run anywhere today, why, and that this is what it says.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from math import cos
from pathlib import Path

import given
import pytest
from launching import Finished

Run = Callable[..., Finished]

if not given.EXAMPLES.value:
    raise RuntimeError(f"set {given.EXAMPLES.variable}: {given.EXAMPLES.what}")
FOLDER = Path(given.EXAMPLES.value).resolve()
SECONDS = r"\d+\.\d+"
PAGES = 6


@dataclass(frozen=True)
class Example:
    """What one program is run with, and what it must do.

    Args:
        lines: the lines of its output as patterns, in this order.
        anyhow: the same, in any order, for what several workers print.
        error: a pattern in its standard error; its exit code is then 1.
        needs: modules without which its reason to fail is that they are missing.
        after: program and arguments that must have run before, in the same folder.
        launcher: 'self' where standard input matters (see the manual).
    """

    lines: tuple[str, ...] = ()
    anyhow: tuple[str, ...] = ()
    error: str = ""
    args: tuple[str, ...] = ()
    stdin: str | None = None
    launcher: str = "mpirun"
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def exactly(*lines: object) -> tuple[str, ...]:
    """Patterns for these very lines."""
    return tuple(re.escape(str(line)) for line in lines)


HELLOS = tuple(f"Hello World from Future #{number}" for number in range(16))
SQUARES = [a * a for a in range(10)]
DEAP = ("deap", "numpy")
TREE = ("tree/TreeGen.py", "--height", "4", "-m", "2", "-M", "3", "-s", "0.0005")
NUMBERS = r"\[ *[\d.]+ +[\d.]+ +[\d.]+ *\]\s*"
PLAYED = [rf"Player {number} played words: \['[a-z]+'(, '[a-z]+')*\]" for number in range(4)]
PROMPT = """\
def myExample(inVal):
    return inVal + 1

shared.setConst(myExample=myExample)
print(list(futures.map(myExample, range(64))))
exit()
"""

# Programs that stand here twice run twice.
EXAMPLES: list[tuple[str, Example]] = [
    ("callback.py", Example(anyhow=exactly(*(f"Done: {number}" for number in range(1, 6))))),
    ("conditional_execution.py", Example(("Hello( Parallel)? World",))),
    ("conditional_import.py", Example(exactly(*HELLOS))),
    ("deap_ga_evosn.py", Example(
        (r"gen\tevals\t.*", *(rf"{g} *\t\d+ *\t({NUMBERS}){{4}}" for g in range(40)),
         r"<deap\..*Statistics object at .*>", r"\[\[.*", *(["[0-5 ] .*"] * 11),
         r"\d errors, length \d+, depth \d+"), needs=DEAP)),
    ("deap_ga_onemax.py", Example(
        (r"gen\tnevals\tavg.*", *(rf"{g} *\t\d+ *\t.*" for g in range(40)),
         r"40 *\t\d+ *\t9[5-9]\.\d+ *\t.*\t100"), needs=DEAP)),
    ("dependency/sortingnetwork.py", Example()),  # a module; deap_ga_evosn.py uses it
    # It ends with an exception of its own making, which says so.
    ("except_example.py", Example(error="^Exception: This exception is normal$")),
    ("full_tree.py", Example(exactly(76153))),
    # The module Image went away with the Python Imaging Library, before Python 3.
    ("image_resize.py", Example(error="^Exception: This example uses PIL, the Python Imaging")),
    ("interactive_shell.py", Example(
        (r"(>>> |\.\.\. )*" + re.escape(str(list(range(1, 65)))), "(>>> )?"),
        stdin=PROMPT, launcher="self")),
    ("lambda.py", Example(exactly(
        [x * 2 for x in range(10)], [cos(x) for x in range(10)], [x + 1 for x in range(10)]))),
    ("map_as_completed.py", Example(
        exactly("Execution of map():", *(f"Hello from #{n}!" for n in range(10)),
                "Execution of map_as_completed():") + (r"Hello from #\d!",) * 10)),
    ("map_doc.py", Example(exactly(*HELLOS))),
    ("map_reduce.py", Example((f"Executed parallely in: {SECONDS}s with result: 332833500",
                               f"Executed serially in: {SECONDS}s with result: 332833500"))),
    ("map_scan.py", Example(tuple(
        f"Executed {how} in: {SECONDS}s with result: {re.escape(str(list(accumulate(SQUARES))))}"
        for how in ("parallely", "serially")))),
    ("object.py", Example((r"\[(<.*myClass object at 0x\w+>(, )?){20}\]",
                           re.escape(str([6] * 20))))),
    ("pi_calc.py", Example((r"pi = 3\.1[34]\d*", f"total time: {SECONDS}"))),
    ("pi_calc_doc.py", Example((r"pi = 3\.1[34]\d*",))),
    ("recurse.py", Example(exactly("2^12 = 4096"))),
    ("rssDoc.py", Example((f"mapReduce result obtained in {SECONDS}s",
                           f"Serial result obtained in {SECONDS}s"))),
    ("shared_example.py", Example(anyhow=(
        *[r"Hello World from worker-[12]!"] * 10, *["Second element"] * 10,
        re.escape(str(list(range(1, 11))))))),
    ("shared_example_doc.py", Example((
        r"English letter values used\.", *PLAYED,
        *(f"Player {n}: {score}" for n, score in enumerate((102, 122, 74, 145)))))),
    ("shared_example_doc.py", Example((
        r"French letter values used\.", *PLAYED, *(rf"Player {n}: \d+" for n in range(4))),
        args=("francais",))),
    ("sorting.py", Example((f"Parallel time: {SECONDS}s", f"Serial time:   {SECONDS}s"))),
    ("sum_multiples.py", Example((f"Serial time: {SECONDS} s", f"Parallel time: {SECONDS} s"))),
    ("tree/Tree.py", Example()),  # a module; the others use it
    ("tree/TreeGen.py", Example((
        f"{SECONDS} {SECONDS}", "Generated :", "height : 4", r"leaves : \d+", r"nodes  : \d+"),
        args=TREE[1:], needs=("numpy",))),
    # DEAP's own task manager left it with version 1.0.
    ("tree/dtm-tree.py", Example(
        error="^ImportError: cannot import name 'dtm' from 'deap'", after=TREE, needs=DEAP)),
    ("tree/scoop_tree.py", Example(
        (f"total time : {SECONDS}", "cores : 2"), after=TREE, needs=("numpy",))),
    ("tree/serial-tree.py", Example(
        (f"Serial total time : {SECONDS}",), after=TREE, needs=("numpy",))),
    ("tree_traversal.py", Example((
        r"Beginning Tree generation\.", r"Tree generation done\.", "Parallel result: 40",
        "Serial result:   40", f"Parallel time: {SECONDS}s", f"Serial time:   {SECONDS}s"))),
    # These two find pages of a local server behind the addresses that they name.
    ("url_fetch.py", Example((
        *exactly(*(1000 * n for n in range(PAGES))), *exactly(*(1000 * n for n in range(PAGES))),
        *[r"\d+"] * PAGES))),
    ("url_fetch_doc.py", Example(anyhow=exactly(*(1000 * n for n in range(PAGES))))),
]


class _Pages(BaseHTTPRequestHandler):
    """A proxy: a list of addresses; behind address number n, 1000·n characters."""

    def do_GET(self) -> None:
        number = re.search(r"/page/(\d+)", self.path)
        if number:
            body = b"x" * (1000 * int(number[1]))
        else:
            body = b"".join(b"http://www.example.com/page/%d\n" % n for n in range(PAGES))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[str]:
    """The address of a proxy that knows every page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_table_names_every_program() -> None:
    there = {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.py")
             if file.name != "__init__.py"}
    assert there == {name for name, _ in EXAMPLES}, f"in {FOLDER}"


@pytest.mark.parametrize(
    "name, example", EXAMPLES,
    ids=[" ".join([name, *example.args]) for name, example in EXAMPLES],
)
def test_it_runs(run: Run, pages: str, name: str, example: Example) -> None:
    env = {"http_proxy": pages, "no_proxy": "", "NO_PROXY": "", "PYTHONUNBUFFERED": ""}
    missing = [module for module in example.needs if not importlib.util.find_spec(module)]
    if example.after and not missing:
        before = run(str(FOLDER / example.after[0]), *example.after[1:])
        assert before.returncode == 0, before
    finished = run(str(FOLDER / name), *example.args, ranks=3, launcher=example.launcher,
                   stdin=example.stdin, env=env, timeout=120)
    if missing:
        assert finished.returncode == 1, finished
        assert re.search(f"No module named '({'|'.join(missing)})", finished.stderr), finished
        return
    assert finished.returncode == (1 if example.error else 0), finished
    assert re.search(example.error, finished.stderr, re.MULTILINE), finished
    lines = finished.stdout.splitlines()
    assert len(lines) == len(example.lines + example.anyhow), finished
    for line, pattern in zip(lines, example.lines):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}\n{finished}"
    for pattern, count in Counter(example.anyhow).items():
        found = [line for line in lines if re.fullmatch(pattern, line)]
        assert len(found) == count, f"{pattern!r}\n{finished}"


def test_without_a_launcher_nothing_is_called_scoop(run: Run) -> None:
    """Also where SCOOP is installed: this program runs either way."""
    finished = run(str(FOLDER / "conditional_import.py"), launcher="python")
    assert (finished.returncode, tuple(finished.stdout.splitlines())) == (0, HELLOS), finished
