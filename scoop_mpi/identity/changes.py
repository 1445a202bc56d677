"""Which functions and classes a rank has changed since all ranks had the same.

:meth:`Names.freeze` notes the functions and classes of the program's own modules: of the
program itself, and of modules that are not installed. One of them has changed if it is

    a function with other code or defaults, or (``singledispatch``) other implementations,
    a class with another method, property or inner class, or (``ABC``) other registered classes,
    a function or class that uses, by name, one of these, an instance of one of these, or a
    name that now stands for another function or class; to any depth.

Built-in functions, bound methods and partials count as functions here. A name that was None
has changed when it stands for a function or class.

Other attributes and variables are state. Each rank has its own.

This file looks at every object in a module, also at proxies and lazy objects. So it asks for
types with ``type``, not ``isinstance``, and for attributes with :func:`usercode.attribute`.
"""

from __future__ import annotations

import abc
import functools
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, cast

from ..base.usercode import attribute
from .rebuild import is_dispatch

PROGRAM = "__main__"
"""The program's name in references, on every rank."""

_INSTALLED = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib",
                                                            "platlib"))
_FUNCTIONS = (BuiltinFunctionType, MethodType, functools.partial)
_METHODS = (FunctionType, type, staticmethod, classmethod, property, functools.cached_property,
            functools.partialmethod, functools.singledispatchmethod)

Noted = dict[str, dict[str, Any]]
"""A module's name → the names in it → what each stands for."""


class _Made(NamedTuple):
    """A function or class as it was when it was noted.

    ``parts``: a function's code and defaults; a class's attributes' ids. ``namespace``: a
    class's attributes. ``registered``: ids of what was registered with it (``ABC``,
    ``singledispatch``); None if nothing can be.
    """

    obj: Any
    parts: tuple[Any, ...]
    namespace: dict[str, Any]
    registered: frozenset[int] | None


class _Uses(NamedTuple):
    """All that a function or class uses, to any depth.

    ``names``: (namespace, name, what it stood for). ``functions``: (function, its parts).
    ``others``: classes and ``singledispatch`` functions.
    """

    obj: Any
    names: list[tuple[Mapping[str, Any], str, Any]]
    functions: list[tuple[Any, tuple[Any, ...]]]
    others: list[_Made]


def stands_for_a_function(obj: Any) -> bool:
    """True for a callable with a ``__wrapped__``: a decorator put it in a function's place."""
    return (
        callable(obj) and type(obj) is not MethodType
        and (_has_wrapped(attribute(obj, "__dict__")) or hasattr(type(obj), "__wrapped__"))
    )


def _has_wrapped(namespace: Any) -> bool:
    return isinstance(namespace, dict) and "__wrapped__" in namespace


def is_class(obj: object) -> bool:
    """True for a class, whatever its ``__class__`` says."""
    return issubclass(type(obj), type)


def is_named(obj: object) -> bool:
    """True for functions and classes: they travel by reference if they can."""
    return type(obj) is FunctionType or is_class(obj) or stands_for_a_function(obj)


def names_in(module: object) -> dict[str, Any]:
    """A module's variables; empty for other objects. This does not load a lazy module."""
    if not issubclass(type(module), ModuleType):
        return {}
    names: dict[str, Any] = ModuleType.__getattribute__(cast("ModuleType", module), "__dict__")
    return names


