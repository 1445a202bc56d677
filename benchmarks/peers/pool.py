"""multiprocessing.Pool: two workers and this process; its own choice of chunks."""

from __future__ import annotations

from functools import partial
from multiprocessing import Pool

from measuring import arguments, run
from workloads import WORKERS

IMPOSSIBLE = {
    "fib": "its workers cannot submit tasks",
    "as_completed": "it has no futures to wait for",
}


def _submit(pool, func, items):
    pending = [pool.apply_async(func, (item,)) for item in items]
    return [result.get() for result in pending]


def _unordered(pool, func, items):
    return list(pool.imap_unordered(func, items))


def main() -> None:
    """Runs the workloads that the command line names."""
    options = arguments().parse_args()
    with Pool(WORKERS) as pool:
        run(options, {
            "submit": partial(_submit, pool),
            "round_trip": lambda func: pool.apply_async(func).get(),
            "map": pool.map,
            "unordered": partial(_unordered, pool),
        }, IMPOSSIBLE)


if __name__ == "__main__":
    main()
