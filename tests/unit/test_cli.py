"""The command line: told apart whether it is a launcher or a rank; errors; exit codes."""

import os
import sys
from types import SimpleNamespace

import pytest

from scoop_mpi import LaunchError
from scoop_mpi import cli
from scoop_mpi.base import log
from scoop_mpi.base.job import Settings
from scoop_mpi.launch import start as start_module
from scoop_mpi.process import surroundings
from scoop_mpi.process import world
from scoop_mpi.process.program import Program


@pytest.fixture
def started(monkeypatch):
    """What would have been started, in place of starting it."""
    from scoop_mpi.process import rank

    calls = []
    monkeypatch.setattr(start_module, "start", lambda *call: calls.append(("job", *call)) or 42)
    monkeypatch.setattr(rank, "run_rank", lambda *call: calls.append(("rank", *call)) or 43)
    for name in list(os.environ):
        if name.startswith(("PMI", "OMPI_", "MV2_", "JSM_", "SLURM_", "MPI_LOCAL", "SCOOP_MPI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(world.RANK_VARIABLE, "")  # a rank sets it
    before = log.logger.level
    yield calls
    log.logger.setLevel(before)


@pytest.fixture
def arranged(monkeypatch):
    """What a rank would have arranged for itself."""
    calls = []
    for name in ("run_prolog", "enter", "set_pythonpath", "set_nice"):
        monkeypatch.setattr(surroundings, name,
                            lambda *what, name=name: calls.append((name, *what)))
    return calls


def test_in_a_shell_it_starts_a_launcher(started):
    assert cli.main(["-n", "8", "prog.py", "a"]) == 42
    [(what, options, settings, program)] = started
    assert (what, options.n, settings) == ("job", 8, Settings())
    assert program == Program("prog.py", False, ("a",))


def test_in_a_shell_without_a_program(started):
    assert cli.main(["-n", "2"]) == 42
    assert started[0][3] is None


def test_inside_a_job_it_is_a_rank(started, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "3")
    assert cli.main(["prog.py", "a"]) == 43
    assert started == [("rank", Program("prog.py", False, ("a",)), Settings())]


def test_a_rank_gets_the_settings(started, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "3")
    assert cli.main(["--debug", "-v", "prog.py"]) == 43
    assert started == [("rank", Program("prog.py"), Settings(verbosity=1, debug=True))]


def test_a_shell_in_a_step_is_no_rank(started, monkeypatch):
    for name, value in {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0",
                        "SLURM_PTY_PORT": "1234", "PMI_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["prog.py"]) == 42


@pytest.mark.parametrize("rank, times", [("0", 1), ("1", 0)])
@pytest.mark.parametrize("line, text", [
    ("-n 4 --hosts a", "-n, --hosts: ignored, as a launcher has started the ranks already"),
    ("-b 3", "-b: one broker serves the whole pool"),
    ("--tunnel", "--tunnel: there are no sockets to tunnel"),
])
def test_what_means_nothing_to_a_rank_is_said_once(
    started, monkeypatch, capsys, rank, times, line, text,
):
    monkeypatch.setenv("PMI_RANK", rank)
    assert cli.main([*line.split(), "prog.py"]) == 43
    assert capsys.readouterr().err.count(text) == times


def test_a_rank_arranges_what_no_launcher_has(started, arranged, monkeypatch, tmp_path):
    prolog = tmp_path / "prolog.sh"
    prolog.write_text("true")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    line = ["--prolog", str(prolog), "--path", str(tmp_path), "--pythonpath", "/a", "--nice", "4"]
    assert cli.main([*line, "prog.py"]) == 43
    assert [call[0] for call in arranged] == ["run_prolog", "enter", "set_pythonpath", "set_nice"]
    assert arranged[0][1][-1] == str(prolog)
    assert arranged[1:] == [("enter", str(tmp_path)), ("set_pythonpath", "/a"), ("set_nice", 4)]


def test_a_rank_leaves_the_rest_alone(started, arranged, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "0")
    cli.main(["prog.py"])
    assert arranged == []


@pytest.mark.parametrize("local, says", [("0", True), ("1", False)])
def test_only_the_first_rank_of_a_host_complains(started, monkeypatch, capsys, local, says):
    monkeypatch.setenv("PMI_RANK", "3")
    monkeypatch.setenv("MPI_LOCALRANKID", local)
    assert cli.main(["--path", "/absent/folder", "prog.py"]) == 2
    assert started == []
    assert ("--path /absent/folder: No such file" in capsys.readouterr().err) is says


@pytest.fixture
def submitted(monkeypatch):
    """Calls of ``submit``."""
    calls = []
    module = SimpleNamespace(submit=lambda arguments: calls.append(arguments) or 44)
    monkeypatch.setitem(sys.modules, "scoop_mpi.launch.submit", module)
    return calls


def test_submitting(started, submitted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["submit", "-n", "4", "prog.py"]) == 44
    assert submitted == [["-n", "4", "prog.py"]]
    assert started == []


def test_a_program_named_submit(started, submitted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submit").touch()
    assert cli.main(["submit", "-n", "4"]) == 42
    assert submitted == []


@pytest.mark.parametrize("text, printed", [("x is wrong", "scoop_mpi: x is wrong\n"), ("", "")])
def test_errors_are_printed_with_their_exit_code(started, monkeypatch, capsys, text, printed):
    def fail(*call):
        raise LaunchError(text, exit_code=5)

    monkeypatch.setattr(start_module, "start", fail)
    assert cli.main(["prog.py"]) == 5
    assert capsys.readouterr().err == printed


def test_nothing_is_started_for_a_program_with_a_syntax_error(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli, "launched_rank", lambda: None)
    monkeypatch.setattr(start_module, "speak_plainly", lambda: None)
    monkeypatch.setattr(start_module.process, "run", lambda *call: pytest.fail("started"))
    program = tmp_path / "prog.py"
    program.write_text("x = (\n")
    assert cli.main(["--no-scoop-alias", str(program)]) == 1
    assert "SyntaxError" in capsys.readouterr().err


def test_arguments_come_from_the_command_line(started, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scoop_mpi", "prog.py", "b"])
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert cli.main() == 43
    assert started == [("rank", Program("prog.py", False, ("b",)), Settings())]


def test_every_launchers_variable_makes_it_a_rank(started, monkeypatch):
    for rank, _ in world._VARIABLES:
        with monkeypatch.context() as patch:
            patch.setenv(rank, "1")
            assert cli.main(["prog.py"]) == 43, rank
