"""What ``own.py`` measures: a program with several parts, of which it runs one at a time.

    python -m scoop_mpi -n 4 benchmarks/own_program.py busy NUMBER

It prints one JSON object. The parts are the functions of ``PARTS``; ``busy`` also runs
under SCOOP.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import scoop
from scoop import futures
from workloads import increment, spin

NAP_S = 0.01
BUSY_S = 2.0
LARGE_BYTES = 8 << 20
HEAD_START_S = 0.5
"""The task that makes it sleeps so long before it does."""
PASSES = 5
Figures = dict[str, float]


def nap(duration_s: float) -> tuple[float, int]:
    """Sleeps; returns when it ended and where."""
    time.sleep(duration_s)
    return time.monotonic(), os.getpid()


def large(seconds: float, file: str) -> tuple[float, bytes, int]:
    """Leaves its worker a task; returns when it ended, something large, and where."""
    time.sleep(HEAD_START_S)
    made = bytes(LARGE_BYTES)
    futures.submit(compute, seconds, file)
    return time.monotonic(), made, os.getpid()


def compute(seconds: float, file: str = "") -> None:
    """Occupies the core, in Python; writes into ``file`` when it began, and where."""
    began = time.monotonic()
    if file:
        Path(file).write_text(f"{began} {os.getpid()}")
    while time.monotonic() < began + seconds:
        pass


def busy(number: str) -> Figures:
    """The root holds ``number`` short tasks and computes: are the others at work?"""
    others = scoop.SIZE - 1
    wake_up()
    began = time.monotonic()
    submitted = [futures.submit(nap, NAP_S) for _ in range(int(number))]
    compute(BUSY_S)
    ended = [future.result() for future in submitted]
    last = max(end for end, _ in ended)
    return {"share": int(number) * NAP_S / others / (last - began),
            "by_root": sum(process == os.getpid() for _, process in ended)}


def send_large(seconds: str) -> Figures:
    """A worker makes something large, then computes: when does the root have it?"""
    wake_up()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "computing")
        future = futures.submit(large, float(seconds), str(file))
        time.sleep(HEAD_START_S / 2)  # the root is busy, so another worker runs it
        made, content, maker = future.result()
        received = time.monotonic()
        began, computer = file.read_text().split() if file.exists() else ("inf", "")
    if maker == os.getpid() or len(content) != LARGE_BYTES:
        raise SystemExit("no other worker made it")
    if float(began) > received or int(computer) != maker:
        raise SystemExit("its maker did not compute while it was on its way")
    return {"delay": received - made}


def maps(iterations: str, number: str, trivial: str) -> Figures:
    """A map of CPU-bound tasks and one of trivial ones: seconds."""
    wake_up()
    return {"spin": seconds_of_map(spin, [int(iterations)] * int(number)),
            "trivial": seconds_of_map(increment, range(int(trivial)))}


def donor(turn: str, iterations: str, number: str) -> Figures:
    """A map of CPU-bound tasks, with or without the donor thread: seconds."""
    wake_up()
    return {"seconds": seconds_of_map(spin, [int(iterations)] * int(number), 3 * PASSES)}


def wake_up() -> None:
    """Short sleeps, so that all workers are up."""
    list(futures.map(nap, [0.02] * 4 * scoop.SIZE))


def seconds_of_map(func, items, passes: int = PASSES) -> float:
    """The median of so many passes."""
    seconds = []
    for _ in range(passes):
        before = time.perf_counter()
        list(futures.map(func, items))
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)


def without_donor() -> None:
    """This rank's scheduler does without its second thread.

    Workers import the program before they would start it, the root runs it afterwards.
    """
    from scoop_mpi.process import worker_rank

    for thread in threading.enumerate():
        if thread.name == "scoop_mpi donor":
            thread._target.__self__.stop()  # type: ignore[attr-defined]

    class Absent:
        def __init__(self, *args: object) -> None:
            pass

        def stop(self) -> None:
            pass

    worker_rank.Donor = Absent  # type: ignore[assignment, misc]


PARTS: dict[str, Callable[..., Figures]] = {
    "busy": busy, "large": send_large, "maps": maps, "donor": donor,
}
if sys.argv[1:3] == ["donor", "without"]:
    without_donor()

if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])), flush=True)
