"""One process without others: a program that no launcher has started, or a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..base import context
from ..base.errors import TIMED_OUT, ForkError
from ..base.log import logger
from ..base.messages import BROKER, ROOT, Failure, Message
from ..base.streams import flush_output
from ..base.tuning import TUNING, Tuning
from ..base.uncaught import HERE
from ..broker.registry import Registry
from ..identity.names import Names
from ..tasks.future import CANCELLED, Future
from ..wire.codec import Codec
from ..workers.constants import Constants
from ..workers.scheduler import Scheduler
from ..workers.signals import guard
from .endings import late_failure, timed_out
from .machine import report
from .schedulers import make_scheduler
from .world import has_rank_above


class Alone:
    """The endpoint of a process without others: its messages are answered on the spot.

    Only what concerns constants is ever sent.
    """

    rank = ROOT
    size = 2

    def __init__(self) -> None:
        self._registry = Registry([ROOT])
        self._answers: deque[tuple[int, Message]] = deque()

    def send(self, dest: int, message: Message) -> None:
        """Asks the broker's table of constants, which is here."""
        for _, answer in self._registry.handle(self.rank, message):
            self._answers.append((BROKER, answer))

    def receive(self) -> tuple[int, Message] | None:
        """The next answer."""
        return self._answers.popleft() if self._answers else None

    def progress(self) -> None:
        """Nothing to do."""

    def transferring(self) -> bool:
        """Never."""
        return False


def limit_time(timeout_s: float | None) -> None:
    """Ends this process after ``timeout_s`` seconds; None: no limit."""
    if timeout_s is not None:
        timer = threading.Timer(timeout_s, _end, [timeout_s])
        timer.daemon = True
        timer.start()


def _end(timeout_s: float) -> None:
    report(timed_out(timeout_s).text)
    # Whoever reads our output may have stopped; then it is lost.
    flush = threading.Thread(target=flush_output, daemon=True)
    flush.start()
    flush.join(1.0)
    os._exit(TIMED_OUT)


class NoPause:
    """The :class:`scoop_mpi.workers.loop.Idler` of a process without others."""

    spin_s = 0.0

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        time.sleep(max(0.0, min(limit_s or 0.0, TUNING.sleep_max_s)))  # a signal may have come

    def resume(self) -> None:
        pass

    def rouse(self) -> None:
        pass


def start_alone(names: Names | None = None, tuning: Tuning = TUNING) -> Scheduler:
    """A scheduler for this process only; what was submitted still runs at exit.

    Args:
        names: what is noted of the program; None: noted when something is first pickled.
    """
    if names is None:
        names = Names()
        names.due = True
    return _until_exit(make_scheduler(
        Alone(), Codec(names, tuning), NoPause(), alone=True, tuning=tuning))


def _until_exit(scheduler: Scheduler) -> Scheduler:
    scheduler.expect_errors()
    guard.install()
    atexit.register(scheduler.close)
    atexit.register(_run_leftovers, scheduler, threading.get_ident())
    return scheduler


def forget_leftovers() -> None:
    """What was submitted and never waited for does not run at exit."""
    atexit.unregister(_run_leftovers)


def run_leftovers(scheduler: Scheduler) -> Failure | None:
    """Runs it now; returns how that ended if a signal handler of the program has ended it."""
    forget_leftovers()
    scheduler.serve()
    if scheduler.ended_by is not None:
        guard.ignore_ctrl_c()
    return late_failure(scheduler.ended_by)


def _run_leftovers(scheduler: Scheduler, thread: int) -> None:
    # last_value: an uncaught exception has ended the program.
    if hasattr(sys, "last_value"):
        return
    if thread != threading.get_ident():  # its greenlets can be resumed there only
        if scheduler.backlog:
            logger.warning("tasks that another thread has submitted, and not waited for, have not "
                           "run; submit them in the main thread")
        return
    run_leftovers(scheduler)
    if isinstance(scheduler.ended_by, KeyboardInterrupt):
        # Python remembers that such code was left by Ctrl-C: when all else is done it ends
        # the process by SIGINT (for a shell: exit code 130).
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")
    elif scheduler.ended_by is not None:
        raise scheduler.ended_by  # printed


class _ChildScheduler(Scheduler):
    """Runs what a forked child asks for, serially, in the child.

    Its tasks are numbered from its parent's on, so that theirs can be told apart.
    """

    __slots__ = ("_inherited",)

    def __init__(self, inherited: int) -> None:
        super().__init__(Alone(), Codec(), time.perf_counter, NoPause(), alone=True)
        self._inherited = self.created = inherited

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """See :meth:`scoop_mpi.workers.scheduler.Scheduler.wait_for`.

        Raises:
            ForkError: it is a future of the parent.
        """
        if future.number <= self._inherited and future.state is not CANCELLED:
            raise ForkError()
        super().wait_for(future, timeout)


def _inherit(parents: Scheduler) -> Callable[[], Scheduler]:
    """What makes the scheduler of a forked child; called at the fork, as its parent's goes."""
    return partial(_start_in_child, parents.created, parents.constants)


def _start_in_child(inherited: int, constants: Constants) -> Scheduler:
    scheduler = _ChildScheduler(inherited)
    scheduler.inherit(constants)
    return _until_exit(scheduler)


def _become_child() -> None:
    forget_leftovers()
    context.become_child(_inherit)


# Here, as this module is imported by whatever makes a scheduler, and once.
os.register_at_fork(before=context.before_fork, after_in_parent=context.after_fork,
                    after_in_child=_become_child)


def start_without_launcher() -> Scheduler:
    """As :func:`start_alone`, for a program that no launcher has started.

    It warns, unless a rank has started this process by other means than a launcher.
    """
    if has_rank_above():
        return start_alone()
    program = sys.argv[0] if sys.argv and sys.argv[0] else "program.py"
    warnings.warn(
        "scoop_mpi was not started by a launcher, so this program runs serially; "
        f"start it with: python -m scoop_mpi {program}",
        RuntimeWarning, stacklevel=_frames_of_ours() + 1,
    )
    return start_alone()


def _frames_of_ours() -> int:
    """How many of the innermost frames belong to this package."""
    frame, number = sys._getframe(1), 0
    while frame is not None and frame.f_code.co_filename.startswith(HERE):
        assert frame.f_back is not None
        frame, number = frame.f_back, number + 1
    return number
