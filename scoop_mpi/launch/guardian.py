"""Stands between our command and the launcher: the job ends, whatever becomes of either.

A script of its own (``python -I -S guardian.py CONTROL FOLDER ROOT COMMAND...``), which
needs nothing but the standard library. It

- starts the launcher, and ends with its exit code;
- ends the job if our command is gone (the pipe CONTROL ends), also by kill -9;
- decides what a signal means, and does not rely on the launcher to obey;
- carries the job's standard output on, so that it is noticed when that cannot be written;
- removes FOLDER, our command's temporary files.

To Linux it is a subreaper: whatever a process of the job leaves behind becomes its child.
So all can be found by their parents, whatever sessions and groups launchers make.

Signals come as bytes through CONTROL. ROOT says who the program's root is: ``local``, its
process id will be in the file FOLDER/root; ``prompt``, likewise, and Ctrl-C is always the
prompt's; ``remote``, out of reach.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import subprocess
import sys
import threading
import time

PATIENCE_S = 5.0
"""Seconds that a launcher gets to end a job whose program runs, before all is killed."""
HASTE_S = 1.0
"""The same, if the program has not begun, or was asked to end before."""
QUIET_S = 1.0
"""Seconds without output after which a launcher that has ended is believed to be done."""
OUTPUT_LOST = 120
"""Exit code if standard output could not be written; Python's own."""
CANNOT_START = 2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOST = 0
"""No signal: standard output cannot be written."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Output(threading.Thread):
    """Copies what the launcher writes to standard output.

    Whoever reads that may have stopped reading: so this waits in a thread of its own.
    """

    def __init__(self, source: int, on_loss: int) -> None:
        super().__init__(daemon=True)
        self.lost = False
        self.reading_since: float | None = None
        self._source = source
        self._on_loss = on_loss

    def run(self) -> None:
        """Ends with the launcher's output."""
        while True:
            self.reading_since = time.monotonic()
            data = os.read(self._source, 1 << 16)
            self.reading_since = None
            if not data:
                return
            try:
                while data and not self.lost:
                    data = data[os.write(1, data):]
            except OSError as error:
                self.lost = True
                why = "it is closed" if error.errno == errno.EBADF else error.strerror
                _say(f"standard output cannot be written ({why}), output is lost; ending the job")
                os.write(self._on_loss, bytes([_LOST]))

    def finish(self, limit_s: float | None) -> None:
        """Waits until all has been copied.

        Args:
            limit_s: seconds to wait at most; None: as long as somebody reads.
        """
        began = time.monotonic()
        while self.is_alive():
            self.join(0.02)
            now = time.monotonic()
            since = self.reading_since
            if since is not None and now - max(since, began) > QUIET_S:
                return  # a process that outlives the job holds the pipe open
            if limit_s is not None and now - began > limit_s:
                return


class Guardian:
    """The launcher's supervisor.

    Args:
        control: descriptor of the pipe CONTROL.
        folder: of our command's temporary files.
        root: where the root is, as above.
    """

    def __init__(self, control: int, folder: str, root: str) -> None:
        self._control = control
        self._folder = folder
        self._root = root
        self._woken, self._wake = os.pipe()
        self._status: int | None = None
        """The launcher's exit code, when it has ended."""
        self._exit_code: int | None = None
        """What the job's end was made to be; None: it is the launcher's affair."""
        self._received = 0
        self._end_by: float | None = None
        self._kill_by: float | None = None

    def run(self, command: list[str]) -> int:
        """Runs the launcher; returns the exit code."""
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *SIGNALS):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, _wake_up)
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            self._launcher = subprocess.Popen(
                command, stdout=subprocess.PIPE,
                # So that kill -9 of this process is the end of the job as well.
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0))
        except OSError as error:
            _say(f"{command[0]} does not start: {error.strerror}")
            return CANNOT_START
        assert self._launcher.stdout is not None
        output = Output(self._launcher.stdout.fileno(), self._wake)
        output.start()
        exit_code = self._watch()
        if self._exit_code is None:
            output.finish(None)
            return OUTPUT_LOST if output.lost and exit_code == 0 else exit_code
        self._kill_all()
        output.finish(QUIET_S)
        return self._exit_code

    def _watch(self) -> int:
        """Waits for the launcher's end; returns its exit code as a shell has it."""
        sources = [self._woken, self._control]
        while True:
            self._reap()
            if self._status is not None:
                return self._status
            now = time.monotonic()
            if self._end_by is not None and now >= self._end_by:
                self._end_by = None
                self._end(OUTPUT_LOST, HASTE_S)
            if self._kill_by is not None and now >= self._kill_by:
                self._kill_all()
            times = [at for at in (self._end_by, self._kill_by) if at is not None]
            left_s = max(0.0, min(times) - now) if times else None
            for source in select.select(sources, [], [], left_s)[0]:
                said = os.read(source, 4096)
                if not said:  # our command has gone
                    sources.remove(self._control)
                    self._end(128 + signal.SIGKILL, HASTE_S)
                for number in said:
                    self._hear(number)

    def _hear(self, number: int) -> None:
        """Acts on a signal, or on the loss of output."""
        if number == _LOST:
            # A program that is about to end anyway does so in order.
            self._end_by = time.monotonic() + HASTE_S
        if number not in SIGNALS:
            return
        self._received += 1
        root = self._root_pid()
        if number == signal.SIGINT and root and (self._root == "prompt" or self._received == 1):
            with contextlib.suppress(ProcessLookupError):
                os.kill(root, number)
                return
        if number == signal.SIGINT and self._root == "remote" and self._received == 1:
            self._exit_code = 128 + number
            self._launcher.send_signal(number)
            return
        runs = root is not None or self._root == "remote"
        self._end(128 + number, PATIENCE_S if runs and self._received == 1 else HASTE_S)

    def _root_pid(self) -> int | None:
        """The root's process id, once it listens for Ctrl-C."""
        try:
            with open(os.path.join(self._folder, "root")) as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def _end(self, exit_code: int, patience_s: float) -> None:
        """Asks the launcher to end the job, and kills it all if that takes too long."""
        if self._exit_code is None:
            self._exit_code = exit_code
        self._launcher.terminate()
        kill_by = time.monotonic() + patience_s
        self._kill_by = kill_by if self._kill_by is None else min(kill_by, self._kill_by)

    def _kill_all(self) -> None:
        """Kills all that the job has started, and waits until they are gone."""
        stop_by = time.monotonic() + PATIENCE_S
        while (pids := descendants(os.getpid())) and time.monotonic() < stop_by:
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
            self._reap()

    def _reap(self) -> None:
        """Takes note of children that have ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                if pid == self._launcher.pid:
                    self._launcher.returncode = os.waitstatus_to_exitcode(status)
        # Popen itself may have noticed it: it looks before it sends a signal.
        if (code := self._launcher.returncode) is not None:
            self._status = code if code >= 0 else 128 - code


def descendants(ancestor: int) -> set[int]:
    """The processes that this one has started, and those that they have, and so on."""
    parents: dict[int, int] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found: set[int] = set()
    more = {ancestor}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more}
        found |= more
    return found


def _wake_up(number: int, frame: object) -> None:
    """The number has been written into the pipe that wakes us."""


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"scoop_mpi: {text}\n".encode(errors="surrogateescape"))


def _remove(folder: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)


def main(words: list[str]) -> int:
    """Runs the guardian; ``words`` are those of the command line."""
    control, folder, root, *command = words
    try:
        return Guardian(int(control), folder, root).run(command)
    finally:
        _remove(folder)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
