"""The ends of the command itself: whatever happens to it, and whatever it is given."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launching import Finished, Job, environment

Start = Callable[..., Job]
Run = Callable[..., Finished]

PROGRAM = """
import sys, time
from scoop_mpi import futures

def work(x):
    time.sleep(0.05)
    return sys.flags.optimize, sys.flags.dev_mode, "ours" in sys._xoptions, sys.argv[1:]

if __name__ == "__main__":
    print("begun")
    results = list(futures.map(work, range(8)))
    assert all(one == results[0] for one in results), results
    optimize, dev_mode, ours, args = results[0]
    print(optimize, dev_mode, ours, len(args), sum(map(len, args)), args[:3])
"""


@pytest.fixture
def start_command(tmp_path: Path) -> Iterator[Start]:
    """Starts a line of shell in which ``{run}`` is our command with two workers."""
    jobs: list[Job] = []
    (tmp_path / "temporary").mkdir()

    def start_command(
        line: str, program: str = PROGRAM, timeout: float = 40, stdin: str | None = None,
    ) -> Job:
        (tmp_path / "program.py").write_text(program)
        python = shlex.quote(sys.executable)
        command = line.format(python=python, run=f"{python} -m scoop_mpi -n 2 program.py")
        environ = environment("self", {"TMPDIR": str(tmp_path / "temporary")})
        jobs.append(Job(["/bin/sh", "-c", command], cwd=tmp_path, environ=environ,
                        timeout=timeout, stdin=stdin))
        return jobs[-1]

    yield start_command
    for job in jobs:
        job.kill()


def left_in(folder: Path) -> list[str]:
    """What we have left of our temporary files."""
    return [name for name in os.listdir(folder / "temporary") if name.startswith("scoop_mpi-")]


# -- what the ranks are given ----------------------------------------------


def test_the_flags_of_the_interpreter(start_command: Start) -> None:
    done = start_command("exec {python} -O -W error -X dev -X ours=1 -m scoop_mpi -n 2 "
                         "program.py").finish()
    assert done.stdout == "begun\n1 True True 0 0 []\n", done
    assert done.returncode == 0


@pytest.mark.parametrize("first", ["--verbose", "plain", "=x", ":", ""])
def test_very_many_arguments(start_command: Start, first: str) -> None:
    # More than the 128 KiB that one argument, or one variable, may have.
    done = start_command(f"exec {{run}} {first!r} $(seq -f '/data/run-%0100g.csv' 1 6000)").finish()
    size = len(first) + 6000 * 114
    assert done.stdout.startswith(f"begun\n0 False False 6001 {size} [{first!r}, '/data"), done
    assert done.returncode == 0


# -- programs that leave at their top level --------------------------------

PARSER = """
import argparse, atexit, sys
from scoop_mpi import futures
print("importing", file=sys.stderr)
parser = argparse.ArgumentParser()
parser.add_argument("--size", type=int)
args = parser.parse_args()

def work(x):
    return x * args.size

if __name__ == "__main__":
    print(sum(futures.map(work, range(5))))
"""


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("words, code, out, err", [
    (["--help"], 0, "usage: ", ""), (["--size", "x"], 2, "", "invalid int value"),
    (["--size", "3"], 0, "30\n", ""),
])
def test_a_parser_at_the_top_level(
    run: Run, workers: int, words: list[str], code: int, out: str, err: str
) -> None:
    done = run(PARSER, *words, ranks=workers + 1, launcher="self")
    assert done.returncode == code, done
    assert done.stdout.startswith(out) and done.stdout.count("usage: ") <= 1, done
    assert err in done.stderr and done.stderr.count("usage: ") <= 1, done
    assert "Traceback" not in done.stderr and "imported it" not in done.stderr, done
    assert done.stderr.count("importing") == (workers if not code and out == "30\n" else 1), done


@pytest.mark.parametrize("leaves, code, text", [
    ("sys.exit(3)", 3, ""), ("sys.exit('why')", 1, "why\n"), ("sys.exit()", 0, ""),
    ("raise ValueError('why')", 1, "ValueError: why\n"),
])
def test_a_program_that_leaves_everywhere(run: Run, leaves: str, code: int, text: str) -> None:
    done = run(f"import sys\nprint('said')\n{leaves}\n", ranks=4, launcher="self")
    assert (done.returncode, done.stdout) == (code, "said\n"), done
    assert done.stderr.count(text) == 1 or not text, done
    assert "imported it" not in done.stderr


@pytest.mark.parametrize("then", ["list(futures.map(time.sleep, [0.2] * 60))", "time.sleep(60)"])
def test_a_program_that_leaves_on_workers_only(run: Run, then: str) -> None:
    done = run(f"""
import sys, time
from scoop_mpi import futures
if __name__ == "__main__":
    {then}
else:
    print("said by a worker")
    sys.exit(3)
