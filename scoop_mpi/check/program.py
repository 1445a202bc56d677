"""The last part of the check: a pool that maps, and the report."""

from __future__ import annotations

import contextlib
import sys
import time

from scoop_mpi import context, futures
from scoop_mpi.check import run
from scoop_mpi.check.guard import limit_of

NAP_S = 0.005
ITEMS = 10_000


def where(number: int) -> int:
    """The rank of the worker that runs this; takes long enough for all to get a share."""
    time.sleep(NAP_S)
    return context.job().rank


def nothing(number: int) -> int:
    """A trivial task."""
    return number


def check_map() -> None:
    """Maps until every worker has taken part, then measures."""
    job = context.job()
    workers = job.workers
    seen: set[int] = set()
    stop_by = time.perf_counter() + (reach_s := limit_of(job.settings) / 2)
    with contextlib.suppress(TimeoutError):
        while len(seen) < workers and (left_s := stop_by - time.perf_counter()) > 0:
            seen.update(futures.map_as_completed(where, range(8 * workers), timeout=left_s))
    idle = sorted(set(range(1, workers + 1)) - seen)
    hosts = {facts["rank"]: facts["host"] for facts in run.gathered["ranks"]}
    run.gathered["missing"] += [f"rank {rank} on {hosts[rank]} took no part in a map within "
                                f"{reach_s:g} s" for rank in idle]
    run.gathered["ok"] = not run.gathered["missing"]
    if idle:
        return
    began = time.perf_counter()
    list(futures.map(nothing, range(ITEMS)))
    item_s = (time.perf_counter() - began) / ITEMS
    run.gathered["map"] = {"workers": len(seen), "items": ITEMS, "item_s": item_s}


if __name__ == "__main__":
    check_map()
    sys.exit(run.print_report())
