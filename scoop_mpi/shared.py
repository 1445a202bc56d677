"""Constants that every worker can read: ``from scoop_mpi import shared``.

    shared.setConst(limits=(0, 10))             # once, anywhere
    low, high = shared.getConst("limits")       # in any task, on any worker

A name can be defined once on the whole pool. When :func:`setConst` returns, every task
that starts afterwards, anywhere, sees the constant. A value is pickled when it is
defined; each worker unpickles it when it is first read there, and keeps the object.

Names and behaviour: SCOOP's manual, section 2.4.3.
"""

from __future__ import annotations

import itertools
from inspect import ismethod
from typing import Any

from .base.errors import NotPicklableError
from .base.frames import Called, calls_user_code
from .base.job import worker_name
from .base.messages import Define, Defined, Found, Lookup, Undefine, Undefined
from .workers.scheduler import Scheduler, current

__all__ = ["NotPicklableError", "SharedElementEncapsulation", "delConst", "elements",
           "getConst", "setConst"]

elements: dict[tuple[str, str], dict[str, Any]]
"""The constants that are known here: {who defined them: {name: value}} (a copy)."""


def setConst(**kwargs: Any) -> None:
    """Defines constants for all workers; other tasks run while it waits for the broker.

    Functions, lambdas, classes, objects and files opened for reading (``open(path,
    "rb")`` arrives as ``io.BytesIO`` at the same position) are values like any other.
    A callable also becomes a global of the program, under its name, on every worker.

    Args:
        kwargs: name=value. All of them are defined, or none.

    Raises:
        TypeError: "This constant already exists: NAME.", here or, of two callers at the
            same time, in the one that came second.
        NotPicklableError: a value cannot be pickled; it is named.

    Source: SCOOP's manual.
    """
    if not kwargs:
        return
    scheduler = current()
    constants = tuple(scheduler.pack_constant(*item) for item in kwargs.items())
    answer = scheduler.consult(lambda ticket: Define(ticket, constants))
    assert isinstance(answer, Defined)
    if answer.taken:
        raise TypeError(f"This constant already exists: {answer.taken}.")


def getConst(name: str, timeout: float | None = 0.1) -> Any:
    """Returns the value of a constant, as it was when it was defined.

    Treat it as constant: every task on this worker gets the same object.

    Args:
        name: as given to :func:`setConst`.
        timeout: seconds to wait, at most, for somebody to define it; None or
            ``float("inf")``: no limit. Other tasks run meanwhile; one that takes longer
            makes it wait longer.

    Returns:
        The value; None if there is no such constant.

    Raises:
        NotPicklableError: the value cannot be rebuilt on this worker.

    Source: SCOOP's manual.
    """
    scheduler = current()
    constants = scheduler.constants
    if name in constants:
        return constants.value(name)
    deadline = None
    if timeout is not None and timeout != float("inf"):
        deadline = scheduler.clock() + timeout
    while not _arrives(scheduler, name):
        if deadline is not None and scheduler.clock() >= deadline:
            return None
        _await(scheduler, name, deadline)
    return constants.value(name)


def delConst(name: str) -> None:
    """Frees a constant on every worker; its name can then be defined again.

    Returns when no worker has it any more, so tasks that start afterwards do not see
    it. Objects that tasks have got before stay theirs.

    Raises:
        KeyError: there is no constant of that name.

    SCOOP has nothing like it.
    """
    answer = current().consult(lambda ticket: Undefine(ticket, name))
    assert isinstance(answer, Undefined)
    if not answer.existed:
        raise KeyError(f"there is no constant {name}")


def _arrives(scheduler: Scheduler, name: str) -> bool:
    """True when the constant is here; False if nobody has defined it."""
    constants = scheduler.constants
    urgent = False
    while name not in constants:
        answer = scheduler.consult(lambda ticket: Lookup(ticket, name, urgent))
        assert isinstance(answer, Found)
        if name in constants:
            break
        if answer.size < 0:
            return False
        if answer.constants:
            continue  # it came, and was freed at once
        tuning = scheduler.tuning
        patience_s = tuning.constant_patience_s + answer.size / tuning.constant_bytes_per_s
        deadline = scheduler.clock() + patience_s
        while name not in constants and scheduler.clock() < deadline:
            _await(scheduler, name, deadline)
        urgent = True
    return True


def _await(scheduler: Scheduler, name: str, deadline: float | None) -> None:
    """Returns when the constant is there, or at ``deadline``, if no task runs then."""
    constants = scheduler.constants
    parked = scheduler.parked()
    constants.expect(name, parked.wake)
    try:
        scheduler.park(parked, deadline, punctual=False)
    finally:
        constants.give_up(name, parked.wake)


def __getattr__(name: str) -> Any:
    if name == "elements":
        constants = current().constants
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for constant in constants.names():
            owner = constants.owner(constant)
            if owner is not None:
                found.setdefault(worker_name(owner), {})[constant] = constants.value(constant)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_encapsulated: dict[int, tuple[Any, str]] = {}
_number = itertools.count(1)


class SharedElementEncapsulation:
    """A callable that stands for a shared constant, small enough to travel with each task.

    Args:
        element: the name of a constant that exists, or a callable, which becomes one
            under a name of its own. Of a bound method, the object becomes the constant.

    Raises:
        AssertionError: there is no constant of that name (as in SCOOP).

    Source: SCOOP's manual. Lambdas and methods need not be wrapped in it here: they
    travel by value anyway.
    """

    def __init__(self, element: Any) -> None:
        self.isMethod = False
        if isinstance(element, str):
            if not _arrives(current(), element):
                raise AssertionError(f"Element must already be shared: {element}.")
            self.uniqueID = element
            return
        if ismethod(element):
            self.isMethod = True
            self.methodName = element.__name__
            element = element.__self__
        self.uniqueID = _share(element)

    def __repr__(self) -> str:
        return self.uniqueID

    @calls_user_code(Called.FOR_CALLER)
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the constant, or its method."""
        shared = getConst(self.uniqueID, timeout=None)
        function = getattr(shared, self.methodName) if self.isMethod else shared
        return function(*args, **kwargs)

    def __name__(self) -> str:
        """The constant's name; a method, as in SCOOP."""
        return self.uniqueID


def _share(element: Any) -> str:
    """The name of the constant that an object has become; the same at every call."""
    # The object is kept, so that no other one can get its id().
    _, name = _encapsulated.get(id(element), (None, ""))
    if name not in current().constants:  # new, or freed by now
        name = f"{worker_name(current().rank)[0]}:{next(_number)}"
        setConst(**{name: element})
        _encapsulated[id(element)] = element, name
    return name
