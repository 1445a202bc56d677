"""Callables of every form: all take an int and do the same as a given body."""

from __future__ import annotations

from .section import Draw, Text

FORMS = {
    "plain": ("""
def {f}(n):
{body}
""", "{f}"),
    "lambda": ("""
def {f}(n):
{body}
""", "(lambda n: {f}(n))"),
    "named lambda": ("""
def {f}_of(n):
{body}

{f} = lambda n: {f}_of(n)  # noqa
""", "{f}"),
    "partial": ("""
def {f}(unused, n):
{body}
""", "functools.partial({f}, [1, 2])"),
    "partial by name": ("""
def {f}(n, *, unused):
{body}
""", "functools.partial({f}, unused=None)"),
    "method": ("""
class {f}_class:
    def __init__(self, value):
        self.value = value

    def call(self, n):
{body4}
""", "{f}_class(7).call"),
    "object": ("""
class {f}_class:
    def __call__(self, n):
{body4}
""", "{f}_class()"),
    "static method": ("""
class {f}_class:
    @staticmethod
    def call(n):
{body4}
""", "{f}_class.call"),
    "class method": ("""
class {f}_class:
    class Inner:
        @classmethod
        def call(cls, n):
{body8}
""", "{f}_class.Inner.call"),
    "closure": ("""
def {f}_maker(unused):
    def inner(n, more=({{}}, 1)):
        assert unused == "kept" and more == ({{}}, 1)
{body4}
    return inner

{f} = {f}_maker("kept")
""", "{f}"),
    "fresh closure": ("""
def {f}_maker(unused):
    def inner(n):
        assert unused == [0, 1, 2]
{body4}
    return inner
""", "{f}_maker(list(range(3)))"),
    "wrapped": ("""
def {f}_decorator(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

@{f}_decorator
def {f}(n):
{body}
""", "{f}"),
    "wrapped bare": ("""
def {f}_decorator(function):
    def inner(*args):
        return function(*args)
    return inner

@{f}_decorator
def {f}(n):
{body}
""", "{f}"),
    "in a dict": ("""
def {f}(n):
{body}

{f}_table = {{"run": {f}, "other": [abs]}}
""", '{f}_table["run"]'),
    "generator inside": ("""
def {f}_steps(n):
{body}
    yield

def {f}(n):
    try:
        return next({f}_steps(n))
    except StopIteration as end:
        return end.value
""", "{f}"),
    "bound builtin": ("""
class {f}_dict(dict):
    def __missing__(self, n):
{body4}
""", "{f}_dict().__getitem__"),
    "reduced": ("""
def {f}_make(name):
    return {f}_class(name)

class {f}_class:
    def __init__(self, name):
        self.name, self.lock = name, Lock()

    def __reduce__(self):
        return {f}_make, (self.name,)

    def __call__(self, n):
{body4}
""", '{f}_class("reduced")'),
}
"""Form: definitions, and the expression that gives the callable."""

BY_IDENTITY = {
    "cached": ("""
@functools.lru_cache(maxsize=None)
def {f}(n):
{body}
""", "{f}"),
    "single dispatch": ("""
@functools.singledispatch
def {f}(n):
    raise AssertionError("nobody comes here")

@{f}.register
def {f}_of_int(n: int):
{body}
""", "{f}"),
    "locked": ("""
def {f}_synchronized(function):
    lock = __import__("threading").RLock()

    def inner(n):
        with lock:
            return function(n)
    return inner

@{f}_synchronized
def {f}(n):
{body}
""", "{f}"),
}
"""Forms that travel only by the rule of identity, and at the top level."""


def define(draw: Draw, name: str, body: list[str], text: Text, shared: bool = False) -> str:
    """Defines a callable of some form; returns the expression that gives it.

    Args:
        body: what it does with ``n``; the last line returns.
        shared: do all ranks have it at their top level?
    """
    forms = {**FORMS, **BY_IDENTITY} if draw.identity and shared else FORMS
    form = draw.choice(list(forms))
    definition, expression = forms[form]
    at = {f"body{more or ''}": "\n".join(" " * (4 + more) + line for line in body)
          for more in (0, 4, 8)}
    text.add(definition.format(f=name, **at), "", "")
    return expression.format(f=name)
