"""What the check tells: for people, and as JSON. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ..surroundings import fair_threads
from .findings import short_library

BROKER_WORKER, SAME, BETWEEN = "broker - worker", "on one host", "between hosts"
MOST_HOSTS = 24
"""Hosts that are listed one by one."""


def as_json(found: Mapping[str, Any]) -> str:
    """Everything: seconds, bytes a second, facts of each rank."""
    return json.dumps(found, indent=1)


def as_text(found: Mapping[str, Any]) -> str:
    """A page for a person."""
    ranks = found["ranks"]
    hosts = list(dict.fromkeys(facts["host"] for facts in ranks))
    versions = {**ranks[0]["packages"]}
    size = found["size"]
    workers = f"a broker and {_count(size - 1, 'worker')}" if size > 1 else "one worker"
    lines = [
        f"scoop_mpi {versions.pop('scoop_mpi')}: {_count(size, 'rank')} on "
        f"{_count(len(hosts), 'host')}, {workers}", "",
        *_host_lines(ranks, hosts), "",
        _row("Python", f"{ranks[0]['python']}, {ranks[0]['executable']}"),
        _row("packages", ", ".join(f"{name} {version or '-'}" for name, version in
                                   versions.items())),
        _row("MPI", f"{_library(ranks[0]['library'])}, {ranks[0]['thread_level']}"),
    ]
    if len(hosts) > 1 and found["transports"]:
        lines.append(_row("network", ", ".join(found["transports"])))
    devices = list(dict.fromkeys(device for facts in ranks for device in facts["devices"]))
    if devices:
        lines.append(_row("adapters", "; ".join(devices)))
    lines += _speed_lines(found["pairs"])
    if len(hosts) > 1 and found["pairs"]:
        lines.append(_row("clocks", f"within {_duration(found['clock_skew_s'])}"))
    if "map" in found:
        done = found["map"]
        lines.append(_row("map", f"{_count(done['workers'], 'worker')} took part; "
                          f"{done['items']:,} trivial items at {_duration(done['item_s'])} each"))
    lines += ["", *(f"warning: {text}" for text in found["warnings"]),
              *(f"error: {text}" for text in found["missing"])]
    if not found["warnings"] and not found["missing"]:
        lines.append("All is well.")
    return "\n".join(lines)


def _host_lines(ranks: Sequence[Mapping[str, Any]], hosts: Sequence[str]) -> list[str]:
    width = max(4, *(len(host) for host in hosts[:MOST_HOSTS]))
    lines = [f"{'host':{width}}  ranks     cores  usable  threads a worker"]
    for host in hosts[:MOST_HOSTS]:
        own = [facts for facts in ranks if facts["host"] == host]
        cores = {core for facts in own for core in facts["cores"]}
        threads = sorted({_threads(facts, own) for facts in own})
        lines.append(f"{host:{width}}  {spans([facts['rank'] for facts in own]):8}  "
                     f"{own[0]['host_cores']:5}  {len(cores):6}  {', '.join(threads)}")
    if len(hosts) > MOST_HOSTS:
        lines.append(f"... and {len(hosts) - MOST_HOSTS} more hosts (all of them with --json)")
    return lines


def _threads(facts: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> str:
    """What a worker's numerical libraries will use: as the user says, or a fair share."""
    workers = [frozenset(one["cores"]) for one in own if one["rank"]]
    fair = fair_threads(frozenset(facts["cores"]), workers)
    return str(facts["omp_threads"] or fair)


def spans(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 is ``1-3,7``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in parts)


def _speed_lines(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for kind in (BROKER_WORKER, SAME, BETWEEN):
        own = [pair for pair in pairs if pair["kind"] == kind]
        if own:
            times = [pair["round_trip_s"] for pair in own]
            speeds = [pair["bandwidth"] for pair in own]
            lines.append(_row(kind, f"round trip {_duration(median(times))}{_range(times)}, "
                              f"{median(speeds) / 1e9:.1f} GB/s  ({_count(len(own), 'pair')})"))
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
