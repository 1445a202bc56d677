"""What the launcher told this process about the job it is part of."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Mapping, Sequence

from ..base.errors import LaunchError

# (rank, size) as launchers name them; a size may be unknown.
_VARIABLES = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, Cray, Flux, srun --mpi=pmi2
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),  # MVAPICH2
    ("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),  # jsrun
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
)
# srun sets them whatever MPI it serves, none included. A batch script has the first, too.
_STEP = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
RANK_VARIABLES = tuple(rank for rank, _ in (*_VARIABLES, _STEP))
"""Where a launched process finds its rank."""
_INTERACTIVE_STEP = "4294967290"  # SLURM_INTERACTIVE_STEP in slurm.h
CHECK_LIMIT_S = 60.0
"""Seconds in which every rank must answer a check, unless ``--timeout`` says otherwise."""
SPEAK_S = 0.5
"""Seconds that the rank which says why gets before others end with the same error."""
RANK_VARIABLE = "SCOOP_MPI_RANK"
"""Set on each rank, for its children: its process id, and what its launcher said."""
SIZE_VARIABLE = "SCOOP_MPI_SIZE"
"""Set by our own launcher: how many ranks it asked for."""
HOSTS_VARIABLE = "SCOOP_MPI_HOSTS"
"""Set by our own launcher: where it put the ranks, like ``node1:3,node2:2``."""
STDIN_VARIABLE = "SCOOP_MPI_STDIN"
"""Set by our own launcher: a named pipe that carries its standard input, or
``STDIN_BY_LAUNCHER``."""
STDIN_BY_LAUNCHER = "-"
"""mpiexec was told to send standard input to the root."""
TERMINAL_VARIABLE = "SCOOP_MPI_TERMINAL"
"""Set by our own launcher: the terminal at which the root's prompt is to appear."""
ROOT_PID_VARIABLE = "SCOOP_MPI_ROOT_PID"
"""Set by our own launcher: the file into which a root on its host writes its process id."""
ARGUMENTS_VARIABLE = "SCOOP_MPI_ARGUMENTS_"
"""Beginning of the variables in which our own launcher sends very many arguments."""


_IDENTITY = ("PMI_", "PMIX_", "HYDI_", "HYDRA_CONTROL_", "MPI_LOCAL", "OMPI_", "PRTE_",
             "MV2_COMM_WORLD_", "JSM_NAMESPACE_")
"""Beginnings of the variables by which launchers tell a process what it is in their job."""
_SETTINGS = ("PMIX_MCA_", "OMPI_MCA_", "PRTE_MCA_", "OMPI_ALLOW_RUN_AS_ROOT", "PMIX_PREFIX",
             "PRTE_PREFIX")
"""Those that look alike and are the user's, or the site's: how MPI is to behave."""
_PLACE = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
          "MV2_COMM_WORLD_LOCAL_RANK")
"""Where on its host a rank is: programs choose a GPU by it, and MPI does not ask for it."""
_NO_SETTINGS = ("OMPI_MCA_PREFIXES", "OMPI_MCA_cpu_type", "OMPI_MCA_initial_wdir",
                "OMPI_MCA_num_procs")
_DESCRIPTORS = ("PMI_FD", "HYDI_CONTROL_FD", "HYDRA_CONTROL_FD")
"""Variables that name a descriptor on which the launcher is spoken to."""

_told: dict[str, str] = {}


def keep_to_ourselves() -> None:
    """On a rank: takes what our launcher said out of the environment.

    A task may start another job, which must not take it for its own. What other launchers
    have said MPI itself needs at its start; it goes after that (:func:`forget_launcher`).
    """
    for name in (SIZE_VARIABLE, HOSTS_VARIABLE, STDIN_VARIABLE, TERMINAL_VARIABLE,
                 ROOT_PID_VARIABLE):
        if name in os.environ:
            _told[name] = os.environ.pop(name)
    for name in [name for name in os.environ if name.startswith(ARGUMENTS_VARIABLE)]:
        del os.environ[name]


