"""Running the launcher: exit codes, signals, the terminal, the file of hosts. No MPI."""

import os
import signal
import subprocess
import sys

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.base.errors import TIMED_OUT
from scoop_mpi.launch import process
from scoop_mpi.launch.command import Command
from scoop_mpi.launch.process import Stdin
from scoop_mpi.process.world import (
    ROOT_PID_VARIABLE, STDIN_BY_LAUNCHER, STDIN_VARIABLE, TERMINAL_VARIABLE,
)


@pytest.fixture(autouse=True)
def dispositions():
    """Signals do what they do at a terminal, also if the tests run under nohup or behind."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL,
             signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a shell script in place of a launcher; returns the exit code and what it wrote."""
    monkeypatch.setattr(sys, "stdin", None)

    def run_it(text, host_list="", variables=None, **options):
        out = tmp_path / "out"

        def build(host_file, set_by_us):
            script = f"exec >{out}\nHOSTS={host_file}\n{text}\n"
            environ = {**set_by_us, **(variables or {})}
            return Command(["/bin/sh", "-c", script], environ, host_list)

        code, _ = process.run(build, options.pop("stdin", Stdin.PIPE), **options)
        return code, out.read_text().splitlines()
    return run_it


@pytest.mark.parametrize("ending, code", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143),
])
def test_the_exit_code_of_the_job(run, ending, code):
    assert run(ending)[0] == code


def test_variables_are_added_to_the_environment(run, monkeypatch):
    monkeypatch.setenv("THEIRS", "1")
    assert run('echo "$THEIRS $OURS"', variables={"OURS": "2"})[1] == ["1 2"]


def test_the_file_of_hosts_is_there_and_goes(run):
    _, (path, *hosts) = run("echo $HOSTS; cat $HOSTS", "n1\nnö\n")
    assert hosts == ["n1", "nö"]
    assert not os.path.exists(os.path.dirname(path))


def test_no_file_of_hosts(run):
    assert run("test -e $HOSTS || echo none")[1] == ["none"]


@pytest.mark.parametrize("words, text", [
    ([], "does not start: No such file"), (["x" * 200_000], "does not start: Argument list too"),
])
def test_a_launcher_that_does_not_start(monkeypatch, tmp_path, capfd, words, text):
    monkeypatch.setattr(sys, "stdin", None)
    before = signal.getsignal(signal.SIGINT)
    path = str(tmp_path / "absent")

    def start():
        command = Command([path, *words], {}, "")
        return process.run(lambda host_file, variables: command, Stdin.PIPE).exit_code

    if words:  # found out before there is a guardian
        with pytest.raises(LaunchError, match=f"{path} {text}"):
            start()
    else:
        assert start() == 2
        assert capfd.readouterr().err.startswith(f"scoop_mpi: {path} {text}")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_launcher_says_is_not_swallowed(run, capfd):
    assert run("echo cannot reach node7 >&2; exit 9")[0] == 9
    assert capfd.readouterr().err == "cannot reach node7\n"


# -- standard input --------------------------------------------------------

VARIABLES = f'echo "[${TERMINAL_VARIABLE}] [${ROOT_PID_VARIABLE}] [${STDIN_VARIABLE}]"'
JOB = """
import sys
from scoop_mpi.launch import process
from scoop_mpi.launch.command import Command
from scoop_mpi.launch.process import Stdin
def build(host_file, variables):
    return Command(["/bin/sh", "-c", {script!r}], variables, "")
sys.exit(process.run(build, {stdin!s}).exit_code)
"""


@pytest.fixture
def run_with_stdin(tmp_path):
    """The same in a process of its own, with something piped to it."""
    def run_it(script, stdin, text):
        from scoop_mpi import __file__ as package
        return subprocess.run(
            [sys.executable, "-c", JOB.format(script=script, stdin=stdin)],
            input=text, capture_output=True, text=True, timeout=20,
            env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(package))})
    return run_it


def test_standard_input_is_carried_to_a_root_on_this_host(run_with_stdin):
    text = "line\n" * 50_000  # more than a pipe holds
    script = f'cat; test -p "${STDIN_VARIABLE}" && cat "${STDIN_VARIABLE}"'
    done = run_with_stdin(script, Stdin.PIPE, text)
    assert (done.stdout, done.stderr, done.returncode) == (text, "", 0)


