"""The command line: ``python -m scoop_mpi [options] program.py [args]``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

from .. import __version__, alias
from ..errors import LaunchError
from ..job import Settings
from ..program import Program
from .world import launched_rank

_USAGE = "python -m scoop_mpi [options] (program.py | -m module | -i) [program's arguments]"
_EPILOG = """\
Started by mpirun, mpiexec or srun, it joins their job: rank 0 brokers, rank 1 runs the
program, the others are workers. Started from a shell, it runs mpiexec itself.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _main(arguments)
    except LaunchError as error:
        if str(error):
            print(f"scoop_mpi: {error}", file=sys.stderr, flush=True)
        return error.exit_code


def _main(arguments: list[str]) -> int:
    options, settings, program = parse(arguments)
    if launched_rank() is not None:
        if options.n is not None and launched_rank() == 0:
            print("scoop_mpi: -n is ignored, as a launcher has started the ranks already",
                  file=sys.stderr)
        # Imported here: a rank needs the one, a launcher the other.
        from ..rank import run_rank

        return run_rank(program, settings)
    if settings.alias:
        alias.install()  # a module's package is imported to find it
    program.check()
    workers = options.n or len(os.sched_getaffinity(0))
    from .mpiexec import run_mpiexec

    own = settings.arguments() + program_arguments(program)
    return run_mpiexec(workers + 1, own, at_terminal=settings.interactive and os.isatty(0))


def parse(arguments: list[str]) -> tuple[argparse.Namespace, Settings, Program]:
    """Splits our options from the program and its arguments.

    Raises:
        LaunchError: there is no program.
        SystemExit: from argparse, for options it does not know, and -h.
    """
    parser = argparse.ArgumentParser(
        prog="python -m scoop_mpi", usage=_USAGE, epilog=_EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-n", type=_count, metavar="N",
                        help="number of workers (default: the cores this process may use)")
    parser.add_argument("-m", dest="module", metavar="MODULE",
                        help="run a module in place of a program file")
    parser.add_argument("-i", "--interactive", action="store_true",
                        help="a Python prompt on the root, after the program if there is one")
    parser.add_argument("-v", "--verbose", action="count", default=0,
                        help="log more: -v information, -vv for finding faults")
    parser.add_argument("-q", "--quiet", action="count", default=0,
                        help="log less: -q errors only, -qq hardly anything")
    parser.add_argument("--strict", action="store_true",
                        help="pickle every task wherever it runs; report changed arguments")
    parser.add_argument("--debug", action="store_true",
                        help="write statistics of all tasks into the folder debug/")
    parser.add_argument("--profile", action="store_true",
                        help="write a profile of each worker into the folder profile/")
    parser.add_argument("--no-scoop-alias", dest="alias", action="store_false",
                        help="leave 'import scoop' alone; else it means scoop_mpi")
    parser.add_argument("--version", action="version", version=f"scoop_mpi {__version__}")
    parser.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    own, rest = _split(arguments)
    options = parser.parse_args(own)
    options.program += rest
    settings = Settings(
        options.verbose - options.quiet, options.alias, options.strict, options.debug,
        options.profile, options.interactive,
    )
    if options.module is None and not options.program:
        if not settings.interactive:
            raise LaunchError(f"name a program to run\nusage: {_USAGE}")
        options.program = [""]
    is_module = options.module is not None
    name, *args = ([options.module] if is_module else []) + options.program
    return options, settings, Program(name, is_module, tuple(args), settings.interactive)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """As for ``python``, what follows ``-m MODULE`` is the program's."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if match := re.fullmatch(r"-[ivq]*([mn])(.*)", arguments[at]):
            at += 1 if match[2] else 2
            if match[1] == "m":
                return arguments[:at], arguments[at:]
        else:
            at += 1
    return arguments, []


def program_arguments(program: Program) -> list[str]:
    """What every rank gets: the program and its arguments."""
    own = ["-m", program.name] if program.is_module else [program.name] if program.name else []
    return own + list(program.args)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} workers cannot run a program; at least 1")
    return number
