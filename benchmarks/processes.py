"""Runs a program with a hard time limit and leaves none of its processes behind.

The program gets a session of its own. MPI launchers put each rank into a further
session, so a program that is stopped is stopped by its process tree, read from /proc
before the first process is told to end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

POLL_S = 0.1
GRACE_S = 3.0
"""Seconds to end by itself, once it has been told to or has said all it has to say."""


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    Args:
        lines: what it printed on standard output.
        errors: what it printed on standard error.
        exit_code: None if it was stopped.
        timed_out: it was stopped because of the time limit.
    """

    lines: list[str]
    errors: str
    exit_code: int | None
    timed_out: bool


@dataclass(frozen=True)
class Process:
    """A line of /proc: identified by pid and start time, as pids are used again."""

    pid: int
    started: int
    parent: int
    cpu_s: float


def run(
    command: Sequence[str], environ: Mapping[str, str], limit_s: float,
    is_last: Callable[[str], bool], cwd: Path,
) -> Outcome:
    """Runs ``command`` until it ends, ``limit_s`` has passed, or it has said all.

    Args:
        is_last: True for the line of standard output after which nothing is to come; a
            program that does not end ``GRACE_S`` after it is stopped.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            start_new_session=True, cwd=cwd,
        )
        try:
            said_all = _wait(process, output, time.monotonic() + limit_s, is_last)
        finally:
            stop(process)
        return Outcome(
            lines=_text(output).splitlines(),
            errors=_text(errors),
            exit_code=process.returncode,
            timed_out=not said_all,
        )


def _wait(
    process: subprocess.Popen[bytes], output: IO[bytes], deadline: float,
    is_last: Callable[[str], bool],
) -> bool:
    """True if the process has ended or said all, False if the deadline came first."""
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            return True
        if any(map(is_last, _text(output).splitlines())):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            return True
    return False


def _text(file: IO[bytes]) -> str:
    """All of ``file``, by position: the offset is shared with the writing processes."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, its descendants, and what else is in its group."""
    if process.poll() is None:
        family = descendants(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        _kill(family)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _kill(family: Sequence[Process]) -> None:
    alive = {(process.pid, process.started) for process in processes()}
    for process in family:
        if (process.pid, process.started) in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def processes() -> list[Process]:
    """All processes of this machine."""
    found = (_read(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [process for process in found if process is not None]


def _read(pid: str) -> Process | None:
    """See proc(5), ``/proc/pid/stat``; None if the process has ended."""
    try:
        text = Path("/proc", pid, "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(
        pid=int(pid), started=int(fields[19]), parent=int(fields[1]),
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
    )


def descendants(pid: int) -> list[Process]:
    """The children of ``pid``, theirs, and so on."""
    children: dict[int, list[Process]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    found = list(children.get(pid, ()))
    for process in found:
        found += children.get(process.pid, ())
    return found


def leaves(pid: int) -> list[Process]:
    """Those descendants of ``pid`` that have no children: in an MPI job, the ranks."""
    family = descendants(pid)
    parents = {process.parent for process in family}
    return [process for process in family if process.pid not in parents]


class Memory:
    """How much memory the job of a process takes, from now on; see proc(5).

    Args:
        pid: all its descendants are the job.
    """

    def __init__(self, pid: int) -> None:
        self._before = {}
        for process in descendants(pid):
            with contextlib.suppress(OSError):
                # From here on VmHWM is the highest value since now.
                Path("/proc", str(process.pid), "clear_refs").write_text("5")
                self._before[process.pid] = _mebibytes(process.pid, "VmRSS")

    def growth(self) -> float:
        """Peaks above what they had, of all processes, in MiB."""
        return sum(_mebibytes(pid, "VmHWM") - before for pid, before in self._before.items())


def _mebibytes(pid: int, field: str) -> float:
    """A field of ``/proc/PID/status``; 0 if there is none: a kernel thread, or ended."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) / 1024
    return 0.0
