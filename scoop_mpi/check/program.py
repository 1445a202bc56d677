"""The last part of the check: a pool that maps, and the report."""

from __future__ import annotations

import contextlib
import time

from scoop_mpi.base import context
from scoop_mpi import futures
from scoop_mpi.check.result import Result

NAP_S = 0.001
ITEMS = 10_000


def where(number: int) -> int:
    """The rank of the worker that runs this; takes long enough for all to get a share."""
    time.sleep(NAP_S)
    return context.job().rank


def nothing(number: int) -> int:
    """A trivial task."""
    return number


def check_map(result: Result) -> None:
    """Maps until every worker has taken part, then measures."""
    job = context.job()
    seen = {job.rank}  # which may leave all tasks to the others while it waits
    stop_by = time.perf_counter() + result.limit_s
    with contextlib.suppress(futures.TimeoutError):
        while len(seen) < job.workers and (left_s := stop_by - time.perf_counter()) > 0:
            seen.update(futures.map_as_completed(where, range(8 * job.workers), timeout=left_s))
    result.mapped = len(seen)
    hosts = {facts.rank: facts.host for facts in result.ranks}
    result.missing += [f"rank {rank} on {hosts[rank]} took no part in a map within "
                       f"{result.limit_s:g} s"
                       for rank in range(1, job.workers + 1) if rank not in seen]
    if result.ok:
        began = time.perf_counter()
        try:
            list(futures.map(nothing, range(ITEMS), timeout=result.limit_s))
        except futures.TimeoutError:
            result.missing.append("a rank, unknown which, did not answer in a map within "
                                  f"{result.limit_s:g} s")
        result.items, result.item_s = ITEMS, (time.perf_counter() - began) / ITEMS


if __name__ == "__main__":
    from scoop_mpi.check import run  # which needs MPI; workers have no use for it

    check_map(run.found())
    run.tell(run.found(), context.job().settings)
