"""What the clusters have in common: start, stop, run something in it, find its processes.

A cluster keeps all it has (configuration, spool, keys, logs, pid files) in one folder, so
two of them do not meet. Nothing here waits without a limit.
"""

from __future__ import annotations

import abc
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launching import Finished, Job, environment

SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Daemons are in folders that PATH may lack."""


class ClusterError(AssertionError):
    """A cluster could not be started or stopped, or a command for it failed."""


class Cluster(abc.ABC):
    """A job scheduler, or several hosts, on this machine.

    Args:
        folder: where all of its state goes; created if need be. Daemons that run as other
            users must be able to reach it.
    """

    name: str
    commands: tuple[str, ...]
    """What must be installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {"PATH": _path()}
        """The variables that make commands use this cluster."""

    @classmethod
    def missing(cls, search: str = SEARCH) -> str:
        """Why this machine cannot have this cluster; empty if it can."""
        absent = [name for name in cls.commands if shutil.which(name, path=search) is None]
        if absent:
            return f"{cls.name} is not installed ({', '.join(absent)})"
        return "" if os.geteuid() == 0 else f"{cls.name} can be started by root only"

    def start(self) -> None:
        """Starts it.

        Raises:
            ClusterError: it does not start; says why, with the ends of its logs. Nothing
                of it is left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException as error:
            logs = self.logs()
            self.stop()
            if isinstance(error, Exception):
                raise ClusterError(f"{self.name} did not start: {error}\n{logs}") from error
            raise

    @abc.abstractmethod
    def _start(self) -> None: ...

    @abc.abstractmethod
    def stop(self) -> None:
        """Stops it and all that runs in it; does nothing if it does not run."""

    @abc.abstractmethod
    def pids(self) -> set[int]:
        """The living processes of all jobs in it (not those of the cluster itself)."""

    def sweep(self) -> None:
        """Ends all processes of jobs in it; for tests that leave some on purpose."""
        end_processes(self.pids, f"what runs in {self.name}")

    def logs(self, lines: int = 15) -> str:
        """The ends of the log files."""
        parts = []
        for file in sorted(self.folder.rglob("*.log")):
            text = file.read_text(errors="replace").splitlines()[-lines:]
            parts += [f"-- {file.name}", *text]
        return "\n".join(parts)

    def _begin(
        self, command: Sequence[str], *, timeout: float = 60, cwd: Path | None = None,
        env: Mapping[str, str] | None = None, stdin: str | None = None, bare: bool = False,
    ) -> Job:
        """Starts a command that uses the cluster.

        Args:
            timeout: after so many seconds the job has failed.
            cwd: the working directory; by default the cluster's folder.
            env: more variables.
            bare: an ``mpiexec`` in the command is started without help of the package, so
                it needs the variables that our own launcher would set.
        """
        return Job(list(command), cwd=cwd or self.folder, environ=self._environment(env, bare),
                   timeout=timeout, stdin=stdin)

    def _environment(self, env: Mapping[str, str] | None, bare: bool) -> dict[str, str]:
        return environment("mpirun" if bare else "self", {**self.environ, **(env or {})})

    def call(
        self, *command: str, timeout: float = 20, check: bool = True, cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> str:
        """Runs a command of the cluster's own; returns what it printed.

        Raises:
            ClusterError: it fails, unless ``check`` is false.
        """
        environ = {**os.environ, **self.environ} if environ is None else environ
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
            env={**environ, "PATH": f"{environ['PATH']}{os.pathsep}{SEARCH}"},
            cwd=cwd or self.folder,
        )
        if check and done.returncode:
            raise ClusterError(f"{' '.join(command)}: exit code {done.returncode}\n"
                               f"{done.stdout}{done.stderr}")
        return done.stdout


class Scheduler(Cluster):
    """A cluster whose jobs are submitted, or started by a command, on this host."""

    def run(self, command: Sequence[str], **options: Any) -> Finished:
        """Runs a command that uses the scheduler, to its end.

        Args:
            options: as :meth:`Cluster._begin` has them: timeout, cwd, env, stdin, bare.

        Raises:
            JobError: it took too long, or some of its processes did not end with it.
        """
        return self.begin(command, **options).finish()

    def begin(self, command: Sequence[str], **options: Any) -> Job:
        """Like :meth:`run`, but returns the running job; the caller must end it."""
        return self._begin(command, **options)

    @abc.abstractmethod
    def submit(
        self, script: Path, *args: str, options: Sequence[str] = (), timeout: float = 60,
        cwd: Path | None = None, env: Mapping[str, str] | None = None, bare: bool = False,
    ) -> Finished:
        """Submits a batch script and waits for its end.

        Args:
            options: for the command that submits.

        Returns:
            The exit code and the output of the script.
        """

    @abc.abstractmethod
    def wait_for(self, job: str, timeout: float = 60) -> int:
        """Waits for the end of a job that was submitted otherwise; returns its exit code.

        Raises:
            JobError: it took too long; it has been cancelled.
        """


def _path() -> str:
    """PATH with the running interpreter's folder first, as in an activated environment."""
    folder = os.path.dirname(sys.executable)
    return os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])


def wait_until(condition: Callable[[], object], what: str, timeout: float) -> None:
    """Returns as soon as the condition holds.

    Raises:
        ClusterError: it does not within ``timeout`` seconds.
    """
    stop_by = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > stop_by:
            raise ClusterError(f"not within {timeout} s: {what}")
        time.sleep(0.05)


def free_ports(number: int) -> list[int]:
    """Consecutive ports that nobody listens on, below those the kernel gives to clients."""
    choice = random.Random()    # another than hypothesis and the tests use
    for _ in range(100):
        first = choice.randrange(12000, 32000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + number):
                stack.enter_context(socket.socket()).bind(("", port))
            return list(range(first, first + number))
    raise ClusterError(f"no {number} free ports in a row")


def pids_with(variable: str, *names: str) -> set[int]:
    """Processes that have ``NAME=value`` in their environment, and one of some other names."""
    found = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
            known = {entry.partition("=")[0] for entry in environ}
            if variable in environ and (not names or known.intersection(names)):
                found.add(int(pid))
    return found


def process_name(pid: int) -> str:
    """The short name of a process; empty if there is none, or only its corpse."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return "" if fields["State"].startswith("Z") else fields["Name"]


def read_pid(file: Path) -> int | None:
    """The number in a pid file."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def stop_daemon(file: Path, name: str, *, patience_s: float = 10) -> None:
    """Ends the daemon of a pid file, if that process still is one of this name."""
    pid = read_pid(file)
    if pid is not None:
        for number, limit in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
            if process_name(pid) != name:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            with contextlib.suppress(ClusterError):
                wait_until(lambda: process_name(pid) != name, f"the end of {name}", limit)
    file.unlink(missing_ok=True)


def end_processes(find: Callable[[], set[int]], what: str) -> None:
    """Kills what ``find`` finds until it finds nothing."""
    def gone() -> bool:
        pids = find()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids
    wait_until(gone, f"the end of {what}", 10)
