"""``make bench``: the same work beside every peer, as a table.

Every repetition of every workload is a process of its own, and the peers take turns:
a disturbance of the machine meets all of them. The figure of one process is the
median of its passes; the figure in the table is the median of the processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator

import environments
import picture
import processes
import report
from peers import PEERS, Peer
from results import Results
from workloads import BY_NAME, FIRST_RESULT, WORKERS, WORKLOADS, Workload

from scoop_mpi.base.errors import LaunchError

GIVE_UP = 2
"""Failures without any figure after which a peer is not asked again for a workload."""
LONG_S = 8
"""A process that takes so many seconds is not repeated, so that all of it takes minutes."""


def main() -> int:
    """Runs the command line."""
    options = _parse()
    began = time.monotonic()
    if options.write:
        picture.check()
    runner = Runner(options)
    for repetition in range(options.repeat):
        for workload, peer in runner.turns():
            print(f"[{time.monotonic() - began:4.0f} s] {repetition + 1}/{options.repeat} "
                  f"{workload.name}: {peer.name}", file=sys.stderr, flush=True)
            runner.take_turn(workload, peer)
    text = report.report(runner.results, runner.peers, runner.workloads, runner.versions,
                         options.repeat, options.quick)
    print(text)
    if options.write:
        report.write_between("table", text)
        picture.draw()
    return 0


def _parse() -> argparse.Namespace:
    keys = list(dict.fromkeys(peer.key for peer in PEERS))
    parser = argparse.ArgumentParser(description="Measures scoop_mpi beside its peers.")
    parser.add_argument("--repeat", type=int, metavar="N",
                        help="processes for each figure (default: 3; with --quick: 1)")
    parser.add_argument("--only", metavar="PEER,...", help="of " + ", ".join(keys))
    parser.add_argument("--workloads", metavar="NAME,...",
                        help="of " + ", ".join(workload.name for workload in WORKLOADS))
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of the work, once: to see that everything runs")
    parser.add_argument("--limit", type=float, default=120, metavar="S",
                        help="seconds for one process (default: %(default)g)")
    parser.add_argument("--write", action="store_true",
                        help="put the table into benchmarks/README.md, and draw the picture")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else keys
    if unknown := set(options.only) - set(keys):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    names = [workload.name for workload in WORKLOADS]
    options.workloads = options.workloads.split(",") if options.workloads else names
    if unknown := set(options.workloads) - set(names):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    options.repeat = options.repeat or (1 if options.quick else 3)
    return options


class Runner:
    """Starts the peers' programs and collects what they print."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.peers = [peer for peer in PEERS if peer.key in options.only]
        self.workloads = [BY_NAME[name] for name in options.workloads]
        self.results = Results()
        self._long: set[tuple[Peer, Workload]] = set()
        self._options = options
        self._own = environments.own()
        foreign = any(not peer.own for peer in self.peers)
        self._bench = environments.bench() if foreign else environments.Environment("", {})
        self._mpiexec, self._environ = _mpiexec()
        self._missing = {peer for peer in self.peers if not self._is_installed(peer)}
        for peer in self.peers:
            for workload in (*self.workloads, FIRST_RESULT):
                self.results.cell(peer.name, workload).why = self._why_not(peer, workload)

    @property
    def versions(self) -> dict[str, str]:
        """Of everything measured, by name."""
        return {**self._bench.versions, **self._own.versions}

    def _environment(self, peer: Peer) -> environments.Environment:
        return self._own if peer.own else self._bench

    def _is_installed(self, peer: Peer) -> bool:
        if "{mpiexec}" in peer.launch and not self._mpiexec:
            return False
        return peer.package is None or peer.package in self._environment(peer).versions

    def _why_not(self, peer: Peer, workload: Workload) -> str:
        if peer in self._missing:
            return "missing: not installed"
        return "" if peer.is_asked(workload) else f"not asked: {workload.why_only}"

    def turns(self) -> Iterator[tuple[Workload, Peer]]:
        """One repetition: who runs what, in which order."""
        for workload in self.workloads:
            for peer in self.peers:
                if self._is_asked(peer, workload):
                    yield workload, peer

    def _is_asked(self, peer: Peer, workload: Workload) -> bool:
        if peer in self._missing or not peer.is_asked(workload):
            return False
        if (peer, workload) in self._long:
            return False
        cell = self.results.cell(peer.name, workload)
        if cell.figures:
            return workload.processes is None or len(cell.figures) < workload.processes
        return not cell.why and len(cell.failures) < GIVE_UP

    def take_turn(self, workload: Workload, peer: Peer) -> None:
        """Runs one process and stores what it measured."""
        python = self._environment(peer).python
        began = time.monotonic()
        command = peer.command(python, self._mpiexec, WORKERS, [
            "--started", repr(began), "--launcher", str(os.getpid()),
            *(["--quick"] if self._options.quick else []), workload.name,
        ])
        outcome = processes.run(command, self._environ, self._options.limit, _is_last,
                                environments.ROOT)
        self.results.add(peer.name, workload, outcome, self._options.limit)
        if time.monotonic() - began > LONG_S:
            self._long.add((peer, workload))


def _mpiexec() -> tuple[list[str], dict[str, str]]:
    """The words that start ``WORKERS`` and one ranks, and the environment they need."""
    try:
        return environments.mpiexec(WORKERS + 1)
    except LaunchError:
        return [], environments.environ()


def _is_last(line: str) -> bool:
    return line.startswith("{") and json.loads(line).get("workload") == "done"


if __name__ == "__main__":
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print("this machine is not idle: the figures will be worse than they could be",
              file=sys.stderr)
    sys.exit(main())
