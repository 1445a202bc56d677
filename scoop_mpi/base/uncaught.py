"""What Python makes of an exception that nobody catches: an exit code and a text."""

from __future__ import annotations

import os
import sys
from types import TracebackType

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""Where the files of this package are."""


def exit_code_of(request: SystemExit) -> int:
    """As the interpreter does it; a text goes to standard error."""
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr, flush=True)
    return 1


def users_part(frames: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame on that is not of this package."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(HERE):
        frames = frames.tb_next
    return frames
