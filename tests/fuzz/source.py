"""Sections to files: one program, and the modules that it imports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .section import Section

_IMPORTS = """
import abc
import collections
import collections.abc
import contextlib
import copyreg
import dataclasses
import enum
import functools
import itertools
import math
import operator
import pickle
import sys
import time
import types
import typing

import scoop_mpi
from {package} import futures, shared
from {package}._types import CallbackType
from fuzzing import (
    Lock, error_name, happened, large, nap, outcome, show, unordered, until,
)
"""


def write(sections: Sequence[Section], folder: Path, package: str) -> Path:
    """Writes ``program.py`` and its modules; returns the program's path.

    Args:
        package: where futures and shared are imported from: scoop_mpi or scoop.
    """
    imports = _IMPORTS.format(package=package).strip()
    lines = ['"""Made by tests.fuzz."""', "", imports, "from fuzzing import run_sections"]
    guard: list[str] = []
    for one in sections:
        if one.place in ("module", "split"):
            _write_module(one, folder, imports)
            lines.append(f"from side_{one.name} import *  # noqa")
    for one in sections:
        if one.place == "top":
            lines += ["", "", *one.definitions]
        if one.place == "guard":
            guard += _indented(one.definitions) + [""]
        if one.place != "module":
            lines += ["", "", *_function(one)]
    names = "".join(f"        {one.name},\n" for one in sections)
    lines += ["", "", 'if __name__ == "__main__":', *guard, f"    run_sections([\n{names}    ])"]
    program = folder / "program.py"
    program.write_text("\n".join(lines) + "\n")
    return program


def _write_module(section: Section, folder: Path, imports: str) -> None:
    lines = [imports, "", "", *section.definitions]
    if section.place == "module":
        lines += ["", "", *_function(section)]
    (folder / f"side_{section.name}.py").write_text("\n".join(lines) + "\n")


def _function(section: Section) -> list[str]:
    inside = section.definitions + [""] if section.place == "local" else []
    return [f"def {section.name}():", *_indented(inside + section.body)]


def _indented(lines: Sequence[str]) -> list[str]:
    return ["    " + line if line else "" for line in lines]
