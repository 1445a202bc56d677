"""The only place that pickles.

Functions and classes that every rank can import travel by reference, as in plain
pickle. All others (lambdas, closures, what the program defines under its main
guard) travel by value: cloudpickle makes a ``Definition`` of them, named by the
digest of its bytes, which goes to each rank once and is loaded there once.

A definition is made anew for each message, not cached by the function's identity:
a closure whose variables change between two calls must be sent as it is now.

cloudpickle is imported when first needed; most programs never do.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

from .errors import ScoopError
from .messages import KINDS, Definition, Message

PROGRAM_MODULE = "__scoop_main__"
"""Name under which workers import the program; on every rank ``__main__`` is it."""
DEFINITIONS_KEPT = 64 << 20
"""Bytes of definitions a rank keeps loaded; the least recently used one goes first."""
SENT_REMEMBERED = 10_000
"""Definitions known to be on another rank; then they are sent again."""

_NUMBER_OF = {kind: number for number, kind in enumerate(KINDS)}
_PROTOCOL = 5


def pack(message: Message) -> tuple[int, bytes]:
    """Returns the message's number and its bytes."""
    return _NUMBER_OF[type(message)], pickle.dumps(tuple(message), _PROTOCOL)


def unpack(number: int, data: Any) -> Message:
    """Inverse of :func:`pack`."""
    return KINDS[number](*pickle.loads(data))


class MissingDefinition(ScoopError):
    """The sender took it for granted that this rank has the definition."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(digest.hex())
        self.digest = digest


class Codec:
    """Pickles and unpickles for one rank; remembers which definitions are where.

    Args:
        is_shared_global: says of a global name of the program whether workers,
            which import the program but do not run its main guard, define it too.
    """

    _loading: Codec | None = None

    def __init__(self, is_shared_global: Callable[[str], bool] = lambda name: True) -> None:
        self._is_shared_global = is_shared_global
        self._local_globals: set[str] = set()
        self._loaded: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._loaded_size = 0
        self._received: OrderedDict[bytes, bytes] = OrderedDict()
        self._sent: dict[int, set[bytes]] = {}

    def dumps(self, obj: object, found: dict[bytes, bytes]) -> bytes:
        """Pickles ``obj``; definitions it needs are added to ``found``, by digest.

        Raises whatever pickling raises if neither pickle nor cloudpickle can.
        """
        try:
            return self._dump(_Pickler, obj, found)
        except (pickle.PicklingError, TypeError, AttributeError):
            # Modules, dict views and the like: cloudpickle knows more types.
            return self._dump(_value_pickler(), obj, found)

    def _dump(self, pickler: type[Any], obj: object, found: dict[bytes, bytes]) -> bytes:
        buffer = io.BytesIO()
        pickler(buffer, self, found).dump(obj)
        return buffer.getvalue()

    def loads(self, data: bytes) -> Any:
        """Unpickles; definitions must have been given to :meth:`learn` before.

        Raises:
            MissingDefinition: this rank lacks one that ``data`` refers to.
        """
        outer, Codec._loading = Codec._loading, self
        try:
            return pickle.loads(data)
        finally:
            Codec._loading = outer

    def learn(self, definitions: Collection[tuple[bytes, bytes]]) -> None:
        """Keeps definitions that came with a message; they are loaded when used."""
        if not definitions:
            return
        older = list(self._received)
        for digest, pickled in definitions:
            if digest not in self._loaded:
                self._received[digest] = pickled
        # Those that came with this message are about to be used, so they stay.
        size = sum(map(len, self._received.values())) if older else 0
        while older and size > DEFINITIONS_KEPT:
            size -= len(self._received.pop(older.pop(0), b""))

    def news_for(self, rank: int, found: dict[bytes, bytes]) -> tuple[Definition, ...]:
        """Those of ``found`` that were not sent to ``rank`` yet; they count as sent now."""
        if not found:
            return ()
        sent = self._sent.setdefault(rank, set())
        if len(sent) > SENT_REMEMBERED:
            sent.clear()
        news = tuple(Definition(*item) for item in found.items() if item[0] not in sent)
        sent.update(found)
        return news

    def forget_sent(self, rank: int, digest: bytes) -> None:
        """``rank`` does not have this definition any more: send it next time."""
        self._sent.get(rank, set()).discard(digest)

    def send_by_value(self, name: str) -> bool:
        """From now on the program's global ``name`` travels by value; was that news?"""
        news = name not in self._local_globals
        self._local_globals.add(name)
        return news

    def importable(self, obj: Any) -> bool:
        """True if every rank finds this function or class under its own name."""
        module_name = getattr(obj, "__module__", None)
        module = sys.modules.get(module_name) if module_name else None
        if module is None:
            return False
        found: Any = module
        path = obj.__qualname__.split(".")
        if module_name == "__main__" and (
            path[0] in self._local_globals or not self._is_shared_global(path[0])
        ):
            return False
        for name in path:
            found = getattr(found, name, None)
        return found is obj

    def define(self, obj: object, found: dict[bytes, bytes]) -> bytes:
        """Pickles ``obj`` by value, adds it to ``found``, returns its digest."""
        pickled = self._dump(_value_pickler(), obj, found)
        import hashlib  # not at the top: every rank pays for imports, few need this one

        digest = hashlib.blake2b(pickled, digest_size=16).digest()
        found[digest] = pickled
        return digest

    def _definition(self, digest: bytes) -> Any:
        if digest in self._loaded:
            self._loaded.move_to_end(digest)
            return self._loaded[digest][0]
        if digest not in self._received:
            raise MissingDefinition(digest)
        loaded = self.loads(self._received[digest])
        size = len(self._received.pop(digest))
        self._loaded[digest] = loaded, size
        self._loaded_size += size
        while self._loaded_size > DEFINITIONS_KEPT and len(self._loaded) > 1:
            self._loaded_size -= self._loaded.popitem(last=False)[1][1]
        return loaded


