"""Run by ``constants.py``, unchanged, under SCOOP and under scoop_mpi.

Prints JSON, one object a line: ``small`` (seconds of each ``setConst`` of an int), ``set``
(seconds of ``setConst`` of a large value), ``read`` (seconds from before that until every
worker has read it), ``done``.
"""

from __future__ import annotations

import json
import sys
import time

import scoop
from scoop import futures, shared

LIMIT_S = 60


def size_of_large(number: int) -> tuple[str, int, float]:
    """Reads the large constant: on which worker, how many bytes, and when."""
    size = len(shared.getConst("large", timeout=LIMIT_S))
    at = time.time()
    time.sleep(0.02)  # leaves further calls to the other workers
    return str(scoop.worker), size, at


def main(number: int, size: int) -> None:
    """Defines ``number`` small constants and one of ``size`` bytes."""
    list(futures.map(str, range(10 * scoop.SIZE)))
    for name in range(number):
        began = time.time()
        shared.setConst(**{f"small{name}": name})
        say(small=time.time() - began)
    large = bytes(size)
    began = time.time()
    shared.setConst(large=large)
    say(set=time.time() - began)
    readers: dict[str, float] = {}
    while len(readers) < scoop.SIZE and time.time() < began + LIMIT_S:
        for worker, read, at in futures.map(size_of_large, range(8 * scoop.SIZE)):
            assert read == size
            readers[worker] = min(at, readers.get(worker, at))
    if len(readers) == scoop.SIZE:
        say(read=max(readers.values()) - began)
    say(done=True)


def say(**fields: object) -> None:
    """Prints one line."""
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
