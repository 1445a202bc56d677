"""Pickles objects by value that neither pickle nor cloudpickle handles as we need it.

Each function ``reduce_...`` returns what pickle's ``__reduce__`` would; ``make_...`` and
``fill_...`` are called where the object is unpickled. A function may refer to the wrapper
around it. So a wrapper is made empty, and filled once pickle has it in its memo.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import io
import operator
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import EnumMeta
from functools import partial
from types import FunctionType, MethodDescriptorType, MethodType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

LruCache = type(functools.lru_cache(len))
_DATA: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    object: lambda member: (),
    int: lambda member: (int.__pos__(member),),
    float: lambda member: (float.__pos__(member),),
    str: lambda member: (str.__getitem__(member, slice(None)),),
    bytes: lambda member: (bytes.__getitem__(member, slice(None)),),
    tuple: lambda member: (tuple.__getitem__(member, slice(None)),),
}
"""Types that an Enum may derive from; each function gives the type's arguments for a member."""
HEAP_TYPE = 1 << 9
"""Flag of classes that Python code has made (``Py_TPFLAGS_HEAPTYPE``)."""
_OF_ENUM = ("_name_", "_value_", "__objclass__", "_sort_order_")
"""Attributes of every member of an Enum."""
_DISPATCH_CODE = functools.singledispatch(len).__code__  # type: ignore[attr-defined]


def is_dispatch(obj: object) -> bool:
    """True for a function made by ``functools.singledispatch``."""
    return isinstance(obj, FunctionType) and obj.__code__ is _DISPATCH_CODE


def reduce_dispatch(obj: Any) -> tuple[Any, ...]:
    """A ``singledispatch`` function, as its implementations."""
    return make_dispatch, (), (dict(obj.registry), vars(obj)["__wrapped__"]), None, None, \
        fill_dispatch


def make_dispatch() -> Any:
    """A ``singledispatch`` function without implementations."""
    return functools.singledispatch(_unfilled)


def fill_dispatch(obj: Any, state: tuple[dict[type, Callable[..., Any]], Any]) -> None:
    """Gives the function the original's implementations."""
    registry, wrapped = state
    for cls, function in registry.items():
        obj.register(cls, function)
    functools.update_wrapper(obj, wrapped)


def reduce_lru_cache(obj: Any) -> tuple[Any, ...]:
    """A function with ``functools.lru_cache``; what is in the cache does not travel."""
    parameters = obj.cache_parameters()
    return make_lru_cache, (parameters["maxsize"], parameters["typed"]), \
        dict(vars(obj)), None, None, fill_lru_cache


def make_lru_cache(maxsize: int | None, typed: bool) -> Any:
    """An empty cache without its function."""
    return functools.lru_cache(maxsize, typed)(_FilledLater())


def fill_lru_cache(obj: Any, state: dict[str, Any]) -> None:
    """Gives the cache its function."""
    obj.__wrapped__.call = state["__wrapped__"]
    vars(obj).update(state)


def reduce_cached_property(obj: Any) -> tuple[Any, ...]:
    """A ``functools.cached_property``, without the lock that it has up to Python 3.11."""
    return make_cached_property, (), (obj.func, obj.attrname), None, None, fill_cached_property


def make_cached_property() -> Any:
    """A ``cached_property`` without its function."""
    return functools.cached_property(_unfilled)


def fill_cached_property(obj: Any, state: tuple[Callable[..., Any], str | None]) -> None:
    """Gives the property its function."""
    obj.func, obj.attrname = state
    obj.__doc__ = obj.func.__doc__


class _FilledLater:
    """Stands for a function that is not there yet."""

    call: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


def _unfilled(*args: Any) -> None:
    raise AssertionError("not filled yet")


def reduce_method(obj: MethodType) -> Any:
    """A bound method. pickle itself would look up its name on the object again.

    That finds another method if a subclass overrides it (``super().run``), and none if the
    function is not an attribute of the object's class. Then function and object travel.
    """
    owner: Any = obj.__self__
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    name = str(getattr(obj.__func__, "__name__", ""))
    found = next((vars(one)[name] for one in classes if name in vars(one)), None)
    if getattr(found, "__func__", found) is obj.__func__:
        return NotImplemented
    return make_method, (obj.__func__, owner)