""", ranks=3, launcher="self")
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert "the program exited while worker 2" in done.stderr
    assert "said by a worker" in done.stderr


# -- streams ---------------------------------------------------------------


@pytest.mark.parametrize("line, text", [
    ("exec {run} >/dev/full", "No space left on device"),
    ("exec {run} >&-", "it is closed"),
    ("exec {run} <&- >&- 3>&-", "it is closed"),
    ("({run}; echo $? >code) | true; exit $(cat code)", "Broken pipe"),
])
def test_output_that_is_lost(start_command: Start, line: str, text: str) -> None:
    done = start_command(line).finish()
    assert done.returncode == 120, done
    [ours] = [line for line in done.stderr.splitlines() if line.startswith("scoop_mpi")]
    assert ours.startswith(f"scoop_mpi: standard output cannot be written ({text})"), done


def test_a_reader_that_has_read_enough(start_command: Start) -> None:
    endless = PROGRAM.replace("    results =", "    while True: print(0)\n    results =")
    done = start_command("{run} | head -1", endless).finish()
    assert done.stdout == "begun\n", done
    assert "Broken pipe" in done.stderr


@pytest.mark.parametrize("line", ["exec {run} 2>&-", "exec {run} <&-", "exec {run} <&- 2>&-",
                                  "unset HOME; exec {run}"])
def test_what_a_job_does_without(start_command: Start, line: str) -> None:
    done = start_command(line).finish()
    assert (done.returncode, done.stdout) == (0, "begun\n0 False False 0 0 []\n"), done


FILES = """
import sys, time
from scoop_mpi import futures

class Last:
    def __del__(self):
        print("the last object is gone", file=sys.__stderr__, flush=True)

out, last = open("out.txt", "w"), Last()

def work(x):
    return x, out.name

if __name__ == "__main__":
    more = open("more.txt", "w")
    for x, name in futures.map(work, range(5)):
        print(x, name, file=out)
    print(list(futures.map(lambda x: work(x), range(3))), file=more)
    futures.submit(work, 3)
    {ending}
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ending, code", [("pass", 0), ("raise ValueError(out)", 1),
                                          ("sys.exit(3)", 3)])
def test_files_that_a_program_leaves_open_are_written(
    start_command: Start, tmp_path: Path, workers: int, ending: str, code: int
) -> None:
    line = f"exec {{python}} -m scoop_mpi -n {workers} program.py"
    done = start_command(line, FILES.replace("{ending}", ending)).finish()
    assert done.returncode == code, done
    assert (tmp_path / "more.txt").read_text().startswith("[(0, 'out.txt'), "), done
    assert "the last object is gone" in done.stderr, done
    if workers == 1:  # others truncate the file
        assert (tmp_path / "out.txt").read_text().endswith("4 out.txt\n"), done


STREAMS = """
import io, os, sys, time
from scoop_mpi import futures

class Log:
    def write(self, text):
        os.write(2, text.encode())

class Angry(Log):
    def flush(self):
        raise SystemExit("cannot")

def work(x):
    with open(os.devnull, "w") as sys.stdout:
        print("noise")
    sys.stderr = [None, Log(), Angry(), io.StringIO(), sys.stdout][x % 5]
    time.sleep(0.02)
    return x

if __name__ == "__main__":
    print(sum(futures.map(work, range(20))), file=sys.__stdout__, flush=True)
"""


def test_streams_that_tasks_replace(start_command: Start) -> None:
    done = start_command("exec {run}", STREAMS).finish()
    assert (done.returncode, done.stdout) == (0, "190\n"), done


# -- signals ---------------------------------------------------------------

WAITS = """
import sys, time
from scoop_mpi import futures
if __name__ == "__main__":
    print("begun")
    list(futures.map(time.sleep, [60] * 4))
"""


# The whole way: Python, our command, the launcher, MPI, the program.
@pytest.mark.parametrize("delay_s", [0.15, 0.25, 0.35, 0.45, 0.6, 0.8, 1.2, None])
@pytest.mark.parametrize("signals, code", [
    ([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130),
    ([signal.SIGINT, signal.SIGTERM], 130), ([signal.SIGTERM], 143),
], ids=["int", "twice", "both", "term"])
def test_signals_at_any_moment(
    start_command: Start, tmp_path: Path, delay_s: float | None, signals: list[int], code: int
) -> None:
    job = start_command("exec {run}", WAITS)
    if delay_s is None:
        job.wait_for_line("begun")
    else:
        time.sleep(delay_s)
    for number in signals:
        os.kill(job.pid, number)
    at = time.monotonic()
    # Python itself, before our command listens, may lose it in a callback of an import.
    while job.is_running() and time.monotonic() < at + 10:
        if "Exception ignored in" in job.stderr_so_far():
            os.kill(job.pid, signals[-1])
            break
        time.sleep(0.1)
    done = job.finish()
    # Before our command listens, Python itself ends by the signal.
    either = {code, -signals[0], -signals[-1]} | ({143} if len(signals) > 1 else set())
    assert done.returncode in either, done
    assert time.monotonic() - at < 15, done
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("delay_s", [0.3, 0.6, None])
def test_our_command_is_killed(
    start_command: Start, tmp_path: Path, delay_s: float | None
) -> None:
    job = start_command("exec {run}", WAITS)
    if delay_s is None:
        job.wait_for_line("begun")
    else:
        time.sleep(delay_s)
    os.kill(job.pid, signal.SIGKILL)
    assert job.finish().returncode == -signal.SIGKILL  # and no process is left
    # The folder goes last, by the guardian.
    assert left_in(tmp_path) == []


def test_the_program_makes_of_ctrl_c_what_it_wants(start_command: Start) -> None:
    job = start_command("exec {run}", """
import time, sys
from scoop_mpi import futures
if __name__ == "__main__":
    print("begun")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print(sum(futures.map(abs, range(-4, 0))))
        sys.exit(5)
""")
    job.wait_for_line("begun")
    os.kill(job.pid, signal.SIGINT)
    done = job.finish()
    assert (done.returncode, done.stdout) == (5, "begun\n10\n"), done
