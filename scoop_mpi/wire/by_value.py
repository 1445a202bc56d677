"""cloudpickle's pickler, which asks :class:`scoop_mpi.wire.codec.Codec` how things travel.

Imported when the first definition is made: cloudpickle takes time to import.
"""

from __future__ import annotations

import copyreg
import functools
import io
import sys
import threading
from types import MethodType
from typing import Any

import cloudpickle

from ..base.usercode import attribute
from ..identity import rebuild
from ..identity.changes import is_class, is_named
from ..identity.definitions import Found
from .frame import PROTOCOL

_forcing = threading.Lock()
"""Held while cloudpickle is told to pickle a module's functions by value."""


class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """``inside``: ids of the objects whose definitions are being made, the innermost last."""

    def __init__(
        self, file: io.BytesIO, codec: Any, found: Found, inside: tuple[int, ...] = ()
    ) -> None:
        super().__init__(file, PROTOCOL)
        self._codec = codec
        self._found = found
        self._inside = inside

    def reducer_override(self, obj: Any) -> Any:
        if is_named(obj):
            return self._reduce_named(obj)
        if (reduced := self._codec.reduce_other(obj)) is not NotImplemented:
            return reduced
        if type(obj).__module__ == "dataclasses":
            return rebuild.reduce_constant(obj)
        if type(obj) is MethodType:
            return rebuild.reduce_method(obj)
        if type(obj) is functools.cached_property:
            return rebuild.reduce_cached_property(obj)
        return super().reducer_override(obj)

    def _reduce_named(self, obj: Any) -> Any:
        if id(obj) in self._inside or not self._travels_by_itself(obj):
            return self._by_value(obj)
        reduced = self._codec.reduce(obj, self._found, self._inside)
        return super().reducer_override(obj) if reduced is NotImplemented else reduced

    def _travels_by_itself(self, obj: Any) -> bool:
        """False for a function that is pickled as part of the definition that contains it."""
        return (
            not self._inside or is_class(obj)
            or self._codec.definitions.key_of_rebuilt(obj) is not None
            or self._codec.names.reference(obj) is not None
        )

    def _by_value(self, obj: Any) -> Any:
        if isinstance(obj, rebuild.LruCache):
            return rebuild.reduce_lru_cache(obj)
        if rebuild.is_dispatch(obj):
            return rebuild.reduce_dispatch(obj)
        if _has_own_reducer(obj):
            return NotImplemented
        module = sys.modules.get(attribute(obj, "__module__", ""))
        name = attribute(module, "__name__")
        if name not in sys.modules or name in cloudpickle.list_registry_pickle_by_value():
            return self._by_cloudpickle(obj)
        with _forcing:
            # Else it would send only a name, even one that means another object by now.
            cloudpickle.register_pickle_by_value(module)
            try:
                return self._by_cloudpickle(obj)
            finally:
                cloudpickle.unregister_pickle_by_value(module)

    def _by_cloudpickle(self, obj: Any) -> Any:
        reduced = super().reducer_override(obj)
        return rebuild.reduce_class(obj, reduced) if is_class(obj) else reduced


def _has_own_reducer(obj: Any) -> bool:
    """True for a class whose metaclass is in ``copyreg`` (those of DEAP's ``creator``)."""
    return is_class(obj) and type(obj) in copyreg.dispatch_table
