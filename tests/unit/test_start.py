"""From options to a command: what is found out, what is refused, what is shown."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.launch import named
from scoop_mpi.launch import start as module
from scoop_mpi.launch.launchers import Choice, Launcher
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.process import Ended, Stdin
from scoop_mpi.launch.start import program_arguments
from scoop_mpi.process.program import Program
from scoop_mpi.process.world import SIZE_VARIABLE, STDIN_BY_LAUNCHER, STDIN_VARIABLE

LAUNCHER = Launcher(
    "X", ["x"], ["X"], {"MPICH": []}, ["-n", "{ranks}"], schedulers=["SLURM"],
    hosts=["-H", "{hosts}"], host="{name}:{ranks}", directory=["-d", "{directory}"],
    ssh=["--agent", "{path}"], rsh=["--rsh"], stdin=["-s", "{rank}"], variable=[])
LIBRARY = "MPICH Version: 5"


class Started:
    """What reached the launcher: its command, and how it was to be run."""

    def __init__(self):
        self.commands, self.how, self.asked = [], [], []

    def run(self, build, *how):
        """Stands for process.run."""
        variables = {STDIN_VARIABLE: STDIN_BY_LAUNCHER} if how[0] is Stdin.LAUNCHER else {}
        self.commands.append(build("/tmp/hosts", variables))
        self.how.append(how)
        return Ended(42, root_started=True)

    @property
    def argv(self):
        """The words of the only command."""
        [command] = self.commands
        return command.argv


@pytest.fixture
def started(monkeypatch, tmp_path):
    """No launcher is started; this host, node1, has three cores and is in no job."""
    one = Started()
    monkeypatch.setattr(module.process, "run", one.run)
    monkeypatch.setattr(module, "loaded_library",
                        lambda python: one.asked.append(python) or LIBRARY)
    monkeypatch.setattr(module, "choose", lambda library, launcher, executable: Choice(
        LAUNCHER, "/bin/x", library))
    monkeypatch.setattr(module, "interpreter_flags", lambda: [])
    monkeypatch.setattr(module, "speak_plainly", lambda: None)
    monkeypatch.setattr(module.alias, "install", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5})
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename="node1"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    for name in list(os.environ):
        if name.startswith(("SLURM", "PBS_", "PE_HOSTFILE", "LSB_", "PMI", "OMPI")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prog.py").write_text("")
    return one


@pytest.fixture
def known(monkeypatch):
    """Some names resolve."""
    names = {"a", "b", "c"}

    def getaddrinfo(name, port):
        if name not in names:
            raise socket.gaierror(-2, "Name or service not known")
        return [name]

    monkeypatch.setattr(named.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(named, "_is_alias", lambda name, options: False)
    return names


def start(*line):
    """Starts a command line."""
    return module.start(*parse([*line, "prog.py", "a b"]))


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


# -- cores of other hosts ----------------------------------------------------


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


# -- what fails before anything is started -----------------------------------


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


# -- what the launcher's end tells -------------------------------------------


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
