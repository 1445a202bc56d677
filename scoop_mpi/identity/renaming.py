"""Gives what a module has made while it ran under one name the name that it has.

A function or class says in ``__module__`` which module it belongs to: it takes over the
object that the module's ``__name__`` was at that moment. That is how they are found: all
hold one and the same string, of which :func:`name_to_replace` has made a copy of its own.

    at the top level   whatever says so, a TypeVar as well as a cached function
    classes            all subclasses of ``object`` are walked through
    the rest           asked of the garbage collector: functions wherever they are (closures,
                       registries, wrapped ones), and instances that say it in their ``__dict__``

Less than 10 ms with numpy and matplotlib imported, of which the garbage collector takes two
thirds. Tried and not taken: a look at each object of the garbage collector (twice as long);
a ``__name__`` that is a subclass of str (pickle writes it out as such).
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from ..base.usercode import attempt, attribute

_NAMESPACE = type.__dict__["__dict__"]


def name_to_replace(name: str) -> str:
    """A copy of ``name`` that is the same as no other string of this process."""
    return "".join(name)


def rename(module: ModuleType, name: str) -> None:
    """From now on ``module`` and all that it has made are called ``name``.

    Args:
        module: its ``__name__`` is of :func:`name_to_replace`.
    """
    old = module.__name__
    module.__name__ = name
    for value in list(vars(module).values()):
        _rename_instance(value, old, name)
    for made in _all_classes():
        # Not by its metaclass, which may have ideas of its own.
        if _NAMESPACE.__get__(made).get("__module__") is old:
            with contextlib.suppress(TypeError):  # it is immutable
                type.__setattr__(made, "__module__", name)
    # Classes refer to it no more, so no dict that is found here is a class's.
    for holder in gc.get_referrers(old):
        if type(holder) is FunctionType:
            holder.__module__ = name
        elif issubclass(type(holder), dict):
            if holder.get("__module__") is old:
                holder["__module__"] = name
        else:
            _rename_instance(holder, old, name)


def _rename_instance(thing: Any, old: str, name: str) -> None:
    """The same for an object that may be anybody's."""
    if issubclass(type(thing), (type, ModuleType)):
        return  # dealt with; a module may be one that is loaded when it is touched
    if attribute(thing, "__module__") is old:
        attempt(setattr, thing, "__module__", name)


def _all_classes() -> Iterator[type]:
    found: dict[int, type] = {}  # by id: a metaclass may say that its classes are equal
    todo: list[type] = [object]
    while todo:
        subclasses: list[type] = type.__subclasses__(todo.pop())
        for made in subclasses:
            if id(made) not in found:
                found[id(made)] = made
                todo.append(made)
                yield made
