"""Every program in ``examples`` runs, and its answers are right.

``ANSWERS`` holds what looks at the output of each: a function that gets the lines and
compares them with what it works out in another way.
"""

from __future__ import annotations

import ast
import bisect
import calendar
import hashlib
import itertools
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launching import PACKAGE_FOLDER, Finished

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
PAGE = 70
"""Lines; the census, which ``make run`` shows, is longer."""
ARGUMENTS = {"image_tiles.py": ["image.pgm"], "pi.py": ["10"], "stdlib_census.py": ["40"]}
NEEDS_A_JOB = {"scoop_program.py"}
"""Only in a job the name ``scoop`` means this package."""

Run = Callable[..., Finished]
Look = Callable[[list[str], Path], None]
ANSWERS: dict[str, Look] = {}


def of(name: str) -> Callable[[Look], Look]:
    """Enters a function, which gets lines and working directory, in ``ANSWERS``."""
    def enter(look: Look) -> Look:
        ANSWERS[name] = look
        return look
    return enter


def values(line: str) -> list[Any]:
    """The numbers at the end of a line ``label: 1 2.5 ...``."""
    return [ast.literal_eval(word) for word in line.rpartition(":")[2].split()]


# -- the tests -------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_three_ranks(run: Run, tmp_path: Path, name: str) -> None:
    finished = run(EXAMPLES / name, *ARGUMENTS.get(name, []), ranks=3)
    assert finished.returncode == 0, finished
    if name == "scoop_program.py":
        logged = re.findall(r"^\[.*\] worker-1 scoop_program WARNING not a bar code: (\d+)$",
                            finished.stderr, re.MULTILINE)
        wrong = re.findall(r"^(\d+) wrong$", finished.stdout, re.MULTILINE)
        assert logged == wrong, finished
        assert finished.stderr.count("\n") == len(wrong), finished
    else:
        assert finished.stderr == "", finished
    ANSWERS[name](finished.stdout.splitlines(), tmp_path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEEDS_A_JOB])
def test_plain_python(run: Run, tmp_path: Path, name: str) -> None:
    finished = run(EXAMPLES / name, *ARGUMENTS.get(name, []), launcher="python")
    assert finished.returncode == 0, finished
    warning, _source = finished.stderr.splitlines()
    assert re.search(r":\d+: RuntimeWarning: .* serially", warning), finished
    ANSWERS[name](finished.stdout.splitlines(), tmp_path)


@pytest.mark.parametrize("name", ["deap_islands.py", "deap_onemax.py"])
def test_evolution_does_not_depend_on_the_workers(run: Run, name: str) -> None:
    serial, parallel = run(EXAMPLES / name, launcher="python"), run(EXAMPLES / name, ranks=4)
    assert parallel.returncode == 0, parallel
    assert parallel.stdout == serial.stdout


