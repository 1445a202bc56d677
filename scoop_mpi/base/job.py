"""What this process is in the job: the facts behind SCOOP's module constants.

Set once on each rank, before any code of the program runs; without a launcher the
defaults hold.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NamedTuple

from .messages import BROKER, ROOT


class WorkerName(NamedTuple):
    """A worker's unique name, with its broker's (SCOOP's manual: a 2-tuple)."""

    name: str
    broker: str

    def __str__(self) -> str:
        return self.name

    def decode(self, *args: str) -> str:
        """The name as text: SCOOP 0.7 has ``bytes`` in its place."""
        return self.name


def worker_name(rank: int) -> WorkerName:
    """The name of the worker on an MPI rank."""
    return WorkerName(f"worker-{rank}", f"broker-{BROKER}")


class BrokerInfo(NamedTuple):
    """SCOOP's description of the broker. No ports are open: messages go over MPI."""

    hostname: str
    task_port: int
    info_port: int
    externalHostname: str


@dataclass(frozen=True)
class Settings:
    """What the command line says beyond the program; the same on every rank.

    Args:
        verbosity: level of ``scoop_mpi.logger``: -2 critical, -1 error, 0 warning,
            1 info, 2 and more debug.
        alias: ``import scoop`` means this package.
        strict: pickle every task, wherever it runs, and report changed arguments.
        debug: write statistics of every task into ``debug/``.
        profile: write a profile of every worker into ``profile/``.
        interactive: a Python prompt on the root, after the program if there is one.
        timeout_s: seconds after which the job is ended; None: no limit.
        nice: niceness of every rank; None: as it is.
        threads: threads that a worker may use; None: a fair share of its host's cores.
        json: the check of the pool writes JSON.
    """

    verbosity: int = 0
    alias: bool = True
    strict: bool = False
    debug: bool = False
    profile: bool = False
    interactive: bool = False
    timeout_s: float | None = None
    nice: int | None = None
    threads: int | None = None
    json: bool = False

    def arguments(self) -> list[str]:
        """The options that say the same again, for the ranks."""
        level = "v" if self.verbosity > 0 else "q"
        options = [f"-{level * abs(self.verbosity)}"] if self.verbosity else []
        options += [] if self.alias else ["--no-scoop-alias"]
        values = {"timeout": self.timeout_s, "nice": self.nice, "threads": self.threads}
        options += [f"--{name}={value}" for name, value in values.items() if value is not None]
        names = ("strict", "debug", "profile", "interactive", "json")
        return options + [f"--{name}" for name in names if getattr(self, name)]


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


@dataclass(frozen=True)
class Job:
    """This process's place in the job.

    Args:
        rank: its MPI rank.
        workers: the number of workers in the pool.
        running: a launcher has started it.
        program: the program as it was named; empty if it is not known.
        broker_host: the host of rank 0.
        directory: where the program was started.
    """

    rank: int = ROOT
    workers: int = 1
    running: bool = False
    program: str = ""
    broker_host: str = field(default_factory=lambda: os.uname().nodename)
    directory: str = field(default_factory=_working_directory)
    settings: Settings = Settings()
