"""Runs sections serially and on workers, compares, and reduces what differs.

The reference is plain Python, in one process. A job runs many sections, since it takes a
second to start one; a section whose outcome differs, or in which the job hangs or dies, is
run again by itself, with its neighbours left out, to see whether it alone shows it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mpi"))

from launching import PACKAGE_FOLDER, Job, JobError, command_for, environment  # noqa: E402

from .kinds import section  # noqa: E402
from .source import write  # noqa: E402

SUPPORT = Path(__file__).resolve().parent / "support"
LIMIT_S = 60.0
"""A job that has not ended by then hangs."""
ALONE_LIMIT_S = 15.0
"""The same for one section."""
ALONE = 5
"""Times, at most, that a suspicious section runs by itself."""


class Way(NamedTuple):
    """How a job is run."""

    workers: int
    strict: bool = False
    alias: bool = False

    def __str__(self) -> str:
        return (f"--workers {self.workers}" + " --strict" * self.strict + " --alias" * self.alias)


@dataclass(frozen=True)
class Find:
    """A section that went wrong; ``alone``: does it do so by itself as well?"""

    name: str
    way: Way
    expected: str
    got: str
    alone: str = ""

    def __str__(self) -> str:
        same = len(os.path.commonprefix([self.expected, self.got]))
        start = max(0, same - 100)
        return (f"{self.name} {self.alone}\n  serially: ...{self.expected[start:same + 200]}\n"
                f"  on workers: ...{self.got[start:same + 200 if same else None]}\n"
                f"  python -m tests.fuzz --seed {self.name} {self.way}")


class Report(NamedTuple):
    """What a run of a program said: the outcome of each section, how it ended ('': well)."""

    outcomes: dict[str, str]
    begun: str
    """The section in which it ended, '' if that was after all of them."""
    trouble: str


class Runner:
    """Runs sections in a folder.

    Args:
        folder: where programs are written; each job has a folder of its own in it.
        without: what sections are made without, of ``section.WITHOUT``.
    """

    def __init__(self, folder: Path, without: Collection[str] = ()) -> None:
        self.folder = folder
        self._without = without
        self._jobs = 0

    def finds(self, names: Sequence[str], way: Way, reduce: bool = True) -> Iterator[Find]:
        """Runs the sections of these names; yields those that go wrong."""
        expected = self._run(names, None)
        if expected.trouble:
            yield Find(expected.begun, way, f"does not end well: {expected.trouble}", "not run")
            names = [name for name in names if name in expected.outcomes]
        yield from self._compared(names, way, expected.outcomes, reduce)

    def _compared(
        self, names: Sequence[str], way: Way, expected: dict[str, str], reduce: bool
    ) -> Iterator[Find]:
        left = list(names)
        while left:
            report = self._run(left, way)
            for name in left:
                if name in report.outcomes and report.outcomes[name] != expected[name]:
                    yield self._alone(name, way, expected[name], report.outcomes[name], reduce)
            if not report.trouble:
                return
            culprit = report.begun or left[-1]
            yield self._alone(culprit, way, expected[culprit], report.trouble, reduce)
            left = left[left.index(culprit) + 1:]

    def _alone(self, name: str, way: Way, expected: str, got: str, again: bool) -> Find:
        """The find; ``again``: does the section go wrong by itself?"""
        for runs in range(1, ALONE + 1 if again else 0):
            report = self._run([name], way, ALONE_LIMIT_S)
            if report.trouble or report.outcomes.get(name) != expected:
                return Find(name, way, expected, got, f"alone in run {runs}")
        return Find(name, way, expected, got, "not alone" if again else "")

    def _run(self, names: Sequence[str], way: Way | None, limit_s: float = LIMIT_S) -> Report:
        """Runs a program of these sections; serially if no way is given."""
        self._jobs += 1
        folder = self.folder / f"job-{self._jobs}"
        folder.mkdir(parents=True)
        alias = way is not None and way.alias
        program = write([section(name, self._without) for name in names], folder,
                        "scoop" if alias else "scoop_mpi")
        environ = environment("self", {
            "PYTHONPATH": f"{PACKAGE_FOLDER}:{SUPPORT}", "FUZZ_STACKS_AFTER_S": str(limit_s - 3),
        })
        if way is None:
            command = command_for(program, (), None, "python")
        else:
            options = ["--strict"] if way.strict else []
            words = [*options, str(program)]
            command = command_for(words[0], words[1:], way.workers + 1, "self")
        job = Job(command, cwd=folder, environ=environ, timeout=limit_s)
        try:
            finished = job.finish()
            output = finished.stdout
            trouble = str(finished) if finished.returncode else ""
        except JobError as error:
            output, trouble = "", str(error)
            output = trouble
        finally:
            job.kill()
        report = _read(output, trouble)
        if not trouble:
            shutil.rmtree(folder)
        return report


def _read(output: str, trouble: str) -> Report:
    outcomes = dict(re.findall(r"^@end (\w+) (.*)$", output, re.MULTILINE))
    begun = [name for name in re.findall(r"^@begin (\w+)$", output, re.MULTILINE)
             if name not in outcomes]
    return Report(outcomes, begun[-1] if begun else "", trouble)
