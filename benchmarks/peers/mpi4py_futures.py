"""mpi4py.futures: three ranks, of which rank 0 runs this program and two are workers."""

from __future__ import annotations

import time
from functools import partial

from measuring import arguments, run, submit_each, submit_one
from mpi4py.futures import MPIPoolExecutor, as_completed

IMPOSSIBLE = {"fib": "its workers cannot submit tasks"}
SHARE = 4
"""Tried are chunks of such a part of the items ..."""
SIZES = (10_000, 1000, 100, 10, 1)
"""... and of these sizes, the largest first ..."""
HOPELESS = 2
"""... until one takes so many times as long as the best."""


def _as_completed(pool, func, items):
    submitted = [pool.submit(func, item) for item in items]
    return [future.result() for future in as_completed(submitted)]


class Maps:
    """The maps of ``pool``, with a chunk size that can be found by trying."""

    def __init__(self, pool: MPIPoolExecutor) -> None:
        self._pool = pool
        self._chunksize = 1

    def map(self, func, items):
        """Results in order."""
        return list(self._pool.map(func, items, chunksize=self._chunksize))

    def unordered(self, func, items):
        """Results as they come."""
        return list(self._pool.map(func, items, chunksize=self._chunksize, unordered=True))

    def find_best(self, verb, func, items):
        """Tries chunk sizes; returns the best one, for the table."""
        if verb not in ("map", "unordered"):
            return ""
        seconds: dict[int, float] = {}
        for self._chunksize in sorted({len(items) // SHARE, *SIZES}, reverse=True):
            if not 1 <= self._chunksize < len(items):
                continue
            before = time.perf_counter()
            getattr(self, verb)(func, items)
            seconds[self._chunksize] = time.perf_counter() - before
            if seconds[self._chunksize] > HOPELESS * min(seconds.values()):
                break
        self._chunksize = min(seconds, key=seconds.__getitem__)
        return f"{self._chunksize:,}"


def main() -> None:
    """Runs the workloads that the command line names."""
    parser = arguments()
    parser.add_argument("--best-chunksize", action="store_true")
    options = parser.parse_args()
    with MPIPoolExecutor() as pool:
        maps = Maps(pool)
        run(options, {
            "submit": partial(submit_each, pool.submit),
            "round_trip": partial(submit_one, pool.submit),
            "map": maps.map,
            "unordered": maps.unordered,
            "as_completed": partial(_as_completed, pool),
        }, IMPOSSIBLE, maps.find_best if options.best_chunksize else None)


if __name__ == "__main__":
    main()