def test_conditional_import_without_the_package(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scoop_mpi.py").write_text("raise ImportError('not here')\n")
    paths = os.pathsep.join([str(tmp_path), PACKAGE_FOLDER])
    finished = run(EXAMPLES / "conditional_import.py", launcher="python",
                   env={"PYTHONPATH": paths})
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    assert leap_years(finished.stdout.splitlines()) == "builtins"


def test_an_image_needs_a_file_name(run: Run) -> None:
    finished = run(EXAMPLES / "image_tiles.py", launcher="python")
    assert finished.returncode == 1, finished
    assert finished.stderr.startswith("usage: "), finished


def test_all_have_answers() -> None:
    assert sorted(ANSWERS) == NAMES
    assert set(ARGUMENTS) | NEEDS_A_JOB <= set(NAMES)


def test_all_are_in_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    table = re.findall(r"^\| \[(.+?)\]\((.+?)\)", readme, re.MULTILINE)
    assert sorted(text for text, _ in table) == NAMES
    assert all(text == link for text, link in table)


def test_the_readme_marks_what_needs_packages() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    marked = set(re.findall(r"^\| \[(.+?)\]\(.+?\) \*", readme, re.MULTILINE))
    needing = {name for name in NAMES if re.search(
        r"^(import|from) (deap|numpy)\b", (EXAMPLES / name).read_text(), re.MULTILINE)}
    assert marked == needing


@pytest.mark.parametrize("name", NAMES)
def test_form(name: str) -> None:
    source = (EXAMPLES / name).read_text()
    docstring = ast.get_docstring(ast.parse(source), clean=False)
    assert docstring is not None
    assert f"\n    python -m scoop_mpi examples/{name}" in docstring
    assert len(source.splitlines()) <= PAGE or name == "stdlib_census.py"


# -- the answers -----------------------------------------------------------


@of("map_basics.py")
def look_at_map_basics(lines: list[str], _: Path) -> None:
    steps = {1: 0}

    def steps_of(n: int) -> int:
        if n not in steps:
            steps[n] = 1 + steps_of(3 * n + 1 if n & 1 else n >> 1)
        return steps[n]

    numbers = range(1, 10_001)
    most = max(numbers, key=steps_of)
    assert lines == [
        "same as map(): True",
        "steps of 1 to 10: " + " ".join(str(steps_of(n)) for n in numbers[:10]),
        f"most steps: {steps_of(most)}, of {most}",
        f"powers: 2 {3 * 3} {5 * 5 * 5} {7 * 7 * 7 * 7}",
        f"first with more than 200 steps: {next(n for n in numbers if steps_of(n) > 200)}",
    ]


@of("map_as_completed.py")
def look_at_map_as_completed(lines: list[str], _: Path) -> None:
    number = values(lines[0])[0]
    block = range(number // 5000 * 5000, number + 1)
    hashes = [hashlib.sha256(f"scoop {n}".encode()).hexdigest() for n in block]
    assert [start for start in hashes if start[:4] == "0000"] == [hashes[-1]]
    assert number < 1_000_000
    assert lines[1:] == [f"hash: {hashes[-1]}", "same results as map: True"]


@of("map_reduce.py")
def look_at_map_reduce(lines: list[str], _: Path) -> None:
    first_digits: Counter[int] = Counter()
    power = 1
    while power < 2 ** 3000:
        first_digits[int(f"{power}"[0])] += 1
        power += power
    assert lines[0] == "digit  count  share  Benford"
    for digit, line in enumerate(lines[1:10], 1):
        number, law = first_digits[digit], math.log10((digit + 1) / digit)
        shares = f"{number / 30:.1f}%", f"{100 * law:.1f}%"
        assert line.split() == [str(digit), str(number), *shares]
    assert lines[10:] == ["powers: 3000", "ScalableConcurrentOperationsInPython"]


@of("map_scan.py")
def look_at_map_scan(lines: list[str], _: Path) -> None:
    sieve = set(range(2, 10_001))
    for n in range(2, 101):
        sieve.difference_update(range(n * n, 10_001, n))
    primes = sorted(sieve)
    for line, limit in zip(lines, (10, 100, 1000, 10_000)):
        assert line == f"primes up to {limit:>6,}: {bisect.bisect(primes, limit):>5,}"
    gaps = [high - low for low, high in zip(primes, primes[1:])]
    largest = f"{max(gaps[:9])} {max(gaps[:99])} {max(gaps[:999])}"
    assert lines[4:] == ["same as accumulate(): True",
                         f"largest gap so far, after 10, 100 and 1000 primes: {largest}"]


@of("recursion.py")
def look_at_queens(lines: list[str], _: Path) -> None:
    known = [1, 0, 0, 2, 10, 4, 40, 92]  # https://oeis.org/A000170
    assert lines == [f"{n} queens: {number} solutions" for n, number in enumerate(known, 1)]


@of("tree_traversal.py")
def look_at_tree_traversal(lines: list[str], _: Path) -> None:
    inserted = random.Random(5).sample(range(100_000), 2000)
    # A new node hangs under its left or its right neighbour, whichever is deeper.
    order: list[int] = []
    depth = {-math.inf: 0, math.inf: 0}
    for value in inserted:
        at = bisect.bisect(order, value)
        neighbours = (order[at - 1] if at else -math.inf,
                      order[at] if at < len(order) else math.inf)
        depth[value] = 1 + max(depth[neighbour] for neighbour in neighbours)
        order.insert(at, value)
    assert lines == [f"nodes 2000, depth {max(depth.values())}, sum {sum(inserted)}"]


@of("full_tree.py")
def look_at_full_tree(lines: list[str], _: Path) -> None:
    fruit = failed = 0
    for twigs in range(1, 13):
        for first in range(1, twigs + 1):
            leaves = range(first, first + twigs)
            good = list(itertools.takewhile(lambda leaf: leaf % 7, leaves))
            fruit += sum(leaf ** 2 for leaf in good)
            failed += len(good) < len(leaves)
    assert lines == [f"fruit {fruit}, failed {failed}"]


@of("callbacks.py")
def look_at_callbacks(lines: list[str], _: Path) -> None:
    assert sorted(lines[:5]) == sorted([
        "600851475143 = 71 * 839 * 1471 * 6857",
        "2147483647 = 2147483647",
        "1001 = 7 * 11 * 13",
        "0: only positive numbers have prime factors",
        "1024 = " + " * ".join("2" * 10),
    ])
    assert lines[5:] == ["5 tasks are done", "largest factor: 6857"]


@of("exceptions.py")
def look_at_exceptions(lines: list[str], _: Path) -> None:
    assert lines == [
        "result() raises: Overdrawn with 15 missing",
        "traceback names the function: True",
        "exception() returns: Overdrawn(10, 25)",
        "map: after [5, 15] comes Overdrawn(30, 50)",
        "submit: 10 0 failed failed",
        "handled in a task: 6 0",
    ]


@of("lambdas_and_objects.py")
def look_at_lambdas_and_objects(lines: list[str], _: Path) -> None:
    xs = range(6)
    expected = {
        "lambda": [x * x for x in xs],
        "function of the main block": [10, 11, 12, 13, 14, 15],
        "partial": [2 ** x for x in xs],
        "callable object": [1 + 2 * x + 3 * x ** 2 for x in xs],
        "bound method": [2 + 6 * x for x in xs],
        "functions as arguments": [5, 7, 7],
    }
    assert {line.partition(":")[0]: values(line) for line in lines[:-2]} == expected
    assert lines[-2:] == ["object as a result: 2 x^0 + 6 x^1",
                          "object as a result: 0 x^0 + 0 x^1 + 3 x^2"]


@of("shared_constants.py")
def look_at_shared_constants(lines: list[str], _: Path) -> None:
    assert lines == [
        "totals: 370 1530 600 0",  # the second has a discount of a tenth
        "defined by a task: cent",
        "a second time: This constant already exists: currency.",
        "not defined: None",
        "new totals: 450 1800 700 0",
    ]


@of("pi.py")
def look_at_pi(lines: list[str], _: Path) -> None:
    inside = 0
    for seed in range(10):
        rng = random.Random(seed)
        for _point in range(20_000):
            x, y = rng.random(), rng.random()
            inside += x * x + y * y <= 1
    assert lines == [f"{inside:,} of 200,000 points are inside the circle",
                     f"pi is about {inside / 50_000:.4f}"]
    assert abs(inside / 50_000 - math.pi) < 0.02


@of("sorting.py")
def look_at_sorting(lines: list[str], _: Path) -> None:
    rng = random.Random(1)
    ordered = sorted(rng.random() for _ in range(50_000))
    assert lines == [
        "50,000 numbers; same as sorted(): True",
        f"smallest {ordered[0]:.6f}, median {ordered[25_000]:.6f}, largest {ordered[-1]:.6f}",
    ]


def leap_years(lines: list[str]) -> str:
    """Looks at the years; returns what has mapped them."""
    years = list(filter(calendar.isleap, range(1900, 2101)))
    assert lines[0] == f"{len(years)} leap years from {years[0]} to {years[-1]}"
    assert len(lines) == 2
    return lines[1].removeprefix("mapped by ")


@of("conditional_import.py")
def look_at_conditional_import(lines: list[str], _: Path) -> None:
    assert leap_years(lines) == "scoop_mpi.futures"


@of("url_fetch.py")
def look_at_url_fetch(lines: list[str], _: Path) -> None:
    sizes = [f"/page{n}: {n * 100 * len('page n.')}" for n in range(1, 9)]
    assert lines == [*sizes, "/nothing: error 404"]


@of("image_tiles.py")
def look_at_image_tiles(lines: list[str], folder: Path) -> None:
    header, size, brightest, pixels = (folder / "image.pgm").read_bytes().split(b"\n", 3)
    assert (header, size, brightest, len(pixels)) == (b"P5", b"480 320", b"255", 480 * 320)
    assert lines == ["480 x 320 pixels in 96 tiles", f"black pixels: {pixels.count(0)}"]
    different = looked_at = 0
    for row, column in itertools.product(range(0, 320, 7), range(0, 480, 7)):
        c = complex(-2.2 + 3 * column / 479, -1 + 2 * row / 319)
        z, steps = 0j, 0
        while abs(z) <= 2 and steps < 255:
            z, steps = z * z + c, steps + 1
        looked_at += 1
        different += pixels[480 * row + column] != 255 - steps
    # On the edge of the set, the last bit of a number can make a difference.
    assert different <= looked_at // 100


@of("deap_onemax.py")
def look_at_deap_onemax(lines: list[str], _: Path) -> None:
    figures = [re.fullmatch(r"generation +(\d+): mean ([\d.]+), best ([\d.]+)", line)
               for line in lines[:5]]
    generations, means, best = zip(*(map(float, found.groups()) for found in figures if found))
    assert generations == (0, 10, 20, 30, 40)
    assert 25 < means[0] < 35 and means[0] < means[2] < means[4]
    assert all(mean <= one <= 60 for mean, one in zip(means, best))
    bits = lines[5].removeprefix("best: ")
    assert len(bits) == 60 and set(bits) <= {"0", "1"}
    assert lines[6:] == [f"ones: {bits.count('1')}"]
    assert bits.count("1") >= max(best) > 55


@of("deap_islands.py")
def look_at_deap_islands(lines: list[str], _: Path) -> None:
    rounds = [values(line) for line in lines[:-2]]
    assert len(rounds) == 6 and all(len(islands) == 4 for islands in rounds)
    best = [min(islands) for islands in rounds]
    assert best == sorted(best, reverse=True), "the best one never gets lost"
    (minimum,), point = values(lines[-2]), values(lines[-1])
    assert minimum == best[-1] < 1 < best[0]
    assert len(point) == 5
    rastrigin = 50 + sum(x * x - 10 * math.cos(2 * math.pi * x) for x in point)
    assert rastrigin == pytest.approx(minimum, abs=1e-5)


@of("sorting_networks.py")
def look_at_sorting_networks(lines: list[str], _: Path) -> None:
    network = [tuple(map(int, pair.split("-"))) for pair in lines[2].split()[1:]]
    for wires in map(list, itertools.permutations(range(6))):
        for low, high in network:
            wires[low], wires[high] = sorted((wires[low], wires[high]))
        assert wires == [0, 1, 2, 3, 4, 5]
    assert len(network) == 12  # fewer are not possible
    assert lines[0] == "lines that sort everything: 8 of 8"
    assert lines[1] == "best: 12 comparisons, 0 inputs not sorted"


@of("scoop_program.py")
def look_at_scoop_program(lines: list[str], _: Path) -> None:
    codes = dict(line.split() for line in lines[:6])
    for code, judgement in codes.items():
        odd, even = sum(map(int, code[0:12:2])), sum(map(int, code[1:12:2]))
        check = -(odd + 3 * even) % 10
        assert judgement == ("valid" if int(code[12]) == check else "wrong")
    assert set(codes.values()) == {"valid", "wrong"}
    assert lines[6:] == [f"valid codes: {list(codes.values()).count('valid')}",
                         "on the root: True with a pool: True"]


@of("stdlib_census.py")
def look_at_census(lines: list[str], _: Path) -> None:
    # test_census.py looks closer.
    assert re.match(r"files +40 ", lines[0])
    assert re.match(r"lines +\d", lines[1])
