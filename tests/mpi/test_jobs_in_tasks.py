"""Jobs that tasks start: what the outer job's launcher said is not about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from launching import Finished, find_mpiexec, uses_open_mpi

Run = Callable[..., Finished]

PROGRAM = """
import json, subprocess, sys
from scoop_mpi import futures

def start(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=40,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr

if __name__ == "__main__":
    print(json.dumps(futures.submit(start, sys.argv[1:]).result()))
"""
INNER = "from scoop_mpi import futures\nif __name__ == '__main__':\n" \
        "    print(sum(futures.map(abs, range(-9, 0))))\n"
MPIEXEC = [find_mpiexec(), *(["--oversubscribe"] if uses_open_mpi() else [])]


@pytest.fixture
def start_in_task(run: Run, tmp_path):  # type: ignore[no-untyped-def]
    """Runs a command in a task of a job of three ranks; (exit code, output, errors)."""
    (tmp_path / "inner.py").write_text(INNER)

    def start_in_task(*command: str, launcher: str = "self") -> list[object]:
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        finished = run(PROGRAM, *command, ranks=3, launcher=launcher, env=root)
        assert finished.returncode == 0, str(finished)
        return list(json.loads(finished.stdout))
    return start_in_task


# As many ranks as the outer job, and another number.
@pytest.mark.parametrize("ranks", ["3", "2"])
def test_a_launcher_in_a_task(start_in_task, ranks):  # type: ignore[no-untyped-def]
    inner = [*MPIEXEC, "-n", ranks, sys.executable, "-m", "scoop_mpi", "inner.py"]
    assert start_in_task(*inner)[:2] == [0, "45\n"]


def test_our_command_line_in_a_task(start_in_task):  # type: ignore[no-untyped-def]
    command = [sys.executable, "-m", "scoop_mpi", "-n", "2", "inner.py"]
    assert start_in_task(*command) == [0, "45\n", ""]


def test_our_command_line_in_a_task_within_a_step_of_slurm(  # type: ignore[no-untyped-def]
    start_in_task, monkeypatch,
):
    """SLURM's variables stay: to a process they look like those of a rank."""
    for name, value in {"STEP_ID": "0", "STEP_NUM_TASKS": "3", "PROCID": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    command = [sys.executable, "-m", "scoop_mpi", "inner.py"]
    code, output, errors = start_in_task(*command, launcher="mpirun")
    assert (code, output) == (2, "")
    assert "a task of a job has started python -m scoop_mpi inside a step of SLURM" in errors


def test_a_tool_that_uses_mpi_without_a_launcher(start_in_task):  # type: ignore[no-untyped-def]
    tool = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
    assert start_in_task(sys.executable, "-c", tool) == [0, "1\n", ""]


def test_what_a_task_finds_in_its_environment(  # type: ignore[no-untyped-def]
    start_in_task, monkeypatch,
):
    settings = {"OMPI_MCA_hook_base_verbose": "0", "PMIX_MCA_base_verbose": "0",
                "MPICH_ASYNC_PROGRESS": "0", "UCX_LOG_LEVEL": "error"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    ask = "import json, os; print(json.dumps(dict(os.environ)))"
    code, output, errors = start_in_task(sys.executable, "-c", ask)
    found = json.loads(output)
    assert settings.items() <= found.items()
    left = {name for name in found if name.startswith(("PMI", "OMPI_", "MPI_LOCAL", "PRTE_", "HYD"))
            and "_MCA_" not in name and "RUN_AS_ROOT" not in name}
    # The place on its host is what programs choose a GPU by.
    assert left <= {"PMIX_PREFIX", "PRTE_PREFIX", "MPI_LOCALRANKID",
                    "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"}
