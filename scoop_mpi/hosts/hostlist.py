"""Lists of hosts: how they are written, and how ranks are divided among them.

Pure functions: text in, hosts out. Sources: SLURM's hostlist expressions
(``n[01-03,7]``), SCOOP's manual (hostfiles, ``-n`` below and above the sum), and the
hostfiles of Open MPI (``name slots=2``) and MPICH (``name:2``), which people have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple

from ..base.errors import LaunchError

MOST_HOSTS = 1_000_000
"""A list that means more hosts is taken for a typing error."""


class Host(NamedTuple):
    """A host and how many workers (or slots) it has; None: as many as it has cores."""

    name: str
    workers: int | None = None


def expand(text: str) -> list[str]:
    """The names in a hostlist: ``n[01-03,7],login`` is n01, n02, n03, n7, login.

    Raises:
        LaunchError: brackets do not match, a range is malformed or runs backwards, or there
            are more than ``MOST_HOSTS``.
    """
    if "[" not in text and "]" not in text:
        return [name for name in map(str.strip, text.split(",")) if name]
    names: list[str] = []
    for part in _parts(text):
        names += _expand(part, text)
        if len(names) > MOST_HOSTS:
            raise _bad(text, f"it means more than {MOST_HOSTS} hosts")
    return names


def _parts(text: str) -> list[str]:
    """``text`` cut at the commas outside brackets."""
    parts = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text)
    if sum(map(len, parts)) + text.count(",") - sum(part.count(",") for part in parts) != len(text):
        raise _bad(text, "its brackets do not match")
    return [part.strip() for part in parts if part.strip()]


def _expand(part: str, text: str) -> list[str]:
    before, *pieces = re.split(r"\[([^\]]*)\]", part)
    if len(pieces) == 2:  # one pair of brackets, by far the most frequent
        return [f"{before}{number}{pieces[1]}" for number in _numbers(pieces[0], text)]
    # Ranges at even places, literal text between.
    choices = [[piece] if at % 2 else _numbers(piece, text) for at, piece in enumerate(pieces)]
    if math.prod(map(len, choices)) > MOST_HOSTS:
        raise _bad(text, f"it means more than {MOST_HOSTS} hosts")
    return [before + "".join(rest) for rest in product(*choices)]


def _numbers(ranges: str, text: str) -> list[str]:
    numbers: list[str] = []
    for one in ranges.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,18})(?:-([0-9]{1,18}))?\s*", one)
        if match is None:
            raise _bad(text, f"[{ranges}] should hold numbers and ranges like 1-4")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise _bad(text, f"the range {one.strip()} runs backwards")
        if int(last) - int(first) + len(numbers) >= MOST_HOSTS:
            raise _bad(text, f"it means more than {MOST_HOSTS} hosts")
        numbers += [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
    return numbers


def _bad(text: str, why: str) -> LaunchError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return LaunchError(f"the host list {shown!r} cannot be read: {why}")


def parse_hostfile(
    text: str, source: str, warn: Callable[[str], object] | None = None
) -> list[Host]:
    """The hosts in the text of a hostfile.

    A line holds a name (or several, in brackets) and, maybe, a number of workers:
    ``name 4``, ``name slots=4`` or ``name:4``. ``#`` begins a comment. If there are more
    words, the first number among them counts, as in SCOOP.

    Args:
        text: the file's content.
        source: its name, for messages.
        warn: called once if there are lines with more words.

    Raises:
        LaunchError: a line is something else (the text names it), or there is no host.
    """
    hosts: list[Host] = []
    wordy: list[str] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            names, workers, is_plain = _line(words)
        except LaunchError as error:
            raise LaunchError(f"{source}, line {number}: {error}") from None
        hosts += [Host(name, workers) for name in names]
        if not is_plain:
            wordy.append(f"{source}, line {number}: {' '.join(words)!r} says more than a host's "
                         f"name and its number of workers; taking the first number, {workers}")
    if not hosts:
        raise LaunchError(f"{source} names no host; it should have lines like: name 4")
    if wordy and warn is not None:
        more = f" (and {len(wordy) - 1} more such lines)" if len(wordy) > 1 else ""
        warn(wordy[0] + more)
    return merge(hosts)


def _line(words: list[str]) -> tuple[list[str], int | None, bool]:
    """The names in a line, the workers of each, and whether it says nothing else."""
    name, *rest = words
    # max_slots and other limits of Open MPI's hostfiles are ignored.
    counts = [word.removeprefix("slots=") for word in rest
              if "=" not in word or word.startswith("slots=")]
    if match := re.fullmatch(r"([^:]+):([0-9]{1,9})", name):  # not an IPv6 address
        name = match[1]
        counts.insert(0, match[2])
    numbers = [int(count) for count in counts if re.fullmatch("[0-9]{1,9}", count)]
    if counts and not numbers:
        raise LaunchError(f"{' '.join(words)!r} is not a host's name and, maybe, its number of "
                          "workers, as in: name 4")
    workers = numbers[0] if numbers else None
    if workers == 0:
        raise LaunchError(f"{name} has 0 workers; leave the line out, or comment it with #")
    return expand(name), workers, len(counts) <= 1


def parse_names(words: Iterable[str]) -> list[Host]:
    """The hosts named on the command line: once for each worker, or ``name:4``.

    Raises:
        LaunchError: a word cannot be read, or there is none.
    """
    hosts: list[Host] = []
    for word in words:
        for part in _parts(word):
            match = re.fullmatch(r"([^:]+):([0-9]{1,9})", part)
            workers = int(match[2]) if match else 1
            if workers == 0:
                raise LaunchError(f"--hosts {part}: 0 workers; leave it out")
            hosts += [Host(name, workers) for name in expand(match[1] if match else part)]
    if not hosts:
        raise LaunchError("--hosts needs the names of hosts, as in: --hosts node1 node1 node2")
    return merge(hosts)


def merge(hosts: Iterable[Host]) -> list[Host]:
    """Each host once, in the order of first mention, with the sum of its workers."""
    sums: dict[str, int | None] = {}
    for name, workers in hosts:
        if name not in sums:
            sums[name] = workers
        elif workers is not None:
            sums[name] = (sums[name] or 0) + workers
    return [Host(name, workers) for name, workers in sums.items()]


def divide(hosts: Sequence[tuple[str, int]], workers: int) -> list[tuple[str, int]]:
    """``workers`` workers on hosts that have room for these many (SCOOP's manual, 2.2.6).

    Fewer workers than room: fills host after host; the last hosts may get none. More: fills
    every host, and deals out the rest round robin.
    """
    room = sum(count for _, count in hosts)
    rounds, rest = divmod(max(0, workers - room), len(hosts))
    placed: list[tuple[str, int]] = []
    left = workers
    for at, (name, count) in enumerate(hosts):
        count = min(left, count + rounds + (at < rest))
        left -= count
        if count:
            placed.append((name, count))
    return placed
