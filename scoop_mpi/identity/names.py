"""What every rank has under a name: functions and classes that travel by reference.

A worker has what the program's top level makes when it is imported. When the root is about
to enter the main guard, it has made the same. Then it notes the names of all modules
(:meth:`Names.freeze`). A worker does so when it has imported the program. Then the rule is:

    an object that was noted, under whatever name, and has not been changed since, is
    the same thing on every rank: it travels as that name. All else travels by value.

So no object is taken for another, even if the program gives a name to something else at run
time, or takes an object's name away. A receiver looks up what *it* has noted, whatever the
name means there now.

Modules that are imported later have no notes; their names are taken as they are. A receiver
that does not find one tells the sender, which sends the object by value from then on. What a
module makes after it was noted (the classes of DEAP's ``creator``) is sent both by name and by
value: a receiver that has something of that name takes that.

``changes`` says what counts as a change.

Tried and not taken: comparing objects (code, closures, defaults) on both sides. That gives no
answer for a lock in a closure, or for two equal functions.
"""

from __future__ import annotations

import copyreg
import importlib
import sys
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ..base.errors import ScoopError
from ..base.usercode import attribute
from .changes import PROGRAM, Changes, Noted, is_class, is_named, names_in, stands_for_a_function

PROGRAM_MODULE = "__scoop_main__"
"""The program's name while workers import it (``renaming``)."""

# Other names that the program's module may have; the second is multiprocessing's.
_OTHER_NAMES = (PROGRAM_MODULE, "__mp_main__")
_NOTHING = object()
_OURS = __name__.partition(".")[0]


class MissingName(ScoopError):
    """This rank does not have what the sender refers to.

    Args:
        module: the module's name.
        name: the name at the module's top level.
    """

    def __init__(self, module: str, name: str) -> None:
        super().__init__(f"there is no {name} in {module}")
        self.module = module
        self.name = name


class Reference(NamedTuple):
    """Where every rank finds an object.

    ``is_noted``: its name was noted, so every rank has it. ``is_late``: its module was noted
    without it, so other ranks may have nothing of that name, or another object. ``is_plain``:
    pickle finds it by itself.
    """

    module: str
    path: str
    is_noted: bool
    is_late: bool
    is_plain: bool


