"""What a job scheduler has given to this job: hosts, and slots on each.

``find_allocation`` looks for each scheduler's variables in turn. All functions depend only on
the environment and on the files it names; they run no command. The formats are those of the
manuals: sbatch(1) and srun(1), pbs_resources(7) and Torque's qsub(1), sge_pe(5), and LSF's
"Environment variables set for job execution".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..base.errors import LaunchError
from .hostlist import Host, expand, merge

Environment = Mapping[str, str]
ReadFile = Callable[[str], str]


class Allocation(NamedTuple):
    """A job's hosts.

    Args:
        scheduler: SLURM, PBS, SGE or LSF.
        job: the job's number, as the scheduler writes it.
        hosts: (name, slots), in the scheduler's order.
    """

    scheduler: str
    job: str
    hosts: list[tuple[str, int]]

    @property
    def slots(self) -> int:
        """The slots on all hosts together."""
        return sum(slots for _, slots in self.hosts)


def read_file(path: str) -> str:
    """The text of a file that a scheduler has written."""
    return Path(path).read_text(errors="surrogateescape")


def find_allocation(
    environ: Environment = os.environ, read: ReadFile = read_file
) -> Allocation | None:
    """The job that this process is in; None: it is in none.

    Raises:
        LaunchError: a scheduler's variable or file cannot be understood; the text names it.
    """
    for marks, parse in _SCHEDULERS:
        if any(environ.get(mark) for mark in marks):
            return parse(environ, read)
    return None


def slurm(environ: Environment, read: ReadFile = read_file) -> Allocation:
    """SLURM: ``SLURM_JOB_NODELIST`` and ``SLURM_TASKS_PER_NODE`` (``2(x3),1``)."""
    listed = _first(environ, "SLURM_JOB_NODELIST", "SLURM_NODELIST")
    try:
        names = expand(environ[listed])
    except LaunchError as error:
        raise LaunchError(f"{listed} is not what SLURM writes: {error}") from None
    if not names:
        raise LaunchError(f"{listed} names no host")
    counted, tasks = "", [1] * len(names)
    if environ.get("SLURM_TASKS_PER_NODE") and not environ.get("SLURM_STEP_ID"):
        counted = "SLURM_TASKS_PER_NODE"
        tasks = per_node(environ[counted], counted)
    elif environ.get("SLURM_JOB_CPUS_PER_NODE"):
        # In a step (srun --pty bash) SLURM_TASKS_PER_NODE is about the step, not the job.
        counted = "SLURM_JOB_CPUS_PER_NODE"
        per_task = environ.get("SLURM_CPUS_PER_TASK", "")
        divisor = int(per_task) if re.fullmatch("[1-9][0-9]{0,8}", per_task) else 1
        tasks = [max(1, cpus // divisor) for cpus in per_node(environ[counted], counted)]
    if len(tasks) != len(names):
        raise LaunchError(f"{listed} has {len(names)} hosts, but {counted}="
                          f"{environ[counted]} is about {len(tasks)}")
    job = environ.get("SLURM_JOB_ID") or environ.get("SLURM_JOBID", "?")
    return Allocation("SLURM", job, list(zip(names, tasks)))


def per_node(text: str, name: str) -> list[int]:
    """SLURM's short form of a number for each node: ``2(x3),1`` is 2, 2, 2, 1."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})(?:\(x([0-9]{1,7})\))?\s*", part)
        if match is None or int(match[1]) < 1:
            raise LaunchError(f"{name}={text} is not what SLURM writes (like 2(x3),1)")
        numbers += [int(match[1])] * int(match[2] or 1)
    return numbers


def pbs(environ: Environment, read: ReadFile = read_file) -> Allocation:
    """Torque, PBS Professional, OpenPBS: ``PBS_NODEFILE``, a host's name for each slot."""
    hosts = _counted(_names(environ, "PBS_NODEFILE", read))
    return Allocation("PBS", environ.get("PBS_JOBID", "?"), hosts)


def sge(environ: Environment, read: ReadFile = read_file) -> Allocation:
    """SGE and its successors: ``PE_HOSTFILE``, lines of host, slots, queue, processors."""
    hosts: list[Host] = []
    for line in _lines(environ, "PE_HOSTFILE", read):
        words = line.split()
        if len(words) < 2 or not re.fullmatch("[0-9]{1,9}", words[1]):
            raise LaunchError(f"{environ['PE_HOSTFILE']} (PE_HOSTFILE) has the line {line!r}; "
                              "SGE writes: host slots queue processors")
        if int(words[1]):
            hosts.append(Host(words[0], int(words[1])))
    if not hosts:
        raise LaunchError(f"{environ['PE_HOSTFILE']} (PE_HOSTFILE) has no slot")
    # A host is listed once for each queue that gives it slots.
    merged = [(name, workers or 0) for name, workers in merge(hosts)]
    return Allocation("SGE", environ.get("JOB_ID", "?"), merged)


def lsf(environ: Environment, read: ReadFile = read_file) -> Allocation:
    """LSF: ``LSB_DJOB_HOSTFILE``, a host's name for each slot, or ``LSB_MCPU_HOSTS``."""
    if environ.get("LSB_DJOB_HOSTFILE"):
        hosts = _counted(_names(environ, "LSB_DJOB_HOSTFILE", read))
    else:
        words = environ["LSB_MCPU_HOSTS"].split()
        counts = words[1::2]
        if not words or len(words) % 2 or not all(re.fullmatch("[1-9][0-9]{0,8}", count)
                                                  for count in counts):
            raise LaunchError(f"LSB_MCPU_HOSTS={environ['LSB_MCPU_HOSTS']} is not what LSF "
                              "writes (like: node1 4 node2 4)")
        hosts = list(zip(words[::2], map(int, counts)))
    return Allocation("LSF", environ.get("LSB_JOBID", "?"), hosts)


_SCHEDULERS: tuple[tuple[tuple[str, ...], Callable[[Environment, ReadFile], Allocation]], ...] = (
    (("SLURM_JOB_NODELIST", "SLURM_NODELIST"), slurm),
    (("PBS_NODEFILE",), pbs),
    (("PE_HOSTFILE",), sge),
    (("LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS"), lsf),
)


def _first(environ: Environment, *names: str) -> str:
    """The first of these variables that is set; the last if none is."""
    return next((name for name in names if environ.get(name)), names[-1])


def _lines(environ: Environment, name: str, read: ReadFile) -> list[str]:
    path = environ[name]
    try:
        lines = [line.strip() for line in read(path).splitlines()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LaunchError(f"{name} names {path}, which cannot be read ({reason}); the job's "
                          "hosts are not known. Unset it, if this is not inside a job") from None
    if not any(lines):
        raise LaunchError(f"{path} ({name}) names no host")
    return [line for line in lines if line]


def _names(environ: Environment, name: str, read: ReadFile) -> list[str]:
    """The names in a file: mostly one on each line, but any white space separates them."""
    return [word for line in _lines(environ, name, read) for word in line.split()]


def _counted(names: list[str]) -> list[tuple[str, int]]:
    return [(name, workers or 0) for name, workers in merge(Host(name, 1) for name in names)]
