"""The command line on several hosts, over ssh."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest
from clusters.base import wait_until
from launching import PACKAGE_FOLDER
from telling import PLACED, WAITING, nodes, nodes_as_told_by_launcher, told, workers_on

CORES = len(os.sched_getaffinity(0))
PROLOG = "#!/bin/sh\nexport FROM_PROLOG=$(uname -n)\n"


@pytest.fixture(autouse=True)
def nothing_is_left(hosts):
    """After each test; what ssh has started may end a moment after ssh."""
    yield
    try:
        wait_until(lambda: not hosts.pids(), "the end of all processes on the hosts", 5)
    finally:
        hosts.sweep()


@pytest.fixture
def begin(hosts, tmp_path):
    """Starts our command line on h1: begin(arguments..., timeout, stdin, env)."""
    ours = [sys.executable, "-m", "scoop_mpi", "--ssh-executable", hosts.ssh]
    return lambda *arguments, **options: hosts.begin(
        "h1", [*ours, *arguments], cwd=tmp_path, **options)


@pytest.fixture
def run(begin):
    """The same, to its end."""
    return lambda *arguments, **options: begin(*arguments, **options).finish()


def test_a_hostfile(run, tmp_path):
    (tmp_path / "hosts").write_text("# ours\nh1 1\r\nh2 2\n\nh3    # all of it\n")
    (tmp_path / "prolog").write_text(PROLOG)
    done = run("--hostfile", "hosts", "--prolog", "prolog", "--nice", "3", "--threads", "5",
               "--pythonpath", f"{PACKAGE_FOLDER}:/nowhere", PLACED, "7", "-n", "a b")
    assert done.returncode == 7, done
    assert nodes(done) == ["h1", "h2", "h2", *["h3"] * CORES] == nodes_as_told_by_launcher(done)
    assert told(done)["broker"] == "h1"
    assert told(done)["words"] == ["-n", "a b"]
    for facts in told(done)["workers"].values():
        assert facts["FROM_PROLOG"] == facts["node"]
        assert (facts["nice"], facts["OMP_NUM_THREADS"]) == (3, "5")
        assert facts["PYTHONPATH"] == f"{PACKAGE_FOLDER}:/nowhere"
        assert facts["directory"] == str(tmp_path)


def test_fewer_workers_than_the_hosts_have_room_for(run, tmp_path):
    (tmp_path / "hosts").write_text("h1 1\nh2 2\nh3 4\n")
    (tmp_path / "prolog").write_text(PROLOG)
    (tmp_path / "below").mkdir()
    python = str(Path(sys.executable).parent / "python3")
    done = run("--hostfile", "hosts", "-n", "2", "--path", "below", "--prolog", "prolog",
               "--python-interpreter", python, PLACED)
    assert done.returncode == 0, done
    assert nodes(done) == ["h1", "h2"]
    for facts in told(done)["workers"].values():
        assert facts["directory"] == str(tmp_path / "below")
        assert facts["python"] == python
        assert facts["FROM_PROLOG"] == facts["node"]
    # Open MPI warns when its ssh is quicker than itself.
    assert re.sub(r".* plm:ssh: Warning: setpgid.*\n", "", done.stderr) == ""


def test_more_workers_and_the_root_on_another_host(run, tmp_path):
    prolog = tmp_path / "prolog"
    prolog.write_text(f"#!{sys.executable}\nimport os\n"
                      "open(f'ran-{os.uname().nodename}-{os.getpid()}', 'w')\n")
    prolog.chmod(0o755)
    done = run("--hosts", "h2", "h2", "h3", "-n", "6", "--prolog", "prolog", PLACED, "7", "stdin",
               stdin="not for you")
    assert done.returncode == 7, done
    assert workers_on(done) == {"h2": 4, "h3": 2}
    assert nodes(done) == nodes_as_told_by_launcher(done)
    assert told(done)["stdin"] == ""
    assert done.stderr.count("cannot send standard input to the root on h2") == 1
    assert len([*tmp_path.glob("ran-*")]) == 7


def test_a_prolog_that_fails(run, tmp_path):
    (tmp_path / "prolog").write_text("#!/bin/bash\nmodule() { return 5; }\nmodule load ours\n")
    done = run("--hosts", "h2", "h3", "--prolog", "prolog", PLACED)
    assert done.returncode == 5, done
    assert done.stdout == ""
    # The first rank that fails ends the job: the launcher may stop the other host before it speaks.
    said = re.escape(f"scoop_mpi: the prolog {tmp_path}/prolog failed on ")
    assert re.search(said + r"h[23] \(exit code 5\)", done.stderr), done


def test_what_keeps_it_from_starting(hosts, tmp_path):
    lines = {
        "--hosts nohost": "unknown host nohost: its name does not resolve here",
        "--python-interpreter ./absent": f"--python-interpreter {tmp_path}/absent does not run",
        "--ssh-executable absent": "--ssh-executable absent: there is no such program",
        "--rsh": "--rsh: there is no rsh on PATH",
        "--path absent": "--path ",
    }
    ours = shlex.join([sys.executable, "-m", "scoop_mpi"])
    script = "\n".join(f"{ours} --hosts h1 h2 {line} -- {PLACED}; echo $?" for line in lines)
    done = hosts.run("h1", ["sh", "-c", script], cwd=tmp_path)
    assert done.stdout == "2\n" * len(lines), done
    said = done.stderr.splitlines()
    assert len(said) == len(lines), done
    for line, text in zip(said, lines.values()):
        assert line.startswith(f"scoop_mpi: {text}")


def test_what_the_launcher_says_is_shown(run):
    done = run("--hosts", "h1", "h2", "--mpi-args", "--nonsense", "--", PLACED)
    assert done.returncode not in (0, 2), done
    assert "nonsense" in done.stderr
    # Nobody has this address.
    done = run("--hosts", "h1", "10.77.0.9", "--", PLACED, timeout=30)
    assert done.returncode == 255, done
    assert '"broker"' not in done.stdout
    assert "10.77.0.9 port 22: No route to host" in done.stderr
    assert "could not start the ranks: does 'ssh " in done.stderr


def test_the_command_that_a_dry_run_shows(run, hosts, tmp_path):
    shown = run("--hosts", "h1", "h2", "h3", "--dry-run", "--", PLACED, "7", "a b")
    assert shown.returncode == 0, shown
    assert "# h1: ranks 0-1 (broker, root)\n# h2: rank 2\n# h3: rank 3\n" in shown.stdout
    done = hosts.run("h1", ["sh", "-c", shown.stdout], cwd=tmp_path)
    assert done.returncode == 7, done
    assert nodes(done) == ["h1", "h2", "h3"] == nodes_as_told_by_launcher(done)
    assert told(done)["words"] == ["a b"]


@pytest.fixture
def waiting(begin, tmp_path):
    """A job with a worker in a long task on each host; and the process of our launcher."""
    (tmp_path / "up").mkdir()
    job = begin("--hosts", "h1", "h2", "h3", "--", WAITING, str(tmp_path / "up"), timeout=30)
    job.wait_for_line("^up ")
    # The job's own process waits outside, for the one on the host.
    (ours,) = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    yield job, int(ours)
    job.kill()


@pytest.mark.parametrize("numbers, code", [
    ([signal.SIGINT], 130), ([signal.SIGINT] * 2, 130), ([signal.SIGTERM], 143),
], ids=["SIGINT", "SIGINT twice", "SIGTERM"])
def test_signals(waiting, numbers, code):
    job, ours = waiting
    for number in numbers:
        os.kill(ours, number)
    done = job.finish()
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr.replace("Traceback (most recent call last):", "", 1)


def test_a_killed_rank(waiting, hosts):
    job, _ = waiting
    os.kill(_rank_on(hosts, "h2"), signal.SIGKILL)
    done = job.finish()
    assert done.returncode not in (0, 2), done


def _rank_on(hosts, host):
    """The process of the only rank on a host."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                for pid in hosts.pids(host)}
    (rank,) = [pid for pid, words in commands.items()
               if words[0] == sys.executable.encode() and b"scoop_mpi" in words]
    return rank


def test_this_host_by_the_name_that_only_it_understands(run):
    # The others are told its own name; SCOOP's manual names hosts so.
    done = run("--hosts", "127.0.0.1", "h2", "localhost", "--", PLACED)
    assert done.returncode == 0, done
    assert workers_on(done) == {"h1": 2, "h2": 1}
