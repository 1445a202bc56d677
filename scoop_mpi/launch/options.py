"""The options of the command line, and where the program's own arguments begin.

SCOOP's options keep their names. Those that have no meaning under MPI are accepted, and
``Options.notes`` says what takes their place.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .. import __version__
from ..base.errors import LaunchError
from ..base.job import Settings
from ..process.program import Program
from .arguments import carried, received

USAGE = "python -m scoop_mpi [options] [program.py | -m module | -i] [program's arguments]"
_EPILOG = """\
Started by mpirun, mpiexec or srun, it joins their job: rank 0 brokers, rank 1 runs the
program, the others are workers. Started from a shell, or a job script, it runs the
launcher itself. Without a program it checks the pool and tells what it found.

python -m scoop_mpi submit ...  writes a job script and submits it (submit -h).
"""
_ARGUMENTS = "--arguments"
"""Ours, for the ranks: how the program's arguments are sent (``arguments``)."""
_HOSTS_OPTIONS = ("--hosts", "--host")
_TAKEN_OVER = {
    "brokers": "-b: one broker serves the whole pool, as tasks do not pass it",
    "external_hostname": "--external-hostname: MPI chooses the network; to tell it: "
                         "--mpi-args '-iface NAME' (MPICH), "
                         "--mpi-args '--mca btl_tcp_if_include NAME' (Open MPI)",
    "tunnel": "--tunnel: there are no sockets to tunnel; MPI makes its own connections",
    "backend": "--backend: MPI carries the messages",
}
"""SCOOP's options that have no meaning here, and what takes their place."""


@dataclass(frozen=True)
class Options:
    """What the command line says beyond the program and :class:`Settings`.

    Args:
        n: number of workers; None: all there is room for.
        hosts: the words after ``--hosts``.
        hostfile: a file of hosts.
        path: working directory on all hosts; empty: this one.
        python: the interpreter of the ranks; empty: this one.
        pythonpath: their PYTHONPATH; None: as it is here.
        prolog: file to source or execute before every worker.
        launcher: a launcher's name or file.
        mpiexec: the launcher's program.
        mpi_args: further options for it.
        ssh: program in place of ssh.
        rsh: use rsh.
        dry_run: only print what would be started.
        notes: options that were given, and what takes their place.
        only_for_launcher: options that were given and mean nothing to a rank.
    """

    n: int | None = None
    hosts: tuple[str, ...] = ()
    hostfile: str = ""
    path: str = ""
    python: str = ""
    pythonpath: str | None = None
    prolog: str = ""
    launcher: str | None = None
    mpiexec: str | None = None
    mpi_args: tuple[str, ...] = ()
    ssh: str = ""
    rsh: bool = False
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    only_for_launcher: tuple[str, ...] = ()


_Group = argparse._ArgumentGroup


def make_parser() -> argparse.ArgumentParser:
    """The parser of all options; it shows them in groups."""
    parser = argparse.ArgumentParser(
        prog="python -m scoop_mpi", usage=USAGE, epilog=_EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False,
    )
    _what_to_run(parser.add_argument_group("what to run"))
    _where_to_run_it(parser.add_argument_group("where to run it"))
    _how_to_start_it(parser.add_argument_group("how to start it"))
    _what_it_tells(parser.add_argument_group("what it tells"))
    _for_programs_of_scoop(parser.add_argument_group("for programs of SCOOP"))
    parser.add_argument(_ARGUMENTS, dest="way", default="", help=argparse.SUPPRESS)
    return parser


def _what_to_run(group: _Group) -> None:
    group.add_argument("-m", dest="module", metavar="MODULE",
                       help="run a module in place of a program file")
    group.add_argument("-i", "--interactive", action="store_true",
                       help="a Python prompt on the root, after the program if there is one")
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS",
                       help="end the job after so long, with exit code 124")
    group.add_argument("--dry-run", action="store_true",
                       help="print the command, hosts and environment; start nothing")
    group.add_argument("--json", action="store_true",
                       help="without a program: the check of the pool, for machines")
    group.add_argument("-h", "--help", action="help", help="show this, and exit")
    group.add_argument("--version", action="version", version=f"scoop_mpi {__version__}")


