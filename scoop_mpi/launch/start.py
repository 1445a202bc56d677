"""From the options of the command line to a launcher that runs."""

from __future__ import annotations

import array
import fcntl
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .. import alias
from ..errors import LaunchError
from ..hostlist import Host, parse_hostfile, parse_names
from ..job import Settings
from ..log import logger, speak_plainly
from ..messages import ROOT
from ..program import Program
from ..surroundings import set_pythonpath
from . import process
from .allocation import Allocation, find_allocation
from .command import Command, Request, build, prolog_command, shown
from .launchers import Choice, choose
from .library import loaded_library
from .options import Options, program_arguments
from .plan import HERE, Plan, counted, is_local, make_plan
from .process import Stdin
from .world import CHECK_LIMIT_S, RANK_VARIABLES, in_interactive_step

ASK_CORES_LIMIT_S = 60
"""Seconds that other hosts get to tell the number of their cores."""
CHECK_STEPS = 5
"""The check of the pool has a limit for each of its steps, in each of which ranks may be
silent. Rank 0 keeps it; if that does not start, we do."""
NOT_STARTED = 255
"""Exit code with which the launchers end when they cannot reach a host (ssh's own)."""
_ASK_CORES = (
    "import os; e = os.environ; "
    f"names = {RANK_VARIABLES!r}; "
    "rank = next(e[name] for name in names if name in e); "
    "print(f'\\ncores {rank} {len(os.sched_getaffinity(0))} .', flush=True)"
)


def start(options: Options, settings: Settings, program: Program | None) -> int:
    """Starts a launcher that starts the ranks; returns the job's exit code.

    Args:
        program: None: the pool is checked.

    Raises:
        LaunchError: something keeps it from starting; nothing has been.
    """
    speak_plainly()
    for note in options.notes:
        logger.warning("%s", note)
    named, source = _named_hosts(options)
    if options.prolog:
        prolog_command(options.prolog)  # fails as the ranks would
        options = replace(options, prolog=os.path.abspath(options.prolog))
    _prepare(options, settings, program)
    allocation = find_allocation()
    if in_interactive_step() and allocation is not None:
        _leave_step(allocation)
    choice = choose(loaded_library(options.python or sys.executable), options.launcher,
                    options.mpiexec)
    if options.rsh and choice.launcher.rsh and shutil.which("rsh") is None:
        raise LaunchError("--rsh: there is no rsh on PATH")
    _check_names(named, allocation, options)
    plan = make_plan(
        options.n, named, source, allocation, choice.launcher.schedulers,
        len(os.sched_getaffinity(0)),
        lambda names: _cores_of(names, choice, options),
    )
    _tell(choice, plan)
    arguments = ("-m", "scoop_mpi", *settings.arguments())
    if program is not None:
        arguments += program_arguments(program)
    stdin = _stdin(choice, plan, settings)
    stdin_to = ROOT if stdin is Stdin.LAUNCHER else None
    if options.dry_run:
        request = _request(options, arguments, {}, stdin_to)
        command = build(choice, plan, request, os.environ, "./HOSTS")
        print(describe(choice, plan, command, "./HOSTS"))
        return 0

    def build_command(host_file: str, variables: dict[str, str]) -> Command:
        request = _request(options, arguments, variables, stdin_to)
        command = build(choice, plan, request, os.environ, host_file)
        logger.info("command:\n%s", shown(command, host_file))
        return command

    timeout_s = settings.timeout_s
    if program is None:
        timeout_s = CHECK_STEPS * (timeout_s or CHECK_LIMIT_S)
    exit_code, root_started = process.run(build_command, stdin, timeout_s)
    if exit_code == NOT_STARTED and plan.is_remote and not root_started:
        other = next(name for name, _ in plan.hosts if not is_local(name))
        logger.error("if %s could not start the ranks: does 'ssh %s true' work from here without "
                     "a question, and is %s there as well?", choice.launcher.name, other,
                     options.python or sys.executable)
    return exit_code


def _stdin(choice: Choice, plan: Plan, settings: Settings) -> Stdin:
    if settings.interactive and os.isatty(0):
        return Stdin.TERMINAL
    if is_local(plan.host_of(ROOT)):
        return Stdin.PIPE
    if choice.launcher.stdin:
        return Stdin.LAUNCHER
    if _has_input(0):
        logger.warning("%s cannot send standard input to the root on %s: the program will find "
                       "it empty", choice.launcher.name, plan.host_of(ROOT))
    return Stdin.NONE


def describe(choice: Choice, plan: Plan, command: Command, host_file: str) -> str:
    """What ``--dry-run`` prints; from its first line on a shell would run it."""
    about = [
        f"launcher: {choice.launcher.name}, {choice.executable}, for {choice.library}",
        _where(choice, plan),
        *plan.lines(),
    ]
    return "\n".join([*(f"# {line}" for line in about), shown(command, host_file)])


def _prepare(options: Options, settings: Settings, program: Program | None) -> None:
    """Goes where the ranks will be, and fails as they would, before any is started."""
    if options.path and os.path.isdir(options.path):
        os.chdir(options.path)
    elif options.path:
        raise LaunchError(f"--path {options.path}: no such directory")
    if options.pythonpath is not None:
        set_pythonpath(options.pythonpath)
    if options.ssh and shutil.which(options.ssh) is None:
        raise LaunchError(f"--ssh-executable {options.ssh}: there is no such program")
    if settings.alias:
        alias.install()  # a module's package is imported to find it
    if program is not None:
        program.check()


