"""Without a launcher: one warning, a serial run."""

import re

import pytest

from scoop_mpi.base import context
from scoop_mpi.workers.scheduler import Scheduler

SERIAL = "runs serially; start it with: python -m scoop_mpi"


# -- a program that no launcher has started --------------------------------


def test_the_warning_comes_once(run_python):
    done = run_python(
        "from scoop_mpi import futures\n"
        "f = futures.submit(abs, -1)\n"
        "print(f.result(), list(futures.map(abs, [-2, -3])), futures.mapReduce(abs, max, [4]))\n"
        "futures.wait([futures.submit(abs, 1)])\n"
    )
    assert done.stdout == "1 [2, 3] 4\n"
    assert done.returncode == 0
    assert done.stderr.count("RuntimeWarning") == 1
    assert "scoop_mpi was not started by a launcher" in done.stderr
    assert re.search(rf"{SERIAL} .*program\.py\n", done.stderr)


def test_no_warning_without_a_verb(run_python):
    done = run_python("from scoop_mpi import futures\nfutures.shutdown()\nprint(1)\n")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_warning_can_be_an_error(run_python):
    done = run_python("from scoop_mpi import futures\nfutures.submit(abs, 1)\n",
                      "-W", "error::RuntimeWarning")
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("RuntimeWarning: ")


@pytest.mark.parametrize("verb", [
    "futures.submit(abs, 1)", "futures.map(abs, [1])", "futures.map_as_completed(abs, [1])",
    "futures.wait([])", "list(futures.as_completed([]))", "futures.mapReduce(abs, max, [1])",
    "futures.mapScan(abs, max, [1])",
])
def test_the_warning_shows_the_line_of_the_program(run_python, verb):
    done = run_python(f"from scoop_mpi import futures\n\n{verb}\n")
    assert "program.py:3: RuntimeWarning" in done.stderr


def test_no_warning_in_what_a_rank_has_started(run_python, monkeypatch):
    monkeypatch.setenv("SCOOP_MPI_RANK", "123 mark")
    done = run_python("from scoop_mpi import futures\nprint(*futures.map(abs, [-1]))\n")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_what_was_submitted_still_runs(run_python):
    done = run_python(
        "from scoop_mpi import futures\n"
        "def parent():\n"
        "    print('parent')\n"
        "    futures.submit(print, 'child')\n"
        "futures.submit(parent).add_done_callback(lambda f: print('callback'))\n"
        "futures.map(print, ['a', 'b'])\n"
        "print('end of the program')\n",
        "-W", "ignore",
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == "end of the program"
    assert sorted(others) == ["a", "b", "callback", "child", "parent"]


def test_a_deadlock_at_the_end_does_not_hang(run_python):
    done = run_python(
        "from scoop_mpi import futures\n"
        "mine = []\n"
        "mine.append(futures.submit(lambda: mine[0].result()))\n"
        "print('end')\n",
        "-W", "ignore",
    )
    assert (done.stdout, done.returncode) == ("end\n", 0)


def test_a_deadlock_is_explained(run_python):
    done = run_python(
        "from scoop_mpi import futures\n"
        "mine = []\n"
        "mine.append(futures.submit(lambda: mine[0].result()))\n"
        "mine[0].result()\n",
        "-W", "ignore",
    )
    assert done.returncode == 1
    assert "DeadlockError: deadlock: " in done.stderr


@pytest.mark.parametrize("ending, code", [
    ("sys.exit(3)", 3), ("raise ValueError('why')", 1), ("pass", 0),
])
def test_exit_codes_without_a_launcher(run_python, ending, code):
    done = run_python(
        "import sys\nfrom scoop_mpi import futures\n"
        f"futures.submit(sys.exit, 9)\nlist(futures.map(abs, [1]))\n{ending}\n", "-W", "ignore",
    )
    assert done.returncode == code


def test_ctrl_c_ends_a_serial_program(run_python):
    done = run_python(
        "import os, signal\nfrom scoop_mpi import futures\n"
        "os.kill(os.getpid(), signal.SIGINT)\nfutures.submit(abs, 1).result()\n"
        "print('not reached')\n", "-W", "ignore",
    )
    assert done.stdout == ""
    assert done.returncode in (1, 130, -2)


def test_a_scheduler_alone_is_no_pool(scheduler):
    assert isinstance(scheduler, Scheduler)
    assert scheduler is context.current()
    assert scheduler.workers == 1
    assert not scheduler.exchange.peers


def test_the_end_runs_what_is_left(scheduler):
    ran = []
    scheduler.submit(ran.append, (1,), None)
    assert scheduler.serve() == 0
    assert ran == [1]