def test_standard_input_that_nobody_reads(run_with_stdin):
    done = run_with_stdin("exit 3", Stdin.PIPE, "x" * 200_000)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 3)


def test_standard_input_for_a_root_elsewhere_is_the_launchers(run_with_stdin):
    done = run_with_stdin(f'echo "${STDIN_VARIABLE}"; cat', Stdin.LAUNCHER, "typed\n")
    assert (done.stdout, done.stderr) == (f"{STDIN_BY_LAUNCHER}\ntyped\n", "")


def test_standard_input_that_no_launcher_can_send(run_with_stdin):
    done = run_with_stdin(f"{VARIABLES}; cat", Stdin.NONE, "typed\n")
    assert (done.stdout, done.stderr) == ("[] [] [/dev/null]\n", "")


@pytest.mark.parametrize("stdin", [Stdin.PIPE, Stdin.LAUNCHER, Stdin.NONE])
def test_without_standard_input(run, stdin):
    [line] = run(f"{VARIABLES}; cat", stdin=stdin)[1]
    terminal, pid_file, pipe = line.split()
    assert (terminal, pipe) == ("[]", "[/dev/null]")
    # A root on another host cannot be sent signals.
    assert pid_file.endswith("/root]") if stdin is Stdin.PIPE else pid_file == "[]"


# -- at a terminal ---------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    """Standard input is a terminal; lists what is done to its settings."""
    done = []
    monkeypatch.setattr(process.os, "ttyname", lambda descriptor: f"/dev/tty-{descriptor}")
    monkeypatch.setattr(process.termios, "tcgetattr", lambda descriptor: ["settings"])
    monkeypatch.setattr(process.termios, "tcsetattr",
                        lambda descriptor, when, settings: done.append((descriptor, settings)))
    return done


def test_the_root_gets_the_terminal(run, terminal):
    code, (*_, line) = run(f"{VARIABLES}; exit 3", stdin=Stdin.TERMINAL)
    assert code == 3
    where, pid_file, pipe = line.split()
    assert where == "[/dev/tty-0]"
    assert pid_file.startswith("[/") and pid_file.endswith("/root]")
    assert not os.path.exists(os.path.dirname(pid_file[1:-1]))  # gone with the job
    assert pipe == "[]"
    assert terminal == [(0, ["settings"])]


def test_without_a_prompt_nobody_gets_the_terminal(run, terminal):
    [line] = run(VARIABLES)[1]
    assert line.startswith("[] ") and line.endswith(" [/dev/null]")
    assert terminal == []


# -- signals ---------------------------------------------------------------


@pytest.fixture
def listening(monkeypatch, tmp_path):
    """Commands that wait until signals are passed on."""
    install, path = signal.signal, tmp_path / "listening"

    def note(number, handler):
        before = install(number, handler)
        if number == signal.SIGHUP:  # the last one
            path.touch()
        return before

    monkeypatch.setattr(process.signal, "signal", note)
    return f"until [ -e {path} ]; do sleep 0.01; done"


ROOT_LISTENS = f'echo $$ >"${ROOT_PID_VARIABLE}"'
US = os.getpid()


@pytest.mark.parametrize("stdin", [Stdin.PIPE, Stdin.TERMINAL])
def test_ctrl_c_goes_to_a_root_that_listens(run, terminal, listening, stdin):
    # What it makes of that, and its exit code, are its own affair.
    code, lines = run(f"""
trap 'echo heard; exit 7' INT
trap 'exit 8' TERM
{ROOT_LISTENS}
{listening}
kill -INT {US}
while :; do sleep 0.01; done""", stdin=stdin)
    assert (code, lines) == (7, ["heard"])


@pytest.mark.parametrize("stdin", [Stdin.PIPE, Stdin.TERMINAL])
def test_ctrl_c_before_the_root_listens_ends_the_job(run, terminal, listening, stdin):
    code, lines = run(f"""
trap 'echo ended; exit 0' TERM
{listening}
kill -INT {US}
while :; do sleep 0.01; done""", stdin=stdin)
    assert (code, lines) == (130, ["ended"])


