"""pypet, whose own code supports SCOOP, runs an experiment with it.

``PYPET_PYTHON`` names a Python that has pypet (0.6 wants numpy below 2 and pandas below
3), mpi4py and an MPI. See ``programs/pypet_experiment.py``.
"""

from __future__ import annotations

from pathlib import Path

import given
import pytest
from launching import Job, environment

if not given.PYPET.value:
    raise RuntimeError(f"set {given.PYPET.variable}: {given.PYPET.what}")


@pytest.mark.parametrize("input_", ["frozen", "thawed"])
@pytest.mark.parametrize("wrap_mode", ["LOCAL", "NETLOCK", "NETQUEUE"])
def test_an_experiment(tmp_path: Path, wrap_mode: str, input_: str) -> None:
    # pypet's own warnings about its surroundings are none of ours. Its locks change the
    # trajectory for a while: if each run is sent one, that needs --strict.
    options = ["--strict"] if input_ == "thawed" else []
    command = [given.PYPET.value, "-W", "ignore", "-m", "scoop_mpi", "-n", "2", *options,
               str(given.PROGRAMS / "pypet_experiment.py"), str(tmp_path), wrap_mode, input_]
    job = Job(command, cwd=tmp_path, environ=environment("self", None), timeout=90)
    try:
        finished = job.finish()
    finally:
        job.kill()
    assert finished.returncode == 0, finished
    last = finished.stdout.splitlines()[-1:]
    assert last == ["25 runs, 0 wrong, more than one process: True"], finished
