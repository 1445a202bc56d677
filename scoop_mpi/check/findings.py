"""What will hurt: from what the ranks tell to plain warnings. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from ..launch.plan import counted
from .facts import Facts

CLOCK_SKEW_S = 1.0
SHM_BYTES = 64 << 20
SLOW_ROUND_TRIP_S = 0.002


def findings(
    ranks: Sequence[Facts], transports: Iterable[str], clock_skew_s: float,
    same_host_round_trip_s: float,
) -> list[str]:
    """All warnings; empty: nothing to complain about.

    Args:
        ranks: what the ranks have told.
        transports: what carries messages between hosts.
        clock_skew_s: largest difference between two hosts' clocks.
        same_host_round_trip_s: median between two ranks of one host; 0: not measured.
    """
    by_host: dict[str, list[Facts]] = defaultdict(list)
    for facts in ranks:
        by_host[facts.host].append(facts)
    found = _differences(ranks)
    found += [text for host, own in by_host.items() for text in _of_host(host, own)]
    found += _network(ranks, set(transports))
    levels = {facts.thread_level for facts in ranks}
    if levels & {"MPI_THREAD_SINGLE", "MPI_THREAD_FUNNELED"}:
        found.append(f"the MPI library gives {', '.join(sorted(levels))} only: a worker inside a "
                     "long task hands out no work. Use a library built with thread support")
    if clock_skew_s > CLOCK_SKEW_S:
        found.append(f"the hosts' clocks differ by up to {clock_skew_s:.1f} s: times in logs and "
                     "of files do not compare. Have the hosts use NTP")
    if same_host_round_trip_s > SLOW_ROUND_TRIP_S:
        found.append(f"a round trip on one host takes {same_host_round_trip_s * 1e3:.1f} ms: are "
                     "other programs running there, or more ranks than cores?")
    return found


def _differences(ranks: Sequence[Facts]) -> list[str]:
    def version_of(name: str) -> Callable[[Facts], str]:
        return lambda facts: facts.packages.get(name) or "not installed"

    found = _difference("Python", ranks, lambda facts: facts.python)
    found += _difference("the MPI library", ranks, lambda facts: short_library(facts.library))
    names = {name: None for facts in ranks for name in facts.packages}
    for name in names:
        found += _difference(name, ranks, version_of(name))
    return found


def short_library(text: str) -> str:
    """The name and version in what MPI_Get_library_version tells."""
    line = (text.splitlines() or [""])[0].partition(",")[0]
    return " ".join(line.split())


def _difference(what: str, ranks: Sequence[Facts], of: Callable[[Facts], str]) -> list[str]:
    holders: dict[str, list[Facts]] = defaultdict(list)
    for facts in ranks:
        holders[of(facts)].append(facts)
    if len(holders) < 2:
        return []
    texts = [f"{version} on {_whose(own)}" for version, own in holders.items()]
    return [f"{what} differs: {'; '.join(texts)}. Use one environment on all hosts"]


def _whose(own: Sequence[Facts]) -> str:
    hosts = list(dict.fromkeys(facts.host for facts in own))
    more = f" and {len(hosts) - 3} more hosts" if len(hosts) > 3 else ""
    return f"{', '.join(hosts[:3])}{more} (rank {', '.join(str(f.rank) for f in own[:3])}" \
        + (" ...)" if len(own) > 3 else ")")


def _of_host(host: str, own: Sequence[Facts]) -> list[str]:
    workers = [facts for facts in own if facts.rank] or list(own)
    usable = {core for facts in workers for core in facts.cores}
    have = max(facts.host_cores for facts in own)
    found = []
    many = counted(len(workers), "worker")
    if len(workers) > have:
        found.append(f"{host}: {many} on {counted(have, 'core')}; they take turns. Start {have} "
                     "(the broker needs no core of its own)")
    elif len(workers) > len(usable):
        found.append(f"{host}: {many} may use {len(usable)} of {have} cores; they take turns. "
                     "Ask the scheduler for more cores a task, or switch off binding "
                     "(--bind-to none, -bind-to none, --cpu-bind=none)")
    threads = [int(facts.omp_threads) for facts in workers if facts.omp_threads.isdecimal()]
    if sum(threads) > max(1, len(usable)) and max(threads) > 1:
        found.append(f"{host}: OMP_NUM_THREADS={max(threads)} for {len(workers)} workers on "
                     f"{len(usable)} cores; numerical libraries would fight for cores. Unset it, "
                     "or use --threads")
    if 0 <= min(facts.shm_free for facts in own) < SHM_BYTES:
        found.append(f"{host}: /dev/shm has less than {SHM_BYTES >> 20} MiB free; MPI may fail to "
                     "start, or be slow. Enlarge it (containers: --shm-size)")
    return found


def _network(ranks: Sequence[Facts], transports: set[str]) -> list[str]:
    devices = {device for facts in ranks for device in facts.devices}
    found = []
    if devices and transports == {"TCP"}:
        found.append(f"messages between hosts go over TCP, though there is {'; '.join(devices)}. "
                     "Use the site's own MPI, which was built for it, in place of a wheel")
    limited = [facts for facts in ranks if facts.devices and 0 <= facts.memlock < 1 << 30]
    if limited:
        found.append(f"locked memory is limited to {limited[0].memlock >> 10} KiB on "
                     f"{_whose(limited)}; RDMA needs more (ulimit -l unlimited)")
    return found