# At a prompt there may be many.
@pytest.mark.parametrize("stdin, code", [(Stdin.PIPE, 130), (Stdin.TERMINAL, 3)])
def test_the_second_ctrl_c_ends_the_job(run, terminal, listening, stdin, code):
    found, lines = run(f"""
trap 'heard=x$heard; [ $heard != xxx ] || exit 3; kill -INT {US}' INT
trap 'echo ended; exit 0' TERM
{ROOT_LISTENS}
{listening}
kill -INT {US}
while :; do sleep 0.01; done""", stdin=stdin)
    assert (found, lines) == (code, ["ended"] if stdin is Stdin.PIPE else [])


def test_ctrl_c_for_a_root_elsewhere_is_the_launchers_affair(run, listening):
    code, lines = run(f"""
trap 'echo heard; exit 0' INT
{listening}
kill -INT {US}
while :; do sleep 0.01; done""", stdin=Stdin.NONE)
    assert (code, lines) == (130, ["heard"])


@pytest.mark.parametrize("stdin, signals, code", [
    (Stdin.PIPE, ["TERM"], 143), (Stdin.PIPE, ["HUP"], 129),
    (Stdin.PIPE, ["TERM", "INT", "HUP"], 143),
    (Stdin.PIPE, ["INT", "INT"], 130), (Stdin.NONE, ["INT", "INT"], 130),
])
def test_a_launcher_that_takes_no_notice_is_killed(run, listening, signals, code, stdin):
    kill = f"; sleep 0.05; kill -{{}} {US}".format
    found, lines = run(f"""
trap '' INT TERM HUP
{listening}
echo begun {"".join(map(kill, signals))}
while :; do sleep 0.01; done""", stdin=stdin)
    assert (found, lines) == (code, ["begun"])


def test_two_signals_at_once_are_passed_on(monkeypatch, listening):
    # The kernel may give both to a thread that carries standard input.
    monkeypatch.setattr(process, "_has_stdin", lambda: True)

    def build(host_file, variables):
        program = f"import os, time; os.kill({US}, 2); os.kill({US}, 15); time.sleep(20)"
        script = f"{listening}; exec {sys.executable} -I -S -c {program!r}"
        return Command(["/bin/sh", "-c", script], variables, "")
    for _ in range(10):
        assert process.run(build, Stdin.PIPE).exit_code in (130, 143)


@pytest.mark.parametrize("signals, code", [
    ([signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGTERM], 130),
])
def test_signals_before_there_is_a_launcher_end_the_job(tmp_path, signals, code):
    """And no temporary files are left behind."""
    paths = []

    def build(host_file, variables):
        paths.append(os.path.dirname(host_file))
        for number in signals:
            os.kill(US, number)
        return Command(["/bin/sh", "-c", "sleep 20"], variables, "")
    assert process.run(build, Stdin.PIPE).exit_code == code
    assert [os.path.exists(path) for path in paths] == [False]


def test_ignored_signals_stay_ignored(run, monkeypatch, tmp_path):
    # Under nohup, or in the background of a shell.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    code, lines = run(f"kill -INT {US} $PPID $$; kill -HUP {US} $PPID $$; echo here; exit 4")
    assert (code, lines) == (4, ["here"])


def test_handlers_are_put_back(run):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run("exit 0")
    assert before == [signal.getsignal(one) for one in
                      (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


# -- a time limit ----------------------------------------------------------


def test_a_job_within_its_limit(run):
    assert run("exit 5", timeout_s=20.0)[0] == 5


@pytest.mark.parametrize("trap", ["", "trap '' TERM"])
def test_a_launcher_that_never_ends(run, capfd, trap):
    # Its broker should have ended the job; some launchers do not even hear SIGTERM.
    code, lines = run(
        f"{trap}\necho begun\nwhile :; do sleep 0.05; done", timeout_s=0.3, grace_s=0.2)
    assert code == TIMED_OUT
    assert lines == ["begun"]
    assert "did not end within 0.3 s" in capfd.readouterr().err


def test_whether_the_root_started(monkeypatch):
    monkeypatch.setattr(process, "_has_stdin", lambda: True)

    def ended(script, stdin):
        def build(host_file, variables):
            return Command(["/bin/sh", "-c", script], variables, "")
        return process.run(build, stdin).root_started

    opens_it = 'exec <"$SCOOP_MPI_STDIN"; sleep 0.2; exit 255'
    assert [ended(opens_it, Stdin.PIPE), ended("exit 255", Stdin.PIPE)] == [True, False]
    assert not ended(opens_it, Stdin.NONE)  # not known
