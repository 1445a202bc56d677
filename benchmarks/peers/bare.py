"""No library: two processes, each of which runs half of the tasks. What the machine can do."""

from __future__ import annotations

from functools import partial
from multiprocessing import Pipe, Process

from measuring import arguments, run
from workloads import WORKERS


def _serve(end):
    while (work := end.recv()) is not None:
        func, items = work
        end.send([func(item) for item in items])


def _map(ends, func, items):
    for number, end in enumerate(ends):
        end.send((func, list(items[number::WORKERS])))
    results = [None] * len(items)
    for number, end in enumerate(ends):
        results[number::WORKERS] = end.recv()
    return results


def main() -> None:
    """Runs the workloads that the command line names."""
    pipes = [Pipe() for _ in range(WORKERS)]
    workers = [Process(target=_serve, args=(theirs,), daemon=True) for _, theirs in pipes]
    for worker in workers:
        worker.start()
    ends = [ours for ours, _ in pipes]
    halves = partial(_map, ends)
    run(arguments().parse_args(), {"map": halves, "submit": halves}, {})
    for end in ends:
        end.send(None)


if __name__ == "__main__":
    main()
