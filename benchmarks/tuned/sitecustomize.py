"""On the path of ranks that run with other figures (``tune.py``, some tests).

Python imports this before it runs anything else. The figures that differ from
``scoop_mpi.base.tuning`` are in a variable, as JSON.
"""

import json
import os

from scoop_mpi.base.tuning import Tuning
from scoop_mpi.process.machine import MACHINE

MACHINE.tuning = Tuning(**json.loads(os.environ["SCOOP_MPI_BENCH_TUNING"]))