class Changes:
    """Tells what has changed since this object was created.

    Args:
        noted: what all ranks have under the same names.
    """

    def __init__(self, noted: Noted) -> None:
        self._noted = {name: names for name, names in noted.items() if _is_own(name)}
        self._made: dict[int, _Made] = {}
        self._uses: dict[int, _Uses] = {}
        self._program = names_in(sys.modules.get(PROGRAM)) if PROGRAM in noted else {}
        for names in self._noted.values():
            for value in names.values():
                self._note(value)
        for cls in self._classes_of_libraries(noted):
            if self._has_method_of_program(cls):
                self._note(cls, foreign=True)

    def is_changed(self, obj: Any) -> bool:
        """True if ``obj``, or something that it uses, has changed."""
        uses = self._uses.get(id(obj))
        if uses is None or uses.obj is not obj:
            if id(obj) not in self._made:
                # A library's class has changed if the program has put a method into it.
                return is_class(obj) and self._has_method_of_program(obj)
            uses = self._uses[id(obj)] = self._list_uses(obj)
        for names, name, meant in uses.names:
            now = names.get(name)
            if now is not meant and (meant is not None or _is_code(now)):
                return True
        for function, (code, defaults, kwdefaults) in uses.functions:
            if (function.__code__ is not code or function.__defaults__ is not defaults
                    or function.__kwdefaults__ is not kwdefaults):
                return True
        return any(map(_differs, uses.others))

    def attribute_as_made(self, obj: Any, name: str, default: Any) -> Any:
        """A noted class's attribute as it was when noted; any other object's as it is now."""
        made = self._made.get(id(obj))
        if made is not None and name in made.namespace:
            found = made.namespace[name]
            return found.__func__ if type(found) is staticmethod else found
        return attribute(obj, name, default)

    # -- what was made -----------------------------------------------------

    def _note(self, obj: Any, foreign: bool = False) -> None:
        if id(obj) in self._made or not (foreign or self._is_of_own(obj)):
            return
        if is_class(obj):
            self._made[id(obj)] = _Made(obj, _parts(obj), dict(_namespace(obj)), _registered(obj))
            for part in _parts_used(obj):
                self._note(part)
        elif is_named(obj):
            self._made[id(obj)] = _Made(obj, _parts(obj), {}, _registered(obj))

    def _classes_of_libraries(self, noted: Noted) -> Iterator[type]:
        for name, names in noted.items():
            if name not in self._noted and name.partition(".")[0] not in sys.stdlib_module_names:
                for value in names.values():
                    if is_class(value) and attribute(value, "__module__") == name:
                        yield value

    def _is_of_own(self, obj: Any) -> bool:
        module = attribute(obj, "__module__")
        if type(obj) is FunctionType and obj.__globals__.get("__name__") in self._noted:
            return True
        return isinstance(module, str) and module in self._noted

    def _has_method_of_program(self, cls: type) -> bool:
        program = self._program
        return any(type(one) is FunctionType and one.__globals__ is program
                   for one in _namespace(cls).values()) and attribute(cls, "__module__") != PROGRAM

    # -- what it uses ------------------------------------------------------

    def _list_uses(self, obj: Any) -> _Uses:
        uses = _Uses(obj, [], [], [])
        seen = {id(obj)}
        waiting = [obj]
        while waiting:
            one = waiting.pop()
            if (made := self._made.get(id(one))) is not None:
                if type(one) is FunctionType:
                    uses.functions.append((one, made.parts))
                if made.parts and type(one) is not FunctionType or made.registered is not None:
                    uses.others.append(made)
            for used in [*self._used_by_name(one, uses), *_parts_used(one)]:
                if id(used) not in seen:
                    seen.add(id(used))
                    waiting.append(used)
        return uses

    def _used_by_name(self, obj: Any, uses: _Uses) -> Iterator[Any]:
        """Functions and classes of own modules that a function mentions; adds to ``uses``."""
        if type(obj) is not FunctionType:
            return
        mentioned = set(_names_in(obj.__code__))
        places = [obj.__globals__]
        places += [names_in(one) for name in mentioned if (one := obj.__globals__.get(name))
                   is not None and issubclass(type(one), ModuleType)]
        for place in places:
            noted = self._noted.get(place.get("__name__", ""))
            if noted is None:
                continue
            for name in mentioned.intersection(noted):
                meant = noted[name]
                if meant is None or _is_code(meant):
                    uses.names.append((place, name, meant))
                    yield meant
                elif id(type(meant)) in self._made:
                    yield type(meant)


def _is_own(module: str) -> bool:
    """True for the program, and for modules that are neither installed nor of this package."""
    if module == PROGRAM:
        return True
    file = names_in(sys.modules.get(module)).get("__file__")
    own_package = __name__.partition(".")[0]
    return (isinstance(file, str) and not file.startswith(_INSTALLED)
            and module.partition(".")[0] != own_package)


def _parts_used(obj: Any) -> Iterator[Any]:
    """Functions and classes inside another: methods, bases, what it wraps or closes over."""
    if is_class(obj):
        yield from attribute(obj, "__bases__", ())
        for value in _namespace(obj).values():
            if issubclass(type(value), property):
                yield from (one for one in (value.fget, value.fset, value.fdel) if one)
            elif issubclass(type(value), (staticmethod, classmethod)):
                yield value.__func__
            elif issubclass(type(value), (functools.cached_property, functools.partialmethod)):
                yield value.func
            elif type(value) is functools.singledispatchmethod:
                yield value.dispatcher
            elif is_named(value):
                yield value
    elif issubclass(type(obj), functools.partial):
        yield obj.func
    elif type(obj) is MethodType:
        yield obj.__func__
    elif type(obj) is FunctionType:
        yield from _implementations(obj)
        for cell in obj.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                continue  # the variable has no value yet
            if is_named(value):
                yield value
    wrapped = attribute(obj, "__wrapped__")
    if wrapped is not None and is_named(wrapped):
        yield wrapped


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _namespace(cls: Any) -> Mapping[str, Any]:
    """A class's own attributes."""
    namespace: Mapping[str, Any] = type.__dict__["__dict__"].__get__(cls)
    return namespace


def _is_code(obj: Any) -> bool:
    """True for functions and classes of any kind: what a program calls by a name."""
    return is_named(obj) or issubclass(type(obj), _FUNCTIONS)


def _registered(obj: Any) -> frozenset[int] | None:
    """Ids of what was registered with an ABC or ``singledispatch``; None: it is neither."""
    if issubclass(type(obj), abc.ABCMeta):
        return frozenset(id(one()) for one in abc._get_dump(obj)[0])  # type: ignore[attr-defined]
    return frozenset(map(id, _implementations(obj))) if is_dispatch(obj) else None


def _implementations(obj: Any) -> list[Any]:
    return list(obj.registry.values()) if is_dispatch(obj) else []


def _parts(obj: Any) -> tuple[Any, ...]:
    if type(obj) is FunctionType:
        return obj.__code__, obj.__defaults__, obj.__kwdefaults__
    return tuple(map(id, _namespace(obj).values())) if is_class(obj) else ()


def _differs(made: _Made) -> bool:
    obj = made.obj
    if made.registered is not None and _registered(obj) != made.registered:
        return True
    if not is_class(obj) or _parts(obj) == made.parts:
        return False
    return _methods(_namespace(obj)) != _methods(made.namespace)


def _methods(namespace: Mapping[str, Any]) -> dict[str, int]:
    return {name: id(value) for name, value in namespace.items()
            if issubclass(type(value), _METHODS) or stands_for_a_function(value)}