def _request(
    options: Options, arguments: tuple[str, ...], variables: Mapping[str, str] = {},
    stdin_to: int | None = None,
) -> Request:
    paths = {} if options.pythonpath is None else {"PYTHONPATH": options.pythonpath}
    ssh = shutil.which(options.ssh) or "" if options.ssh else ""
    return Request(
        arguments, options.python or sys.executable, options.path, options.prolog, ssh,
        options.rsh, options.mpi_args, {**paths, **variables}, stdin_to,
    )


def _named_hosts(options: Options) -> tuple[list[Host], str]:
    if options.hosts:
        return parse_names(options.hosts), "--hosts"
    if options.hostfile:
        try:
            text = Path(options.hostfile).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LaunchError(f"--hostfile {options.hostfile}: {reason}") from None
        return parse_hostfile(text, options.hostfile), f"--hostfile {options.hostfile}"
    return [], ""


def _check_names(
    named: list[Host], allocation: Allocation | None, options: Options
) -> None:
    """Launchers may hang, or speak in riddles, when a host does not exist."""
    if allocation is not None:
        known = {name for name, _ in allocation.hosts}
        known |= {name.split(".")[0] for name in known}
        for name, _ in named:
            if name not in known and name.split(".")[0] not in known and not is_local(name):
                raise LaunchError(f"{name} is not among the hosts of {allocation.scheduler} job "
                                  f"{allocation.job}: {', '.join(sorted(known))}")
        return
    for name, _ in named:
        if not is_local(name) and not _resolves(name) and not _is_alias(name, options):
            error = LaunchError(f"unknown host {name}: its name does not resolve here; check its "
                                "spelling, or give its full name or address")
            if not options.dry_run:  # which may show what would run elsewhere
                raise error
            logger.warning("%s", error)


def _resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except (OSError, UnicodeError):
        return False


def _is_alias(name: str, options: Options) -> bool:
    """Does ssh's configuration know it by another name?"""
    ssh = shutil.which(options.ssh or "ssh")
    if ssh is None or options.rsh or name.startswith("-"):
        return False
    try:
        answer = subprocess.run([ssh, "-G", name], capture_output=True, text=True, timeout=10,
                                stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    target = dict(line.split(" ", 1) for line in answer.stdout.splitlines() if " " in line)
    return target.get("hostname", name).lower() != name.lower() or "proxycommand" in target


def _cores_of(names: list[str], choice: Choice, options: Options) -> dict[str, int]:
    """The cores of other hosts. Only they know: the launcher runs a small program there."""
    if options.dry_run:
        logger.warning("the cores of %s are asked for at the start; this shows %d for each",
                       ", ".join(names), len(os.sched_getaffinity(0)))
        return {}
    plan = Plan(len(names) - 1, tuple((name, 1) for name in names), True, "")
    request = _request(options, ("-c", _ASK_CORES))
    with tempfile.TemporaryDirectory(prefix="scoop_mpi-") as folder:
        host_file = Path(folder, "hosts")
        command = build(choice, plan, request, os.environ, str(host_file))
        host_file.write_text(command.host_list, encoding="utf-8")
        answer = process.output_of(command, ASK_CORES_LIMIT_S)
    told = {int(rank): int(count) for rank, count in
            re.findall(r"\bcores ([0-9]{1,7}) ([0-9]{1,7}) \.", answer)}
    for rank, name in enumerate(names):
        if rank not in told:
            raise LaunchError(f"{name} did not tell how many cores it has; see what "
                              f"{choice.launcher.name} says above, or give the number of its "
                              f"workers in the hostfile: {name} 4")
    return {name: told[rank] for rank, name in enumerate(names)}


def _where(choice: Choice, plan: Plan) -> str:
    who = "told to the launcher" if plan.given else f"found by {choice.launcher.name} itself"
    hosts = f", {who}" if plan.source != HERE else ""
    return (f"{counted(plan.workers, 'worker')} and the broker on "
            f"{counted(len(plan.hosts), 'host')}: {plan.source}{hosts}")


def _tell(choice: Choice, plan: Plan) -> None:
    logger.info("launcher %s (%s) for %s", choice.launcher.name, choice.executable, choice.library)
    logger.info("%s", _where(choice, plan))
    for line in plan.lines():
        logger.info("%s", line)


def _leave_step(allocation: Allocation) -> None:
    """A shell inside a job step: the ranks are to have the whole job, beside that shell."""
    for name in list(os.environ):
        of_step = name.startswith(("PMI_", "PMIX_", "SLURM_STEP", "SLURM_TASK", "SLURM_PTY_"))
        if of_step and not name.startswith("PMIX_MCA_") or name in (
                "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS", "SLURM_NTASKS",
                "SLURM_NPROCS", "SLURM_DISTRIBUTION", "SLURM_CPU_BIND", "SLURM_MPI_TYPE"):
            del os.environ[name]
    os.environ["SLURM_OVERLAP"] = "1"
    os.environ["SLURM_NNODES"] = str(len(allocation.hosts))
    os.environ["SLURM_TASKS_PER_NODE"] = ",".join(str(slots) for _, slots in allocation.hosts)


def _has_input(descriptor: int) -> bool:
    """Is it a file, or a pipe in which something waits?"""
    try:
        mode = os.fstat(descriptor).st_mode
        waiting = array.array("i", [0])
        if stat.S_ISFIFO(mode):
            fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
        return stat.S_ISREG(mode) or bool(waiting[0])
    except OSError:
        return False
