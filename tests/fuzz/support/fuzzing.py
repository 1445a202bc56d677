"""What generated programs import: naps, outcomes, and a text for any value.

The text holds no addresses, ranks or times, so it is the same in every run of a right program.
"""

from __future__ import annotations

import dataclasses
import enum
import faulthandler
import hashlib
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable
from typing import Any

import scoop_mpi
from scoop_mpi import shared
from scoop_mpi.base import context

if "FUZZ_STACKS_AFTER_S" in os.environ:  # a rank that still runs then shows where it is
    faulthandler.dump_traceback_later(float(os.environ["FUZZ_STACKS_AFTER_S"]), exit=False)


def validate() -> None:
    """Looks at the books of this rank; raises if they are wrong, which then is the outcome."""
    scheduler: Any = context.current()
    with scheduler.exchange.lock:  # the donor thread may be giving something away
        scheduler.validate()


def nap(n: object) -> None:
    """Takes 0 to 3 ms, so that some tasks are worth sending and others are not."""
    validate()
    time.sleep((0.0, 0.003, 0.001, 0.0005, 0.002)[hash(n) % 5 if isinstance(n, int) else 1])


def large(n: int) -> bytes:
    """Some hundred kilobytes that depend on ``n``."""
    return bytes([n % 251]) * (100_000 + n % 7 * 50_000)


def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, str]:
    """What a call gives or raises, as text."""
    validate()
    try:
        return "gave", show(call(*args, **kwargs))
    except BaseException as error:
        return "raised", show(error)


def happened(call: Callable[..., Any], *args: Any) -> str:
    """'gave' or 'raised': for calls that may raise any of several errors."""
    return outcome(call, *args)[0]


def error_name(call: Callable[..., Any], *args: Any) -> str:
    """The name of the type of what is raised; '' if nothing is."""
    try:
        call(*args)
    except BaseException as error:
        return type(error).__name__
    return ""


def unordered(values: Iterable[Any]) -> list[str]:
    """The texts of values whose order is not promised."""
    return sorted(map(show, values))


def until(condition: Callable[[], bool]) -> bool:
    """Lets other tasks run until something has happened; False if it does not in ten seconds."""
    stop_by = time.monotonic() + 10
    while not condition():
        if time.monotonic() > stop_by:
            return False
        shared.getConst("nobody defines it", 0.001)
    return True


class Lock:
    """An object that cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def show(value: Any, depth: int = 0) -> str:
    """A text for any value that a generated program makes."""
    if depth > 12:
        return "..."
    if isinstance(value, enum.Enum):
        return f"{_name(type(value))}.{value.name}"
    if isinstance(value, BaseException):
        return _show_error(value, depth)
    if isinstance(value, type):
        return f"<class {_name(value)}>"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
        return f"<function {_name(value)}>"
    if value is None or type(value) in (bool, int, float, complex, str, range):
        return repr(value) if len(repr(value)) < 200 else _digest(repr(value).encode())
    if type(value) in (bytes, bytearray):
        return repr(value) if len(value) < 60 else _digest(bytes(value))
    parts = _parts(value, depth + 1)
    return f"{_name(type(value))}({', '.join(parts)})"


def _parts(value: Any, depth: int) -> list[str]:
    if isinstance(value, dict):
        parts = [f"{show(key, depth)}: {show(one, depth)}" for key, one in value.items()]
    elif isinstance(value, (set, frozenset)):
        parts = sorted(show(one, depth) for one in value)
    elif isinstance(value, (list, tuple)) or type(value).__name__ == "deque":
        parts = [show(one, depth) for one in value]
    else:
        parts = []
    state = {**getattr(value, "__dict__", {}), **_slots(value)}
    if dataclasses.is_dataclass(value):
        state.update({one.name: getattr(value, one.name) for one in dataclasses.fields(value)})
    return parts + [f"{key}={show(state[key], depth)}" for key in sorted(state)]


def _slots(value: Any) -> dict[str, Any]:
    names = [name for base in type(value).__mro__ for name in getattr(base, "__slots__", ())
             if name not in ("__dict__", "__weakref__")]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _show_error(error: BaseException, depth: int) -> str:
    if isinstance(error, scoop_mpi.TaskError):  # stands for one that cannot be pickled
        return f"{error.type_name.rpartition('.')[2]}: {error.message}"
    if getattr(error, "cannot_be_pickled", False):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, scoop_mpi.NotPicklableError):
        return "NotPicklableError"  # its text says where, which depends on the worker
    members = [show(one, depth + 1) for one in getattr(error, "exceptions", ())]
    args = [] if members else [show(one, depth + 1) for one in error.args]
    state = [f"{key}={show(one, depth + 1)}" for key, one in sorted(vars(error).items())]
    return f"{_name(type(error))}({', '.join(args + members + state)})"


def _name(obj: Any) -> str:
    return str(getattr(obj, "__qualname__", "?")).rpartition(".")[2]


def _digest(data: bytes) -> str:
    return f"{len(data)} bytes {hashlib.blake2b(data, digest_size=6).hexdigest()}"


def run_sections(sections: Iterable[Callable[[], Any]]) -> None:
    """Runs them one after the other; what each gives is one line for the comparison."""
    only = sys.argv[1:]
    for section in sections:
        if only and section.__name__ not in only:
            continue
        print(f"@begin {section.__name__}", flush=True)
        kind, text = outcome(section)
        print(f"@end {section.__name__} {kind} {text!r}", flush=True)