def make_method(func: Callable[..., Any], owner: object) -> MethodType:
    """The function, bound to the object."""
    return MethodType(func, owner)


class _Form(NamedTuple):
    """What a class was last rebuilt from: its bases, the names of its attributes."""

    bases: tuple[type, ...]
    names: frozenset[str]


_forms: WeakKeyDictionary[type, _Form] = WeakKeyDictionary()


def reduce_class(obj: type, reduced: Any) -> Any:
    """cloudpickle's reduction of a class, and what that leaves out.

    It leaves out ``__slots__`` and, if the receiver has the class already, new bases and
    deleted attributes.
    """
    if reduced is NotImplemented or len(reduced) < 6:
        return reduced
    make, args, state, *_, fill = reduced
    state = fill, state, obj.__qualname__, _members(obj)
    if isinstance(obj, EnumMeta):
        data = _DATA.get(vars(obj)["_member_type_"])
        if data is not None and isinstance(getattr(obj, "__new_member__", None), FunctionType):
            # __new__ must not get the members' values: it may have made them of other arguments.
            bases, name, qualname, values, *rest = args
            values = {key: (data(obj._member_map_[key]), values[key]) for key in values}
            make, args = partial(make_enum, make), (bases, name, qualname, values, *rest)
        return make_class, (make, 0, args), state, None, None, fill_class
    # typing makes a NamedTuple anew, with its __slots__.
    if "__slots__" in vars(obj) and typing.NamedTuple not in vars(obj).get("__orig_bases__", ()):
        metaclass, name, bases, namespace, *rest = args
        args = metaclass, name, bases, {**namespace, "__slots__": vars(obj)["__slots__"]}, *rest
    return make_class, (make, 2, args), state, None, None, fill_class


class _Member(NamedTuple):
    """A member of an Enum; ``attributes``: what the class's ``__init__`` or ``__new__`` set."""

    name: str
    value: Any
    attributes: dict[str, Any]


def _members(cls: type) -> dict[str, _Member]:
    """The members of an Enum by all their names, a Flag's named sums included."""
    members: Mapping[str, Any] = cls.__members__ if isinstance(cls, EnumMeta) else {}
    return {name: _Member(member.name, member.value, {
                key: value for key, value in vars(member).items() if key not in _OF_ENUM})
            for name, member in members.items()}


def make_enum(
    usual: Any, bases: tuple[type, ...], name: str, qualname: str,
    members: dict[str, tuple[tuple[Any, ...], Any]], module: str, tracked_as: str, extra: object,
) -> type:
    """An Enum that defines or inherits a ``__new__``; still without its attributes.

    Args:
        usual: cloudpickle's function for other Enums.
        members: name → (arguments of its data's type, its value).
        tracked_as: cloudpickle's id for the class. If it has one of that id, it returns that.
    """
    types_of_data = [one for base in bases for one in base.__mro__ if one in _DATA]
    data_type: Any = next((one for one in types_of_data if one is not object), object)

    def __new__(cls: type, data: tuple[Any, ...], value: Any) -> Any:
        member = data_type.__new__(cls, *data)
        member._value_ = value
        return member

    def __init__(member: Any, data: tuple[Any, ...], value: Any) -> None:
        """Does nothing: what the original one sets comes with the attributes."""

    metaclass: Any = type(bases[-1])
    namespace = metaclass.__prepare__(name, bases)
    for key, value in {"__new__": __new__, "__init__": __init__, **members}.items():
        namespace[key] = value
    made = metaclass.__new__(metaclass, name, bases, namespace)
    del made.__init__
    made.__module__, made.__qualname__ = module, qualname
    tracked: type = usual.__globals__["_lookup_class_or_track"](tracked_as, made)
    return tracked


class _Quiet:
    """As a class's first base it keeps other bases' ``__init_subclass__`` from being called."""

    def __init_subclass__(cls, **options: Any) -> None:
        pass


class _QuietSlots:
    """The same for classes whose instances have no ``__dict__``."""

    __slots__ = ()
    __init_subclass__ = vars(_Quiet)["__init_subclass__"]