def forget_launcher() -> None:
    """On a rank, when MPI has started: takes what its launcher said out of the environment.

    What a task starts is no rank, and may use MPI itself: it would speak to the launcher in
    this rank's place.
    """
    for name in list(os.environ):
        setting = name.startswith(_SETTINGS) and name not in _NO_SETTINGS
        if name.startswith(_IDENTITY) and not setting and name not in _PLACE:
            _told[name] = os.environ.pop(name)
    for name in _DESCRIPTORS:
        with contextlib.suppress(OSError, ValueError, OverflowError):
            os.set_inheritable(int(told(name)), False)
    # Some still say so (SLURM's): lets is_inherited see that children are no ranks.
    os.environ[RANK_VARIABLE] = f"{os.getpid()} {_mark(os.environ)}"


def told(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """What a launcher said under this name; empty: nothing."""
    return environ.get(name) or (_told.get(name, "") if environ is os.environ else "")


def is_inherited(environ: Mapping[str, str] = os.environ) -> bool:
    """Are a launcher's variables those of a rank that has started this process?

    So it is in a step of SLURM, if a task runs ``python -m scoop_mpi``: that is no rank.
    Another launcher in between has set other values.
    """
    pid, _, mark = environ.get(RANK_VARIABLE, "").partition(" ")
    return bool(pid) and pid != str(os.getpid()) and mark == _mark(environ)


def has_rank_above(environ: Mapping[str, str] = os.environ) -> bool:
    """Has a rank started this process, or one that did?"""
    return bool(environ.get(RANK_VARIABLE))


def _mark(environ: Mapping[str, str]) -> str:
    # Not all of them: MPI adds some when it starts.
    names = (*RANK_VARIABLES, "PMI_SIZE", "PMI_FD", "PMI_PORT", "PMIX_NAMESPACE", "SLURM_STEP_ID")
    values = [f"{name}={environ.get(name)}" for name in names]
    return hashlib.sha256("\n".join(values).encode(errors="surrogateescape")).hexdigest()[:16]


def launched_rank(environ: Mapping[str, str] = os.environ) -> int | None:
    """This process's rank as its launcher sees it; None: no launcher started it."""
    if in_interactive_step(environ):
        return None
    for rank_name, _ in _families(environ):
        value = environ.get(rank_name, "")
        if value.isdecimal():
            return int(value)
    return None


def launched_size(environ: Mapping[str, str] = os.environ) -> int | None:
    """Number of ranks that the launcher started; None: it does not say."""
    names = [SIZE_VARIABLE, *(size_name for _, size_name in _families(environ))]
    for name in names:
        value = told(name, environ)
        if value.isdecimal():
            return int(value)
    return None


def in_interactive_step(environ: Mapping[str, str] = os.environ) -> bool:
    """Is this a shell that SLURM has opened in an allocation (``srun --pty bash``, salloc)?

    To SLURM it is a job step of one task, so it has all the marks of a rank.
    """
    is_step = environ.get("SLURM_STEP_NUM_TASKS") == "1" and (
        "SLURM_PTY_PORT" in environ or environ.get("SLURM_STEP_ID") == _INTERACTIVE_STEP)
    # Ranks that a launcher has started from that shell have its marks as well.
    launched = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PALS_APID",
                SIZE_VARIABLE)
    return is_step and not any(name in environ for name in launched)


def leave_step(slots: Sequence[int]) -> None:
    """Makes the environment of such a shell that of the job, for a launcher.

    The ranks are to have all of the job, beside the shell.

    Args:
        slots: of each host of the job.
    """
    for name in list(os.environ):
        of_step = name.startswith(("PMI_", "PMIX_", "SLURM_STEP", "SLURM_TASK", "SLURM_PTY_"))
        if of_step and not name.startswith("PMIX_MCA_") or name in (
                "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS", "SLURM_NTASKS",
                "SLURM_NPROCS", "SLURM_DISTRIBUTION", "SLURM_CPU_BIND", "SLURM_MPI_TYPE"):
            del os.environ[name]
    os.environ["SLURM_OVERLAP"] = "1"
    os.environ["SLURM_NNODES"] = str(len(slots))
    os.environ["SLURM_TASKS_PER_NODE"] = ",".join(map(str, slots))