def resolve_definition(digest: bytes) -> Any:
    """Called by pickle where a definition was referred to."""
    assert Codec._loading is not None, "only Codec.loads reads this pickle"
    return Codec._loading._definition(digest)


def rebuild_file(position: int, data: bytes) -> io.BytesIO:
    """Called by pickle for a file opened for reading: its contents, at the same position."""
    file = io.BytesIO(data)
    file.seek(position)
    return file


def _reduce_file(file: io.BufferedReader) -> Any:
    if not file.seekable():
        raise TypeError(f"cannot pickle {file!r}: its contents cannot be read twice")
    position = file.tell()
    try:
        file.seek(0)
        return rebuild_file, (position, file.read())
    finally:
        file.seek(position)


def _has_own_reducer(obj: Any) -> bool:
    """True for a class whose metaclass has told pickle how (those of DEAP's ``creator``)."""
    return isinstance(obj, type) and type(obj) in copyreg.dispatch_table


class _Pickler(pickle.Pickler):
    """Plain pickle, but functions and classes go by value where they must.

    So do binary files that are open for reading (as in SCOOP).
    """

    def __init__(self, file: io.BytesIO, codec: Codec, found: dict[bytes, bytes]) -> None:
        super().__init__(file, _PROTOCOL)
        self._codec = codec
        self._found = found

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (FunctionType, type)):
            if _has_own_reducer(obj) or self._codec.importable(obj):
                return NotImplemented
            if isinstance(obj, type) and obj.__module__ in ("builtins", "types"):
                return NotImplemented  # type(None) and its like, which pickle knows
            return resolve_definition, (self._codec.define(obj, self._found),)
        if isinstance(obj, io.BufferedReader):
            return _reduce_file(obj)
        return NotImplemented


_value_pickler_class: type[Any] | None = None


def _value_pickler() -> type[Any]:
    """cloudpickle's pickler, made to agree with :meth:`Codec.importable`."""
    global _value_pickler_class
    if _value_pickler_class is None:
        import cloudpickle

        class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
            def __init__(
                self, file: io.BytesIO, codec: Codec, found: dict[bytes, bytes]
            ) -> None:
                super().__init__(file, _PROTOCOL)
                self._codec = codec

            def reducer_override(self, obj: Any) -> Any:
                if isinstance(obj, (FunctionType, type)) and (
                    _has_own_reducer(obj) or self._codec.importable(obj)
                ):
                    return NotImplemented
                if isinstance(obj, io.BufferedReader):
                    return _reduce_file(obj)
                return super().reducer_override(obj)

        _value_pickler_class = ValuePickler
    return _value_pickler_class