class Names:
    """The names that are noted on this rank; none before :meth:`freeze`."""

    def __init__(self) -> None:
        self._noted: Noted = {}
        self._changes = Changes(self._noted)
        self._later: frozenset[str] = frozenset()
        self._known: dict[int, tuple[Any, Reference]] = {}
        self._aliases: dict[int, tuple[Any, str, str]] | None = None
        self._by_value: set[tuple[str, str]] = set()
        self.due = False
        """True: note them when the first object is sent, as no main guard is known."""

    def freeze(self, later: Iterable[str] = (), without: Iterable[str] = ()) -> None:
        """Notes the names of all modules: what every rank has by now.

        Args:
            later: names of the program that workers bind after this moment.
            without: names that the program binds on workers only.
        """
        self.due = False
        self._later = frozenset(later)
        for name, module in sys.modules.copy().items():
            if issubclass(type(module), ModuleType) and name not in _OTHER_NAMES:
                self._noted[name] = names_in(module).copy()
        program = self._noted.setdefault(PROGRAM, {})
        for name in self._later.union(without):
            program.pop(name, None)
        self._changes = Changes(self._noted)
        self._known.clear()
        self._aliases = None

    def forget(self) -> None:
        """Drops all that was noted: else files of the program would never be closed."""
        self._noted = {}
        self._changes = Changes(self._noted)
        self._known.clear()
        self._aliases = None

    def reference(self, obj: Any) -> Reference | None:
        """Where every rank finds this function or class; None: it must go by value."""
        if self.due:
            self.freeze()
        known = self._known.get(id(obj))
        if known is not None and known[0] is obj:
            return None if self._changes.is_changed(obj) else known[1]
        found = self._find_place(obj)
        if found is None or self._changes.is_changed(obj):
            return None
        module, path = found
        is_noted = path.partition(".")[0] in self._noted.get(module, {})
        is_late = module in self._noted and not is_noted and module != PROGRAM
        reference = Reference(module, path, is_noted, is_late, self._is_plain(obj, *found))
        if is_noted:
            self._known[id(obj)] = obj, reference
        return reference

    def find(self, module: str, path: str) -> Any:
        """What a reference of another rank means.

        Raises:
            MissingName: there is no such thing here.
        """
        top, *rest = path.split(".")
        found = self._noted.get(module, {}).get(top, _NOTHING)
        if found is _NOTHING:
            try:
                found = getattr(importlib.import_module(module), top)
            except (ImportError, AttributeError):
                raise MissingName(module, top) from None
        for name in rest:
            found = self._changes.attribute_as_made(found, name, _NOTHING)
            if found is _NOTHING:
                raise MissingName(module, top)
        return found

    def send_by_value(self, module: str, name: str) -> bool:
        """Notes that another rank lacks this top-level name; returns True if that is news."""
        news = (module, name) not in self._by_value
        self._by_value.add((module, name))
        self._known.clear()
        self._aliases = None
        return news

    # -- where an object is ------------------------------------------------

    def _find_place(self, obj: Any) -> tuple[str, str] | None:
        module, path = _module_of(obj), attribute(obj, "__qualname__")
        if module and isinstance(path, str) and self._is_at(obj, module, path):
            return module, path
        if self._aliases is None:
            self._aliases = self._list_aliases()
        alias = self._aliases.get(id(obj))
        return alias[1:] if alias is not None and alias[0] is obj else None

    def _is_at(self, obj: Any, module: str, path: str) -> bool:
        top, *rest = path.split(".")
        if (module, top) in self._by_value or "<" in path:
            return False
        found = self._noted.get(module, {}).get(top, _NOTHING)
        if found is _NOTHING:
            if module in self._noted and not self._is_made_later(obj, module, top):
                return False
            found = names_in(sys.modules.get(module)).get(top, _NOTHING)
        for name in rest:
            found = self._changes.attribute_as_made(found, name, _NOTHING)
        return found is obj

    def _is_made_later(self, obj: Any, module: str, top: str) -> bool:
        """True if ``module`` itself may have made the object since it was noted.

        Then the module does so on every rank.
        """
        if module == PROGRAM:
            return top in self._later
        functions = vars(obj).values() if is_class(obj) else (obj,)
        namespace = names_in(sys.modules.get(module))
        return any(type(one) is FunctionType and one.__globals__ is namespace
                   for one in functions)

    def _is_plain(self, obj: Any, module: str, path: str) -> bool:
        """True if pickle finds the object by itself, here and on every receiver."""
        if module == PROGRAM or not self._is_everywhere(module, path):
            return False
        if stands_for_a_function(obj) or type(obj) in copyreg.dispatch_table:
            return False
        if (attribute(obj, "__module__"), attribute(obj, "__qualname__")) != (module, path):
            return False
        found: Any = sys.modules.get(module)
        for name in path.split("."):
            found = attribute(found, name, _NOTHING)
        return found is obj

    def _is_everywhere(self, module: str, path: str) -> bool:
        """True if no receiver can lack that name, or if nothing is noted."""
        package = module.partition(".")[0]
        return (path.partition(".")[0] in self._noted.get(module, {}) or not self._noted
                or package == _OURS or package in sys.stdlib_module_names)

    def _list_aliases(self) -> dict[int, tuple[Any, str, str]]:
        """Noted objects that are not found by their ``__module__`` and ``__qualname__``."""
        aliases: dict[int, tuple[Any, str, str]] = {}
        for module in (PROGRAM, *self._noted):
            if module.partition(".")[0] in sys.stdlib_module_names and module != PROGRAM:
                continue  # the same on every rank
            for name, value in self._noted.get(module, {}).items():
                if not is_named(value) and type(value) is not object:
                    continue
                if (module, name) not in self._by_value:
                    path = attribute(value, "__qualname__")
                    own = _module_of(value)
                    if not own or not isinstance(path, str) or not self._is_at(value, own, path):
                        aliases.setdefault(id(value), (value, module, name))
        return aliases


def _module_of(obj: Any) -> str | None:
    module = attribute(obj, "__module__")
    return module if isinstance(module, str) else None
