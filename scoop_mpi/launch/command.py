"""The exact command that starts a job, for ``--dry-run`` and golden tests, too."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..base.errors import LaunchError
from ..process.world import HOSTS_VARIABLE, SIZE_VARIABLE
from .arguments import MOST_BYTES
from .launchers import Choice, Launcher
from .plan import Plan

_LAUNCHER_BYTES = 64 << 10
"""Bytes that are left for what launchers add to a rank's environment and command."""
_FORWARDED = ("PYTHON", "SCOOP_MPI_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "BLIS_",
              "LD_LIBRARY_PATH", "PATH", "VIRTUAL_ENV", "LANG", "LC_")
"""Beginnings of the variables that ranks on other hosts need, for launchers that do not
pass all on by themselves."""

PROLOG_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "prolog.sh")


@dataclass(frozen=True)
class Request:
    """What every rank is to run, and how.

    Args:
        arguments: what follows ``python``.
        python: the interpreter.
        directory: working directory; empty: as it is here.
        prolog: file that is sourced or executed before every rank; empty: none.
        ssh: program in place of ssh; empty: the launcher's.
        rsh: use rsh.
        mpi_args: further options for the launcher.
        variables: environment variables to set.
        stdin_to: the rank that gets the launcher's standard input; None: nobody needs it.
    """

    arguments: tuple[str, ...]
    python: str
    directory: str = ""
    prolog: str = ""
    ssh: str = ""
    rsh: bool = False
    mpi_args: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin_to: int | None = None


class Command(NamedTuple):
    """A command, what to add to the environment, and the list of hosts for a file, if any."""

    argv: list[str]
    variables: dict[str, str]
    host_list: str


def build(
    choice: Choice, plan: Plan, request: Request, environ: Mapping[str, str], host_file: str
) -> Command:
    """The command that starts the ranks of ``plan``.

    Args:
        environ: the environment in which it will run.
        host_file: where the list of hosts will be, if the launcher wants it in a file.

    Raises:
        LaunchError: the launcher cannot do what is asked for.
    """
    launcher, executable, library = choice
    variables = {name: value for name, value in launcher.variables(executable).items()
                 if name not in environ}
    variables |= {**request.variables, SIZE_VARIABLE: str(plan.ranks)}
    placed = ",".join(f"{name}:{ranks}" for name, ranks in plan.hosts)
    if len(plan.hosts) > 1 and len(placed.encode()) < MOST_BYTES:
        variables[HOSTS_VARIABLE] = placed
    argv = [executable, *launcher.options, *(launcher.options_for(library) or ())]
    argv += _filled(launcher.binding)
    argv += _filled(launcher.ranks, ranks=plan.ranks)
    host_list = ""
    if plan.given:
        names_them, host_list = _hosts(launcher, plan, host_file)
        argv += names_them
    if request.directory:
        argv += _option(choice, "directory", "--path", directory=request.directory)
    if request.ssh:
        argv += _option(choice, "ssh", "--ssh-executable", path=request.ssh)
    if request.rsh:
        argv += _option(choice, "rsh", "--rsh")
    if request.stdin_to is not None:
        argv += _filled(launcher.stdin, rank=request.stdin_to)
    if plan.is_remote:
        # Hosts of a scheduler, too: the launcher starts its ranks there as well.
        for name in sorted({*environ, *variables}):
            if name.startswith(_FORWARDED) and not name.startswith("PYTHONHASH"):
                value = variables.get(name, environ.get(name, ""))
                argv += _filled(launcher.variable, name=name, value=value)
    argv += request.mpi_args
    if request.prolog:
        argv += prolog_command(request.prolog)
    argv += [request.python, *request.arguments]
    _check_length(argv, {**environ, **variables})
    return Command(argv, variables, host_list)


def _hosts(launcher: Launcher, plan: Plan, host_file: str) -> tuple[list[str], str]:
    """The options that name the hosts, and the list of hosts if they are in a file."""
    for name, _ in plan.hosts:
        if ":" in name:
            raise LaunchError(f"{name}: launchers cannot tell an IPv6 address from its number "
                              "of ranks; use the host's name")
    if not launcher.hosts:
        raise LaunchError(f"{launcher.name} cannot be told the hosts; leave out --hosts and "
                          "--hostfile, or use another launcher (--launcher)")
    entries = [launcher.host.format(name=name, ranks=ranks)
               for name, ranks in plan.hosts
               for _ in range(ranks if launcher.line_for_each_rank else 1)]
    host_list = ""
    if any("{file}" in part for part in launcher.hosts):
        host_list = "".join(entry + "\n" for entry in entries)
    hosts = ",".join(entries)
    if not host_list and len(hosts.encode()) > MOST_BYTES:
        raise LaunchError(f"{len(entries)} hosts are too many for one command of "
                          f"{launcher.name}; start the job under a job scheduler")
    return _filled(launcher.hosts, hosts=hosts, file=host_file), host_list


def _check_length(argv: list[str], environ: Mapping[str, str]) -> None:
    """Linux counts arguments and environment together: their bytes and a pointer to each."""
    limit = os.sysconf("SC_ARG_MAX") - _LAUNCHER_BYTES
    words = [*argv, *(f"{name}={value}" for name, value in environ.items())]
    needed = sum(len(os.fsencode(word)) + 9 for word in words)
    if needed > limit:
        raise LaunchError(f"the program's arguments and the environment have {needed:,} bytes; "
                          f"a command of this system takes {limit:,}. Put the arguments into a "
                          "file that the program reads")


def _filled(parts: list[str], **values: object) -> list[str]:
    return [part.format(**values) for part in parts]


def _option(choice: Choice, key: str, option: str, **values: object) -> list[str]:
    parts: list[str] = getattr(choice.launcher, key)
    if not parts:
        raise LaunchError(f"{choice.launcher.name} has nothing for {option}; leave it out, or "
                          "use another launcher (--launcher)")
    return _filled(parts, **values)


def prolog_command(path: str) -> list[str]:
    """What stands before a command to have ``path`` sourced, or executed, first.

    A shell script is sourced, so that what it exports, ``module load`` and ``activate``
    take effect. Other programs are executed.

    Raises:
        LaunchError: it cannot be read, or failed to be either.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(256)
    except OSError as error:
        raise LaunchError(f"--prolog {path}: {error.strerror}") from None
    is_shell = re.match(rb"#!\s*\S*/(env\s+)?(ba|da|k)?sh\b", start)
    is_program = start.startswith((b"\x7fELF", b"#!")) and not is_shell
    if is_program and not os.access(path, os.X_OK):
        raise LaunchError(f"--prolog {path} is not a shell script and may not be executed; "
                          "chmod +x it")
    return ["/bin/bash", PROLOG_SCRIPT, "execute" if is_program else "source",
            os.path.abspath(path)]


def shown(command: Command, host_file: str) -> str:
    """The command as one would type it in a shell, with what must be there before."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in
             sorted(command.variables.items())]
    if command.host_list:
        lines += [f"cat >{shlex.quote(host_file)} <<END", command.host_list + "END"]
    return "\n".join([*lines, shlex.join(command.argv)])
