"""How long calls of each function take, as measured; what counts as one function.

A function is what its definition says: its code, and the file that stands in. So two
modules' ``run`` are two functions; the thousands of lambdas that one line makes are one,
and so are all copies of one that comes by value again and again. No function and no
closure is kept alive by its estimate, and a program that defines functions for ever
fills a table of bounded size.

Tried and not taken: the qualified name, which all lambdas share; weak references to
functions, which die with each copy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from types import (
    BuiltinFunctionType, ClassMethodDescriptorType, FunctionType, MethodDescriptorType, MethodType,
    MethodWrapperType, WrapperDescriptorType,
)
from typing import Any

from .attributes import Wrapper

NESTED_MAX = 16
"""Wrappers around one function that are looked through."""

_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: types that are not made in C only."""
_IN_C = frozenset((
    BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, MethodWrapperType,
    ClassMethodDescriptorType,
))
# These run no code of the user's, as plain attribute access may.
_inner_of_partial = functools.partial.__dict__["func"].__get__
_qualname_of_type = type.__dict__["__qualname__"].__get__
_attribute_of = object.__getattribute__


def key_of(func: Callable[..., Any]) -> Hashable:
    """The same for every call of what is the same function; refers to code only.

    Bound methods, partials and wrappers (``functools.wraps``) count as what they call,
    callable objects as their type.
    """
    one: Any = func
    for _ in range(NESTED_MAX):
        kind = type(one)
        if kind is FunctionType:
            code = one.__code__
            return code, code.co_filename
        if kind is MethodType:
            one = one.__func__
        elif kind in _IN_C:
            return kind, one.__qualname__, getattr(one, "__module__", None)
        elif issubclass(kind, Wrapper):
            one = one.func
        elif issubclass(kind, functools.partial):
            one = _inner_of_partial(one)
        elif (wrapped := _wrapped_by(one)) is not None:
            one = wrapped
        else:
            break
    named = one if issubclass(type(one), type) else type(one)
    # The number alone could be that of a type that is no more.
    return id(named), _qualname_of_type(named), _name_in_c(one)


def _wrapped_by(one: object) -> object | None:
    """What ``functools.update_wrapper`` has noted in an object, not in its type."""
    try:
        noted = _attribute_of(one, "__dict__")
    except AttributeError:
        return None
    return noted.get("__wrapped__") if type(noted) is dict else None


def _name_in_c(one: object) -> str:
    """Tells the many objects of one type that C libraries have for functions apart."""
    name = getattr(one, "__name__", "") if not type(one).__flags__ & _HEAP_TYPE else ""
    return name if isinstance(name, str) else ""


class Estimates:
    """Seconds a call of each function takes; smoothed.

    One thread learns, two may ask.

    Args:
        quick_s: calls of a quick function take no longer.
        kept: so many functions are kept for sure, those measured last; at most twice as many.
    """

    def __init__(self, quick_s: float, kept: int) -> None:
        self._quick_s = quick_s
        self._kept = kept
        self._recent: dict[Hashable, float] = {}
        self._before: dict[Hashable, float] = {}
        self._slow: set[Hashable] = set()

    def get(self, func: Callable[..., Any]) -> float:
        """The estimate in seconds; 0.0 if the function has not been measured."""
        key = key_of(func)
        return self._recent.get(key) or self._before.get(key, 0.0)

    def learn(self, func: Callable[..., Any], seconds: float) -> None:
        """Moves the estimate half way to a new measurement."""
        key = key_of(func)
        known = self._recent.get(key) or self._before.get(key, seconds)
        self._recent[key] = 0.5 * (known + seconds)
        if seconds > self._quick_s:
            self._slow.add(key)
        if len(self._recent) >= self._kept:
            self._before, self._recent = self._recent, {}
            self._slow.clear()

    def is_quick(self, func: Callable[..., Any]) -> bool:
        """True if the function has been measured, and never took longer than ``quick_s``."""
        key = key_of(func)
        return key not in self._slow and (key in self._recent or key in self._before)

    def __len__(self) -> int:
        """Functions that are known, some of them twice."""
        return len(self._recent) + len(self._before)
