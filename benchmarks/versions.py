"""Prints, as JSON, what the interpreter that runs it has installed.

The MPI library is asked for its version without being started.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys

PACKAGES = ("scoop_mpi", "scoop", "mpi4py", "greenlet", "cloudpickle", "pyzmq", "joblib",
            "loky", "distributed", "ray")


def main() -> None:
    """Prints one object: names and versions; what is missing is left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if (own := _own_version()) is not None:
        found["scoop_mpi"] = own
    if "mpi4py" in found and (library := _mpi_library()) is not None:
        found["MPI"] = library
    json.dump(found, sys.stdout)


def _own_version() -> str | None:
    """The project's, which need not be installed: the source tree is measured."""
    try:
        import scoop_mpi
    except ImportError:
        return None
    return scoop_mpi.__version__


def _mpi_library() -> str | None:
    """Its name and version, without the machine it was built on that some add."""
    import mpi4py
    mpi4py.rc.initialize = False
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError):
        return None
    first_line = MPI.Get_library_version().splitlines()[0].split(",")[0]
    return " ".join(first_line.replace("Version:", "").split())


if __name__ == "__main__":
    main()
