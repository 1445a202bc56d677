"""The only place that pickles what travels: functions, arguments, results.

Functions and classes that every rank has under a name travel by reference (``names``).
All others (lambdas, closures, what the program defines under its main guard, or has
changed) travel by value: cloudpickle makes a ``Definition`` of them, which goes to each
rank once and is rebuilt there once (``definitions``).

    A class inside a definition is a definition of its own. So each rank has that class
    once, however many definitions refer to it. Functions inside a definition are part of
    it: they may have variables in common.
    A definition is pickled anew for each message, as the variables of a closure may have
    changed since. Its key is the same as long as its pickle is.

Pickling and unpickling run methods of the program's objects. What those raise goes to the
caller, who calls through ``usercode.attempt``.

cloudpickle is imported when first needed; most programs never need it.
"""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Iterable
from contextvars import ContextVar
from types import FunctionType, MethodType
from typing import Any

from ..base.errors import ScoopError
from ..base.messages import Definition, Lacking
from ..base.tuning import TUNING, Tuning
from ..base.usercode import attempt
from ..identity import rebuild
from ..identity.changes import is_class, stands_for_a_function
from ..identity.definitions import Definitions, Found
from ..identity.names import MissingName, Names
from .frame import PROTOCOL

PICKLES_OWN = (TypeError, pickle.PicklingError)
"""What pickle itself raises for an object of a type that it refuses."""


class MissingDefinition(ScoopError):
    """This rank does not have a definition, and the message did not bring it."""


class Codec:
    """Pickles and unpickles for one rank.

    Args:
        names: what every rank has under a name; None: nothing is noted, and names are
            taken as they are.
    """

    def __init__(self, names: Names | None = None, tuning: Tuning = TUNING) -> None:
        self.names = names or Names()
        self.definitions = Definitions(tuning)

    def dumps(self, obj: object, found: Found) -> bytes:
        """Pickles ``obj``; definitions it needs are added to ``found``, by key.

        Raises whatever pickling raises if neither pickle nor cloudpickle can.
        """
        try:
            return _dump(_Pickler, obj, self, found)
        except (pickle.PicklingError, TypeError, AttributeError):
            # Modules, dict views and the like: cloudpickle knows more types.
            return _dump(_value_pickler(), obj, self, found)

    def loads(
        self, data: bytes, brought: Iterable[Definition] = (), elsewhere: bool = False
    ) -> Any:
        """Unpickles ``data``.

        Args:
            brought: definitions that came with it.
            elsewhere: True: unpickle as on another rank, by copying functions that were
                defined here.

        Raises:
            MissingName: it refers to a name that this rank does not have.
            MissingDefinition: it refers to a definition that this rank does not have.
            BaseException: whatever the program's classes raise.
        """
        by_key = {one.key: one for one in brought} if brought else {}
        token = _loading.set((self, by_key, elsewhere))
        try:
            return pickle.loads(data)
        finally:
            _loading.reset(token)

    def learn(self, definitions: Iterable[Definition]) -> None:
        """Keeps definitions that have come with a message."""
        self.definitions.learn(definitions)

    def functions(self) -> list[FunctionType]:
        """The functions that were rebuilt here."""
        return self.definitions.functions()

    def forget_names(self) -> None:
        """The job is over: nothing of the program is kept alive any more."""
        self.names.forget()

    def note_lacking(self, rank: int, lacking: Lacking) -> bool:
        """Notes that ``rank`` lacks definitions or a name, which are sent from now on.

        Returns:
            True if that is news. For definitions it always is.
        """
        self.definitions.note_lacking(rank, lacking.keys)
        is_news = bool(lacking.name) and self.names.send_by_value(lacking.module, lacking.name)
        return bool(lacking.keys) or is_news

    def reduce(self, obj: Any, found: Found, inside: tuple[int, ...] = ()) -> Any:
        """How a function or class is pickled: by reference, or as a definition."""
        reference = self.names.reference(obj)
        if reference is not None:
            if reference.is_plain:
                return NotImplemented
            place = reference.module, reference.path
            if reference.is_noted:
                return find_reference, place
            if self.definitions.key_of_rebuilt(obj) is None:
                if reference.is_late:
                    key, _ = attempt(self.define, obj, found, inside)
                    if key is not None:
                        return find_or_define, (*place, key)
                return find_reference, place
        if is_class(obj) and not obj.__flags__ & rebuild.HEAP_TYPE:
            return NotImplemented  # type(None) and its like, which pickle knows
        return resolve_definition, (self.define(obj, found, inside),)

    def reduce_other(self, obj: Any) -> Any:
        """How some other objects are pickled; NotImplemented: in the usual way."""
        kind = type(obj)
        if issubclass(kind, BaseException):
            return rebuild.reduce_error(obj)
        if kind is object:  # all that matters is which object it is
            reference = self.names.reference(obj)
            if reference is not None and reference.is_noted:
                return find_reference, (reference.module, reference.path)
        if isinstance(obj, io.BufferedReader):
            return rebuild.reduce_file(obj)
        return NotImplemented

    def define(self, obj: object, found: Found, inside: tuple[int, ...] = ()) -> bytes:
        """Adds the definition of ``obj``, and those it needs, to ``found``; returns its key.

        Args:
            inside: ids of the objects whose definitions this one is inside of.
        """
        key = self.definitions.key_of_rebuilt(obj)
        if key is not None and self._add(key, found):
            return key
        needs: Found = {}
        pickled = _dump(_value_pickler(), obj, self, needs, (*inside, id(obj)))
        if key is None:
            import hashlib  # not at the top: every rank pays for imports, few need this one

            digest = hashlib.blake2b(pickled, digest_size=16).digest()
            key = self.definitions.key_for(obj, digest)
        found.update(needs)
        found[key] = Definition(key, pickled, tuple(needs))
        return key

    def _add(self, key: bytes, found: Found) -> bool:
        """Adds a definition and all it needs to ``found``; False if one is not kept here."""
        added: Found = {}
        wanted = [key]
        while wanted:
            one = self.definitions.definition(wanted.pop())
            if one is None:
                return False
            added[one.key] = one
            wanted += [need for need in one.needs if need not in added and need not in found]
        found.update(added)
        return True

    def definition(self, key: bytes, brought: dict[bytes, Definition], elsewhere: bool) -> Any:
        """The object that a key means here, rebuilt if need be. Else as :meth:`loads`."""
        definitions = self.definitions
        known = definitions.use(key)
        if known is not None:
            copied = elsewhere and definitions.is_original(key)
            if not copied or isinstance(known, type):
                return known
        elif (newer := definitions.newer_class(key)) is not None:
            return newer
        definition = brought.get(key) or definitions.definition(key)
        if definition is None:
            raise MissingDefinition(f"this rank lacks the definition {key.hex()}")
        obj = pickle.loads(definition.pickled)
        if known is None:
            return definitions.rebuilt(definition, obj)
        definitions.copied(key, obj)
        return obj


