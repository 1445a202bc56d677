"""The name ``scoop``: in a job, it means this package.

Programs written for SCOOP say ``from scoop import futures, shared``. A finder in front
of all others answers for ``scoop`` and its modules with ours, whether the original is
installed or not. Only ranks of a job, and the command that starts one, install it.

Processes that a rank starts by multiprocessing, joblib and their like import the program
as well. They get ``sys.path`` from it, so in a job the folder ``children`` stands there:
the module ``scoop`` in it installs the alias in that process. (Tried and not taken:
PYTHONPATH, which other Pythons would get as well; data of multiprocessing's, which others
have copies of.)
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from ..base.uncaught import HERE

_OURS = __package__.partition(".")[0]
_THEIRS = "scoop"
CHILDREN = os.path.join(HERE, "children")
"""The folder in which other processes find ``scoop``."""


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``scoop.x`` where ``scoop_mpi.x`` is, and loads the very same module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _THEIRS and not fullname.startswith(_THEIRS + "."):
            return None
        ours = importlib.util.find_spec(_OURS + fullname[len(_THEIRS):])
        if ours is None:
            return None
        is_package = ours.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(
            fullname, self, origin=ours.origin, is_package=is_package,
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Our module; while it is imported as ``scoop``, its own spec is put aside."""
        module = importlib.import_module(_OURS + spec.name[len(_THEIRS):])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run; puts the module's own spec back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


_finder = _Finder()


def install() -> None:
    """From now on, in this process, ``import scoop`` means this package."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def is_installed() -> bool:
    """Does ``import scoop`` mean this package?"""
    return _finder in sys.meta_path


def hand_down() -> None:
    """Lets processes that get ``sys.path`` from this one find ``scoop``, as it means here.

    The folder for that comes last, unless another ``scoop`` is found: then before that.
    """
    sys.path[:] = [entry for entry in sys.path if entry != CHILDREN]
    places = [at for at, entry in enumerate(sys.path) if _has_another(entry)]
    sys.path.insert(places[0] if places else len(sys.path), CHILDREN)


def _has_another(entry: str) -> bool:
    spec = importlib.machinery.PathFinder.find_spec(_THEIRS, [entry])
    return spec is not None and spec.loader is not None  # a folder without modules has none


def uninstall() -> None:
    """Undoes :func:`install`, also for what was imported by then. (A job never does.)"""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    if CHILDREN in sys.path:
        sys.path.remove(CHILDREN)
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == _THEIRS and module.__name__.split(".")[0] == _OURS:
            del sys.modules[name]
