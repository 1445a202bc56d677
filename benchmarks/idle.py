"""What an idle pool costs: CPU of 64 ranks that wait, in per cent of one core.

It starts ``waiting.py`` under scoop_mpi, and reads the CPU time of all ranks, broker and
root included, from /proc before and after each kind of wait. The program itself measures
how soon a task starts after such a wait.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time

import environments
import processes
import report

WORKERS = 63
SETTLE_S = 5.0
"""Seconds that ranks get to come to rest before the measuring begins."""
LIMIT_S = 180
"""Seconds for starting and stopping the ranks, after which they are stopped hard."""
REACH_PERCENT = 10
REACH_MS = 30


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--seconds", type=float, help="of each wait (default: 30)")
    parser.add_argument("--quick", action="store_true",
                        help="7 workers and 3 seconds: does it run?")
    parser.add_argument("--write", action="store_true",
                        help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    workers = 7 if options.quick else options.workers
    seconds = options.seconds or (3 if options.quick else 30)
    wait_s = SETTLE_S + seconds + 2
    command = [sys.executable, "-m", "scoop_mpi", "-n", str(workers),
               str(environments.HERE / "waiting.py"), str(wait_s)]
    job = subprocess.Popen(command, env=environments.environ(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True, start_new_session=True,
                           cwd=environments.ROOT)
    watchdog = threading.Timer(LIMIT_S + 2 * wait_s, processes.stop, [job])
    watchdog.start()
    try:
        lines = _measure(job, workers + 1, seconds)
    finally:
        watchdog.cancel()
        processes.stop(job)
    text = f"{report.machine()}; {workers + 1} ranks, {seconds:g} s each.\n\n"
    text += report.table(("what", "figure", "reach", ""), lines)
    print(text)
    if options.write:
        report.write_between("idle", text)
    return 0


def _measure(job: subprocess.Popen[str], ranks: int, seconds: float) -> list[tuple[str, ...]]:
    """One line of the table for each wait that the program announces, and each delay."""
    assert job.stdout is not None
    lines = []
    for said in map(json.loads, job.stdout):
        if "wait" in said:
            time.sleep(SETTLE_S)
            percent = _percent_of_a_core(job.pid, ranks, seconds)
            lines.append((f"{said['wait']}: all ranks", f"{percent:.1f} % of a core",
                          f"< {REACH_PERCENT}", "hit" if percent < REACH_PERCENT else "miss"))
        else:
            delay_ms = 1000 * said["seconds"]
            lines.append((said["delay"], f"{report.number(delay_ms)} ms", f"≤ {REACH_MS}",
                          "hit" if delay_ms <= REACH_MS else "miss"))
    if job.wait() or not lines:
        raise SystemExit(f"the program failed, exit code {job.returncode}")
    return lines


def _percent_of_a_core(pid: int, ranks: int, seconds: float) -> float:
    before = {rank.pid: rank.cpu_s for rank in processes.leaves(pid)}
    began = time.monotonic()
    time.sleep(seconds)
    after = {rank.pid: rank.cpu_s for rank in processes.leaves(pid)}
    elapsed = time.monotonic() - began
    if len(before) != ranks or before.keys() != after.keys():
        raise SystemExit(f"{len(before)}, then {len(after)} ranks found; expected {ranks}")
    return 100 * (sum(after.values()) - sum(before.values())) / elapsed


if __name__ == "__main__":
    sys.exit(main())
