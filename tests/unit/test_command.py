"""The exact command: what is in it, and what cannot be."""

import os
import subprocess

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.launch import command as module
from scoop_mpi.launch.command import Command, Request, build, prolog_command, shown
from scoop_mpi.launch.launchers import Choice, Launcher
from scoop_mpi.launch.plan import Plan
from scoop_mpi.process.world import HOSTS_VARIABLE, SIZE_VARIABLE

HOST_FILE = "/tmp/hosts"


@pytest.fixture(autouse=True)
def this_host(monkeypatch):
    """Nobody's plan is about this host, except for localhost."""
    monkeypatch.delenv("SLURMD_NODENAME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


LOCAL = Plan(3, (("localhost", 4),), False, "")
REMOTE = Plan(3, (("a", 3), ("b", 1)), True, "")
REQUEST = Request(("-m", "scoop_mpi", "prog.py", "a b"), "/py")


def launcher(**changes):
    """A launcher that can do everything."""
    keys = dict(
        name="X", executables=["x"], recognised_by=["X"], libraries={"MPICH": ["--lib"]},
        ranks=["-n", "{ranks}"], options=["--first"], binding=["--unbound"],
        hosts=["-H", "{hosts}"], host="{name}:{ranks}", directory=["-d", "{directory}"],
        variable=["-x", "{name}"], ssh=["--agent", "{path}"], rsh=["--rsh"],
        stdin=["-s", "{rank}"])
    return Launcher(**{**keys, **changes})


def command(plan=LOCAL, request=REQUEST, environ=None, **changes):
    """The command of such a launcher."""
    choice = Choice(launcher(**changes), "/bin/x", "MPICH Version: 5")
    return build(choice, plan, request, environ or {}, HOST_FILE)


def test_a_local_job():
    assert command() == (
        ["/bin/x", "--first", "--lib", "--unbound", "-n", "4",
         "/py", "-m", "scoop_mpi", "prog.py", "a b"], {SIZE_VARIABLE: "4"}, "")


def test_everything_at_once(tmp_path):
    prolog = tmp_path / "prolog.sh"
    prolog.write_text("true")
    request = Request(("-c", "x"), "/py", "/dir", str(prolog), "/ssh", True, ("--own", "a b"),
                      {"V": "1"}, 1)
    made = command(REMOTE, request, {"PATH": "/bin", "OTHER": "x"})
    start, end = made.argv[:made.argv.index("/bin/bash")], made.argv[-4:]
    assert start == [
        "/bin/x", "--first", "--lib", "--unbound", "-n", "4", "-H", "a:3,b:1", "-d", "/dir",
        "--agent", "/ssh", "--rsh", "-s", "1", "-x", "PATH", "-x", HOSTS_VARIABLE,
        "-x", SIZE_VARIABLE, "--own", "a b"]
    assert end == [str(prolog), "/py", "-c", "x"]
    assert made.variables == {"V": "1", SIZE_VARIABLE: "4", HOSTS_VARIABLE: "a:3,b:1"}


def test_a_list_of_hosts_in_a_file():
    made = command(REMOTE, hosts=["--file={file}"])
    assert f"--file={HOST_FILE}" in made.argv
    assert made.host_list == "a:3\nb:1\n"


def test_a_line_for_each_rank():
    made = command(REMOTE, host="{name}", line_for_each_rank=True)
    assert made.argv[made.argv.index("-H") + 1] == "a,a,a,b"
    made = command(REMOTE, hosts=["{file}"], host="{name}", line_for_each_rank=True)
    assert made.host_list == "a\na\na\nb\n"


# -- variables -------------------------------------------------------------


def test_variables_for_other_hosts():
    environ = dict.fromkeys(
        ["PATH", "PYTHONPATH", "PYTHONHASHSEED", "OMP_NUM_THREADS", "HOME", "LANG", "LC_ALL",
         "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SCOOP_MPI_X", "PASSWORD"], "value")
    argv = command(REMOTE, environ=environ, variable=["{name}={value}"]).argv
    passed = [word for word in argv if "=" in word]
    expected = {f"{name}=value" for name in {*environ} - {"PYTHONHASHSEED", "HOME", "PASSWORD"}}
    assert passed == sorted(expected | {f"{SIZE_VARIABLE}=4", f"{HOSTS_VARIABLE}=a:3,b:1"})


def test_what_is_set_goes_before_what_was_there():
    request = Request(("x",), "/py", variables={"PYTHONPATH": "new"})
    made = command(REMOTE, request, {"PYTHONPATH": "old"}, variable=["{name}={value}"])
    assert "PYTHONPATH=new" in made.argv and made.variables["PYTHONPATH"] == "new"


def test_on_this_host_nothing_need_be_passed():
    assert "-x" not in command(environ={"PATH": "/bin"}).argv


def test_hosts_that_the_launcher_finds_get_variables_too():
    plan = Plan(3, (("a", 4),), False, "")
    assert "-x" in command(plan).argv and "-H" not in command(plan).argv


def test_variables_that_the_user_has_set_stay():
    made = command(environ={"MINE": "x"}, environment={"MINE": "ours", "OTHER": "ours"})
    assert made.variables == {"OTHER": "ours", SIZE_VARIABLE: "4"}


# -- what cannot be --------------------------------------------------------


def test_a_launcher_that_cannot_be_told_the_hosts():
    with pytest.raises(LaunchError, match="X cannot be told the hosts"):
        command(REMOTE, hosts=[])


@pytest.mark.parametrize("key, request_, option", [
    ("directory", Request((), "/py", directory="/d"), "--path"),
    ("ssh", Request((), "/py", ssh="/ssh"), "--ssh-executable"),
    ("rsh", Request((), "/py", rsh=True), "--rsh"),
])
def test_what_a_launcher_has_no_option_for(key, request_, option):
    with pytest.raises(LaunchError, match=f"X has nothing for {option}; leave it out"):
        command(request=request_, **{key: []})


def test_a_launcher_without_an_option_for_stdin():
    assert "-s" not in command(request=Request((), "/py", stdin_to=1), stdin=[]).argv


@pytest.mark.parametrize("hosts, file", [(["{hosts}"], False), (["{file}"], True)])
def test_more_hosts_than_fit_into_a_command(hosts, file):
    plan = Plan(20_000, tuple((f"n{at:06}", 1) for at in range(20_000)), True, "")
    if file:
        assert len(command(plan, hosts=hosts).variables.get(HOSTS_VARIABLE, "")) < 100_000
        assert command(plan, hosts=hosts).host_list.count("\n") == 20_000
    else:
        with pytest.raises(LaunchError, match="20000 hosts are too many for one command of X"):
            command(plan, hosts=hosts)


def test_the_longest_list_of_hosts_fits_into_a_command():
    names = tuple(("n" * 98, 1) for _ in range(module.MOST_BYTES // 101))
    [argument] = [word for word in command(Plan(len(names) - 1, names, True, "")).argv
                  if len(word) > 1000]
    assert len(argument) <= module.MOST_BYTES
    assert subprocess.run(["/bin/true", argument]).returncode == 0


# -- a prolog --------------------------------------------------------------

SHOW = ["/bin/sh", "-c", 'echo "$VALUE $0 $*"', "zero", "a b", "c"]


def run_behind(path, cwd="/"):
    """Runs a command behind a prolog."""
    return subprocess.run([*prolog_command(str(path)), *SHOW], capture_output=True, text=True,
                          cwd=cwd, timeout=20, env={"PATH": os.environ["PATH"]})


@pytest.fixture
def prolog(tmp_path):
    """Writes a prolog."""
    def write(text, mode=0o644):
        path = tmp_path / "the prolog"
        path.write_text(text)
        path.chmod(mode)
        return path
    return write


@pytest.mark.parametrize("first", [
    "", "#!/bin/sh\n", "#!/bin/bash -e\n", "#! /usr/bin/env bash\n", "#!/bin/ksh\n",
    "#!/usr/bin/dash\n",
])
@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_shell_script_is_sourced(prolog, first, mode):
    done = run_behind(prolog(f"{first}export VALUE=set\n", mode))
    assert (done.stdout, done.stderr, done.returncode) == ("set zero a b c\n", "", 0)


def test_another_program_is_executed(prolog):
    done = run_behind(prolog("#!/usr/bin/env python3\nprint('first', flush=True)\n", 0o755))
    assert (done.stdout, done.stderr, done.returncode) == ("first\n zero a b c\n", "", 0)


def test_a_program_that_may_not_be_executed(prolog):
    with pytest.raises(LaunchError, match=r"chmod \+x it"):
        prolog_command(str(prolog("#!/usr/bin/env python3\n")))


@pytest.mark.parametrize("text, mode, code", [
    ("return 3", 0o644, 3), ("false", 0o644, 1), ("#!/usr/bin/env python3\nraise SystemExit(4)",
                                                  0o755, 4),
])
def test_a_prolog_that_fails(prolog, text, mode, code):
    path = prolog(text, mode)
    done = run_behind(path)
    assert (done.stdout, done.returncode) == ("", code)
    assert done.stderr == (f"scoop_mpi: the prolog {path} failed on {os.uname().nodename} "
                           f"(exit code {code})\n")


def test_a_prolog_that_says_exit(prolog):
    """It would end the rank, in silence and with success."""
    path = prolog("export VALUE=set\nexit 0\n")
    done = run_behind(path)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"scoop_mpi: the prolog {path} says exit; leave that out")


def test_a_prolog_with_arguments_sees_none_of_ours(prolog):
    # A script that looks at "$@" (module and conda do) must not see the command.
    assert run_behind(prolog("export VALUE=$#\n")).stdout == "0 zero a b c\n"


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_prolog_that_cannot_be_read(tmp_path, name):
    with pytest.raises(LaunchError, match="--prolog .*(No such file|directory)"):
        prolog_command(str(tmp_path / name))


def test_a_prolog_is_named_from_the_root(prolog, monkeypatch, tmp_path):
    prolog("export VALUE=set")
    monkeypatch.chdir(tmp_path)
    assert prolog_command("the prolog")[-1] == str(tmp_path / "the prolog")


# -- as one would type it ---------------------------------------------------


def test_the_command_in_a_shell(tmp_path):
    path = tmp_path / "the hosts"
    text = shown(Command(["/bin/sh", "-c", 'echo "$A $0" && cat "$1"', "it's", str(path)],
                         {"B": "", "A": "a 'b' $c"}, "n1\nn2\n"), str(path))
    assert text.splitlines()[:2] == [
        "export A='a '\"'\"'b'\"'\"' $c'", "export B=''"]
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, timeout=20)
    assert done.stdout == "a 'b' $c it's\nn1\nn2\n"


def test_a_command_without_a_file_of_hosts():
    assert shown(Command(["a", "b c"], {}, ""), "F") == "a 'b c'"
