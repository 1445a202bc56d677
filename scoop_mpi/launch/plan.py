"""Which host gets which ranks. Nothing is asked or started; only this host's name is read.

Ranks fill the hosts in their order: rank 0, the broker, and rank 1, the root, are on the
first one (on the first two, if the first has a single slot).

Whoever names hosts (``--hosts``, ``--hostfile``) counts workers, as in SCOOP: the broker
is one rank more, on the first host. A job scheduler counts slots: the broker takes one
of them, unless ``-n`` asks for that many workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..hosts.allocation import Allocation
from ..hosts.hostlist import Host, divide, merge


LOOPBACK = ("localhost", "127.0.0.1", "::1")
HERE = "this machine"
"""The source of a plan without hosts or scheduler."""


@dataclass(frozen=True)
class Plan:
    """The ranks of a job.

    Args:
        workers: their number; there is one rank more.
        hosts: (name, ranks), in the order of the ranks.
        given: the launcher must be told the hosts; else it finds them by itself.
        source: where the hosts come from, for people.
    """

    workers: int
    hosts: tuple[tuple[str, int], ...]
    given: bool
    source: str

    @property
    def ranks(self) -> int:
        """The workers and the broker."""
        return self.workers + 1

    def host_of(self, rank: int) -> str:
        """The host of a rank."""
        for name, ranks in self.hosts:
            if rank < ranks:
                return name
            rank -= ranks
        return self.hosts[-1][0]

    @property
    def is_remote(self) -> bool:
        """Is there a rank on another host than this one?"""
        return not all(is_local(name) for name, _ in self.hosts)

    def lines(self) -> list[str]:
        """For people: a line for each host."""
        first, lines = 0, []
        for name, ranks in self.hosts:
            last = first + ranks - 1
            own = f"rank {first}" if ranks == 1 else f"ranks {first}-{last}"
            roles = [role for rank, role in ((0, "broker"), (1, "root")) if first <= rank <= last]
            lines.append(f"{name}: {own}" + (f" ({', '.join(roles)})" if roles else ""))
            first = last + 1
        return lines


def make_plan(
    workers: int | None, named: Sequence[Host], source: str, allocation: Allocation | None,
    finds_hosts_of: Sequence[str], cores: int,
    ask_cores: Callable[[list[str]], dict[str, int]],
) -> Plan:
    """Divides the ranks among hosts.

    Args:
        workers: what ``-n`` says; None: all there is room for.
        named: the hosts that the user has named.
        source: how (for people).
        allocation: what a job scheduler has given.
        finds_hosts_of: the schedulers whose hosts the launcher finds by itself.
        cores: of this host.
        ask_cores: the numbers of cores of other hosts, by name.
    """
    if named:
        hosts = _with_cores(_as_others_say(named, allocation), cores, ask_cores)
        total = workers or sum(count for _, count in hosts)
        divided = divide(hosts, total)
        if allocation is not None and allocation.scheduler in finds_hosts_of:
            # It starts through the scheduler, which may keep to the job's order.
            order = {name: at for at, (name, _) in enumerate(allocation.hosts)}
            divided.sort(key=lambda host: order.get(host[0], len(order)))
        (first, count), *rest = divided
        placed = ((first, count + 1), *rest)
        # Inside a job the launcher would take the job's hosts, if it were not told.
        elsewhere = not all(is_local(name) for name, _ in placed)
        return Plan(total, placed, elsewhere or allocation is not None, source)
    if allocation is not None:
        total = workers or max(1, allocation.slots - 1)
        placed = tuple(divide(allocation.hosts, total + 1))
        slots = counted(allocation.slots, "slot")
        where = f"{allocation.scheduler} job {allocation.job}, {slots}"
        # With more ranks than slots launchers differ in who gets the rest.
        given = allocation.scheduler not in finds_hosts_of or total + 1 > allocation.slots
        return Plan(total, placed, given, where)
    total = workers or cores
    return Plan(total, ((os.uname().nodename, total + 1),), False, HERE)


def _with_cores(
    hosts: Sequence[Host], cores: int, ask_cores: Callable[[list[str]], dict[str, int]]
) -> list[tuple[str, int]]:
    unknown = [name for name, count in hosts if count is None and not is_local(name)]
    answers = ask_cores(unknown) if unknown else {}
    return [(name, answers.get(name, cores) if count is None else count)
            for name, count in hosts]


def _as_others_say(named: Sequence[Host], allocation: Allocation | None) -> list[Host]:
    """The hosts by the names that a job scheduler, or the other hosts, have for them."""
    if allocation is not None:
        return merge(Host(_in_job(name, allocation), count) for name, count in named)
    if all(is_local(name) for name, _ in named):
        return list(named)
    # The others could do nothing with "localhost".
    here = os.uname().nodename
    return merge(Host(here if name in LOOPBACK else name, count) for name, count in named)


def _in_job(name: str, allocation: Allocation) -> str:
    for own, _ in allocation.hosts:
        if name == own or name.split(".")[0] == own.split(".")[0] or (
                is_local(name) and is_local(own)):
            return own
    return name


def counted(number: int, what: str) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def is_local(name: str) -> bool:
    """Does the name mean this host?"""
    names = {os.uname().nodename}
    # SLURM may call a node otherwise than it calls itself.
    names |= {os.environ.get("SLURMD_NODENAME") or "localhost"}
    return name in LOOPBACK or any(
        name == own or name == own.split(".")[0] or name.split(".")[0] == own for own in names)
