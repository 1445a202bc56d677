"""mpi4py.futures: three ranks, of which rank 0 runs this program and two are workers."""

from __future__ import annotations

from functools import partial

from measuring import arguments, run, submit_each
from mpi4py.futures import MPIPoolExecutor, as_completed

IMPOSSIBLE = {"fib": "its workers cannot submit tasks"}


def _as_completed(pool, func, items):
    submitted = [pool.submit(func, item) for item in items]
    return [future.result() for future in as_completed(submitted)]


def _map(pool, chunksize, unordered, func, items):
    return list(pool.map(func, items, chunksize=chunksize, unordered=unordered))


def main() -> None:
    """Runs the workloads that the command line names."""
    parser = arguments()
    parser.add_argument("--chunksize", type=int, default=1)
    options = parser.parse_args()
    with MPIPoolExecutor() as pool:
        run(options, {
            "submit": partial(submit_each, pool.submit),
            "map": partial(_map, pool, options.chunksize, False),
            "unordered": partial(_map, pool, options.chunksize, True),
            "as_completed": partial(_as_completed, pool),
        }, IMPOSSIBLE)


if __name__ == "__main__":
    main()
