"""The peers: how each is started, and what has to be installed for it.

Each is a program in this folder. A further peer is one more program and one more
entry in ``PEERS``; its package goes into ``environments.py`` if the project itself does
not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads import EFFICIENCY, EXECUTOR, OURS, POOL, SCOOP, WORKLOADS, Workload

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Peer:
    """One line of each table.

    Args:
        name: for the table.
        program: file name in this folder.
        launch: the command that starts the program. ``{python}`` stands for the
            interpreter of the peer's environment, ``{mpiexec}`` for the words that
            start one rank more than there are ``{workers}``.
        package: the distribution that must be installed; None: the standard library.
        own: it runs in the project's own environment.
        options: for the program.
        workloads: the names of those it is asked for; None: all.
        reference: not a peer, but what the machine can do without any.
    """

    name: str
    program: str
    launch: str = "{python}"
    package: str | None = None
    own: bool = True
    options: tuple[str, ...] = ()
    workloads: tuple[str, ...] | None = None
    reference: bool = False

    @property
    def key(self) -> str:
        """What ``--only`` calls it."""
        return self.program.removesuffix(".py").rstrip("_")

    def command(
        self, python: str, mpiexec: Sequence[str], workers: int, program_arguments: Sequence[str]
    ) -> list[str]:
        """The command line that runs the peer's program."""
        words: list[str] = []
        for word in self.launch.split():
            if word == "{mpiexec}":
                words += mpiexec
            else:
                words.append(word.format(python=python, workers=workers))
        return [*words, str(HERE / self.program), *self.options, *program_arguments]

    def is_asked(self, workload: Workload) -> bool:
        """Whether it gets the workload."""
        if self.workloads is not None:
            return workload.name in self.workloads
        return workload.only is None or self.key in workload.only

    def has_line(self, workload: Workload) -> bool:
        """Whether the workload's table has a line for it: a figure, or why there is none."""
        return self.workloads is None or workload.name in self.workloads


def _mpi4py(name: str, options: tuple[str, ...], workloads: tuple[str, ...] | None) -> Peer:
    return Peer(f"mpi4py.futures, {name}", "mpi4py_futures.py",
                "{mpiexec} {python} -m mpi4py.futures", package="mpi4py",
                options=options, workloads=workloads)


PEERS = (
    Peer(OURS, "scoop_mpi_.py", "{python} -m scoop_mpi -n {workers}", package="scoop_mpi"),
    Peer(SCOOP, "scoop_.py", "{python} -m scoop -n {workers}", package="scoop", own=False),
    _mpi4py("best chunksize", ("--best-chunksize",), None),
    _mpi4py("default chunksize", (), ("map",)),
    Peer(POOL, "pool.py"),
    Peer(EXECUTOR, "executor.py"),
    Peer("joblib / loky", "joblib_.py", package="joblib", own=False),
    Peer("dask.distributed", "dask_.py", package="distributed", own=False),
    Peer("Ray", "ray_.py", package="ray", own=False),
    Peer("two bare processes", "bare.py", reference=True, workloads=tuple(
        workload.name for workload in WORKLOADS if workload.figure is EFFICIENCY)),
    Peer("MPI alone, a ping-pong", "ping_pong.py", "{mpiexec} {python}", package="mpi4py",
         reference=True, workloads=("round_trip",)),
)