def _where_to_run_it(group: _Group) -> None:
    group.add_argument("-n", type=count, metavar="N",
                       help="number of workers (default: the hosts' workers, the job's slots "
                       "less one for the broker, or the cores this process may use)")
    group.add_argument("--hosts", "--host", action="append", metavar="HOST", default=[],
                       help="hosts, once for each worker, or HOST:WORKERS; node[01-04] works")
    group.add_argument("--hostfile", metavar="FILE",
                       help="lines of: name [workers] (default: the host's cores)")
    group.add_argument("-p", "--path", metavar="DIR", default="",
                       help="working directory on all hosts (default: this one)")
    group.add_argument("--python-interpreter", metavar="PATH", default="",
                       help="the Python to run on all hosts (default: this one)")
    group.add_argument("--pythonpath", metavar="PATH",
                       help="PYTHONPATH of all ranks (default: as it is here)")
    group.add_argument("--prolog", metavar="FILE", default="",
                       help="shell script to source, or program to execute, before every rank")
    group.add_argument("--nice", type=_nice, metavar="LEVEL",
                       help="niceness of the workers, -20 to 19")
    group.add_argument("--threads", type=count, metavar="N",
                       help="threads that a worker may use: OMP_NUM_THREADS and its kin, unless "
                       "set (default: cores of the host / workers on it)")


def _how_to_start_it(group: _Group) -> None:
    group.add_argument("--launcher", metavar="NAME|FILE",
                       help="mpich, openmpi, intelmpi, srun, flux, pals, or a file like "
                       "./ours.toml (default: the first that fits mpi4py's library)")
    group.add_argument("--mpiexec", metavar="PATH", help="the launcher's program")
    group.add_argument("--mpi-args", metavar="'...'", default="", type=_words,
                       help="further options for the launcher")
    group.add_argument("--ssh-executable", metavar="PATH", default="",
                       help="program to use in place of ssh")
    group.add_argument("--rsh", action="store_true", help="rsh in place of ssh")


def _what_it_tells(group: _Group) -> None:
    group.add_argument("-v", "--verbose", action="count", default=0,
                       help="log more: -v information, -vv for finding faults")
    group.add_argument("-q", "--quiet", action="count", default=0,
                       help="log less: -q errors only, -qq hardly anything")
    group.add_argument("--strict", action="store_true",
                       help="pickle every task wherever it runs; report changed arguments")
    group.add_argument("--debug", action="store_true",
                       help="write statistics of all tasks into the folder debug/")
    group.add_argument("--profile", action="store_true",
                       help="write a profile of each worker into the folder profile/")


def _for_programs_of_scoop(group: _Group) -> None:
    group.add_argument("--no-scoop-alias", dest="alias", action="store_false",
                       help="leave 'import scoop' alone; else it means scoop_mpi")
    group.add_argument("-b", dest="brokers", type=int, metavar="N",
                       help="accepted: there is one broker")
    group.add_argument("--external-hostname", "--broker-hostname", metavar="NAME",
                       help="accepted: MPI chooses the network")
    group.add_argument("-e", "--tunnel", action="store_true",
                       help="accepted: MPI makes the connections")
    group.add_argument("--backend", metavar="NAME", help="accepted: MPI carries the messages")


