"""No library but MPI: 100 bytes from rank 1 to rank 2 and back, while rank 0 sleeps."""

from __future__ import annotations

import os
import time

from measuring import arguments, run
from mpi4py import MPI

SLEEPER, PINGER, PONGER = range(3)
BYTES = 100
POLL_S = 0.05

comm = MPI.COMM_WORLD


def _receive(source: int) -> bytearray:
    while (message := comm.Improbe(source)) is None:
        pass
    status = MPI.Status()
    buffer = bytearray(BYTES)
    message.Recv([buffer, MPI.BYTE], status)
    return buffer[:status.Get_count(MPI.BYTE)]


def _send(dest: int, content: bytes) -> None:
    comm.Isend([content, MPI.BYTE], dest).Wait()


def _round_trip(func) -> int:
    _send(PONGER, func().to_bytes(BYTES, "little"))
    return int.from_bytes(_receive(PONGER), "little")


def _pong() -> None:
    while _receive(PINGER):
        _send(PINGER, os.getpid().to_bytes(BYTES, "little"))


def _sleep() -> None:
    while not comm.Iprobe(PINGER):
        time.sleep(POLL_S)
    _receive(PINGER)


def main() -> None:
    """Runs the workloads that the command line names."""
    rank = comm.Get_rank()
    if rank == PINGER:
        run(arguments().parse_args(), {"round_trip": _round_trip}, {})
        _send(PONGER, b"")
        _send(SLEEPER, b"")
    elif rank == PONGER:
        _pong()
    else:
        _sleep()


if __name__ == "__main__":
    main()
