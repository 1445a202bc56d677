"""Arguments, results and closures of every size arrive whole, in blocks too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from launching import Finished

PROGRAM = """
import hashlib, os, random, sys, time
from scoop_mpi import futures
from scoop_mpi.base import context

SIZES = [0, 1, 4095, 4096, 65_535, 65_536, 65_537, 1_000_003, 20_000_000]

def echo(data):
    time.sleep(0.002)  # long enough to be given away
    return os.getpid(), data, hashlib.sha256(data).hexdigest()

def use_blocks(limit):
    context.current().exchange._endpoint._count_max = limit
    time.sleep(0.1)
    return os.getpid()

def check(payloads):
    pids = set()
    for data, (pid, back, digest) in zip(payloads, futures.map(echo, payloads)):
        assert back == data and digest == hashlib.sha256(data).hexdigest(), len(data)
        pids.add(pid)
    pending = [futures.submit(echo, data) for data in payloads]
    for data, future in zip(payloads, pending):
        assert future.result()[1] == data
    return pids

if __name__ == "__main__":
    if sys.argv[1] == "blocks":
        pids = set(futures.map(use_blocks, [50_000] * 60))
        pids.add(use_blocks(50_000))
        assert len(pids) == 3, pids
    maker = random.Random(1)
    pids = check([maker.randbytes(size) for size in SIZES * 3])
    captured = maker.randbytes(3_000_000)
    assert set(futures.map(lambda n: len(captured) + 0 * n, range(50))) == {3_000_000}
    print("ranks", len(pids))
"""


@pytest.mark.parametrize("how", ["counts", "blocks"])
def test_every_size_arrives(run: Callable[..., Finished], how: str) -> None:
    finished = run(PROGRAM, how, ranks=4, timeout=120)
    assert finished.returncode == 0, finished
    assert "ranks 1" not in finished.stdout.splitlines(), finished
