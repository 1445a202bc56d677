"""From the options of the command line to a launcher that runs."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace

from ..base.errors import LaunchError
from ..base.job import Settings
from ..base.log import logger, speak_plainly
from ..base.messages import ROOT
from ..hosts.allocation import find_allocation
from ..process import alias
from ..process.library import loaded_library
from ..process.program import Program
from ..process.surroundings import set_home, set_pythonpath
from ..process.world import CHECK_LIMIT_S, in_interactive_step, leave_step
from . import process
from .command import Command, Request, build, prolog_command, shown
from .interpreter import interpreter_flags
from .launchers import Choice, choose
from .named import check_names, cores_of, named_hosts
from .options import Options, program_arguments
from .plan import HERE, Plan, counted, is_local, make_plan
from .process import Stdin

CHECK_STEPS = 5
"""The check of the pool has a limit for each of its steps, in each of which ranks may be
silent. Rank 0 keeps it; if that does not start, we do."""
HASH_SEEDS = 1 << 32
"""Python takes so many different ones."""
NOT_STARTED = 255
"""Exit code with which the launchers end when they cannot reach a host (ssh's own)."""


def start(options: Options, settings: Settings, program: Program | None) -> int:
    """Starts a launcher that starts the ranks; returns the job's exit code.

    Args:
        program: None: the pool is checked.

    Raises:
        LaunchError: something keeps it from starting; nothing has been.
    """
    process.plug_streams()
    set_home()
    speak_plainly()
    for note in options.notes:
        logger.warning("%s", note)
    if options.prolog:
        prolog_command(options.prolog)  # fails as the ranks would
        options = replace(options, prolog=os.path.abspath(options.prolog))
    choice, plan = _choose(options, settings, program)
    _tell(choice, plan)
    arguments, carried = rank_arguments(settings, program)
    carried = {**carried, "PYTHONHASHSEED": _hash_seed()}
    stdin = _stdin(choice, plan, settings)
    stdin_to = ROOT if stdin is Stdin.LAUNCHER else None

    def build_command(host_file: str, variables: dict[str, str]) -> Command:
        request = _request(options, arguments, {**carried, **variables}, stdin_to)
        return build(choice, plan, request, os.environ, host_file)

    if options.dry_run:
        print(describe(choice, plan, build_command("./HOSTS", {}), "./HOSTS"))
        return 0

    def build_and_log(host_file: str, variables: dict[str, str]) -> Command:
        command = build_command(host_file, variables)
        logger.info("command:\n%s", shown(command, host_file))
        return command

    timeout_s = settings.timeout_s
    if program is None:
        timeout_s = CHECK_STEPS * (timeout_s or CHECK_LIMIT_S)
    exit_code, root_started = process.run(build_and_log, stdin, timeout_s)
    if exit_code == NOT_STARTED and plan.is_remote and not root_started:
        other = next(name for name, _ in plan.hosts if not is_local(name))
        logger.error("if %s could not start the ranks: does 'ssh %s true' work from here without "
                     "a question, and is %s there as well?", choice.launcher.name, other,
                     options.python or sys.executable)
    return exit_code


def _choose(
    options: Options, settings: Settings, program: Program | None
) -> tuple[Choice, Plan]:
    """The launcher, and which host gets which ranks; whatever is wrong is said here."""
    named, source = named_hosts(options)
    _prepare(options, settings, program)
    allocation = find_allocation()
    if in_interactive_step() and allocation is not None:
        leave_step([slots for _, slots in allocation.hosts])
    choice = choose(loaded_library(options.python or sys.executable), options.launcher,
                    options.mpiexec)
    if options.rsh and choice.launcher.rsh and shutil.which("rsh") is None:
        raise LaunchError("--rsh: there is no rsh on PATH")
    check_names(named, allocation, options)
    return choice, make_plan(
        options.n, named, source, allocation, choice.launcher.schedulers,
        len(os.sched_getaffinity(0)),
        lambda names: cores_of(names, choice, _request(options, ()), options.dry_run),
    )


def rank_arguments(
    settings: Settings, program: Program | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What follows ``python`` on every rank, and variables for it.

    Args:
        program: None: the pool is checked.
    """
    own, variables = ((), {}) if program is None else program_arguments(program)
    return (*interpreter_flags(), "-m", "scoop_mpi", *settings.arguments(), *own), variables


def _hash_seed() -> str:
    """The same on all ranks, so that ``hash`` and the order of sets of strings are, too."""
    seed = os.environ.get("PYTHONHASHSEED", "random")
    return seed if seed.isdecimal() else str(secrets.randbelow(HASH_SEEDS))


def _stdin(choice: Choice, plan: Plan, settings: Settings) -> Stdin:
    if settings.interactive and os.isatty(0):
        return Stdin.TERMINAL
    if is_local(plan.host_of(ROOT)):
        return Stdin.PIPE
    if choice.launcher.stdin:
        return Stdin.LAUNCHER
    if process.has_input(0):
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
        if sys.flags.ignore_environment:
            flag = "-I" if sys.flags.isolated else "-E"
            raise LaunchError(f"--pythonpath: python {flag} takes no notice of PYTHONPATH; leave "
                              "out one of them")
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