def _families(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    in_step = "SLURM_STEP_ID" in environ and not in_interactive_step(environ)
    return (*_VARIABLES, _STEP) if in_step else _VARIABLES


def is_first_of_host(environ: Mapping[str, str] = os.environ) -> bool:
    """Is this the host's first rank, or is that not known? It speaks for the others."""
    names = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")
    return next((environ[name] for name in names if name in environ), "0") == "0"


def let_the_first_speak() -> None:
    """Waits a moment: launchers end a job when its first rank fails, whoever that is."""
    time.sleep(SPEAK_S)


def check_size(mpi_size: int, environ: Mapping[str, str] = os.environ) -> None:
    """Makes sure that MPI and the launcher mean the same job.

    A launcher of one MPI with the library of another starts n programs that each
    believe they are alone.

    Raises:
        LaunchError: on each of these ranks; only the first says why.
    """
    expected = launched_size(environ)
    if expected is None or expected == mpi_size:
        return
    if mpi_size > 1 and not told(SIZE_VARIABLE, environ):
        return  # A world made of several launches: MPI knows best.
    if launched_rank(environ) not in (0, None):
        let_the_first_speak()
        raise LaunchError("", exit_code=1)
    raise LaunchError(
        f"the launcher started {expected} ranks, but MPI sees a world of {mpi_size}: "
        f"{_culprit(environ)} than the library that mpi4py loads. {_remedy(environ)}, or "
        "install mpi4py for the MPI of this launcher",
        exit_code=1,
    )


def _by_srun(environ: Mapping[str, str]) -> bool:
    return "SLURM_STEP_ID" in environ and "MPI_LOCALNRANKS" not in environ \
        and "OMPI_COMM_WORLD_SIZE" not in environ


def _culprit(environ: Mapping[str, str]) -> str:
    if _by_srun(environ):
        kind = environ.get("SLURM_MPI_TYPE")
        return f"srun{f' --mpi={kind}' if kind else ''} speaks another PMI"
    return "mpiexec belongs to another MPI"


def _remedy(environ: Mapping[str, str]) -> str:
    if "SLURM_PTY_PORT" in environ:
        return ("A shell of its own in the job has one task: srun --ntasks=1 --pty bash. Else use "
                "srun --mpi=pmix for Open MPI, srun --mpi=pmi2 for MPICH and its relatives")
    if _by_srun(environ):
        return ("Use srun --mpi=pmix for Open MPI, srun --mpi=pmi2 for MPICH and its relatives "
                "(srun --mpi=list tells which there are), or python -m scoop_mpi without srun")
    return "Use the launcher of that library (python -m scoop_mpi finds it by itself)"


def take_stdin(environ: Mapping[str, str] = os.environ) -> None:
    """On the root: reads what was piped to our launcher, or typed at its terminal.

    Raises:
        LaunchError: that terminal is out of reach.
    """
    if terminal := told(TERMINAL_VARIABLE, environ):
        _take_terminal(terminal, os.path.dirname(told(ROOT_PID_VARIABLE, environ)))
        return
    path = told(STDIN_VARIABLE, environ)
    if path == STDIN_BY_LAUNCHER:
        return
    if path and os.path.exists(path):
        _replace_stdin(os.open(path, os.O_RDONLY))
    elif told("MPI_LOCALNRANKS", environ):
        leave_stdin()  # MPICH's mpiexec feeds rank 0 only; a read would never return


def announce_root(environ: Mapping[str, str] = os.environ) -> None:
    """On the root: tells our launcher that Ctrl-C may come."""
    path = told(ROOT_PID_VARIABLE, environ)
    # Only if it is on this host.
    if path and os.path.isdir(os.path.dirname(path)):
        with open(path + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.replace(file.name, path)  # never seen half written


def _take_terminal(path: str, folder: str) -> None:
    try:
        os.stat(folder)  # on another host the same path is somebody else's terminal
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        raise LaunchError(
            f"the prompt is to appear at {path}, which the root on {os.uname().nodename} "
            f"cannot open ({error.strerror}); start the job on the host where the root runs"
        ) from None
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(terminal, stream)
    _replace_stdin(terminal)


def leave_stdin() -> None:
    """On the other ranks: standard input is empty."""
    _replace_stdin(os.open(os.devnull, os.O_RDONLY))


def _replace_stdin(source: int) -> None:
    os.dup2(source, 0)
    os.close(source)
    sys.stdin = open(0, closefd=False)
