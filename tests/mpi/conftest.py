"""Fixtures that run programs under a real mpiexec, with hard time limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from launching import PROGRAMS, Finished, Job, JobError, command_for, environment


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts a program and returns the running :class:`launching.Job`; see :func:`run`."""
    jobs: list[Job] = []

    def start(
        program: Path | str, *args: str, ranks: int | None = 3, launcher: str = "mpirun",
        timeout: float = 60, stdin: str | None = None, env: dict[str, str] | None = None,
    ) -> Job:
        if isinstance(program, str) and "\n" in program:
            file = tmp_path / "program.py"
            file.write_text(program)
            program = file
        jobs.append(Job(
            command_for(program, args, ranks, launcher), cwd=tmp_path, stdin=stdin,
            environ=environment(launcher, env), timeout=timeout,
        ))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


@pytest.fixture
def run(start: Callable[..., Job]) -> Callable[..., Finished]:
    """Runs a program to its end: run(program, *args, ranks, launcher, timeout, stdin, env).

    ``program`` is its text, or a path, or the first argument after ``-m scoop_mpi``.
    The program's working directory is the test's ``tmp_path``.
    """
    return lambda *args, **options: start(*args, **options).finish()


Look = Callable[..., None]
NO_CHANGES: Mapping[str, str] = MappingProxyType({})


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Looks at the outcome of a check of a program: look(program, ranks, check, *options, env).

    The program runs once for each number of ranks, and for other options, with all its checks.
    """
    reports: dict[tuple[str, ...], tuple[dict[str, str], str]] = {}

    def look(
        program: str, ranks: int, check: str, *options: str, env: Mapping[str, str] = NO_CHANGES
    ) -> None:
        key = program, str(ranks), *options, *env.values()
        if key not in reports:
            folder = tmp_path_factory.mktemp(f"{Path(program).stem}-{ranks}-")
            reports[key] = _report(program, ranks, folder, options, env)
        outcomes, ending = reports[key]
        assert check in outcomes, f"{check} has no outcome; the job: {ending}"
        assert not outcomes[check], outcomes[check]

    return look


def _report(
    program: str, ranks: int, folder: Path, options: Sequence[str], env: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Runs a program of checks: what was wrong with each (empty: nothing), how it ended.

    A check in which the job ends is left out of a second run, and so on.
    """
    outcomes: dict[str, Any] = {}
    while True:
        file = folder / "report"
        file.write_text("")
        first, *args = [*options, str(PROGRAMS / program), str(file), *outcomes]
        job = Job(command_for(first, args, ranks, "mpirun"), cwd=folder,
                  environ=environment("mpirun", env), timeout=90)
        try:
            finished = job.finish()
            ending, ended_well = str(finished), finished.returncode == 0
        except JobError as error:
            ending, ended_well = str(error), False
        outcomes.setdefault("the end", "" if ended_well else ending)
        began = [name for kind, name, _ in map(json.loads, file.read_text().splitlines())
                 if kind == "began"]
        for kind, name, trouble in map(json.loads, file.read_text().splitlines()):
            if kind == "ended":
                outcomes[name] = trouble
        if ended_well or not began or began[-1] in outcomes:
            return outcomes, ending
        outcomes[began[-1]] = f"the job ended in it: {ending}"
