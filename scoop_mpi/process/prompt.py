"""The interactive prompt on the root (``-i``).

What is typed there is part of the program: functions travel to the workers by value,
so they are used as they were when the call was made.
"""

from __future__ import annotations

import code
import io
import sys
from types import CodeType
from typing import Any

from ..base import context
from ..base.frames import Called, calls_user_code

_OURS = __package__.partition(".")[0]


def interact(namespace: dict[str, Any]) -> None:
    """Reads and runs statements until the end of input.

    Args:
        namespace: the program's globals.

    Raises:
        SystemExit: one was typed.
    """
    scoop_mpi = sys.modules[_OURS]  # whoever types there uses it; nothing here does
    for name in "futures", "shared":
        namespace.setdefault(name, getattr(scoop_mpi, name))
    namespace.setdefault(_OURS, scoop_mpi)
    if sys.stdin.isatty():
        _edit_lines(namespace)
    elif isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # one bad byte is no end of input
    workers = context.job().workers
    console = _Console(namespace, filename="<prompt>")
    console.interact(
        f"scoop_mpi {scoop_mpi.__version__} with {workers} worker{'s' * (workers != 1)}, Python "
        f"{sys.version.split()[0]}. Here are futures, shared and scoop_mpi.", exitmsg="",
    )


class _Console(code.InteractiveConsole):
    """Ctrl-C strikes where its base class expects it: while it reads or runs something."""

    @calls_user_code(Called.PROGRAM, own_code=True)
    def raw_input(self, prompt: str = "") -> str:
        """See the base class."""
        return super().raw_input(prompt)

    @calls_user_code(Called.PROGRAM, own_code=True)
    def runcode(self, code: CodeType) -> None:
        """See the base class."""
        super().runcode(code)


def _edit_lines(namespace: dict[str, Any]) -> None:
    """Line editing and completion, where Python has them."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(namespace).complete)
    readline.parse_and_bind("tab: complete")
