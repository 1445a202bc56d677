"""Functions and classes that travel by value: which rank has which, and what a key means.

A definition is named by its *key*. An object gets a key when it is first sent, and has it
until its pickled form changes. No other object of any rank ever has the same key, not even an
equal one: equal objects may differ later (think of a list in a closure). Every other rank
rebuilds a definition once, and sends the object under the same key. On its author's rank the
key means the original object. If a function changes, receivers rebuild the new form as another
function. A class is one object on each rank, which takes the newest form.

A rank keeps pickled definitions, and the objects rebuilt from them, up to
``Tuning.definitions_kept_bytes``; it drops the least recently used first. As long as a dropped
object is in use, its key still means it. A definition that was sent to a rank counts as known
there until ``Tuning.definitions_believed_bytes`` further bytes of definitions were sent to it.
A receiver that lacks one nevertheless says so (``messages.Lacking``).

Two threads call this. They change what is kept, and what other ranks are believed to have,
under a lock; all else by single operations of a dict.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import count
from types import FunctionType
from typing import Any, NamedTuple

from ..base.messages import Definition
from ..base.tuning import TUNING, Tuning

FORM_BYTES = 4
"""The last bytes of a key number the object's form; those before them name the object."""

Found = dict[bytes, Definition]
"""The definitions that a message needs, by key."""


class _Mark(NamedTuple):
    """What is known of an object that has a key.

    ``get`` returns the object. ``digest`` is that of its pickled form; empty if it was rebuilt
    or copied here. ``older``: the keys that it had before.
    """

    get: Callable[[], Any]
    digest: bytes
    key: bytes
    older: deque[bytes]


