"""The peers: how each is started, and what has to be installed for it.

Each is a program in this folder. A further peer is one more program and one more
entry in ``PEERS``; its package goes into ``environments.py`` if the project itself does
not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        verbs: what it is asked for; None: everything.
    """

    name: str
    program: str
    launch: str = "{python}"
    package: str | None = None
    own: bool = True
    options: tuple[str, ...] = ()
    verbs: tuple[str, ...] | None = None

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


def _mpi4py(chunksize: int, verbs: tuple[str, ...] | None) -> Peer:
    return Peer(
        f"mpi4py.futures, chunksize {chunksize}", "mpi4py_futures.py",
        "{mpiexec} {python} -m mpi4py.futures", package="mpi4py",
        options=("--chunksize", str(chunksize)), verbs=verbs,
    )


PEERS = (
    Peer("scoop_mpi", "scoop_mpi_.py", "{python} -m scoop_mpi -n {workers}",
         package="scoop_mpi"),
    Peer("SCOOP", "scoop_.py", "{python} -m scoop -n {workers}", package="scoop", own=False),
    _mpi4py(1, None),
    _mpi4py(100, ("map", "unordered")),
    _mpi4py(1000, ("map", "unordered")),
    Peer("multiprocessing.Pool", "pool.py"),
    Peer("ProcessPoolExecutor", "executor.py"),
)