_Loading = tuple[Codec, dict[bytes, Definition], bool]
"""One call of :meth:`Codec.loads`: the codec, definitions by key, ``elsewhere``."""
# Each greenlet has its own: unpickling may wait for other tasks.
_loading: ContextVar[_Loading] = ContextVar("_loading")


def resolve_definition(key: bytes) -> Any:
    """Called by pickle where a definition was referred to."""
    codec, brought, elsewhere = _loading.get()
    return codec.definition(key, brought, elsewhere)


def find_reference(module: str, path: str) -> Any:
    """Called by pickle where a name was referred to."""
    return _loading.get()[0].names.find(module, path)


def find_or_define(module: str, path: str, key: bytes) -> Any:
    """The same if this rank may lack the name, so that a definition was sent, too."""
    codec, brought, elsewhere = _loading.get()
    if codec.definitions.known(key) is None:
        with contextlib.suppress(MissingName):
            here = codec.names.find(module, path)
            # Else it is another object of that name, which came by value before.
            if codec.definitions.key_of_rebuilt(here) is None:
                return here
    return codec.definition(key, brought, elsewhere)


def _dump(pickler: type[Any], obj: object, *args: Any) -> bytes:
    buffer = io.BytesIO()
    pickler(buffer, *args).dump(obj)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Plain pickle, which asks :meth:`Codec.reduce` and :meth:`Codec.reduce_other` first."""

    def __init__(self, file: io.BytesIO, codec: Codec, found: Found) -> None:
        super().__init__(file, PROTOCOL)
        self._codec = codec
        self._found = found

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)  # is_named() would be slower, and all that travels comes here
        if kind is FunctionType or issubclass(kind, type) or stands_for_a_function(obj):
            if obj is find_reference:
                return NotImplemented  # comes with each reference: make it quick
            return self._codec.reduce(obj, self._found)
        if kind is MethodType:
            return rebuild.reduce_method(obj)
        return self._codec.reduce_other(obj)


def _value_pickler() -> type[Any]:
    # Imported when first needed, as it imports cloudpickle.
    from .by_value import ValuePickler

    return ValuePickler
