"""Exceptions of every kind, as generated programs raise them."""

from __future__ import annotations

import sys
from typing import NamedTuple

from .section import Draw, Text


class Raised(NamedTuple):
    """Statements that raise for ``n``; ``catch``: what names the class, '' if none may."""

    lines: list[str]
    catch: str


_BUILTIN = {
    "ValueError": 'raise ValueError("bad", n)',
    "KeyError": "{{}}[n]",
    "ZeroDivisionError": "n // (n - n)",
    "AssertionError": "assert n < 0, n",
    "OSError": 'raise FileNotFoundError(2, "missing", f"file{{n}}")',
    "LookupError": 'raise IndexError("at", n)',
    "UnicodeDecodeError": 'b"\\xff".decode()',
    "StopAsyncIteration": "raise StopAsyncIteration(n)",
    "AttributeError": "None.missing",
    "SystemExit": "sys.exit(n)",
    "KeyboardInterrupt": "raise KeyboardInterrupt(n)",
    "GeneratorExit": "raise GeneratorExit(n)",
    "TimeoutError": "raise futures.TimeoutError(n)",
    "futures.CancelledError": "raise futures.CancelledError()",
    "BaseException": "raise BaseException(n)",
    "RecursionError": "raise RecursionError(n)",
}
_CLASSES = {
    "plain": ("class {e}(Exception):\n    pass", 'raise {e}("n", n)', "{e}"),
    "child": ("""
class {e}_base(LookupError):
    def __str__(self):
        return "text of " + repr(self.args)

class {e}(ArithmeticError, {e}_base):
    kind = "child"
""", "raise {e}(n)", "{e}_base"),
    "keeps more": ("""
class {e}(Exception):
    def __init__(self, code, detail=None):
        super().__init__(code)
        self.code, self.detail = code, detail
""", 'raise {e}(n, detail=[n, "more"])', "{e}"),
    "reduced": ("""
class {e}(Exception):
    def __init__(self, *, code):
        super().__init__(f"code {{code}}")
        self.code = code

    def __reduce__(self):
        return functools.partial({e}, code=self.code), ()
""", "raise {e}(code=n)", "{e}"),
    "no rebuilding": ("""
class {e}(Exception):
    cannot_be_pickled = True

    def __reduce__(self):
        return {e}.missing, ()
""", "raise {e}(n, n + 1)", ""),
    "other arguments": ("""
class {e}(Exception):
    def __init__(self, one, *, other):
        super().__init__(f"{{one}} and {{other}}")
        self.other = other
""", "raise {e}(n, other=n + 1)", "{e}"),
    "other arguments of the system": ("""
class {e}(OSError):
    def __init__(self, number, *, hint):
        super().__init__(number, "gone", "name")
        self.hint = hint

    def __str__(self):
        return f"{{self.errno}} {{self.filename}} {{self.hint}}"
""", "raise {e}(n, hint=n + 1)", "{e}"),
    "no pickling": ("""
class {e}(ValueError):
    cannot_be_pickled = True

    def __str__(self):
        return "holds a lock"
""", "raise {e}(n, Lock())", ""),
    "of the end": ("class {e}(SystemExit):\n    pass", "raise {e}(n)", "{e}"),
    "of the base": ("class {e}(BaseException):\n    pass", "raise {e}(n)", "{e}"),
    "chained": ("class {e}(Exception):\n    pass", """
try:
    {{}}[n]
except KeyError as cause:
    raise {e}("from", n) from cause
""", "{e}"),
    "in context": ("class {e}(Exception):\n    pass", """
try:
    int("x")
except ValueError:
    raise {e}("during", n)
""", "{e}"),
    "cut off": ("class {e}(Exception):\n    pass", """
try:
    int("x")
except ValueError:
    raise {e}("instead", n) from None
""", "{e}"),
    "chain of the unpicklable": ("class {e}(Exception):\n    pass", """
try:
    raise ValueError(Lock())
except ValueError as cause:
    raise {e}("from", n) from cause
""", "{e}"),
    "of a factory": ("""
def {e}_factory(base):
    class Failure(base):
        pass
    return Failure

{e} = {e}_factory(RuntimeError)
""", "raise {e}(n)", "{e}"),
    "by type()": ('{e} = type("Made", (OSError,), {{"__module__": __name__}})', "raise {e}(n)",
                  "{e}"),
}
_NEW_CLASSES = {
    "group": ("class {e}(ValueError):\n    pass",
              'raise ExceptionGroup("several", [{e}(n), KeyError(n + 1)])', ""),
    "group of groups": ("class {e}(ExceptionGroup):\n    pass", """
raise {e}("outer", [TypeError(n), ExceptionGroup("inner", [OSError(n, "no"), KeyError()])])
""", "{e}"),
    "noted": ("class {e}(Exception):\n    pass", """
error = {e}(n)
error.add_note(f"note of {{n}}")
raise error
""", "{e}"),
}
_BY_IDENTITY = ("of a factory", "by type()")


def raising(draw: Draw, name: str, text: Text) -> Raised:
    """Defines an exception class, or takes a built-in one; how it is raised."""
    if draw.maybe(0.4):
        catch = draw.choice(list(_BUILTIN))
        return Raised([_BUILTIN[catch].format()], catch)
    classes = {**_CLASSES, **(_NEW_CLASSES if sys.version_info >= (3, 11) else {})}
    if not draw.identity:
        classes = {key: one for key, one in classes.items() if key not in _BY_IDENTITY}
    definition, statement, catch = classes[draw.choice(list(classes))]
    text.add(definition.format(e=name), "", "")
    return Raised(statement.strip("\n").format(e=name).split("\n"), catch.format(e=name))
