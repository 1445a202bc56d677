"""Real job schedulers, and several hosts, on this one machine: started and stopped in seconds.

``python tests/launch/clusters start slurm FOLDER`` starts one by hand (see ``__main__``);
the tests use the fixtures of ``tests/launch/conftest.py``. ``install`` installs what they
are made of.
"""

from __future__ import annotations

import sys
from pathlib import Path

_LAUNCHING = Path(__file__).resolve().parents[2] / "mpi"
if str(_LAUNCHING) not in sys.path:
    sys.path.append(str(_LAUNCHING))

from .base import Cluster, ClusterError  # noqa: E402
from .hosts import Hosts  # noqa: E402
from .sge import SGE  # noqa: E402
from .slurm import Slurm  # noqa: E402
from .torque import Torque  # noqa: E402

CLUSTERS: dict[str, type[Cluster]] = {
    "slurm": Slurm, "sge": SGE, "torque": Torque, "hosts": Hosts,
}

__all__ = ["CLUSTERS", "Cluster", "ClusterError", "Hosts", "SGE", "Slurm", "Torque"]
