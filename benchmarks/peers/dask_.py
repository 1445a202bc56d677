"""dask.distributed: two workers of one thread; the scheduler runs in this process."""

from __future__ import annotations

from functools import partial

from distributed import Client, LocalCluster, as_completed, get_client, rejoin, secede
from measuring import arguments, run
from workloads import WORKERS

IMPOSSIBLE = {"unordered": "it has no such map; see `as_completed`"}


def fib(n: int) -> int:
    """As the textbook has it, but every call is a task."""
    if n < 2:
        return n
    client = get_client()
    both = client.map(fib, [n - 1, n - 2], pure=False)
    secede()
    left, right = client.gather(both)
    rejoin()
    return left + right


def _map(client, func, items):
    return client.gather(client.map(func, items, pure=False))


def _submit(client, func, items):
    return client.gather([client.submit(func, item, pure=False) for item in items])


def _round_trip(client, func):
    return client.submit(func, pure=False).result()


def _as_completed(client, func, items):
    return [result for _, result in as_completed(client.map(func, items, pure=False),
                                                 with_results=True)]


def main() -> None:
    """Runs the workloads that the command line names."""
    options = arguments().parse_args()
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True,
                      dashboard_address=None) as cluster, Client(cluster) as client:
        run(options, {
            "submit": partial(_submit, client),
            "map": partial(_map, client),
            "round_trip": partial(_round_trip, client),
            "as_completed": partial(_as_completed, client),
            "fib": lambda n: client.submit(fib, n, pure=False).result(),
        }, IMPOSSIBLE)


if __name__ == "__main__":
    main()
