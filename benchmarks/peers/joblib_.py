"""joblib and its loky: two workers and this process; its own choice of batches.

``Parallel`` is what joblib is for; single tasks go to loky, the executor
that it is made of.
"""

from __future__ import annotations

from concurrent.futures import as_completed
from functools import partial

from joblib import Parallel, delayed
from loky import get_reusable_executor
from measuring import arguments, run, submit_each, submit_one
from workloads import WORKERS

IMPOSSIBLE = {"fib": "its workers cannot submit tasks"}


def _submit(func, *args):
    return get_reusable_executor(WORKERS).submit(func, *args)


def _as_completed(func, items):
    return [future.result() for future in as_completed([_submit(func, item) for item in items])]


def _map(parallel, func, items):
    return list(parallel(delayed(func)(item) for item in items))


def main() -> None:
    """Runs the workloads that the command line names."""
    run(arguments().parse_args(), {
        "submit": partial(submit_each, _submit),
        "round_trip": partial(submit_one, _submit),
        "as_completed": _as_completed,
        "map": partial(_map, Parallel(WORKERS)),
        "unordered": partial(_map, Parallel(WORKERS, return_as="generator_unordered")),
    }, IMPOSSIBLE)


if __name__ == "__main__":
    main()
