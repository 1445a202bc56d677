"""The interpreters that the peers run in, and what is installed in each.

There are two: the project's own, which runs ``run.py``, and ``.venv-bench`` for the
peers that the project does not depend on. What depends on MPI runs in the project's
own, so that all of it runs on the same MPI library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scoop_mpi.launch.command import Request, build
from scoop_mpi.launch.launchers import choose
from scoop_mpi.launch.plan import make_plan
from scoop_mpi.process.library import loaded_library

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BENCH_VENV = ROOT / ".venv-bench"
REQUIREMENTS = ("scoop==0.7.2.0", "joblib", "loky", "distributed", "ray")
INSTALL_LIMIT_S = 600


@dataclass(frozen=True)
class Environment:
    """An interpreter and what it has.

    Args:
        python: the path of the interpreter.
        versions: of the distributions, by name.
    """

    python: str
    versions: dict[str, str]


def environ() -> dict[str, str]:
    """The environment variables of all peers: they find the tree and these modules."""
    path = [str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def mpiexec(ranks: int) -> tuple[list[str], dict[str, str]]:
    """The words that start so many ranks here, and the environment they need.

    Raises:
        LaunchError: there is no launcher.
    """
    choice = choose(loaded_library())
    plan = make_plan(ranks - 1, (), "", None, (), 1, lambda names: {})
    command = build(choice, plan, Request((), ""), environ(), "")
    return command.argv[:-1], {**environ(), **command.variables}


def own() -> Environment:
    """The environment that this runs in."""
    return _look_into(sys.executable)


def bench() -> Environment:
    """``.venv-bench``; made at the first use. What does not install is left out."""
    python = BENCH_VENV / "bin" / "python"
    if not python.exists():
        _attempt([sys.executable, "-m", "venv", str(BENCH_VENV)])
    versions = _look_into(str(python)).versions
    for requirement in REQUIREMENTS:
        name, _, version = requirement.partition("==")
        if name in versions and version in ("", versions[name]):
            continue
        _attempt([str(python), "-m", "pip", "install", "--quiet",
                  "--disable-pip-version-check", requirement])
    return _look_into(str(python))


def _look_into(python: str) -> Environment:
    try:
        answer = subprocess.run(
            [python, str(HERE / "versions.py")], capture_output=True, env=environ(),
            timeout=60, check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Environment(python, {})
    return Environment(python, json.loads(answer.stdout))


def _attempt(command: list[str]) -> None:
    """Runs ``command``; if it fails, says so, and the peers that need it are missing."""
    print("$", *command, file=sys.stderr, flush=True)
    try:
        subprocess.run(command, check=True, timeout=INSTALL_LIMIT_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
