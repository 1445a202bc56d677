"""What programs import from ``scoop.utils``: the hosts of the job, and small helpers.

Source: SCOOP 0.7, ``scoop.utils``.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .base.errors import LaunchError
from .base.log import logger, set_verbosity
from .hosts.allocation import pbs, per_node, sge, slurm
from .hosts.hostlist import expand, parse_hostfile

Hosts = list[tuple[str, int]]
"""(host, number of workers), in the order of their first mention."""

loopbackReferences = ["127.0.0.1", "localhost", "::1"]
localHostnames = [*loopbackReferences, os.uname().nodename.split(".")[0]]


def getCPUcount() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def getEnv() -> str:
    """The batch system that runs this job: SLURM, PBS, SGE, or other."""
    if "SLURM_NODELIST" in os.environ or "SLURM_JOB_NODELIST" in os.environ:
        return "SLURM"
    if "PBS_NODEFILE" in os.environ:
        return "PBS"
    if "PE_HOSTFILE" in os.environ:
        return "SGE"
    return "other"


def getHosts(filename: str | None = None, hostlist: Sequence[Any] | None = None) -> Hosts:
    """The hosts from a file, or from a list, or from the batch system, or this one."""
    if filename:
        return getHostsFromFile(filename)
    if hostlist:
        return getHostsFromList(hostlist)
    return {"SLURM": getHostsFromSLURM, "PBS": getHostsFromPBS, "SGE": getHostsFromSGE,
            "other": getDefaultHosts}[getEnv()]()


def getHostsFromFile(filename: str) -> Hosts:
    """The hosts in a file: a line for each, with the number of its workers (default 1).

    Raises:
        LaunchError: the file cannot be read, or a line is neither.
    """
    try:
        with open(filename, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(f"cannot read the hostfile {filename}: {error}") from None
    hosts = parse_hostfile(text, filename, logger.warning)
    return [(name, workers or 1) for name, workers in hosts]


def getHostsFromList(hostlist: Iterable[Any]) -> Hosts:
    """The hosts named in a list, once for each worker, or given as pairs."""
    counted: Counter[str] = Counter()
    for host in hostlist:
        names, workers = (host, 1) if isinstance(host, str) else host
        for name in expand(names):
            counted[name] += int(workers)
    return list(counted.items())


def getHostsFromSLURM() -> Hosts:
    """The hosts of this SLURM job."""
    return slurm(os.environ).hosts


def parseSLURM(string: str) -> Hosts:
    """The hosts of a SLURM host list, with the numbers of tasks that SLURM has set."""
    names = expand(string)
    per = os.environ.get("SLURM_TASKS_PER_NODE") or os.environ.get("SLURM_JOB_CPUS_PER_NODE", "1")
    tasks = per_node(per, "SLURM_TASKS_PER_NODE")
    return list(zip(names, tasks + [tasks[-1]] * (len(names) - len(tasks))))


expand_hostlist = expand


def getHostsFromPBS() -> Hosts:
    """The hosts of this PBS or Torque job."""
    return pbs(os.environ).hosts


def getHostsFromSGE() -> Hosts:
    """The hosts of this SGE job."""
    return sge(os.environ).hosts


def getWorkerQte(hosts: Hosts) -> int:
    """The number of workers that the batch system, or else the hosts, have room for."""
    for name in ("SLURM_NTASKS", "PBS_NP", "NSLOTS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return sum(workers for _, workers in hosts)


def getDefaultHosts() -> Hosts:
    """This host, with a worker for each core."""
    return [("127.0.0.1", getCPUcount())]


def groupTogether(in_list: Iterable[Any]) -> list[Any]:
    """The elements with equal ones next to each other, in the order of their first."""
    return list(Counter(in_list).elements())


def externalHostname(hosts: Hosts) -> str:
    """The name by which other hosts know the first one."""
    if hosts[0][0] in localHostnames and len(hosts) > 1:
        return os.uname().nodename
    return hosts[0][0]


def initLogging(verbosity: int = 0, name: str = "SCOOP") -> logging.Logger:
    """SCOOP's logger, at that verbosity."""
    set_verbosity(verbosity)
    return logger


def isStr(string: object) -> bool:
    """Is it text?"""
    return isinstance(string, str)
