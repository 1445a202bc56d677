"""On the path of the ranks that ``tune.py`` starts: they run with other figures.

Python imports this before it runs anything else.
"""

import json
import os

from scoop_mpi.process.machine import MACHINE

MACHINE.tuning = MACHINE.tuning.__class__(**json.loads(os.environ["SCOOP_MPI_BENCH_TUNING"]))
