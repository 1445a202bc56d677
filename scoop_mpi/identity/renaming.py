"""Renames a module, and all that it has made under its old name.

A function or class says in ``__module__`` which module it belongs to. That is the very object
that the module's ``__name__`` was when it was made. So all refer to one string object, which
:func:`name_to_replace` has made for this module only; by that they are found:

    at the top level   any object that refers to it, such as a TypeVar or a cached function
    classes            by going through all subclasses of ``object``
    the rest           by the garbage collector: functions anywhere (in closures, in registries,
                       wrapped), and instances with a ``__module__`` in their ``__dict__``

It takes less than 10 ms with numpy and matplotlib imported, two thirds of that in the garbage
collector. Tried and not taken: looking at each object of the garbage collector (twice as
long); a ``__name__`` of a subclass of str (pickle writes it as an object of that class).
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
    """A copy of ``name``, which is no other string object of this process."""
    return "".join(name)


def rename(module: ModuleType, name: str) -> None:
    """Gives ``module``, and all that it has made, the name ``name``.

    Args:
        module: :func:`name_to_replace` has made its ``__name__``.
    """
    old = module.__name__
    module.__name__ = name
    for value in list(vars(module).values()):
        _rename_instance(value, old, name)
    for made in _all_classes():
        # By type's methods: the metaclass may define its own.
        if _NAMESPACE.__get__(made).get("__module__") is old:
            with contextlib.suppress(TypeError):  # it is immutable
                type.__setattr__(made, "__module__", name)
    # Classes do not refer to it any more, so no dict found here belongs to a class.
    for holder in gc.get_referrers(old):
        if type(holder) is FunctionType:
            holder.__module__ = name
        elif issubclass(type(holder), dict):
            if holder.get("__module__") is old:
                holder["__module__"] = name
        else:
            _rename_instance(holder, old, name)


def _rename_instance(thing: Any, old: str, name: str) -> None:
    """The same for an object of any type, perhaps a library's."""
    if issubclass(type(thing), (type, ModuleType)):
        return  # classes are done already; looking at a lazy module would load it
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
