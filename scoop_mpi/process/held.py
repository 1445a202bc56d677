"""Standard output and error, held back while a worker imports the program.

What an import writes is shown once it has succeeded. If the program leaves instead (a
parser of arguments that prints its help, say), the root writes the same, and once is enough.

The descriptors are redirected, not ``sys.stdout``: the program may keep that object (a
logging handler does), and C code does not know it. Into a file in memory, not a pipe: C code
that holds the GIL would wait for a reader that needs it.
"""

from __future__ import annotations

import contextlib
import os
from typing import BinaryIO

from ..base.streams import flush_output


class HeldOutput:
    """Holds back what this process writes, from here to :meth:`show` or :meth:`take`."""

    def __init__(self) -> None:
        flush_output()
        self._held: list[tuple[int, int, BinaryIO]] = []
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):  # it is closed, or there is no memory for it
                file = os.fdopen(os.memfd_create("held"), "r+b")
                self._held.append((descriptor, os.dup(descriptor), file))
                os.dup2(file.fileno(), descriptor)

    def show(self) -> None:
        """Writes what was held back."""
        for descriptor, data in self._release():
            with contextlib.suppress(OSError):
                while data:
                    data = data[os.write(descriptor, data):]

    def take(self) -> str:
        """What was held back, which nobody has seen."""
        return b"".join(data for _, data in self._release()).decode(errors="replace")

    def _release(self) -> list[tuple[int, bytes]]:
        flush_output()
        released = []
        for descriptor, real, file in self._held:
            os.dup2(real, descriptor)
            os.close(real)
            with file:
                file.seek(0)
                released.append((descriptor, file.read()))
        self._held = []
        return released
