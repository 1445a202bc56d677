"""The thread that runs tasks, where the program has the main thread: on the root, and alone.

On all other ranks tasks run on the main thread. Here the program keeps it, as signal
handlers, windows and many libraries need it, and so that it never waits behind a task.

The thread starts when the program first uses a verb. So tasks see what the program has set
before in its context (``contextvars``: the precision of ``decimal``, say), as they do on
workers, which have imported the program.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from ..base import context, forks
from ..base.frames import Called, calls_user_code
from ..workers.scheduler import Scheduler
from .machine import Machine


class TasksThread:
    """Makes a scheduler on a thread of its own, which serves until the job is over.

    Args:
        make: makes the scheduler.
        abort: ends the job, with an exit code.
    """

    def __init__(
        self, make: Callable[[], Scheduler], machine: Machine, abort: Callable[[int], None]
    ) -> None:
        self.exit_code = 0
        """What :meth:`Scheduler.serve` has returned."""
        self._make = make
        self._machine = machine
        self._abort = abort
        self._begun, self._over = machine.event(), machine.event()
        self._scheduler: Scheduler | None = None
        machine.run_beside(self._run, "scoop_mpi tasks")
        self._begun.wait()

    @property
    def scheduler(self) -> Scheduler:
        """The one that was made."""
        assert self._scheduler is not None
        return self._scheduler

    def _run(self) -> None:
        """A defect in here takes the whole job down."""
        try:
            # So threads that tasks start are joined at the end, as those of workers are. This
            # one is a daemon all the same.
            setattr(threading.current_thread(), "_daemonic", False)
            self._scheduler = self._make()
            context.enter(self._scheduler)
            self._begun.set()
            self.exit_code = self._scheduler.serve()
        except BaseException as error:
            forks.end_if_forked(error)
            self._machine.report(traceback.format_exc())
            self._abort(1)
        finally:
            self._begun.set()
            self._over.set()

    def end(self) -> None:
        """The program is over: what it has submitted still runs. Returns at once."""
        self.scheduler.end()

    @calls_user_code(Called.FOR_CALLER, own_code=True)  # a signal handler may raise
    def join(self) -> None:
        """Returns when the thread is over."""
        self._over.wait()
