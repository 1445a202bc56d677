"""Ray: two workers and this process; its store and its other servers are processes too."""

from __future__ import annotations

import os
from functools import cache

import ray
from measuring import arguments, run
from workloads import WORKERS

IMPOSSIBLE = {
    "fib": "each task that waits keeps a process of its own",
    "unordered": "it has no such map; see `as_completed`",
}

remote = cache(ray.remote)


def _each(func, items):
    return ray.get([remote(func).remote(item) for item in items])


def _as_completed(func, items):
    results = []
    pending = [remote(func).remote(item) for item in items]
    while pending:
        ready, pending = ray.wait(pending)
        results += ray.get(ready)
    return results


VERBS = {
    "submit": _each,
    "map": _each,
    "round_trip": lambda func: ray.get(remote(func).remote()),
    "as_completed": _as_completed,
}

if __name__ == "__main__":
    # It is alone on this machine, and reports to nobody.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    ray.init(num_cpus=WORKERS, include_dashboard=False, configure_logging=False,
             log_to_driver=False)
    run(arguments().parse_args(), VERBS, IMPOSSIBLE)
