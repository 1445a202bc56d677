"""Without a launcher: one warning, a serial run; and how idle ranks rest."""

import re
import time

import pytest

from scoop_mpi import context, runtime
from scoop_mpi.scheduler import Scheduler
from scoop_mpi.transport import doorbell

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
    assert not scheduler.trader.peers


def test_the_end_runs_what_is_left(scheduler):
    ran = []
    scheduler.submit(ran.append, (1,), None)
    assert scheduler.serve() == 0
    assert ran == [1]


# -- resting ---------------------------------------------------------------


@pytest.fixture
def naps(monkeypatch):
    """Seconds of every sleep; 0.0: yielded."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(runtime.os, "sched_yield", lambda: slept.append(0.0))
    return slept


def test_a_short_wait_yields(naps):
    runtime.pause(0.0)
    runtime.pause(runtime.YIELD_S / 2)
    assert naps == [0.0, 0.0]


@pytest.mark.parametrize("waited_s", [0.001, 0.01, 0.1, 1.0, 10.0, 1e6])
def test_a_long_wait_sleeps_for_a_hundredth_of_it(naps, waited_s):
    runtime.pause(waited_s)
    assert naps == [min(waited_s / 100, runtime.SLEEP_MAX_S)]


@pytest.mark.parametrize("limit_s, nap_s", [
    (0.005, 0.005), (10.0, runtime.SLEEP_MAX_S), (0.0, 0.0), (-1.0, 0.0),
])
def test_no_sleep_is_longer_than_its_limit(naps, limit_s, nap_s):
    runtime.pause(100.0, limit_s)
    assert naps == [pytest.approx(nap_s)]


class FakeEndpoint:
    """Sleeps by the clock, and tells what would ring."""

    def __init__(self, all_can_ring=False, crowded=False, transferring=False):
        self.all_can_ring = all_can_ring
        self.crowded = crowded
        self.transferring = lambda: transferring

    def sleep(self, seconds, has_mail):
        assert not has_mail()
        time.sleep(seconds)

    def has_mail(self):
        return False


@pytest.mark.parametrize("all_can_ring", [False, True])
def test_the_donor_rests_while_the_worker_sleeps(naps, all_can_ring):
    idler = runtime.Idler(FakeEndpoint(all_can_ring))
    idler.pause(0.0, None)
    assert idler.busy.is_set()
    idler.pause(100.0, None)
    assert not idler.busy.is_set()
    idler.resume()
    assert idler.busy.is_set()


def test_whom_all_can_wake_sleeps_for_long(naps):
    runtime.pause(0.001, endpoint=FakeEndpoint(all_can_ring=True))
    assert naps == [doorbell.LONGEST_S]


def test_a_large_message_on_its_way_is_looked_after(naps):
    runtime.pause(0.001, endpoint=FakeEndpoint(all_can_ring=True, transferring=True))
    assert naps == [0.001 / 100]


@pytest.mark.parametrize("all_can_ring, first_nap", [(True, doorbell.LONGEST_S), (False, 0.0)])
def test_without_a_core_to_itself_a_rank_sleeps_at_once_if_it_can_be_woken(
    naps, all_can_ring, first_nap
):
    runtime.pause(0.0, endpoint=FakeEndpoint(all_can_ring, crowded=True))
    assert naps == [first_nap]


def test_reports_go_to_standard_error(capsys):
    runtime.report("what happened\n")
    runtime.report("")
    assert capsys.readouterr() == ("", "what happened\n")
