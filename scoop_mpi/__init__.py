"""Scalable concurrent operations in Python, over MPI.

    from scoop_mpi import futures

    if __name__ == "__main__":
        print(sum(futures.map(work, range(1000))))

Start it with ``python -m scoop_mpi program.py`` or ``mpirun -n 64 python -m scoop_mpi
program.py``. Importing this package does not start MPI.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .base import context
from .base.errors import (
    DeadlockError, ForkError, LaunchError, MainGuardError, NotPicklableError, RemoteTraceback,
    ScoopError, TaskError, ThreadError,
)
from .base.job import BrokerInfo, worker_name
from .base.log import logger
from .base.messages import ROOT

if TYPE_CHECKING:
    from . import fallbacks, futures, shared, utils  # noqa: F401

__version__ = "0.1.0"
__all__ = [
    "BROKER", "CONFIGURATION", "DEBUG", "DeadlockError", "ForkError", "IS_ORIGIN", "IS_RUNNING",
    "LaunchError", "MAIN_MODULE", "MainGuardError", "NotPicklableError", "RemoteTraceback",
    "SHUTDOWN_REQUESTED", "SIZE", "ScoopError", "TaskError", "ThreadError",
    "WORKING_DIRECTORY", "__version__", "logger", "worker",
]
_MODULES = ("futures", "shared", "utils", "_types", "fallbacks")
"""Modules that are there without being imported, as SCOOP's are: when first asked for."""


def _start_without_launcher() -> Any:
    from .process import alone  # which needs nearly all modules; a launcher needs few

    return alone.start_without_launcher()


context.on_first_use(_start_without_launcher)

IS_ORIGIN: bool
"""Is this the root, the worker that runs the program?"""
IS_RUNNING: bool
"""Has a launcher started this process?"""
SHUTDOWN_REQUESTED: bool
"""Has this worker been told to stop?"""
DEBUG: bool
"""Is it a run with ``--debug``?"""
SIZE: int
"""Number of workers in the pool; 1 without a launcher."""
worker: tuple[str, str]
"""Unique name of this worker and its broker's; ``str()`` of it is the first."""
BROKER: BrokerInfo
"""Host of the broker; the ports are 0, as messages go over MPI."""
MAIN_MODULE: str
"""The program, as it was named to the launcher; empty without one."""
WORKING_DIRECTORY: str
"""The directory in which the program was started."""
CONFIGURATION: dict[str, Any]
"""SCOOP's settings: ``headless`` (False: there is a program) and ``backend``."""


def __getattr__(name: str) -> Any:
    """The constants above, as they are at this moment (SCOOP's manual, section 2.4.4)."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    job = context.job()
    match name:
        case "IS_ORIGIN":
            return job.rank == ROOT
        case "IS_RUNNING":
            return job.running
        case "SHUTDOWN_REQUESTED":
            return context.is_stopping()
        case "DEBUG":
            return job.settings.debug
        case "SIZE":
            return job.workers
        case "worker":
            return worker_name(job.rank)
        case "BROKER":
            return BrokerInfo(job.broker_host, 0, 0, job.broker_host)
        case "MAIN_MODULE":
            return job.program
        case "WORKING_DIRECTORY":
            return job.directory
        case "CONFIGURATION":
            return {"headless": job.running and not job.program, "backend": "MPI"}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
