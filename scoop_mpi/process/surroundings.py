"""What a process arranges for itself before the program: directory, niceness, signals …

When our own command line starts the ranks the launcher does the first two; under
somebody's mpirun the rank does, from the same options.
"""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Iterable, MutableMapping

from ..base.errors import LaunchError

_PROLOG_DONE = "SCOOP_MPI_PROLOG_DONE"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What numerical libraries read, when they are loaded, to size their pools of threads."""


def prolog_is_due(environ: MutableMapping[str, str] = os.environ) -> bool:
    """False in the second life of this command, after :func:`run_prolog`."""
    return not environ.pop(_PROLOG_DONE, "")


def run_prolog(prefix: list[str], environ: MutableMapping[str, str] = os.environ) -> None:
    """Starts this very command again, behind a prolog. Does not return.

    Args:
        prefix: what stands before a command to have the prolog run first.
    """
    command = [*prefix, sys.executable, *sys.orig_argv[1:]]
    os.execve(command[0], command, {**environ, _PROLOG_DONE: "1"})


def enter(path: str) -> None:
    """Makes ``path`` the working directory.

    Raises:
        LaunchError: that cannot be done on this host.
    """
    try:
        os.chdir(path)
    except OSError as error:
        raise LaunchError(f"--path {path}: {error.strerror} on {os.uname().nodename}") from None


def set_pythonpath(paths: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Searches these folders for modules, and lets child processes do so."""
    before = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    environ["PYTHONPATH"] = paths
    sys.path[:] = [path for path in sys.path if path not in before]
    sys.path[1:1] = [os.path.abspath(path) for path in paths.split(os.pathsep) if path]


def set_home(environ: MutableMapping[str, str] = os.environ) -> None:
    """Sets HOME, if it is not set, to what ``~`` means then. Open MPI insists on it."""
    if "HOME" not in environ:
        try:
            environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:  # a user without an entry, as containers may have
            environ["HOME"] = "/"


def set_nice(level: int) -> None:
    """Sets the niceness of this process.

    Raises:
        LaunchError: this user may not.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, level)
    except OSError as error:
        raise LaunchError(f"--nice {level}: {error.strerror} on {os.uname().nodename}; only root "
                          "may lower it") from None


def hear_interrupts() -> bool:
    """Lets SIGINT come through, which ``__main__`` holds back.

    Returns:
        Did one come before? Then it is not delivered.
    """
    came = signal.SIGINT in signal.sigpending()
    if came:
        signal.sigwait({signal.SIGINT})
        came = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN  # as under nohup
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return came


def set_threads(threads: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """Tells numerical libraries how many threads to use, unless the user has.

    All of them follow OMP_NUM_THREADS if their own variable is not set.
    """
    if "OMP_NUM_THREADS" not in environ:
        for name in THREAD_VARIABLES:
            environ.setdefault(name, str(threads))


def fair_threads(mine: frozenset[int], neighbours: Iterable[frozenset[int]]) -> int:
    """The threads a worker may use so that cores are shared out fairly.

    Args:
        mine: the cores this worker may use.
        neighbours: those of each worker on this host, this one included.
    """
    rivals = sum(1 for cores in neighbours if cores & mine)
    return max(1, len(mine) // max(1, rivals))