class _Believed:
    """Definitions that another rank probably has: sizes by key, the first sent first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.sizes: OrderedDict[bytes, int] = OrderedDict()
        self.size = 0

    def add(self, definition: Definition) -> None:
        self.sizes[definition.key] = len(definition.pickled)
        self.size += len(definition.pickled)
        while self.size > self._max_bytes:
            self.size -= self.sizes.popitem(last=False)[1]

    def drop(self, key: bytes) -> None:
        self.size -= self.sizes.pop(key, 0)


class _Kept:
    """A definition that is kept; ``obj``: what was rebuilt from it, to keep that alive."""

    __slots__ = ("definition", "obj")

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.obj: Any = None


class Definitions:
    """What one rank knows of definitions."""

    def __init__(self, tuning: Tuning = TUNING) -> None:
        self._tuning = tuning
        self._marks: dict[int, _Mark] = {}
        self._objects: dict[bytes, Callable[[], Any]] = {}
        self._originals: set[bytes] = set()
        self._newest: dict[bytes, bytes] = {}
        self._author = os.urandom(8)
        self._serial = count(1)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self._known_at: dict[int, _Believed] = {}

    # -- objects -----------------------------------------------------------

    def key_of_rebuilt(self, obj: object) -> bytes | None:
        """The key of an object that was rebuilt or copied here; None: it was not."""
        mark = self._marks.get(id(obj))
        return mark.key if mark is not None and mark.get() is obj and not mark.digest else None

    def key_for(self, obj: object, digest: bytes) -> bytes:
        """The key of an object of this rank; ``digest`` is that of its pickled form now."""
        older: deque[bytes] = deque()
        mark = self._marks.get(id(obj))
        if mark is None or mark.get() is not obj:
            own, form = self._author + next(self._serial).to_bytes(8, "big"), 0
        elif mark.digest == digest:
            return mark.key
        else:
            own, form = mark.key[:-FORM_BYTES], int.from_bytes(mark.key[-FORM_BYTES:], "big") + 1
            older = mark.older
            older.append(mark.key)
            if len(older) > self._tuning.forms_kept:
                self._forget_key(older.popleft())
        key = own + form.to_bytes(FORM_BYTES, "big")
        self._originals.add(key)
        self._mark(obj, digest, key, older)
        return key

    def _forget_key(self, key: bytes) -> None:
        self._objects.pop(key, None)
        self._originals.discard(key)
        if self._newest.get(key[:-FORM_BYTES]) == key:
            del self._newest[key[:-FORM_BYTES]]

    def known(self, key: bytes) -> Any:
        """The object that the key means here; None: this rank has none."""
        get = self._objects.get(key)
        return None if get is None else get()

    def use(self, key: bytes) -> Any:
        """As :meth:`known`; notes that the definition was used, so that it is kept longer."""
        known = self.known(key)
        if known is not None:
            self.definition(key)
        return known

    def newer_class(self, key: bytes) -> Any:
        """The class that the key means, if this rank has a newer form of it; else None."""
        newest = self._newest.get(key[:-FORM_BYTES])
        return self.known(newest) if newest is not None and newest > key else None

    def is_original(self, key: bytes) -> bool:
        """True if the key's object was made on this rank."""
        return key in self._originals

    def functions(self) -> list[FunctionType]:
        """Functions that were rebuilt or copied here; each has global variables of its own."""
        found = [mark.get() for mark in list(self._marks.values()) if not mark.digest]
        return [one for one in found if isinstance(one, FunctionType)]

    def copied(self, key: bytes, obj: object) -> None:
        """Notes a copy of the object that ``key`` means: it travels under the same key."""
        self._marks[id(obj)] = _Mark(self._reference(obj, key), b"", key, deque())

    def rebuilt(self, definition: Definition, obj: Any) -> Any:
        """Notes what was rebuilt from a definition; returns the object to use for it."""
        key = definition.key
        other = self.known(key)
        if other is not None:
            return other  # another task has rebuilt it while this one waited
        self._mark(obj, b"", key, deque())
        if isinstance(obj, type):
            self._newest[key[:-FORM_BYTES]] = key
        self._keep(definition)
        if (kept := self._kept.get(key)) is not None:
            kept.obj = obj
        return obj

    def _mark(self, obj: object, digest: bytes, key: bytes, older: deque[bytes]) -> None:
        get = self._reference(obj, key)
        self._marks[id(obj)] = _Mark(get, digest, key, older)
        self._objects[key] = get

    def _reference(self, obj: object, key: bytes) -> Callable[[], Any]:
        """A function that gets the object. When the object is freed, its notes are dropped."""
        number = id(obj)

        def forget(ref: object) -> None:
            if (mark := self._marks.get(number)) is not None and mark.get is ref:
                self._marks.pop(number, None)
            if self._objects.get(key) is ref:
                self._forget_key(key)

        try:
            return weakref.ref(obj, forget)
        except TypeError:
            return lambda: obj

    # -- pickled forms -----------------------------------------------------

    def learn(self, definitions: Iterable[Definition]) -> None:
        """Keeps definitions that came with a message."""
        for definition in definitions:
            self._keep(definition)

    def definition(self, key: bytes) -> Definition | None:
        """The definition of that key, if it is kept; this counts as a use."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        try:
            self._kept.move_to_end(key)
        except KeyError:
            pass  # the other thread has just dropped it
        return kept.definition

    def missing(self, keys: Iterable[bytes]) -> tuple[bytes, ...]:
        """Those keys of which this rank has neither an object nor a definition."""
        return tuple(key for key in keys if self.known(key) is None and key not in self._kept)

    def _keep(self, definition: Definition) -> None:
        dropped: list[_Kept] = []  # freed after the lock, as that may run user code
        with self._lock:
            if definition.key in self._kept:
                return
            self._kept[definition.key] = _Kept(definition)
            self._kept_bytes += len(definition.pickled)
            while self._kept_bytes > self._tuning.definitions_kept_bytes and len(self._kept) > 1:
                dropped.append(self._kept.popitem(last=False)[1])
                self._kept_bytes -= len(dropped[-1].definition.pickled)

    # -- other ranks -------------------------------------------------------

    def news_for(self, rank: int, found: Found) -> tuple[Definition, ...]:
        """What ``rank`` may lack of ``found``; from now on that counts as known there."""
        believed = self._known_at.get(rank)
        if believed is None:
            max_bytes = self._tuning.definitions_believed_bytes
            believed = self._known_at[rank] = _Believed(max_bytes)
        with self._lock:
            news = tuple(one for key, one in found.items() if key not in believed.sizes)
            for one in news:
                believed.add(one)
        return news

    def note_lacking(self, rank: int, keys: Iterable[bytes]) -> None:
        """Notes that ``rank`` lacks these: they are sent to it when it next needs them."""
        if (believed := self._known_at.get(rank)) is not None:
            with self._lock:
                for key in keys:
                    believed.drop(key)
