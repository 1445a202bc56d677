"""Functions and classes that travel by value: who has which, and which object they are.

A definition is named by its *key*. An object gets one when it is first sent, and keeps it
until its pickled form changes; no other object of any rank ever has the same key, even if it
is equal: the two may share nothing (think of a list in a closure). Every other rank rebuilds
a definition once and passes it on under the same key, and on its author's rank the key means
the original object. A function that has changed is rebuilt as another one, as it was when it
was sent; a class stays one object on each rank, which has its newest form.

Bytes and rebuilt objects are kept up to ``Tuning.definitions_kept_bytes``, the least recently
used go first. An object that is still in use elsewhere stays the one that its key means. What
was sent to a rank counts as known there for ``Tuning.definitions_believed_bytes`` further
bytes of definitions; a receiver that lacks one nevertheless says so (``messages.Lacking``).

Two threads come here: what they change is changed by single steps of a dict, or under a
lock (what is kept).
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
"""The end of a key: the number of the object's form; what comes before is the object's own."""

Found = dict[bytes, Definition]
"""The definitions that a message needs, by key."""


class _Mark(NamedTuple):
    """What is known of an object: how to get it, its form (empty: it was rebuilt) and key.

    ``older``: the keys that it has had before.
    """

    get: Callable[[], Any]
    digest: bytes
    key: bytes
    older: deque[bytes]


class _Believed:
    """What a rank is taken to have: keys and sizes, the oldest first."""

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
    """A definition that is kept; ``obj``: rebuilt, so that it stays alive."""

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
        self._keeping = threading.Lock()
        self._known_at: dict[int, _Believed] = {}

    # -- objects -----------------------------------------------------------

    def key_of_rebuilt(self, obj: object) -> bytes | None:
        """The key of an object that came from another rank; None: it is this rank's own."""
        mark = self._marks.get(id(obj))
        return mark.key if mark is not None and mark.get() is obj and not mark.digest else None

    def key_for(self, obj: object, digest: bytes) -> bytes:
        """The key of an own object, whose pickled form now has that digest."""
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
        """The object that the key means here, if it is there; None: it is not."""
        get = self._objects.get(key)
        return None if get is None else get()

    def use(self, key: bytes) -> Any:
        """The same; and what is used is kept."""
        known = self.known(key)
        if known is not None:
            self.definition(key)
        return known

    def newer_class(self, key: bytes) -> Any:
        """The class that the key means, if a newer form of it is here; None: it is not."""
        newest = self._newest.get(key[:-FORM_BYTES])
        return self.known(newest) if newest is not None and newest > key else None

    def is_original(self, key: bytes) -> bool:
        """Was it defined on this rank?"""
        return key in self._originals

    def functions(self) -> list[FunctionType]:
        """Those that were rebuilt or copied here: each has global variables of its own."""
        found = [mark.get() for mark in list(self._marks.values()) if not mark.digest]
        return [one for one in found if isinstance(one, FunctionType)]

    def copied(self, key: bytes, obj: object) -> None:
        """Notes a copy of an object that is here: where it goes, it means the original."""
        self._marks[id(obj)] = _Mark(self._reference(obj, key), b"", key, deque())

    def rebuilt(self, definition: Definition, obj: Any) -> Any:
        """Notes what a definition has become; returns the object to use for it."""
        key = definition.key
        other = self.known(key)
        if other is not None:
            return other  # made while this one waited
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
        """Gets the object; when it has gone, what is noted of it goes too."""
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
        """The pickled form, if it is kept."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        try:
            self._kept.move_to_end(key)
        except KeyError:
            pass  # the other thread has just dropped it
        return kept.definition

    def missing(self, keys: Iterable[bytes]) -> tuple[bytes, ...]:
        """Those of the keys that mean nothing here."""
        return tuple(key for key in keys if self.known(key) is None and key not in self._kept)

    def _keep(self, definition: Definition) -> None:
        dropped: list[_Kept] = []  # let go of after the lock: their end may run user code
        with self._keeping:
            if definition.key in self._kept:
                return
            self._kept[definition.key] = _Kept(definition)
            self._kept_bytes += len(definition.pickled)
            while self._kept_bytes > self._tuning.definitions_kept_bytes and len(self._kept) > 1:
                dropped.append(self._kept.popitem(last=False)[1])
                self._kept_bytes -= len(dropped[-1].definition.pickled)

    # -- other ranks -------------------------------------------------------

    def news_for(self, rank: int, found: Found) -> tuple[Definition, ...]:
        """Those of ``found`` that ``rank`` may lack; from now on they count as known there."""
        believed = self._known_at.get(rank)
        if believed is None:
            max_bytes = self._tuning.definitions_believed_bytes
            believed = self._known_at[rank] = _Believed(max_bytes)
        news = tuple(one for key, one in found.items() if key not in believed.sizes)
        for one in news:
            believed.add(one)
        return news

    def is_lacking(self, rank: int, keys: Iterable[bytes]) -> None:
        """``rank`` does not have these: they are sent to it next time."""
        if (believed := self._known_at.get(rank)) is not None:
            for key in keys:
                believed.drop(key)
