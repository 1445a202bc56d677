"""Runs the check_... functions of a program and reports what was wrong with each."""

import faulthandler
import json
import os
import sys
import time
import traceback

import scoop_mpi

MANY = 12
"""Calls of something that naps, enough of them for several workers to get some."""
NAP_S = 0.03
LIMIT_S = 20
"""Seconds for one check; then the job ends, with the stacks on standard error."""


def workers():
    return scoop_mpi.SIZE


def several_workers():
    return workers() > 1


def doze():
    """Gives the other workers, if there are any, the time to take their share."""
    if several_workers():
        time.sleep(NAP_S)


def nap(value=None):
    """Takes a little while, so that others get work too; the value and where it was."""
    doze()
    return value, os.getpid()


def assert_spread(pids):
    """Some of the work was done here, some elsewhere, if there is anybody else."""
    pids = set(pids)
    assert (len(pids) > 1) == several_workers(), pids


def assert_raises(kind, function, *args, **kwargs):
    """Calls the function; returns the exception, which must be of exactly that kind."""
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        if type(error) is not kind:
            raise AssertionError(f"{error!r} in place of {kind.__name__}") from error
        return error
    raise AssertionError(f"{value!r} in place of {kind.__name__}")


def run_checks(namespace, prefix="check_", limit_s=LIMIT_S):
    """Notes in the file argv[1], a line each, which checks began and how they ended.

    Those named in argv[2:] are left out.
    """
    with open(sys.argv[1], "a", buffering=1) as report:

        def note(*entry):
            report.write(json.dumps(entry) + "\n")

        for name, check in list(namespace.items()):
            if not name.startswith(prefix) or name in sys.argv[2:]:
                continue
            note("began", name, "")
            faulthandler.dump_traceback_later(limit_s, exit=True)
            try:
                check()
                trouble = ""
            except BaseException:
                trouble = traceback.format_exc()
            faulthandler.cancel_dump_traceback_later()
            note("ended", name, trouble)
