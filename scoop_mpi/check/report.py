"""What the check tells people. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ..launch.plan import counted
from ..process.surroundings import fair_threads
from .facts import Facts
from .findings import short_library
from .result import BETWEEN_HOSTS, BROKER_WORKER, SAME_HOST, Pair, Result

MOST_HOSTS = 24
"""Hosts that are listed one by one."""


def as_text(result: Result) -> str:
    """A page."""
    first, hosts = result.ranks[0], result.hosts
    versions = {**first.packages}
    size = result.size
    workers = f"a broker and {counted(size - 1, 'worker')}" if size > 1 else "one worker"
    lines = [
        f"scoop_mpi {versions.pop('scoop_mpi')}: {counted(size, 'rank')} on "
        f"{counted(len(hosts), 'host')}, {workers}", "",
        *_host_lines(result.ranks, hosts), "",
        _row("Python", f"{first.python}, {first.executable}"),
        _row("packages", ", ".join(f"{name} {version or '-'}"
                                   for name, version in versions.items())),
        _row("MPI", f"{_library(first.library)}, {first.thread_level}"),
    ]
    if result.transports:
        lines.append(_row("network", ", ".join(result.transports)))
    devices = dict.fromkeys(device for facts in result.ranks for device in facts.devices)
    if devices:
        lines.append(_row("adapters", "; ".join(devices)))
    lines += _speed_lines(result.pairs)
    if len(hosts) > 1 and result.pairs:
        lines.append(_row("clocks", f"within {_duration(result.clock_skew_s)}"))
    if result.items:
        lines.append(_row("map", f"{counted(result.mapped, 'worker')} took part; "
                          f"{result.items:,} trivial items at {_duration(result.item_s)} each"))
    problems = [*(f"warning: {text}" for text in result.warnings),
                *(f"error: {text}" for text in result.missing)]
    return "\n".join([*lines, "", *(problems or ["All is well."])])


def _host_lines(ranks: Sequence[Facts], hosts: Sequence[str]) -> list[str]:
    width = max(4, *(len(host) for host in hosts[:MOST_HOSTS]))
    lines = [f"{'host':{width}}  ranks     cores  usable  threads a worker"]
    for host in hosts[:MOST_HOSTS]:
        own = [facts for facts in ranks if facts.host == host]
        cores = {core for facts in own for core in facts.cores}
        threads = sorted({_threads(facts, own) for facts in own})
        lines.append(f"{host:{width}}  {spans([facts.rank for facts in own]):8}  "
                     f"{own[0].host_cores:5}  {len(cores):6}  {', '.join(threads)}")
    if len(hosts) > MOST_HOSTS:
        lines.append(f"... and {len(hosts) - MOST_HOSTS} more hosts (all of them with --json)")
    return lines


def _threads(facts: Facts, own: Sequence[Facts]) -> str:
    """What a worker's numerical libraries will use: as the user says, or a fair share."""
    workers = [frozenset(one.cores) for one in own if one.rank]
    return facts.omp_threads or str(fair_threads(frozenset(facts.cores), workers))


def spans(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 is ``1-3,7``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in parts)


def _speed_lines(pairs: Sequence[Pair]) -> list[str]:
    lines: list[str] = []
    for kind in (BROKER_WORKER, SAME_HOST, BETWEEN_HOSTS):
        own = [pair for pair in pairs if pair.kind == kind]
        if own:
            times = [pair.round_trip_s for pair in own]
            speed = median(pair.bandwidth for pair in own)
            lines.append(_row(kind, f"round trip {_duration(median(times))}{_range(times)}, "
                              f"{speed / 1e9:.1f} GB/s  ({counted(len(own), 'pair')})"))
    return lines


def _range(times: Sequence[float]) -> str:
    return f" ({_duration(min(times))} to {_duration(max(times))})" if len(times) > 1 else ""


def _row(name: str, text: str) -> str:
    return f"{name:15}  {text}"


def _library(text: str) -> str:
    """Name, version, and the device that MPICH and its relatives were built for."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().endswith("Device") and value.strip():
            return f"{short_library(text)} ({value.strip()})"
    return short_library(text)


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs" if seconds < 1e-5 else f"{seconds * 1e6:.0f} µs"
