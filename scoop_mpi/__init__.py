"""Scalable concurrent operations in Python, over MPI.

    from scoop_mpi import futures

    if __name__ == "__main__":
        print(sum(futures.map(work, range(1000))))

Start it with ``python -m scoop_mpi program.py`` or ``mpirun -n 64 python -m scoop_mpi
program.py``. Importing this package does not start MPI.
"""

from . import context, runtime
from .errors import (
    DeadlockError, LaunchError, MainGuardError, NotPicklableError, RemoteTraceback, ScoopError,
    TaskError, ThreadError,
)

__version__ = "0.1.0"
__all__ = [
    "DeadlockError", "LaunchError", "MainGuardError", "NotPicklableError", "RemoteTraceback",
    "SIZE", "ScoopError", "TaskError", "ThreadError", "__version__",
]

context.on_first_use(runtime.start_without_launcher)


def __getattr__(name: str) -> int:
    """``SIZE``: number of workers, 1 without a launcher (SCOOP's name for it)."""
    if name == "SIZE":
        return context.workers()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
