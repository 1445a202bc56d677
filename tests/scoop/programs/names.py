"""Every way in which programs import SCOOP, in the program, a module, and tasks.

Prints, as JSON, what the root sees and what every worker sees.
"""

import json
import os
import sys
import time

import helper_of_names
import scoop
import scoop.futures
from scoop import futures, shared, utils
from scoop._types import CallbackType, CancelledError, Future, TimeoutError
from scoop.futures import map as m
from scoop.futures import submit

AT_IMPORT = {"origin": scoop.IS_ORIGIN, "worker": str(scoop.worker), "size": scoop.SIZE}


def double(x):
    """A task of a task."""
    return 2 * x


def check_names():
    """Do all names mean the same things, here and now?"""
    import scoop.shared
    from scoop import BROKER, IS_ORIGIN, SIZE, worker
    from scoop import futures as again

    future = submit(double, 4)
    assert isinstance(future, Future), type(future)
    assert type(future) is scoop.futures.Future is scoop._types.Future
    assert isinstance(future, helper_of_names.Future)
    assert future.result() == 8
    assert list(m(double, [1, 2])) == list(map(double, [1, 2])) == helper_of_names.twice([1, 2])
    assert again is futures is scoop.futures is helper_of_names.futures
    assert futures is sys.modules["scoop.futures"]
    assert shared is scoop.shared is helper_of_names.scoop.shared
    assert futures.CancelledError is CancelledError and futures.TimeoutError is TimeoutError
    assert (CallbackType.standard, CallbackType.universal) == ("standard", "universal")
    assert utils.getCPUcount() >= 1 and scoop.utils is utils
    assert scoop.__name__ == "scoop_mpi" and scoop is sys.modules["scoop_mpi"]
    return [IS_ORIGIN, SIZE, list(worker), list(BROKER)]


def look(_=None):
    """What a task sees; it lasts long enough for all workers to have one."""
    time.sleep(0.1)
    here = check_names()
    return {
        "origin": scoop.IS_ORIGIN, "running": scoop.IS_RUNNING, "size": scoop.SIZE,
        "worker": str(scoop.worker), "pair": list(scoop.worker), "broker": list(scoop.BROKER),
        "fields": list(scoop.BROKER._fields), "main": scoop.MAIN_MODULE, "debug": scoop.DEBUG,
        "cwd": scoop.WORKING_DIRECTORY, "stopping": scoop.SHUTDOWN_REQUESTED,
        "configuration": scoop.CONFIGURATION, "logger": scoop.logger.name,
        "at_import": AT_IMPORT, "from_import": here, "pid": os.getpid(),
        "helper": helper_of_names.AT_IMPORT,
    }


if __name__ == "__main__":
    seen = {}
    began = time.time()
    while len(seen) < scoop.SIZE and time.time() < began + 20:
        for one in futures.map(look, range(2 * scoop.SIZE)):
            seen[one["pid"]] = one
    print(json.dumps({"root": look(), "all": list(seen.values())}))
