"""Scale beyond this machine: pools of up to 100,000 workers on virtual time.

    python benchmarks/scale.py                     all points, 64 to 100,000 workers
    python benchmarks/scale.py --quick             64 to 4,096 workers, fewer tasks
    python benchmarks/scale.py --workers 1000 --work uniform --ms 10
    python benchmarks/scale.py --draw              table and picture of what is stored
    python benchmarks/scale.py --measure           the costs, measured on this machine

The broker and the schedulers are the real ones (``virtual.pool``); what things cost was
measured (``virtual.costs``). Each point is a process of its own. Points are stored in
``scale.json``, one a line, and drawn in ``docs/scale.svg``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from virtual import work
from virtual.costs import Costs, Idling
from virtual.pool import Pool

STORE = Path(__file__).with_name("scale.json")
WORKERS = (64, 256, 1024, 4096, 10_000, 100_000)
QUICK = (64, 256, 1024, 4096)
MS = (1, 10, 100)
PER_WORKER = 50
"""Tasks for each worker; fewer where there are many workers, or little time."""
FEWER = 10
MANY = 50_000


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", help="sizes of the pool")
    parser.add_argument("--work", choices=work.NAMES, nargs="+", default=work.NAMES)
    parser.add_argument("--ms", type=float, nargs="+", default=MS, help="length of a task")
    parser.add_argument("--per-worker", type=int, help="tasks for each")
    parser.add_argument("--settle", type=float, default=1.0,
                        help="seconds for which workers have waited when the program begins")
    parser.add_argument("--worker-sleep", type=float, default=Idling.worker_sleep_s,
                        help="longest sleep of an idle worker, in seconds")
    parser.add_argument("--broker-sleep", type=float, default=Idling.broker_sleep_s)
    parser.add_argument("--bell", type=float, default=Idling.bell_s,
                        help="seconds to wake a rank on the same node; inf: it polls")
    parser.add_argument("--node", type=int, default=Idling.node, help="ranks on a node")
    parser.add_argument("--quick", action="store_true", help="up to 4,096 workers")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="points at a time")
    parser.add_argument("--store", type=Path, help="the points are written to this file, "
                        "or with --draw read from it")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        _print_costs()
    elif args.draw:
        _draw(args.store or STORE)
    elif args.here:
        point = run_point(args.workers[0], args.work[0], args.ms[0], args.per_worker or PER_WORKER,
                          _idling(args), args.settle)
        print(json.dumps(point), flush=True)
        os._exit(0)  # taking 100,000 schedulers apart would take longer than they ran
    else:
        _run_all(args)


def _idling(args: argparse.Namespace) -> Idling:
    return Idling(worker_sleep_s=args.worker_sleep, broker_sleep_s=args.broker_sleep,
                  bell_s=args.bell, node=args.node)


def run_point(
    workers: int, name: str, ms: float, per_worker: int = PER_WORKER,
    idling: Idling | None = None, settle_s: float = 1.0, to_the_end: bool = False,
) -> dict[str, Any]:
    """Simulates one pool with one workload; returns what is stored of it.

    Raises:
        AssertionError: the program's result is wrong.
    """
    began = time.process_time()
    plan = work.make(name, workers, ms / 1000, per_worker)
    pool = Pool(workers, idling=idling, settle_s=settle_s)
    gc.disable()  # it would look through all schedulers again and again
    try:
        result = pool.run(plan.program, to_the_end)
    finally:
        gc.enable()
    assert result == plan.expected, f"{result!r} instead of {plan.expected!r}"
    took_s = pool.ended - pool.began
    ideal_s = max(plan.total_s / workers, plan.longest_s)
    first = sorted(worker.first_task_at - pool.began for worker in pool.workers)
    root = pool.workers[0]
    return {
        "workers": workers, "work": name, "ms": ms, "per_worker": per_worker,
        "efficiency": round(ideal_s / took_s, 4), "greedy": round(ideal_s / plan.greedy_s, 4),
        "sustained": round(pool.sustained(), 4),
        "took_s": round(took_s, 6), "ideal_s": round(ideal_s, 6),
        "half_started_s": round(median(first), 6) if first[len(first) // 2] < 1e9 else None,
        "never_started": sum(one > 1e9 for one in first),
        "root_task_s": round(root.task_s, 6),
        "ranks": {str(rank.rank): _load(rank, took_s) for rank in (pool.broker, root)},
        "events": pool.events, "real_s": round(time.process_time() - began, 1),
        "idling": asdict(pool.idling), "settle_s": settle_s,
    }


def _load(rank: Any, took_s: float) -> dict[str, Any]:
    received = rank.received.total()
    return {
        "busy": round(rank.overhead_s / took_s, 4), "overhead_s": round(rank.overhead_s, 6),
        "real_s": round(rank.real_s, 3),
        "received": dict(rank.received), "sent": dict(rank.sent),
        "queue": rank.longest_queue,
        "wait_us": round(rank.queued_s / received * 1e6, 1) if received else 0.0,
    }


def _run_all(args: argparse.Namespace) -> None:
    sizes = args.workers or (QUICK if args.quick else WORKERS)
    points = [(workers, name, ms) for workers in sizes for name in args.work for ms in args.ms]
    everything = not args.workers and not args.quick
    store = args.store or (STORE if everything else None)
    with open(store or os.devnull, "w", encoding="utf-8") as file:
        for point in _in_processes(points, args):
            print(line(point), flush=True)
            print(json.dumps(point), file=file, flush=True)
    if everything:
        _draw(store)


def _in_processes(
    points: list[tuple[int, str, float]], args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    shared = ["--here", f"--settle={args.settle}", f"--worker-sleep={args.worker_sleep}",
              f"--broker-sleep={args.broker_sleep}", f"--bell={args.bell}",
              f"--node={args.node}"]

    def run(point: tuple[int, str, float]) -> dict[str, Any]:
        workers, name, ms = point
        few = args.quick or workers > MANY
        per_worker = args.per_worker or (FEWER if few else PER_WORKER)
        command = [sys.executable, __file__, *shared, "--workers", str(workers),
                   "--work", name, "--ms", str(ms), "--per-worker", str(per_worker)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        answer: dict[str, Any] = json.loads(output)
        return answer

    with ThreadPoolExecutor(args.jobs) as threads:
        yield from threads.map(run, points)


def line(point: dict[str, Any]) -> str:
    """A point, for people who wait."""
    broker, root = point["ranks"]["0"], point["ranks"]["1"]
    return (
        f"{point['workers']:>7,} {point['work']:<8}{point['ms']:>5g} ms  "
        f"efficiency {point['efficiency']:.3f}, sustained {point['sustained']:.3f} "
        f"({point['took_s']:.3f} s, ideal {point['ideal_s']:.3f})  "
        f"half at work after {point['half_started_s']} s, {point['never_started']} never  "
        f"[simulated in {point['real_s']} s]\n"
        + "".join(
            f"        {name:<6} busy {load['busy']:.2f} ({load['overhead_s']:.3f} s, really "
            f"{load['real_s']:.3f})  got {_counts(load['received'])}  "
            f"sent {_counts(load['sent'])}  "
            f"queue {load['queue']}, {load['wait_us']:.0f} µs\n"
            for name, load in (("broker", broker), ("root", root))
        )
        + f"        root's tasks {point['root_task_s']:.3f} s"
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "–"


def _print_costs() -> None:
    from virtual.measure import measure  # needs an MPI library

    for (name, default), measured in zip(asdict(Costs()).items(), asdict(measure()).values()):
        note = "" if measured != default else "  (not measured here)"
        print(f"{name:<14}{default:>12.3g}{measured:>12.3g}{note}")


def _draw(store: Path) -> None:
    from virtual.picture import draw  # needs matplotlib

    draw([json.loads(one) for one in store.read_text(encoding="utf-8").splitlines()])


if __name__ == "__main__":
    main()
