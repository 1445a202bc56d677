"""The only place that pickles what travels: functions, arguments, results.

Functions and classes that every rank has under a name travel by reference (``names``).
All others (lambdas, closures, what the program defines under its main guard, or has
changed) travel by value: cloudpickle makes a ``Definition`` of them, which goes to each
rank once and is rebuilt there once (``definitions``).

    A class inside a definition is a definition of its own, so there is one class on each
    rank, whoever mentions it. Functions inside a definition are part of it: they may share
    variables.
    A definition is pickled anew for each message, as a closure whose variables change
    between two calls must be sent as it is now; it keeps its key as long as it does not
    change.

Pickling and unpickling run methods of the program's objects. What those raise goes to the
caller, who calls by ``usercode.attempt``.

cloudpickle is imported when first needed; most programs never do.
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
        """Unpickles.

        Args:
            brought: definitions that came with it.
            elsewhere: as another rank would: functions of this one are copied.

        Raises:
            MissingName: it refers to a name that this rank does not have.
            MissingDefinition: to a definition that it does not have.
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

    def note_lacking(self, rank: int, lacking: Lacking) -> bool:
        """``rank`` lacks definitions, or a name: they are sent from now on. Is that news?

        Of definitions it always is.
        """
        self.definitions.is_lacking(rank, lacking.keys)
        is_news = bool(lacking.name) and self.names.send_by_value(lacking.module, lacking.name)
        return bool(lacking.keys) or is_news

    def reduce(self, obj: Any, found: Found, inside: tuple[int, ...] = ()) -> Any:
        """How a function or class is pickled: by reference, or as a definition."""
        reference = self.names.reference(obj)
        if reference is not None:
            if reference.plain:
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
        """How some other objects are pickled."""
        kind = type(obj)
        if issubclass(kind, BaseException):
            return rebuild.reduce_error(obj)
        if kind is object:  # it has nothing but its identity
            reference = self.names.reference(obj)
            if reference is not None and reference.is_noted:
                return find_reference, (reference.module, reference.path)
        if isinstance(obj, io.BufferedReader):
            return rebuild.reduce_file(obj)
        return NotImplemented

    def define(self, obj: object, found: Found, inside: tuple[int, ...] = ()) -> bytes:
        """Adds the definition of ``obj``, and those it needs, to ``found``; returns its key.

        Args:
            inside: ids of the classes whose definitions this one is part of.
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
        """Adds a definition that is kept here, with all it needs; False if some are not."""
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
        """What a key means here; rebuilds it if need be. The rest as in :meth:`loads`."""
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
    """The same where the name may be lacking, and a definition was sent along."""
    codec, brought, elsewhere = _loading.get()
    if codec.definitions.known(key) is None:
        with contextlib.suppress(MissingName):
            here = codec.names.find(module, path)
            # Another one of that name may have come by value before.
            if codec.definitions.key_of_rebuilt(here) is None:
                return here
    return codec.definition(key, brought, elsewhere)


def _dump(pickler: type[Any], obj: object, *args: Any) -> bytes:
    buffer = io.BytesIO()
    pickler(buffer, *args).dump(obj)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Plain pickle, but for functions and classes, and binary files that are open."""

    def __init__(self, file: io.BytesIO, codec: Codec, found: Found) -> None:
        super().__init__(file, PROTOCOL)
        self._codec = codec
        self._found = found

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)  # not is_named: this is called for each object that travels
        if kind is FunctionType or issubclass(kind, type) or stands_for_a_function(obj):
            if obj is find_reference:
                return NotImplemented  # met as often as what it finds
            return self._codec.reduce(obj, self._found)
        if kind is MethodType:
            return rebuild.reduce_method(obj)
        return self._codec.reduce_other(obj)


def _value_pickler() -> type[Any]:
    # Imported when it is first needed, as cloudpickle is: most programs never do.
    from .by_value import ValuePickler

    return ValuePickler
