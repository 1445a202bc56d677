"""What is wrong with one rank, for the check of the pool. Python imports this at its start.

FAULT_RANK is the rank ("all": every one), FAULT is what is wrong: "stop in MODULE" stops
the process when it imports that module, "stop before the pool" when the check has measured
and the ranks are to meet for the map, "other versions" gives it another mpi4py and a host
of one core.
"""

import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import signal
import sys

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK")


class _Stopper(importlib.abc.MetaPathFinder):
    def __init__(self, name):
        self._name = name

    def find_spec(self, name, path, target=None):
        """Finds nothing, so the next finder is asked, if this process goes on."""
        if name == self._name:
            os.kill(os.getpid(), signal.SIGSTOP)


class _StopperBeforeThePool(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        """Finds the check, with a rank that stops where it should join the pool."""
        if name != "scoop_mpi.check.run":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.run_rank = lambda *arguments: os.kill(os.getpid(), signal.SIGSTOP)

        spec.loader.exec_module = exec_module
        return spec


def _other_versions():
    true = importlib.metadata.version
    importlib.metadata.version = lambda name: "9.9" if name == "mpi4py" else true(name)
    os.cpu_count = lambda: 1


rank = next((os.environ[name] for name in _RANKS if name in os.environ), None)
fault = os.environ.get("FAULT", "")
if rank is not None and os.environ.get("FAULT_RANK") in (rank, "all"):
    if fault == "stop before the pool":
        sys.meta_path.insert(0, _StopperBeforeThePool())
    elif fault.startswith("stop in "):
        sys.meta_path.insert(0, _Stopper(fault.removeprefix("stop in ")))
    elif fault == "other versions":
        _other_versions()
