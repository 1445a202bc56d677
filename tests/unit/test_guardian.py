"""The guardian: nothing of a job is left, whatever happens to whom. No MPI."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scoop_mpi.launch.guardian import descendants
from scoop_mpi.launch.process import GUARDIAN

LIMIT_S = 20.0


class Guarded:
    """A shell script in place of a launcher, under a guardian of which this is the command."""

    def __init__(self, folder, script, root="local", **streams):
        self.folder = folder / "temporary"
        self.folder.mkdir()
        listens, self.control = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", GUARDIAN, str(listens), str(self.folder), root,
             "/bin/sh", "-c", script],
            pass_fds=[listens], start_new_session=True, cwd=folder, **streams)
        os.close(listens)

    def close(self):
        """What the system does when our command is killed."""
        os.close(self.control)

    def wait(self):
        """Its exit code; everything must have gone."""
        code = self.process.wait(LIMIT_S)
        assert not self.folder.exists()
        return code


@pytest.fixture
def guarded(tmp_path):
    """Makes one."""
    made = []
    yield lambda *arguments, **streams: made.append(
        Guarded(tmp_path, *arguments, **streams)) or made[-1]
    for one in made:
        for pid in descendants(one.process.pid) | {one.process.pid}:
            if one.process.poll() is None:
                os.kill(pid, signal.SIGKILL)
        one.process.wait(LIMIT_S)
        for stream in (one.process.stdout, one.process.stderr):
            if stream is not None:
                stream.close()


def wait_for(path):
    """The text of a file that will have some."""
    end = time.monotonic() + LIMIT_S
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.01)
    return path.read_text()


def is_alive(pid):
    """Has it not ended?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(pids):
    """Waits for the end of processes."""
    end = time.monotonic() + LIMIT_S
    while any(map(is_alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("ending, code", [
    ("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143),
])
def test_exit_codes(guarded, ending, code):
    assert guarded(ending).wait() == code


# A launcher as it should be, one that does not obey, and one whose children have got away.
@pytest.mark.parametrize("script", [
    "sleep 60 & echo $$ $! >pids; wait",
    "trap '' TERM INT; sleep 60 & echo $$ $! >pids; while :; do sleep 0.1; done",
    "setsid sh -c 'trap \"\" TERM INT; setsid sleep 60 & echo $$ $! >pids; sleep 60' &\n"
    "until [ -e pids ]; do sleep 0.01; done",
], ids=["obedient", "deaf", "runaway"])
def test_nothing_is_left_when_our_command_is_killed(guarded, tmp_path, script):
    more = "" if "setsid" not in script else "\nsleep 60"
    one = guarded(script + more)
    pids = list(map(int, wait_for(tmp_path / "pids").split()))
    assert all(map(is_alive, pids))
    one.close()
    one.wait()
    assert not any(map(is_alive, pids))


def test_the_launcher_ends_when_the_guardian_is_killed(guarded, tmp_path):
    one = guarded("echo $$ >pids; exec sleep 60")
    pids = list(map(int, wait_for(tmp_path / "pids").split()))
    one.process.kill()
    assert all_end(pids)


def test_what_outlives_an_orderly_end_is_left_alone(guarded, tmp_path):
    # A program may have started a service. It holds our standard output open, even.
    one = guarded("setsid sleep 60 & echo $! >pids")
    [pid] = map(int, wait_for(tmp_path / "pids").split())
    assert one.wait() == 0
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


# -- standard output -------------------------------------------------------


def test_output_is_carried_to_its_end(guarded, tmp_path):
    with open(tmp_path / "out", "wb") as out:
        assert guarded("i=0; while [ $i -lt 3 ]; do head -c 300000 /dev/zero; i=$((i+1)); done",
                       stdout=out).wait() == 0
    assert (tmp_path / "out").stat().st_size == 900_000


def test_a_reader_that_takes_its_time(guarded):
    one = guarded("head -c 300000 /dev/zero; exit 3", stdout=subprocess.PIPE)
    time.sleep(1.5)  # longer than a launcher that has ended may be silent
    assert len(one.process.stdout.read()) == 300_000
    assert one.wait() == 3


def full():
    """A device without space."""
    return os.open("/dev/full", os.O_WRONLY)


def closed():
    """As the command line opens a standard output that is closed."""
    return os.open(os.devnull, os.O_RDONLY)


def broken():
    """A pipe from which nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    return writes


@pytest.mark.parametrize("make, text", [
    (full, "No space left on device"), (closed, "it is closed"), (broken, "Broken pipe"),
])
@pytest.mark.parametrize("ending, code", [
    ("exit 0", 120), ("exit 3", 3), ("while :; do echo more; done", 120),
])
def test_output_that_cannot_be_written(guarded, make, text, ending, code):
    out = make()
    one = guarded(f"echo lost; {ending}", stdout=out, stderr=subprocess.PIPE)
    os.close(out)
    errors = one.process.stderr.read().decode()
    assert one.wait() == code
    assert errors == (f"scoop_mpi: standard output cannot be written ({text}), output is lost; "
                      "ending the job\n")


@pytest.mark.parametrize("make", [full, closed, broken])
def test_output_that_nobody_wants_is_no_loss(guarded, make):
    out = make()
    one = guarded("exit 0", stdout=out)
    os.close(out)
    assert one.wait() == 0


# -- signals ---------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_to_the_guardian_itself(guarded, tmp_path, number):
    one = guarded("echo $$ >pids; exec sleep 60",
                  preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in range(1, 16)
                                      if n not in (9,)])
    wait_for(tmp_path / "pids")
    one.process.send_signal(number)
    assert one.wait() == 128 + number


def test_the_descendants_of_a_process():
    one = subprocess.Popen(["/bin/sh", "-c", "sleep 60 & sleep 60 & wait"])
    try:
        end = time.monotonic() + LIMIT_S
        while len(descendants(one.pid)) < 2:
            assert time.monotonic() < end
        assert descendants(one.pid) | {one.pid} <= descendants(os.getpid())
    finally:
        for pid in descendants(one.pid) | {one.pid}:
            os.kill(pid, signal.SIGKILL)
        one.wait()
