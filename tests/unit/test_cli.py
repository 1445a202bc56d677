"""The command line: what is ours, what is the program's."""

import sys

import pytest

from scoop_mpi import LaunchError, __version__
from scoop_mpi.job import Settings
from scoop_mpi.launch import cli, world
from scoop_mpi.program import Program


@pytest.fixture
def started(monkeypatch):
    """What would have been started, in place of starting it."""
    calls = []

    def run_mpiexec(ranks, arguments, at_terminal):
        calls.append((ranks, list(arguments), at_terminal))
        return 42

    def run_rank(program, settings):
        calls.append((program, settings))
        return 43

    from scoop_mpi import rank
    from scoop_mpi.launch import mpiexec
    for module, name, function in (
        (mpiexec, "run_mpiexec", run_mpiexec), (rank, "run_rank", run_rank),
    ):
        monkeypatch.setattr(module, name, function)
        if hasattr(cli, name):
            monkeypatch.setattr(cli, name, function)
    for names in world._VARIABLES:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    return calls


@pytest.mark.parametrize("line, workers, program", [
    ("prog.py", None, Program("prog.py")),
    ("-n 4 prog.py", 4, Program("prog.py")),
    ("-n4 prog.py", 4, Program("prog.py")),
    ("prog.py a b", None, Program("prog.py", False, ("a", "b"))),
    ("prog.py -n 4", None, Program("prog.py", False, ("-n", "4"))),
    ("-n 2 prog.py --version", 2, Program("prog.py", False, ("--version",))),
    ("prog.py -h", None, Program("prog.py", False, ("-h",))),
    ("prog.py -m x", None, Program("prog.py", False, ("-m", "x"))),
    ("prog.py -- -x", None, Program("prog.py", False, ("--", "-x"))),
    ("-m mod", None, Program("mod", True)),
    ("-mmod", None, Program("mod", True)),
    ("-n 3 -m mod", 3, Program("mod", True)),
    ("-m pkg.mod a b", None, Program("pkg.mod", True, ("a", "b"))),
    ("-m mod a -n 3", None, Program("mod", True, ("a", "-n", "3"))),
    ("-m mod -x 1", None, Program("mod", True, ("-x", "1"))),
    ("-m mod --long=1 a", None, Program("mod", True, ("--long=1", "a"))),
    ("-m mod -n 3", None, Program("mod", True, ("-n", "3"))),
    ("-n 2 -m mod -n 3", 2, Program("mod", True, ("-n", "3"))),
    ("-m mod -m other", None, Program("mod", True, ("-m", "other"))),
    ("-m mod --version", None, Program("mod", True, ("--version",))),
    ("-m mod -h", None, Program("mod", True, ("-h",))),
])
def test_lines(line, workers, program):
    options, settings, parsed = cli.parse(line.split())
    assert parsed == program
    assert options.n == workers
    assert settings == Settings()


@pytest.mark.parametrize("line, settings", [
    ("-v prog.py", Settings(verbosity=1)),
    ("-vv prog.py", Settings(verbosity=2)),
    ("-v --verbose prog.py", Settings(verbosity=2)),
    ("-q prog.py", Settings(verbosity=-1)),
    ("-qq prog.py", Settings(verbosity=-2)),
    ("-vvq prog.py", Settings(verbosity=1)),
    ("-q --quiet -v prog.py", Settings(verbosity=-1)),
    ("--strict prog.py", Settings(strict=True)),
    ("--debug prog.py", Settings(debug=True)),
    ("--profile prog.py", Settings(profile=True)),
    ("--no-scoop-alias prog.py", Settings(alias=False)),
    ("-i prog.py", Settings(interactive=True)),
    ("--interactive prog.py", Settings(interactive=True)),
    ("-v -n 3 --strict --debug --profile --no-scoop-alias -i -q -q prog.py",
     Settings(-1, False, True, True, True, True)),
])
def test_settings(line, settings):
    _, parsed, program = cli.parse(line.split())
    assert parsed == settings
    assert program == Program("prog.py", interactive=settings.interactive)


@pytest.mark.parametrize("option", [
    "-v", "-q", "--strict", "--debug", "--profile", "--no-scoop-alias", "-i",
])
def test_options_after_the_program_are_its_own(option):
    for start, is_module in (["prog.py"], False), (["-m", "mod"], True):
        _, settings, program = cli.parse([*start, option, "a"])
        assert settings == Settings()
        assert program == Program(start[-1], is_module, (option, "a"))


@pytest.mark.parametrize("line", ["--strict -m mod a", "-n 2 --strict -mmod a"])
def test_options_before_a_module(line):
    _, settings, program = cli.parse(line.split())
    assert settings == Settings(strict=True)
    assert program == Program("mod", True, ("a",))


@pytest.mark.parametrize("line", ["-vm mod -q -x", "-vmmod -q -x"])
def test_options_joined_with_that_of_a_module(line):
    # As `python -vm mod -q -x`.
    _, settings, program = cli.parse(line.split())
    assert settings == Settings(verbosity=1)
    assert program == Program("mod", True, ("-q", "-x"))


@pytest.mark.parametrize("line, program", [
    ("-i", Program("", interactive=True)),
    ("-n 4 -i", Program("", interactive=True)),
    ("-i prog.py a", Program("prog.py", False, ("a",), True)),
    ("-i -m mod a -x", Program("mod", True, ("a", "-x"), True)),
])
def test_a_prompt_with_and_without_a_program(line, program):
    _, settings, parsed = cli.parse(line.split())
    assert parsed == program
    assert settings == Settings(interactive=True)


