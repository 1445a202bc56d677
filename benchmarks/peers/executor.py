"""concurrent.futures.ProcessPoolExecutor: two workers and this process; default chunks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from measuring import arguments, run, submit_each, submit_one
from workloads import WORKERS

IMPOSSIBLE = {
    "fib": "its workers cannot submit tasks",
    "unordered": "its map is ordered; see `as_completed`",
}


def _as_completed(pool, func, items):
    submitted = [pool.submit(func, item) for item in items]
    return [future.result() for future in as_completed(submitted)]


def _map(pool, func, items):
    return list(pool.map(func, items))


def main() -> None:
    """Runs the workloads that the command line names."""
    options = arguments().parse_args()
    with ProcessPoolExecutor(WORKERS) as pool:
        run(options, {
            "submit": partial(submit_each, pool.submit),
            "round_trip": partial(submit_one, pool.submit),
            "map": partial(_map, pool),
            "as_completed": partial(_as_completed, pool),
        }, IMPOSSIBLE)


if __name__ == "__main__":
    main()
