"""Fixtures: real job schedulers and hosts, started on first use, stopped at the end.

Each is one of ``clusters``: ``slurm``, ``sge`` and ``torque`` have ``environ``, ``run``,
``begin`` and ``submit``; ``hosts`` has ``run``, ``begin`` and ``ssh``. The fixtures of
``tests/mpi`` are here too.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import CLUSTERS, SGE, Cluster, Hosts, Slurm, Torque

REQUIRED = "SCOOP_MPI_CLUSTERS"
"""With the value "required" a missing cluster is a failure, not a skip."""

_FIXTURES = Path(__file__).resolve().parent.parent / "mpi" / "conftest.py"
_spec = importlib.util.spec_from_file_location("mpi_fixtures", _FIXTURES)
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
start, run = _fixtures.start, _fixtures.run


def _running(name: str) -> Iterator[Cluster]:
    kind = CLUSTERS[name]
    if missing := kind.missing():
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(f"{missing}; {REQUIRED}=required")
        pytest.skip(missing)
    # Sockets have short paths, shorter than pytest's folders may be.
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    cluster = kind(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """SLURM: nodes n1, n2, n3 with two CPUs each."""
    yield from _running("slurm")  # type: ignore[misc]


@pytest.fixture(scope="session")
def sge() -> Iterator[SGE]:
    """SGE: queue all.q with six slots, parallel environment mpi."""
    yield from _running("sge")  # type: ignore[misc]


@pytest.fixture(scope="session")
def torque() -> Iterator[Torque]:
    """Torque: nodes n1, n2, n3 with two slots each."""
    yield from _running("torque")  # type: ignore[misc]


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    """Hosts h1, h2, h3, which reach each other through ``hosts.ssh``."""
    yield from _running("hosts")  # type: ignore[misc]
