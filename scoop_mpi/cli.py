"""The command line: ``python -m scoop_mpi [options] [program.py] [args]``.

The same command is run by a person, and by a launcher on each rank: this file tells the
two apart.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .base import log
from .base.errors import INTERRUPTED, LaunchError
from .base.job import Settings
from .launch.command import prolog_command
from .launch.options import Options, parse
from .process import surroundings
from .process.world import is_first_of_host, is_inherited, keep_to_ourselves, launched_rank


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if launched_rank() is None and surroundings.hear_interrupts():
            return INTERRUPTED
        return _main(arguments)
    except LaunchError as error:
        if str(error):
            print(f"scoop_mpi: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:  # before there was a launcher to pass it on to
        return INTERRUPTED


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["submit"] and not os.path.exists("submit"):
        from .launch.submit import submit

        return submit(arguments[1:])
    options, settings, program = parse(arguments)
    log.set_verbosity(settings.verbosity)
    if launched_rank() is None:
        # Imported here: a rank needs the one, a launcher the other.
        from .launch.start import start

        return start(options, settings, program)
    if is_inherited():
        raise LaunchError("a task of a job has started python -m scoop_mpi inside a step of "
                          "SLURM. A task may call futures.map itself; to start another job, "
                          "take the step's variables (SLURM_STEP*) out of its environment")
    _prepare(options, settings)
    keep_to_ourselves()
    if program is None:
        from .check.guard import start_mpi

        guard = start_mpi(settings)
        from .check.run import run_check  # which needs MPI

        return run_check(settings, guard)
    from .process.rank import run_rank

    return run_rank(program, settings)


def _prepare(options: Options, settings: Settings) -> None:
    """Does on a rank what our launcher would have done before, and says what it cannot."""
    if launched_rank() == 0:
        for note in options.notes:
            log.logger.warning("%s", note)
        if options.only_for_launcher:
            log.logger.warning("%s: ignored, as a launcher has started the ranks already",
                               ", ".join(options.only_for_launcher))
    try:
        if options.prolog and surroundings.prolog_is_due():
            surroundings.run_prolog(prolog_command(options.prolog))
        if options.path:
            surroundings.enter(options.path)
        if options.pythonpath is not None:
            surroundings.set_pythonpath(options.pythonpath)
        if settings.nice is not None:
            surroundings.set_nice(settings.nice)
    except LaunchError as error:
        if not is_first_of_host():
            raise LaunchError("", error.exit_code) from None  # the first one there says why
        raise
