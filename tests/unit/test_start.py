"""From options to a command: what is found out, what is refused, what is shown."""

import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starting import LIBRARY, know_some, start, start_nothing

from scoop_mpi import LaunchError
from scoop_mpi.launch import start as module
from scoop_mpi.launch.launchers import Choice, Launcher
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.process import Ended, Stdin
from scoop_mpi.launch.start import program_arguments
from scoop_mpi.process.program import Program
from scoop_mpi.process.world import SIZE_VARIABLE


@pytest.fixture
def started(monkeypatch, tmp_path):
    return start_nothing(monkeypatch, tmp_path)


@pytest.fixture
def known(monkeypatch):
    return know_some(monkeypatch)


def test_a_job_on_this_machine(started):
    assert start() == 42
    assert started.argv == ["/bin/x", "-n", "4", sys.executable, "-m", "scoop_mpi", "prog.py",
                            "a b"]
    assert started.commands[0].variables == {SIZE_VARIABLE: "4", "PYTHONHASHSEED": "7"}
    assert started.how == [(Stdin.PIPE, None)]
    assert started.asked == [sys.executable]


def test_the_ranks_get_our_settings_and_none_of_our_options(started):
    start("-n", "8", "-vv", "--strict", "--nice", "3", "--timeout", "60")
    assert started.argv[1:3] == ["-n", "9"]
    assert parse(started.argv[6:])[1:] == parse(
        ["-vv", "--strict", "--nice", "3", "--timeout", "60", "prog.py", "a b"])[1:]
    assert "-n" not in started.argv[4:]
    assert started.how == [(Stdin.PIPE, 60.0)]


@pytest.mark.parametrize("program, arguments", [
    (Program("prog.py", False, ("a", "b c", "")), ("prog.py", "a", "b c", "")),
    (Program("-prog.py"), ("./-prog.py",)),
    (Program("mod", True, ("x",)), ("-m", "mod", "x")),
    (Program("", interactive=True), ()),
    (Program("prog.py", interactive=True), ("prog.py",)),
])
def test_what_the_ranks_get_of_the_program(program, arguments):
    assert program_arguments(program) == (arguments, {})


@pytest.mark.parametrize("args", [
    ("a", ":", "b"), ("--map-by", "x"), ("=", "-x", "==a", "=-x", ":="),
    ("-n", "7", "é", "\udcff", ""), ("--", "-x"),
])
@pytest.mark.parametrize("program", [Program("prog.py"), Program("mod", True)])
def test_what_launchers_must_not_read(program, args):
    """A ``:`` begins another program for them, and some rewrite what looks like theirs."""
    given = replace(program, args=args)
    words, variables = program_arguments(given)
    own = words.index(program.name)
    assert not any(word.startswith(("-", ":")) for word in words[own + 1:])
    assert (parse(words)[2], variables) == (given, {})


def test_the_ranks_get_the_flags_of_the_interpreter(started, monkeypatch):
    monkeypatch.setattr(module, "interpreter_flags", lambda: ["-OO", "-X", "dev"])
    start()
    assert started.argv[3:-2] == [sys.executable, "-OO", "-X", "dev", "-m", "scoop_mpi"]


@pytest.mark.parametrize("flag, options", [("-E", {}), ("-I", {"isolated": 1})])
def test_pythonpath_and_an_interpreter_that_ignores_it(started, monkeypatch, flag, options):
    flags = SimpleNamespace(**{"ignore_environment": 1, "isolated": 0, **options})
    monkeypatch.setattr(sys, "flags", flags)
    with pytest.raises(LaunchError, match=f"--pythonpath: python {flag} takes no notice"):
        start("--pythonpath", "x")
    assert started.commands == []
    assert start() == 42


def test_very_many_arguments(started, monkeypatch):
    args = ("--verbose", *(f"/data/run-{number:05}.csv" for number in range(60_000)))
    assert module.start(*parse(["prog.py", *args])) == 42
    [command] = started.commands
    for name, value in command.variables.items():
        monkeypatch.setenv(name, value)
    assert parse(command.argv[6:])[2] == Program("prog.py", False, args)
    size = sum(map(len, [*command.argv, *command.variables.values()]))
    assert size < sum(len(word) + 4 for word in args)


