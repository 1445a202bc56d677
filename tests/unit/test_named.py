"""The hosts that a user names: read, checked, and asked for their cores."""

import os
import subprocess
import sys

import pytest
from starting import LAUNCHER, LIBRARY, know_some, start, start_nothing

from scoop_mpi import LaunchError
from scoop_mpi.launch import named
from scoop_mpi.launch import start as module
from scoop_mpi.launch.launchers import Choice
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.process import Stdin


@pytest.fixture
def started(monkeypatch, tmp_path):
    return start_nothing(monkeypatch, tmp_path)


@pytest.fixture
def known(monkeypatch):
    return know_some(monkeypatch)


# -- hosts -----------------------------------------------------------------


def test_named_hosts(started, known):
    start("--hosts", "a", "a", "b")
    assert started.argv[1:5] == ["-n", "4", "-H", "a:3,b:1"]
    # The root reads standard input on another host.
    assert started.argv[5:7] == ["-s", "1"]
    assert started.how[0][0] is Stdin.LAUNCHER


@pytest.mark.parametrize("hosts", [["localhost"], ["node1", "a"], ["node1"], ["localhost", "b"]])
def test_the_root_is_here(started, known, hosts):
    start("--hosts", *hosts)
    assert started.how[0][0] is Stdin.PIPE
    assert "-s" not in started.argv


def test_a_hostfile(started, known, tmp_path):
    (tmp_path / "hosts").write_text("a 2\nb 1\n")
    start("--hostfile", "hosts", "-n", "5")
    assert started.argv[1:5] == ["-n", "6", "-H", "a:4,b:2"]


@pytest.mark.parametrize("content, text", [
    (None, "--hostfile hosts: No such file or directory"),
    (b"\xff\xfe", "--hostfile hosts: .*decode"), (b"", "hosts names no host"),
    (b"a 1\nb x\n", "hosts, line 2: 'b x' is not"), (b"a 0\n", "line 1: a has 0 workers"),
])
def test_a_bad_hostfile(started, tmp_path, content, text):
    if content is not None:
        (tmp_path / "hosts").write_bytes(content)
    with pytest.raises(LaunchError, match=text):
        start("--hostfile", "hosts")
    assert not started.commands


def test_a_host_that_is_not_known(started, known):
    with pytest.raises(LaunchError, match="unknown host typo: its name does not resolve here"):
        start("--hosts", "a", "typo", "b")
    assert not started.commands


def test_a_host_that_is_not_known_may_be_shown(started, known, capsys):
    assert start("--hosts", "typo", "--dry-run") == 0
    assert "-H typo:2" in capsys.readouterr().out


def test_a_name_that_ssh_knows(started, known, monkeypatch):
    monkeypatch.setattr(named, "_is_alias", lambda name, options: name == "short")
    start("--hosts", "short", "a")
    assert "short:2,a:1" in started.argv


@pytest.mark.parametrize("name", ["x" * 300, "a..b", "é" * 80])
def test_names_that_no_host_can_have(started, name):
    with pytest.raises(LaunchError, match="unknown host"):
        start("--hosts", name)


def test_an_alias_is_what_ssh_says(monkeypatch, tmp_path):
    monkeypatch.undo()
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\n[ "$1" = -G ] || exit 1\n'
                   'if [ "$2" = short ]; then echo hostname long.example.org; '
                   'elif [ "$2" = jump ]; then echo "proxycommand x"; else echo "hostname $2"; fi')
    ssh.chmod(0o755)
    options = parse(["--ssh-executable", str(ssh)])[0]
    assert named._is_alias("short", options)
    assert named._is_alias("jump", options)
    assert not named._is_alias("other", options)
    assert not named._is_alias("-oProxyCommand=x", options)
    assert not named._is_alias("short", parse(["--rsh"])[0])


# -- cores of other hosts --------------------------------------------------


@pytest.fixture
def cores(started, known, monkeypatch, tmp_path):
    """Hosts tell their cores: a launcher that writes a text."""
    (tmp_path / "hosts").write_text("a\nb 1\nc\nlocalhost\n")

    def tell(text):
        script = tmp_path / "x"
        script.write_text(f'#!/bin/sh\nprintf "%s " "$@" >{tmp_path}/called\n{text}\n')
        script.chmod(0o755)
        monkeypatch.setattr(module, "choose", lambda *arguments: Choice(
            LAUNCHER, str(script), LIBRARY))
        return tmp_path / "called"
    return tell


def test_hosts_tell_their_cores(started, cores):
    called = cores("echo a banner; echo cores 1 7 .; echo cores 0 16 .")
    start("--hostfile", "hosts")
    assert "a:17,b:1,c:7,node1:3" in started.argv
    assert "-n 2 -H a:1,c:1" in called.read_text()


def test_a_host_that_does_not_tell(started, cores):
    cores("echo cores 0 16 .; exit 1")
    with pytest.raises(LaunchError, match="^c did not tell how many cores it has") as raised:
        start("--hostfile", "hosts")
    assert "c 4" in str(raised.value)
    assert not started.commands


def test_what_asks_for_cores_runs(monkeypatch):
    done = subprocess.run([sys.executable, "-c", named._ASK_CORES], capture_output=True,
                          text=True, env={**os.environ, "PMI_RANK": "3"}, timeout=20)
    assert done.stdout == f"\ncores 3 {len(os.sched_getaffinity(0))} .\n"


@pytest.mark.parametrize("answer", ["cores", "cores x y", "cores 99 4 .", "cores 0 4 extra",
                                    "cores 0 16cores 1 7 ."])
def test_answers_that_make_no_sense(started, cores, answer):
    cores(f"echo {answer}")
    with pytest.raises(LaunchError, match="did not tell"):
        start("--hostfile", "hosts")


def test_a_dry_run_asks_nobody(started, cores, capsys):
    called = cores("exit 1")
    assert start("--hostfile", "hosts", "--dry-run") == 0
    assert "-H a:4,b:1,c:3,node1:3" in capsys.readouterr().out
    assert not called.exists()
