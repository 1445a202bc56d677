"""One process without others: a program that no launcher has started, or a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable

from ..base import context, forks
from ..base.errors import TIMED_OUT
from ..base.messages import BROKER, ROOT, Failure, Message
from ..base.streams import flush_output
from ..base.tuning import TUNING, Tuning
from ..base.uncaught import HERE
from ..broker.registry import Registry
from ..identity.names import Names
from ..wire.codec import Codec
from ..workers.constants import Constants
from ..workers.loop import FIRSTS
from ..workers.scheduler import Scheduler
from ..workers.signals import guard
from .endings import late_failure, timed_out
from .machine import MACHINE, report
from .schedulers import make_scheduler
from .tasks_thread import TasksThread
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


class Rest:
    """The :class:`scoop_mpi.workers.loop.Idler` of a process without others."""

    spin_s = 0.0

    def __init__(self) -> None:
        self._nudged = MACHINE.event()

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        """Until another thread has made something to do."""
        self._nudged.wait(limit_s)
        self._nudged.clear()

    def resume(self) -> None:
        pass

    def rouse(self) -> None:
        self._nudged.set()

    def nudge(self) -> None:
        self._nudged.set()


class Serial:
    """A process without others: a thread that runs its tasks, and what happens at exit.

    Args:
        names: what is noted of the program; None: noted when something is first pickled.
        firsts: see :class:`scoop_mpi.workers.loop.Loop`.
        constants: those that a forked child inherits.
    """

    def __init__(
        self, names: Names | None = None, tuning: Tuning = TUNING,
        firsts: tuple[int, int] = FIRSTS, constants: Constants | None = None,
    ) -> None:
        if names is None:
            names = Names()
            names.due = True
        self._names = names
        self._tuning = tuning
        self._firsts = firsts
        self._constants = constants
        self.ended_by: BaseException | None = None
        """What a signal handler of the program has raised after its end."""
        self._thread = TasksThread(self._make, MACHINE, _end_at_once)
        self.scheduler = self._thread.scheduler
        guard.install()
        atexit.register(self.scheduler.close)
        atexit.register(self._at_exit)
        _serving.append(self)

    def _make(self) -> Scheduler:
        scheduler = make_scheduler(
            Alone(), Codec(self._names, self._tuning), Rest(), alone=True, tuning=self._tuning,
            beside=True, firsts=self._firsts)
        if self._constants is not None:
            scheduler.inherit(self._constants)
        return scheduler

    def forget(self) -> None:
        """What was submitted and never waited for does not run at exit."""
        atexit.unregister(self._at_exit)
        _serving.clear()

    def finish(self) -> Failure | None:
        """Runs it now; returns how that ended if a signal handler of the program has ended it."""
        self.forget()
        self._thread.end()
        try:
            self._thread.join()
        except BaseException as error:
            forks.end_if_forked(error)
            self.ended_by = error
            guard.ignore_ctrl_c()
        return late_failure(self.ended_by)

    def _at_exit(self) -> None:
        # last_value: an uncaught exception has ended the program.
        if hasattr(sys, "last_value"):
            return
        self.finish()
        if isinstance(self.ended_by, KeyboardInterrupt):
            # Python remembers that such code was left by Ctrl-C: when all else is done it ends
            # the process by SIGINT (for a shell: exit code 130).
            with contextlib.suppress(KeyboardInterrupt):
                exec("raise KeyboardInterrupt")
        elif self.ended_by is not None:
            raise self.ended_by  # printed


_serving: list[Serial] = []
"""The one of this process, if there is one and its program is not over."""


def _end_at_once(exit_code: int) -> None:
    flush_output()
    os._exit(exit_code)


def start_alone(names: Names | None = None, tuning: Tuning = TUNING) -> Scheduler:
    """A scheduler for this process only; what was submitted still runs at exit."""
    return Serial(names, tuning).scheduler


def forget_leftovers() -> None:
    """What was submitted and never waited for does not run at exit."""
    for one in list(_serving):
        one.forget()


def run_leftovers() -> Failure | None:
    """Runs it now; returns how that ended if a signal handler of the program has ended it."""
    return _serving[0].finish() if _serving else None


def _inherit(parents: Scheduler) -> Callable[[], Scheduler]:
    """What makes the scheduler of a forked child; called at the fork, as its parent's goes.

    Its tasks are numbered from its parent's on, so that theirs can be told apart.
    """
    newest = sorted((parents.newest, parents.visits.newest))
    firsts = newest[0] + 1, newest[1] + 1
    constants = parents.constants
    return lambda: Serial(firsts=firsts, constants=constants).scheduler


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