def test_more_arguments_than_the_system_takes(started):
    with pytest.raises(LaunchError, match=r"have [0-9,]+ bytes; a command of this system takes "
                       r"[0-9,]+\. Put the arguments into a file"):
        module.start(*parse(["prog.py", *["x" * 100_000] * 100]))
    assert started.commands == []


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("line", [["-i"], []])
def test_a_prompt_is_at_the_terminal_if_there_is_one(started, monkeypatch, line, is_terminal):
    monkeypatch.setattr(os, "isatty", lambda descriptor: is_terminal)
    start(*line)
    expected = Stdin.TERMINAL if is_terminal and line else Stdin.PIPE
    assert started.how[0][0] is expected


def test_without_a_program_the_pool_is_checked(started):
    assert module.start(*parse(["-n", "2", "--json"])) == 42
    assert started.argv[3:] == [sys.executable, "-m", "scoop_mpi", "--json"]


# -- inside a job ----------------------------------------------------------


@pytest.fixture
def job(monkeypatch):
    """A SLURM job on node1 and b, two slots each."""
    for name, value in (("SLURM_JOB_ID", "7"), ("SLURM_JOB_NODELIST", "node1,b"),
                        ("SLURM_TASKS_PER_NODE", "2(x2)")):
        monkeypatch.setenv(name, value)


def test_all_slots_of_a_job(started, job):
    start()
    # X finds SLURM's hosts by itself.
    assert started.argv[:3] == ["/bin/x", "-n", "4"] and "-H" not in started.argv


def test_some_hosts_of_a_job(started, job):
    start("--hosts", "b", "node1.cluster")
    # In the job's order, by the job's name for this host.
    assert "node1:2,b:1" in started.argv


def test_a_host_outside_of_the_job(started, job):
    with pytest.raises(LaunchError, match="c is not among the hosts of SLURM job 7: b, node1"):
        start("--hosts", "b", "c")
    assert not started.commands