@pytest.mark.parametrize("line", ["", "-n 4", "--strict -v"])
def test_no_program(line):
    with pytest.raises(LaunchError, match="name a program to run\nusage: "):
        cli.parse(line.split())


@pytest.mark.parametrize("line, text", [
    ("-n 0 prog.py", "at least 1"), ("-n -3 prog.py", "-3"), ("-n x prog.py", "'x' is not"),
    ("-n", "expected one argument"), ("--unknown prog.py", "--unknown"), ("-m", "argument"),
])
def test_wrong_options(line, text, capsys):
    with pytest.raises(SystemExit) as request:
        cli.parse(line.split())
    assert request.value.code == 2
    assert text in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as request:
        cli.parse(["--version"])
    assert request.value.code == 0
    assert capsys.readouterr().out == f"scoop_mpi {__version__}\n"


def test_help_shows_the_options(capsys):
    with pytest.raises(SystemExit) as request:
        cli.parse(["-h"])
    assert request.value.code == 0
    out = capsys.readouterr().out
    assert "-n N" in out and "-m MODULE" in out and "mpirun" in out
    for option in ("-i", "-v", "-q", "--strict", "--debug", "--profile", "--no-scoop-alias"):
        assert option in out


@pytest.mark.parametrize("line, arguments", [
    ("-n 4 prog.py a -n 5", ["prog.py", "a", "-n", "5"]),
    ("-n 4 -m mod a -x", ["-m", "mod", "a", "-x"]),
    ("-i", []),
    ("-i prog.py a", ["prog.py", "a"]),
])
def test_ranks_get_the_program_without_our_options(line, arguments):
    _, settings, program = cli.parse(line.split())
    assert cli.program_arguments(program) == arguments
    options, again, same = cli.parse(settings.arguments() + arguments)
    assert same == program
    assert again == settings
    assert options.n is None


def test_workers_and_a_broker_are_started(started, tmp_path):
    program = tmp_path / "prog.py"
    program.write_text("")
    assert cli.main(["-n", "8", str(program), "a"]) == 42
    assert started == [(9, [str(program), "a"], False)]


@pytest.mark.parametrize("line", [
    "-vv", "-q", "--strict --debug --profile", "--no-scoop-alias", "-i",
])
def test_the_ranks_get_the_same_settings(started, tmp_path, line):
    program = tmp_path / "prog.py"
    program.write_text("")
    arguments = [*line.split(), str(program), "a", "-v"]
    assert cli.main(["-n", "2", *arguments]) == 42
    [(ranks, own, _)] = started
    assert ranks == 3
    assert cli.parse(own)[1:] == cli.parse(arguments)[1:]


@pytest.mark.parametrize("line, is_terminal, at_terminal", [
    (["-i"], True, True), (["-i"], False, False), ([], True, False),
])
def test_a_prompt_is_at_the_terminal_if_there_is_one(
    started, tmp_path, monkeypatch, line, is_terminal, at_terminal,
):
    monkeypatch.setattr(cli.os, "isatty", lambda descriptor: descriptor == 0 and is_terminal)
    program = tmp_path / "prog.py"
    program.write_text("")
    assert cli.main([*line, str(program)]) == 42
    assert started[0][2] is at_terminal


def test_a_prompt_needs_no_program(started):
    assert cli.main(["-n", "2", "-i"]) == 42
    assert started == [(3, ["--interactive"], False)]


def test_a_worker_for_each_core(started, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.os, "sched_getaffinity", lambda pid: {0, 3, 5})
    program = tmp_path / "prog.py"
    program.write_text("")
    cli.main([str(program)])
    assert started[0][0] == 4


def test_nothing_is_started_for_a_program_that_is_not_there(started, capsys):
    assert cli.main(["-n", "2", "absent.py"]) == 2
    assert started == []
    assert capsys.readouterr().err.startswith("scoop_mpi: there is no program file absent.py")


def test_nothing_is_started_for_a_program_with_a_syntax_error(started, capsys, tmp_path):
    program = tmp_path / "prog.py"
    program.write_text("x = (\n")
    assert cli.main([str(program)]) == 1
    assert started == []
    assert "SyntaxError" in capsys.readouterr().err


def test_inside_a_job_it_is_a_rank(started, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "3")
    assert cli.main(["prog.py", "a"]) == 43
    assert started == [(Program("prog.py", False, ("a",)), Settings())]


def test_a_rank_gets_the_settings(started, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "3")
    assert cli.main(["--debug", "-v", "prog.py"]) == 43
    assert started == [(Program("prog.py"), Settings(verbosity=1, debug=True))]


@pytest.mark.parametrize("rank, times", [("0", 1), ("1", 0)])
def test_a_number_of_workers_inside_a_job_is_ignored(started, monkeypatch, capsys, rank, times):
    monkeypatch.setenv("PMI_RANK", rank)
    assert cli.main(["-n", "4", "prog.py"]) == 43
    assert capsys.readouterr().err.count("-n is ignored") == times


def test_an_error_without_text_prints_nothing(started, monkeypatch, capsys):
    def fail(arguments):
        raise LaunchError("", exit_code=5)

    monkeypatch.setattr(cli, "_main", fail)
    assert cli.main(["prog.py"]) == 5
    assert capsys.readouterr().err == ""


def test_arguments_come_from_the_command_line(started, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scoop_mpi", "prog.py", "b"])
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert cli.main() == 43
    assert started == [(Program("prog.py", False, ("b",)), Settings())]
