"""Starts real MPI jobs for the tests; nothing that is started outlives its time limit."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import scoop_mpi

PROGRAMS = Path(__file__).resolve().parent / "programs"
TUNED = Path(__file__).resolve().parents[2] / "benchmarks" / "tuned"
PACKAGE_FOLDER = str(Path(scoop_mpi.__file__).resolve().parent.parent)
"""What the children import must be what the tests import."""
LEAVE_S = 8.0
"""Seconds after the launcher's end in which every process of the job must be gone."""
_MARK = "SCOOP_MPI_TEST_JOB"


class JobError(AssertionError):
    """The job ran too long, left processes behind, or did not say what was waited for."""


def find_mpiexec() -> str:
    """The mpiexec of the running interpreter; with MPI=system the one on PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    system = os.environ.get("MPI") == "system"
    found = shutil.which("mpiexec") if system else shutil.which(beside)
    if found is None:
        where = "on PATH" if system else f"beside {sys.executable} (MPI=system takes that on PATH)"
        raise RuntimeError(f"these tests need an mpiexec; there is none {where}")
    return found


@functools.cache
def uses_open_mpi() -> bool:
    """True for Open MPI, False for MPICH and its relatives."""
    command = [find_mpiexec(), "--version"]
    version = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return "Open MPI" in version.stdout + version.stderr


def command_for(
    program: Path | str, args: Sequence[str], ranks: int | None, launcher: str
) -> list[str]:
    """The command line that runs ``program`` on ``ranks`` ranks.

    Args:
        launcher: 'mpirun': mpiexec starts the ranks; 'self': python -m scoop_mpi does
            (without -n if ``ranks`` is None); 'python': there is one plain process.
    """
    python = [sys.executable]
    if launcher == "self":
        python += ["-m", "scoop_mpi"] + ([] if ranks is None else ["-n", str(ranks - 1)])
    elif launcher == "mpirun":
        options = ["--oversubscribe", "--bind-to", "none"] if uses_open_mpi() else []
        python = [find_mpiexec(), *options, "-n", str(ranks), *python, "-m", "scoop_mpi"]
    else:
        assert launcher == "python", launcher
    return [*python, str(program), *args]


def environment(launcher: str, changes: Mapping[str, str] | None) -> dict[str, str]:
    """The environment for a job; ours with what the launcher and the test want."""
    environ = {**os.environ, "PYTHONPATH": PACKAGE_FOLDER}
    if launcher == "mpirun":
        # As our own launcher does it (launchers/openmpi.toml).
        environ.update(OMPI_MCA_btl="^ofi")
        if os.geteuid() == 0:
            environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return {**environ, **(changes or {})}


def tuned(**figures: float | None) -> dict[str, str]:
    """Changes of a job's environment: its ranks run with these figures of the tuning."""
    path = os.pathsep.join([PACKAGE_FOLDER, str(TUNED)])
    return {"PYTHONPATH": path, "SCOOP_MPI_BENCH_TUNING": json.dumps(figures)}


@dataclass(frozen=True)
class Finished:
    """A job that has ended: its exit code, its output, how long it took."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    lines: list[tuple[float, str]]
    """Lines of standard output with the seconds, from the end, at which they came."""

    def __str__(self) -> str:
        return (f"exit code {self.returncode} after {self.seconds:.1f} s\n"
                f"-- stdout\n{self.stdout[-4000:]}\n-- stderr\n{self.stderr[-4000:]}")


class Job:
    """A running job, in a session of its own.

    MPI launchers put ranks into process groups of their own; so that all of them can be
    found, every process of the job inherits a mark in its environment.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environ: Mapping[str, str],
        timeout: float, stdin: str | None = None,
    ) -> None:
        mark = uuid.uuid4().hex
        # Open MPI's launcher calls its folder by its process id and leaves it behind when it
        # is killed; a later one with the same id would not start.
        self._folder = tempfile.mkdtemp(prefix="job-")
        self._mark = f"{_MARK}={mark}".encode()
        self._began = time.monotonic()
        self._stop_by = self._began + timeout
        self._timeout = timeout
        self._process = subprocess.Popen(
            command, cwd=cwd, start_new_session=True,
            env={**environ, _MARK: mark, "PRTE_MCA_prte_local_tmpdir_base": self._folder},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._stdout: list[tuple[float, str]] = []
        self._stderr: list[tuple[float, str]] = []
        self._threads = [
            threading.Thread(target=self._read, args=stream, daemon=True)
            for stream in ((self._process.stdout, self._stdout),
                           (self._process.stderr, self._stderr))
        ]
        if stdin is not None:
            feeder = threading.Thread(target=self._feed, args=(stdin,), daemon=True)
            self._threads.append(feeder)
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The launcher's; also the number of its process group."""
        return self._process.pid

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Waits until a line of standard output matches; returns the match."""
        while True:
            ended = not self.is_running()
            for _, line in list(self._stdout):
                if match := re.search(pattern, line):
                    return match
            if ended and not self._threads[0].is_alive():
                raise JobError(f"the job ended without a line {pattern!r}\n{self.finish()}")
            if time.monotonic() > self._stop_by:
                self.kill()
                raise JobError(f"no line {pattern!r} within {self._timeout} s\n{self._result()}")
            time.sleep(0.01)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stderr_so_far(self) -> str:
        return "".join(line for _, line in list(self._stderr))

    def finish(self) -> Finished:
        """Waits for the end of the job.

        Raises:
            JobError: it took too long, or some of its processes did not end with it.
        """
        trouble = ""
        try:
            self._process.wait(max(0.0, self._stop_by - time.monotonic()))
        except subprocess.TimeoutExpired:
            trouble = f"the job ran longer than {self._timeout} s"
        ended = time.monotonic()
        while not trouble and (left := self.pids()):
            if time.monotonic() > ended + LEAVE_S:
                trouble = f"the job left the processes {sorted(left)} behind"
            time.sleep(0.05)
        if trouble:
            self.kill()
            raise JobError(f"{trouble}\n{self._result()}")
        return self._result(ended)

    def pids(self) -> set[int]:
        """All living processes of the job."""
        return {pid for pid, environ in _environments() if self._mark in environ}

    def cpu_s(self) -> float:
        """CPU time, in seconds, that the job's living processes have used so far."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text()
                ticks += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Ends every process of the job, at once."""
        stop_by = time.monotonic() + 10
        while (pids := self.pids()) and time.monotonic() < stop_by:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self._process.kill()
        self._process.wait(10)

    def _result(self, ended: float | None = None) -> Finished:
        shutil.rmtree(self._folder, ignore_errors=True)
        for thread in self._threads:
            thread.join(5)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        ended = time.monotonic() if ended is None else ended
        return Finished(
            self._process.wait(5), "".join(line for _, line in self._stdout),
            "".join(line for _, line in self._stderr), ended - self._began,
            [(ended - at, line.rstrip("\n")) for at, line in self._stdout],
        )

    def _read(self, stream: IO[bytes], lines: list[tuple[float, str]]) -> None:
        for line in stream:
            lines.append((time.monotonic(), line.decode(errors="replace")))

    def _feed(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode())
            self._process.stdin.close()


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield int(name), Path(f"/proc/{name}/environ").read_bytes().split(b"\0")


def checks_in(program: str, prefix: str = "check_", indent: str = "") -> list[str]:
    """Names of the functions of a program in ``programs`` that start so."""
    source = (PROGRAMS / program).read_text()
    names = re.findall(rf"^{indent}def ({prefix}\w+)\(", source, re.MULTILINE)
    assert names, f"{program} has no {prefix}..."
    return names