def make_class(make: Callable[..., type], bases_at: int, args: tuple[Any, ...]) -> type:
    """Makes a class without its attributes. If it is here already, gives it these bases.

    Args:
        bases_at: the index of the bases in ``args``; 0: it is an Enum.
    """
    try:
        cls = make(*args)
    except Exception:
        if not bases_at:
            raise
        cls = _make_quietly(make, *args)
    bases = types.resolve_bases(args[bases_at])
    form = _forms.get(cls, _Form(bases, frozenset()))
    if any(map(operator.is_not, bases, form.bases)) or len(bases) != len(form.bases):
        try:
            cls.__bases__ = bases
        except TypeError:  # its instances would need another layout: make another class
            *known, _, extra = args
            cls = make(*known, None, extra)
    _forms[cls] = form._replace(bases=bases)
    return cls


def _make_quietly(
    make: Callable[..., type], metaclass: type, name: str, bases: tuple[Any, ...], *more: Any
) -> type:
    """Makes a class without calling the hooks of its bases or, failing that, its metaclass.

    Hooks may want arguments, or attributes that the class does not have yet. They have run
    on the author's rank.
    """
    bases = types.resolve_bases(bases)
    quiet = _Quiet if bases[0].__dictoffset__ else _QuietSlots
    first = bases if bases == (object,) else (quiet, *bases)
    try:
        cls = make(metaclass, name, first, *more)
    except Exception:
        cls = make(partial(type.__new__, metaclass), name, first, *more)
    if first is not bases:
        cls.__bases__ = bases
    return cls


def fill_class(cls: type, state: tuple[Callable[..., Any], Any, str, dict[str, Any]]) -> None:
    """Gives a class its attributes; deletes those that only an earlier form of it had."""
    fill, (attributes, slots), qualname, members = state
    form = _forms[cls]
    names = frozenset(attributes)
    for name in form.names - names:
        with contextlib.suppress(AttributeError):
            type.__delattr__(cls, name)
    _forms[cls] = form._replace(names=names)
    fill(cls, (attributes, slots))
    cls.__qualname__ = qualname
    for name, member in members.items():
        _fill_member(cls, name, member)


def _fill_member(cls: Any, name: str, member: _Member) -> None:
    made = cls._member_map_.get(member.name)
    if made is None:
        made = cls(member.value)
        made._name_ = member.name
    cls._member_map_[name] = made
    vars(made).update(member.attributes)


def reduce_error(obj: BaseException) -> Any:
    """An exception, even one whose ``__init__`` does not accept its ``args``."""
    kind: Any = type(obj)
    ways = type(kind.__reduce__), type(kind.__reduce_ex__)
    if ways != (MethodDescriptorType,) * 2 or kind in copyreg.dispatch_table:
        return NotImplemented  # its class says how to pickle it
    if not kind.__flags__ & HEAP_TYPE:
        return NotImplemented  # a built-in exception
    reduced: Any = obj.__reduce__()
    made_by, args, *state = reduced
    return make_error, (made_by, args), *state


def make_error(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception with these arguments; its built-in base sets them if ``__init__`` fails."""
    try:
        return kind(*args)
    except Exception:
        error = kind.__new__(kind, *args)
        base: Any = next(one for one in kind.__mro__ if not one.__flags__ & HEAP_TYPE)
        base.__init__(error, *args)
        return error


def reduce_constant(obj: object) -> Any:
    """A constant that ``dataclasses`` compares with ``is``; travels as its name there."""
    module = sys.modules["dataclasses"]
    for name, value in vars(module).items():
        if value is obj:
            return getattr, (module, name)
    return NotImplemented


def reduce_file(file: io.BufferedReader) -> tuple[Any, ...]:
    """A file opened for reading bytes: its contents, at the same position (as in SCOOP)."""
    if not file.seekable():
        raise TypeError(f"cannot pickle {file!r}: its contents cannot be read twice")
    position = file.tell()
    try:
        file.seek(0)
        return make_file, (position, file.read())
    finally:
        file.seek(position)


def make_file(position: int, data: bytes) -> io.BytesIO:
    """The contents as a file in memory."""
    file = io.BytesIO(data)
    file.seek(position)
    return file
