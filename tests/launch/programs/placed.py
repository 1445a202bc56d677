"""Tells where its workers are and what they see; ends with the exit code of its first word.

The further words are told as well. With "stdin" among them it reads its standard input.
"""

import json
import os
import sys
import time

import scoop_mpi
from scoop_mpi import futures
from scoop_mpi.base import context
from scoop_mpi.process.world import HOSTS_VARIABLE, told

ENVIRONMENT = ("OMP_NUM_THREADS", "PYTHONPATH", "FROM_PROLOG")


def look(number):
    """What the worker that runs this sees; takes long enough for all to get a share."""
    time.sleep(0.005)
    # Several nodes of SLURM are one host here.
    return context.job().rank, {
        "node": os.environ.get("SLURMD_NODENAME") or os.uname().nodename,
        "directory": os.getcwd(), "nice": os.nice(0), "python": sys.executable,
        "placed": told(HOSTS_VARIABLE), **{name: os.environ.get(name) for name in ENVIRONMENT}}


if __name__ == "__main__":
    workers = {}
    while len(workers) < scoop_mpi.SIZE:
        workers.update(futures.map(look, range(8 * scoop_mpi.SIZE)))
    print(json.dumps({
        "broker": scoop_mpi.BROKER.hostname, "workers": workers, "words": sys.argv[2:],
        "stdin": sys.stdin.read() if "stdin" in sys.argv else None}))
    sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
