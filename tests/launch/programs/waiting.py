"""Says "up" when all its workers run a task, which takes a minute.

With a word, each of them first makes an empty file of the name of its host in that folder.
"""

import os
import sys
import time
from pathlib import Path

import scoop_mpi
from scoop_mpi import futures
from scoop_mpi.base import context


def wait(folder):
    """Tells that it is running, then holds up its worker."""
    (Path(folder) / f"{os.getpid()}-{context.job().rank}").touch()
    time.sleep(60)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tasks = [futures.submit(wait, str(folder)) for _ in range(scoop_mpi.SIZE - 1)]
    while len(list(folder.iterdir())) < len(tasks):
        futures.wait(tasks, timeout=0.05)
    print("up", os.getpid(), os.environ.get("SLURM_JOB_ID", ""), flush=True)
    futures.wait(tasks)
