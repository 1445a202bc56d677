"""Runs the launcher: carries standard input to the root, passes signals on, keeps time.

The launcher is the child of a guardian (``guardian``), not of this process.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from ..base.errors import TIMED_OUT, LaunchError
from ..process.world import ROOT_PID_VARIABLE, STDIN_BY_LAUNCHER, STDIN_VARIABLE, TERMINAL_VARIABLE
from .command import Command

GRACE_S = 10.0
"""Seconds beyond the time limit that the broker, which keeps it, gets to end the job."""
GUARDIAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guardian.py")


class Stdin(Enum):
    """How standard input gets to the root."""

    TERMINAL = "the root opens our terminal itself"
    PIPE = "a named pipe on this host"
    LAUNCHER = "the launcher sends it there"
    NONE = "not at all: the program finds it empty"


class Signals(NamedTuple):
    """The two ends of a pipe through which the numbers of signals go, a byte each."""

    hear: int
    tell: int


class Ended(NamedTuple):
    """How a job ended; ``root_started`` is False also if that is not known."""

    exit_code: int
    root_started: bool


def run(
    build: Callable[[str, dict[str, str]], Command], stdin: Stdin,
    timeout_s: float | None = None, grace_s: float = GRACE_S,
) -> Ended:
    """Runs a job to its end.

    Args:
        build: the command, from the path of its file of hosts and the variables that
            are to be set for all ranks.
        stdin: how our standard input gets to the root.
        timeout_s: seconds after which the job is ended; None: no limit.
        grace_s: seconds more in which its broker can end it.
    """
    has_stdin = _has_stdin()
    root_started = threading.Event()
    root = {Stdin.TERMINAL: "prompt", Stdin.PIPE: "local"}.get(stdin, "remote")
    # The guardian removes the folder, too: we may be killed.
    with heard() as signals, tempfile.TemporaryDirectory(prefix="scoop_mpi-") as folder:
        variables: dict[str, str] = {}
        if root != "remote":
            variables[ROOT_PID_VARIABLE] = os.path.join(folder, "root")
        if stdin is Stdin.TERMINAL:
            variables[TERMINAL_VARIABLE] = os.ttyname(0)
        elif has_stdin and stdin is Stdin.PIPE:
            variables[STDIN_VARIABLE] = _carry_stdin(folder, root_started)
        elif has_stdin and stdin is Stdin.LAUNCHER:
            variables[STDIN_VARIABLE] = STDIN_BY_LAUNCHER
        else:
            variables[STDIN_VARIABLE] = os.devnull
        host_file = os.path.join(folder, "hosts")
        command = build(host_file, variables)
        if command.host_list:
            Path(host_file).write_text(command.host_list, encoding="utf-8")
        by_launcher = variables.get(STDIN_VARIABLE) == STDIN_BY_LAUNCHER
        with _terminal_kept() if stdin is Stdin.TERMINAL else contextlib.nullcontext():
            guardian = _start(command, folder, root, signals, 0 if by_launcher else None)
            exit_code = _wait(guardian, signals.tell, timeout_s, grace_s)
    return Ended(exit_code, root_started.is_set())


def output_of(command: Command, folder: str, signals: Signals, limit_s: float) -> str:
    """What a job that asks for no input writes to standard output.

    Args:
        folder: of its temporary files; it is removed.
        signals: as :func:`heard` has them.

    Raises:
        LaunchError: it was interrupted.
    """
    with tempfile.TemporaryFile() as output:
        guardian = _start(command, folder, "local", signals, None, output.fileno())
        exit_code = _wait(guardian, signals.tell, limit_s, GRACE_S)
        if exit_code in (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP):
            raise LaunchError("", exit_code)
        output.seek(0)
        return output.read().decode(errors="replace")


@contextlib.contextmanager
def heard() -> Iterator[Signals]:
    """Signals no longer end this process, but go to the guardian that :func:`_run` starts.

    They are heard before there is one: else temporary files would be left behind.
    """
    signals = Signals(*os.pipe())
    os.set_blocking(signals.tell, False)
    # Whichever thread gets a signal: its number goes into the pipe at once. (A handler would
    # run in this thread only, which waits and need not wake up.)
    pipe_before = signal.set_wakeup_fd(signals.tell, warn_on_full_buffer=False)
    # What is ignored stays so (nohup).
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
               if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, _passed_on) for number in numbers]
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(pipe_before)
        for end in signals:
            os.close(end)
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def _start(
    command: Command, folder: str, root: str, signals: Signals, stdin: int | None,
    stdout: int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts the launcher under a guardian, to which signals are passed on.

    That gets a session of its own, so that Ctrl-C in a terminal reaches nobody but us.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", GUARDIAN, str(signals.hear), folder, root, *command.argv],
            env={**os.environ, **command.variables}, start_new_session=True,
            pass_fds=[signals.hear], stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout)
    except OSError as error:
        raise LaunchError(f"{command.argv[0]} does not start: {error.strerror}") from None


def _passed_on(number: int, frame: object) -> None:
    """The guardian has heard of it."""


def _wait(
    guardian: subprocess.Popen[bytes], control: int, timeout_s: float | None, grace_s: float
) -> int:
    """Waits for the job's end. The broker keeps the time; this is for its absence."""
    try:
        exit_code = guardian.wait(None if timeout_s is None else timeout_s + grace_s)
        return exit_code if exit_code >= 0 else 128 - exit_code
    except subprocess.TimeoutExpired:
        print(f"scoop_mpi: the job did not end within {timeout_s:g} s, and its broker does not "
              "answer; ending it", file=sys.stderr, flush=True)
    os.write(control, bytes([signal.SIGTERM]))
    guardian.wait()
    return TIMED_OUT


def plug_streams() -> None:
    """Opens standard streams that are closed.

    Else the next file that anybody opens is taken for one of them. What is written to a
    closed standard output still counts as lost.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # it gets this number
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Puts the terminal's settings back, in case the root was killed while it edited a line."""
    settings = termios.tcgetattr(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _has_stdin() -> bool:
    return not (sys.stdin is None or sys.stdin.closed or _is_background())


def _carry_stdin(folder: str, opened: threading.Event) -> str:
    """Makes a named pipe that carries our standard input to the root; returns its path.

    Args:
        opened: is set when the root has opened it.

    mpiexec would give it to rank 0, the broker, and Open MPI's forwarding does not pass
    on the end of input.
    """
    path = os.path.join(folder, "stdin")
    os.mkfifo(path, 0o600)
    threading.Thread(target=_carry, args=(path, opened), daemon=True).start()
    return path


def _carry(path: str, opened: threading.Event) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as pipe:
        opened.set()
        while data := os.read(0, 1 << 16):
            pipe.write(data)


def _is_background() -> bool:
    """Reading the terminal from the background would stop the job."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return True


def has_input(descriptor: int) -> bool:
    """Is it a file, or a pipe in which something waits?"""
    try:
        mode = os.fstat(descriptor).st_mode
        waiting = array.array("i", [0])
        if stat.S_ISFIFO(mode):
            fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
        return stat.S_ISREG(mode) or bool(waiting[0])
    except OSError:
        return False
