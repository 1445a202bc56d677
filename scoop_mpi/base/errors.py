"""Every exception that scoop_mpi raises by itself.

``CancelledError`` and ``TimeoutError`` are not here: they are the standard
library's (``concurrent.futures``), as PEP 3148 asks.
"""

from __future__ import annotations

import pickle
from typing import NoReturn

TIMED_OUT = 124
"""Exit code of a job that ``--timeout`` has ended, as timeout(1) has it."""


INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it."""


class ScoopError(Exception):
    """Base of the errors that scoop_mpi defines."""


class LaunchError(ScoopError):
    """The job cannot start; the message names the cause and the remedy.

    Args:
        message: one sentence for the user.
        exit_code: what the process should exit with (1 to 255).
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class MainGuardError(ScoopError):
    """A worker that imports the program was asked to run it as well."""

    def __init__(
        self, message: str = "a verb of scoop_mpi was called while a worker imported "
        "the program; put the call under: if __name__ == '__main__':"
    ) -> None:
        super().__init__(message)


class DeadlockError(ScoopError):
    """Every task waits for another, and none is left that could run."""


class ThreadError(ScoopError, RuntimeError):
    """A verb was called from a thread other than the one that runs tasks."""


class ForkError(ScoopError):
    """A forked child has used a future or map that its parent has begun."""

    def __init__(
        self, message: str = "this process was forked by a task or the program: a future or "
        "map of its parent that was not done by then is out of its reach; futures and maps "
        "of its own run serially"
    ) -> None:
        super().__init__(message)


class NotPicklableError(ScoopError, pickle.PicklingError):
    """A callable, an argument or a result cannot be pickled.

    The message starts with ``This element could not be pickled: `` as in SCOOP.
    """

    def __init__(self, what: str) -> None:
        prefix = "This element could not be pickled: "
        super().__init__(what if what.startswith(prefix) else prefix + what)


class TaskError(ScoopError):
    """Stands for a task's exception that could not be pickled or rebuilt.

    Args:
        type_name: qualified name of the original exception's type.
        message: ``str()`` of the original exception.
        traceback: the formatted remote traceback.
    """

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        super().__init__(type_name, message, traceback)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}"


class RemoteTraceback(ScoopError):
    """The ``__cause__`` of an exception that a task raised on another rank.

    Args:
        text: the formatted traceback, as printed on the rank where it was raised.
        rank: MPI rank that ran the task.
        host: name of that rank's host.
    """

    def __init__(self, text: str, rank: int, host: str) -> None:
        super().__init__(text, rank, host)
        self.text = text
        self.rank = rank
        self.host = host

    def __str__(self) -> str:
        return f"raised on rank {self.rank} ({self.host})\n\n{self.text}"


def assert_never(value: NoReturn) -> NoReturn:
    """Ends a ``match`` that handles every case (``typing.assert_never`` from 3.11 on)."""
    raise AssertionError(f"not handled: {value!r}")
