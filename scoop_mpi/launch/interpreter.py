"""The interpreter's own flags (-O, -W, -X …), which the ranks are to get as well."""

from __future__ import annotations

import subprocess
import sys


def interpreter_flags() -> list[str]:
    """What to put after ``python`` to have the flags of this interpreter again.

    The standard library's function is the one with which multiprocessing starts its
    children. It leaves out ``-u``, and those of ``-X`` that it does not know.
    """
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    known = {flag.partition("=")[0] for flag in flags}
    for name, value in sys._xoptions.items():
        if name not in known:
            flags += ["-X", name if value is True else f"{name}={value}"]
    if getattr(sys.__stdout__, "write_through", False):
        flags.append("-u")
    return flags