def parse(arguments: Sequence[str]) -> tuple[Options, Settings, Program | None]:
    """Takes a command line apart; without a program, the third is None.

    Raises:
        LaunchError: options that contradict each other.
        SystemExit: from argparse, for options it does not know, and -h.
    """
    parser = make_parser()
    own, rest = split(arguments, options_of(parser))
    found = parser.parse_args(own)
    if found.hosts and found.hostfile:
        raise LaunchError("--hosts and --hostfile both name hosts; give one of them")
    if found.rsh and found.ssh_executable:
        raise LaunchError("--rsh and --ssh-executable contradict each other; give one of them")
    settings = Settings(
        verbosity=found.verbose - found.quiet, alias=found.alias, strict=found.strict,
        debug=found.debug, profile=found.profile, interactive=found.interactive,
        timeout_s=found.timeout, nice=found.nice, threads=found.threads, json=found.json,
    )
    options = Options(
        n=found.n, hosts=tuple(found.hosts), hostfile=found.hostfile or "",
        path=os.path.abspath(found.path) if found.path else "",
        python=_from_here(found.python_interpreter), pythonpath=found.pythonpath,
        prolog=found.prolog, launcher=_from_here(found.launcher),
        mpiexec=_from_here(found.mpiexec), mpi_args=tuple(found.mpi_args),
        ssh=_from_here(found.ssh_executable), rsh=found.rsh, dry_run=found.dry_run,
        notes=tuple(text for name, text in _TAKEN_OVER.items()
                    if getattr(found, name) not in (None, False)),
        only_for_launcher=_only_for_launcher(found),
    )
    if found.module is None and not rest:
        if not found.interactive:
            return options, settings, None
        rest = [""]
    is_module = found.module is not None
    name, *args = ([found.module] if is_module else []) + rest
    args = received(found.way, args)
    return options, settings, Program(name, is_module, tuple(args), settings.interactive)


def program_arguments(program: Program) -> tuple[tuple[str, ...], dict[str, str]]:
    """What every rank gets: the program and its arguments, and variables for it."""
    own = ["-m", program.name] if program.is_module else []
    if program.name and not program.is_module:
        own = [f"./{program.name}" if program.name[0] in "-:" else program.name]
    way, words, variables = carried(program.args)
    options = [f"{_ARGUMENTS}={way}"] if way else []
    return (*options, *own, *words), variables


_Path = TypeVar("_Path", str, None)


def _from_here(path: _Path) -> _Path:
    """A path, which ``--path`` must not change; a name without a folder stays one."""
    return os.path.abspath(path) if path and ("/" in path or path.endswith(".toml")) else path


def _only_for_launcher(found: argparse.Namespace) -> tuple[str, ...]:
    given = {
        "-n": found.n is not None, "--hosts": found.hosts, "--hostfile": found.hostfile,
        "--launcher": found.launcher, "--mpiexec": found.mpiexec, "--mpi-args": found.mpi_args,
        "--python-interpreter": found.python_interpreter, "--rsh": found.rsh,
        "--ssh-executable": found.ssh_executable, "--dry-run": found.dry_run,
    }
    return tuple(name for name, is_given in given.items() if is_given)


def options_of(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """All options of a parser, and whether they take a value."""
    return {name: action.nargs != 0
            for action in parser._actions for name in action.option_strings}


def split(arguments: Sequence[str], takes_value: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Our options, and what follows them: the program and its arguments.

    As for ``python``, what follows ``-m MODULE`` is the program's. The words after
    ``--hosts`` are hosts up to the next option or a file; each gets an option of its own.
    """
    own: list[str] = []
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "-":
        word = arguments[at]
        at += 1
        if word == "--":
            break
        if word in _HOSTS_OPTIONS:
            first = at
            while at < len(arguments) and _is_host(arguments[at]):
                own.append(f"--hosts={arguments[at]}")
                at += 1
            if at == first:
                raise LaunchError(f"{word} needs the names of hosts")
        elif word.startswith("--"):
            if takes_value.get(word, False) and at < len(arguments):
                word = f"{word}={arguments[at]}"  # also a value that begins with a dash
                at += 1
            own.append(word)
        else:
            letter = next((one for one in word[1:] if takes_value.get("-" + one, False)), None)
            own.append(word)
            if letter is not None and word.endswith(letter) and word.index(letter) == len(word) - 1:
                own += arguments[at:at + 1]
                at += 1
            if letter == "m":
                break
    return own, list(arguments[at:])


def _is_host(word: str) -> bool:
    """Not an option, and not the program that follows the hosts."""
    return not word.startswith("-") and not word.endswith(".py") and not os.path.isfile(word)


def count(text: str) -> int:
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few; at least 1")
    return int(text)


def _nice(text: str) -> int:
    if not re.fullmatch("[+-]?[0-9]{1,2}", text) or not -20 <= int(text) <= 19:
        raise argparse.ArgumentTypeError(f"{text!r} is not a level from -20 to 19")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
