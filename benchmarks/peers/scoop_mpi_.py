"""scoop_mpi: two workers, the first of which runs this program; rank 0 brokers."""

from __future__ import annotations

from functools import partial

from measuring import arguments, polled_one, run, submit_each
from scoop_mpi import futures


def fib(n: int) -> int:
    """As the textbook has it, but every call is a task."""
    if n < 2:
        return n
    left = futures.submit(fib, n - 1)
    right = futures.submit(fib, n - 2)
    return left.result() + right.result()


def _as_completed(func, items):
    submitted = [futures.submit(func, item) for item in items]
    return [future.result() for future in futures.as_completed(submitted)]


VERBS = {
    "submit": lambda func, items: submit_each(futures.submit, func, items),
    "map": lambda func, items: list(futures.map(func, items)),
    "unordered": lambda func, items: list(futures.map_as_completed(func, items)),
    "as_completed": _as_completed,
    "round_trip": partial(polled_one, futures.submit),
    "fib": lambda n: futures.submit(fib, n).result(),
}

if __name__ == "__main__":
    run(arguments().parse_args(), VERBS, {})
