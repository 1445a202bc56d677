"""Standard output and error, whatever the program or a task has put in their place.

``sys.stdout`` may be closed, None, or an object without ``flush`` that raises what it likes:
none of it is an affair of the job.
"""

from __future__ import annotations

import sys


def flush_output() -> bool:
    """Writes what is buffered; False if some of it cannot be written."""
    done = True
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            done = False
    return done


def put_back_unusable() -> None:
    """Puts back the first streams where those of now raise what no stream does.

    Python flushes them at its very end, and ends with exit code 120 if that fails: which would
    depend on what has run on this rank last. A disk that is full, or a reader that is gone
    (``OSError``), is no such case.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            pass
        except BaseException:
            setattr(sys, name, getattr(sys, f"__{name}__"))


def write_error(text: str) -> None:
    """Prints ``text`` on standard error, on the one at the start if the present one fails."""
    for stream in (sys.stderr, sys.__stderr__):
        try:
            if stream is not None:
                print(text.rstrip("\n"), file=stream, flush=True)
                return
        except BaseException:
            continue