@pytest.mark.parametrize("name, value", [
    ("SLURM_JOB_NODELIST", "n[1"), ("SLURM_TASKS_PER_NODE", "2(x9)"),
])
def test_garbage_from_a_scheduler(started, job, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(LaunchError, match=name):
        start()
    assert not started.commands


def test_a_shell_inside_a_step_has_the_whole_job(started, job, monkeypatch):
    for name, value in {
        "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PTY_PORT": "1",
        "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "PMI_RANK": "0", "PMIX_RANK": "0",
        "SLURM_TASKS_PER_NODE": "1", "SLURM_JOB_CPUS_PER_NODE": "2(x2)",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_OVERLAP", "0")
    before = dict(os.environ)
    try:
        start()
        assert started.argv[1:3] == ["-n", "4"]
        assert os.environ["SLURM_OVERLAP"] == "1"
        assert os.environ["SLURM_TASKS_PER_NODE"] == "2,2"
        for name in ("SLURM_STEP_ID", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID", "SLURM_PTY_PORT"):
            assert name not in os.environ
        assert os.environ["SLURM_JOB_ID"] == "7"
    finally:
        os.environ.clear()
        os.environ.update(before)


# -- what fails before anything is started ---------------------------------


@pytest.mark.parametrize("line, text", [
    (["--path", "/absent"], "--path /absent: no such directory"),
    (["--prolog", "absent"], "--prolog absent: No such file"),
    (["--ssh-executable", "absent"], "--ssh-executable absent: there is no such program"),
    (["--hosts", "n[2-1]"], "runs backwards"),
    (["--hosts", "a:0"], "0 workers"),
])
def test_what_is_refused(started, line, text):
    with pytest.raises(LaunchError, match=text):
        start(*line)
    assert not started.commands


def test_a_program_that_is_not_there(started):
    with pytest.raises(LaunchError, match="there is no program file absent.py"):
        module.start(*parse(["absent.py"]))
    assert not started.commands and not started.asked


def test_the_program_is_looked_for_in_the_directory(started, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "other.py").write_text("")
    assert module.start(*parse(["--path", "sub", "other.py"])) == 42
    assert started.argv[3:5] == ["-d", str(tmp_path / "sub")]


def test_the_interpreter_of_the_ranks_is_asked_for_its_library(started):
    start("--python-interpreter", "/opt/py")
    assert started.asked == ["/opt/py"]
    assert started.argv[3] == "/opt/py"


def test_paths_for_modules_reach_the_ranks(started, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/before")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mod_of_ours.py").write_text("")
    assert module.start(*parse(["--pythonpath", str(tmp_path / "folder"), "-m", "mod_of_ours"]))
    assert started.commands[0].variables["PYTHONPATH"] == str(tmp_path / "folder")


def test_notes_are_given_once(started, capsys):
    start("-b", "2", "--tunnel")
    err = capsys.readouterr().err
    assert [err.count("-b: one broker"), err.count("--tunnel: there are")] == [1, 1]


@pytest.mark.parametrize("given", [None, "random", ""])
def test_all_ranks_have_one_hash_seed(started, monkeypatch, given):
    if given is None:
        monkeypatch.delenv("PYTHONHASHSEED")
    else:
        monkeypatch.setenv("PYTHONHASHSEED", given)
    start()
    start()
    seeds = [int(command.variables["PYTHONHASHSEED"]) for command in started.commands]
    assert all(0 <= seed < 1 << 32 for seed in seeds)
    assert seeds[0] != seeds[1]


# -- what is shown ---------------------------------------------------------


def test_a_dry_run(started, known, capsys):
    assert start("--hosts", "a", "b", "--dry-run", "-n", "5") == 0
    assert not started.commands
    assert capsys.readouterr().out.splitlines()[:5] == [
        f"# launcher: X, /bin/x, for {LIBRARY}",
        "# 5 workers and the broker on 2 hosts: --hosts, told to the launcher",
        "# a: ranks 0-3 (broker, root)",
        "# b: ranks 4-5",
        "export PYTHONHASHSEED=7",
    ]


def test_a_dry_run_shows_what_is_run(started, known, capsys):
    # The root is elsewhere: the launcher is told who gets standard input.
    start("--hosts", "a", "b", "--dry-run")
    shown = capsys.readouterr().out.splitlines()[-1]
    start("--hosts", "a", "b")
    assert shown.split()[:7] == started.argv[:7]


def test_a_dry_run_names_a_file_of_hosts_by_its_path(started, known, monkeypatch, capsys):
    # srun takes a word without a slash for a host.
    one = Launcher("X", ["x"], ["X"], {"MPICH": []}, ["-n", "{ranks}"], hosts=["-w={file}"])
    monkeypatch.setattr(module, "choose", lambda *arguments: Choice(one, "/bin/x", LIBRARY))
    start("--hosts", "a", "b", "--dry-run")
    [word] = [word for word in capsys.readouterr().out.split() if word.startswith("-w=")]
    assert "/" in word


@pytest.fixture
def deaf(monkeypatch):
    """A launcher that can feed rank 0 only."""
    one = Launcher("X", ["x"], ["X"], {"MPICH": []}, ["-n", "{ranks}"], hosts=["{hosts}"])
    monkeypatch.setattr(module, "choose", lambda *arguments: Choice(one, "/bin/x", LIBRARY))


@pytest.mark.parametrize("has_input, times", [(True, 1), (False, 0)])
def test_a_hint_that_standard_input_is_lost(
    started, known, deaf, monkeypatch, capsys, has_input, times,
):
    monkeypatch.setattr(module.process, "has_input", lambda descriptor: has_input)
    start("--hosts", "a", "b")
    assert started.how[0][0] is Stdin.NONE
    err = capsys.readouterr().err
    assert err.count("X cannot send standard input to the root on a") == times


def test_what_has_input(tmp_path):
    (tmp_path / "file").write_text("x")
    reader, writer = os.pipe()
    with open(tmp_path / "file") as file, open(os.devnull) as nothing:
        assert module.process.has_input(file.fileno())
        assert not module.process.has_input(nothing.fileno())
    assert not module.process.has_input(reader)
    os.write(writer, b"x")
    assert module.process.has_input(reader)
    os.close(writer)
    os.close(reader)
    assert not module.process.has_input(reader)


# -- what the launcher's end tells -----------------------------------------


@pytest.mark.parametrize("hosts, code, root_started, hint", [
    (["a"], 255, False, True), (["node1", "a"], 255, False, True), (["a"], 1, False, False),
    (["node1"], 255, False, False), (["a"], 255, True, False),
])
def test_a_hint_when_a_host_cannot_be_reached(
    started, known, monkeypatch, capsys, hosts, code, root_started, hint,
):
    monkeypatch.setattr(module.process, "run", lambda *call: Ended(code, root_started))
    assert start("--hosts", *hosts) == code
    assert ("does 'ssh a true' work from here" in capsys.readouterr().err) is hint
