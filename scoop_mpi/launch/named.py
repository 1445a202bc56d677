"""The hosts that the user has named: read, checked, and asked for their cores."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from ..base.errors import LaunchError
from ..base.log import logger
from ..hosts.allocation import Allocation
from ..hosts.hostlist import Host, parse_hostfile, parse_names
from ..process.world import RANK_VARIABLES
from .command import Request, build
from .launchers import Choice
from .options import Options
from .plan import Plan, is_local
from .process import heard, output_of

ASK_CORES_LIMIT_S = 60
"""Seconds that other hosts get to tell the number of their cores."""
_ASK_CORES = (
    "import os; e = os.environ; "
    f"names = {RANK_VARIABLES!r}; "
    "rank = next(e[name] for name in names if name in e); "
    "print(f'\\ncores {rank} {len(os.sched_getaffinity(0))} .', flush=True)"
)


def named_hosts(options: Options) -> tuple[list[Host], str]:
    """The hosts that ``--hosts`` or ``--hostfile`` names, and which of the two it was.

    Raises:
        LaunchError: they cannot be read.
    """
    if options.hosts:
        return parse_names(options.hosts), "--hosts"
    if options.hostfile:
        try:
            text = Path(options.hostfile).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LaunchError(f"--hostfile {options.hostfile}: {reason}") from None
        source = f"--hostfile {options.hostfile}"
        return parse_hostfile(text, options.hostfile, logger.warning), source
    return [], ""


def check_names(
    named: list[Host], allocation: Allocation | None, options: Options
) -> None:
    """Launchers may hang, or speak in riddles, when a host does not exist.

    Raises:
        LaunchError: a host is not known, or not in the job.
    """
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


def cores_of(
    names: list[str], choice: Choice, request: Request, dry_run: bool
) -> dict[str, int]:
    """The cores of other hosts. Only they know: the launcher runs a small program there.

    Args:
        request: how ranks are to be started there.
        dry_run: do not ask.

    Raises:
        LaunchError: a host does not tell.
    """
    if dry_run:
        logger.warning("the cores of %s are asked for at the start; this shows %d for each",
                       ", ".join(names), len(os.sched_getaffinity(0)))
        return {}
    plan = Plan(len(names) - 1, tuple((name, 1) for name in names), True, "")
    request = replace(request, arguments=("-c", _ASK_CORES))
    with heard() as signals, tempfile.TemporaryDirectory(prefix="scoop_mpi-") as folder:
        host_file = Path(folder, "hosts")
        command = build(choice, plan, request, os.environ, str(host_file))
        host_file.write_text(command.host_list, encoding="utf-8")
        answer = output_of(command, folder, signals, ASK_CORES_LIMIT_S)
    told = {int(rank): int(count) for rank, count in
            re.findall(r"\bcores ([0-9]{1,7}) ([0-9]{1,7}) \.", answer)}
    for rank, name in enumerate(names):
        if rank not in told:
            raise LaunchError(f"{name} did not tell how many cores it has; see what "
                              f"{choice.launcher.name} says above, or give the number of its "
                              f"workers in the hostfile: {name} 4")
    return {name: told[rank] for rank, name in enumerate(names)}
