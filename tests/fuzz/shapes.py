"""Classes of every shape: how each is defined, named, and made an instance of."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """A class; in all texts {c} is the prefix of its names and n an int.

    ``equal``: do instances with the same n compare equal; ``by_name``: can plain pickle find
    it at the top level?
    """

    definitions: str
    cls: str
    instance: str
    equal: bool = True
    by_name: bool = False


_EQ = """
    def __eq__(self, other):
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self):
        return 5
"""

SHAPES = {
    "plain": Shape("""
class {c}:
    def __init__(self, n):
        self.n = n
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "slots": Shape("""
class {c}_base:
    __slots__ = ("n",)

class {c}({c}_base):
    __slots__ = ("more", "__weakref__")

    def __init__(self, n):
        self.n, self.more = n, [n]
""", "{c}", "{c}(n)", False, True),
    "dataclass": Shape("""
@dataclasses.dataclass(frozen=True, order=True)
class {c}:
    n: int
    more: list = dataclasses.field(default_factory=list, compare=False)
""", "{c}", "{c}(n)", by_name=True),
    "slotted dataclass": Shape("""
@dataclasses.dataclass(slots=True)
class {c}:
    n: int
    me: "typing.Any" = None
""", "{c}", "{c}(n)", by_name=True),
    "namedtuple": Shape('{c} = collections.namedtuple("Pt", "x y", defaults=[7])', "{c}", "{c}(n)"),
    "NamedTuple": Shape("""
class {c}(typing.NamedTuple):
    n: int
    text: str = "x"

    def both(self):
        return self.text * self.n
""", "{c}", "{c}(n)", by_name=True),
    "enum by call": Shape('{c} = enum.Enum("Colour", "RED GREEN BLUE")', "{c}", "list({c})[n % 3]"),
    "enum": Shape("""
class {c}(enum.Enum):
    ONE = (1, "a")
    TWO = (2, "b")
    ALSO = (1, "a")

    @property
    def number(self):
        return self.value[0]
""", "{c}", "list({c})[n % 2]", by_name=True),
    "enum with attributes": Shape("""
class {c}(enum.Enum):
    EARTH = (5.9, 6.3)
    MARS = (6.4, 3.3)
    HOME = EARTH

    def __init__(self, mass, radius):
        self.mass, self.radius = mass, [radius]

    def __repr__(self):
        names = list(type(self).__members__)
        return f"{{type(self).__qualname__}} {{self.mass}} {{self.radius}} {{names}}"
""", "{c}", "list({c})[n % 2]", by_name=True),
    "enum with values": Shape("""
class {c}(bytes, enum.Enum):
    def __new__(cls, value, label):
        self = bytes.__new__(cls, [value])
        self._value_ = value
        self.label = label
        return self

    ONE = (1, "one")
    TWO = (2, "two")

    def __repr__(self):
        return f"{{self.name}} {{self.value}} {{self.label}} {{bytes(self)}}"
""", "{c}", "{c}(n % 2 + 1)", by_name=True),
    "flag": Shape("""
class {c}(enum.IntFlag):
    A = enum.auto()
    B = enum.auto()
    C = A | B
""", "{c}", "{c}(n % 4)", by_name=True),
    "str enum": Shape("""
class {c}(str, enum.Enum):
    X = "x"
    Y = "y"
""", "{c}", '({c}.X, {c}["Y"])[n % 2]', by_name=True),
    "make_dataclass": Shape(
        '{c} = dataclasses.make_dataclass("Record", ["n", ("m", int, 3)])', "{c}", "{c}(n)"),
    "factory": Shape("""
def {c}_factory(unit):
    class Quantity:
        def __init__(self, n):
            self.n, self.unit = n, unit
""" + _EQ.replace("\n    ", "\n        ") + """
    return Quantity

{c} = {c}_factory("m")
""", "{c}", "{c}(n)"),
    "type()": Shape('{c} = type("Made", (dict,), {{"extra": 5, "__slots__": ()}})', "{c}",
                    "{c}(n=n)"),
    "metaclass": Shape("""
class {c}_meta(type):
    known = {{}}

    def __new__(mcs, name, bases, space, *, tag="none"):
        cls = super().__new__(mcs, name, bases, space)
        cls.tag = tag
        return cls

    def __init__(cls, name, bases, space, **more):
        super().__init__(name, bases, space)

    def __len__(cls):
        return 3

class {c}_base(metaclass={c}_meta, tag="base"):
    pass

class {c}({c}_base, tag="child"):
    def __init__(self, n):
        self.n = n, type(self).tag
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "abc": Shape("""
class {c}_abstract(abc.ABC):
    @abc.abstractmethod
    def run(self):
        pass

class {c}({c}_abstract):
    def __init__(self, n):
        self.n = n

    def run(self):
        return isinstance(self, {c}_abstract)
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "generic": Shape("""
{c}_T = typing.TypeVar("{c}_T")

class {c}(typing.Generic[{c}_T]):
    def __init__(self, n):
        self.n = n
""" + _EQ, "{c}", "{c}[int](n)", by_name=True),
    "generic dataclass": Shape("""
{c}_T = typing.TypeVar("{c}_T")

@dataclasses.dataclass
class {c}_base(typing.Generic[{c}_T]):
    n: {c}_T

class {c}({c}_base[int]):
    pass
""", "{c}", "{c}(n)", by_name=True),
    "nested": Shape("""
class {c}_outer:
    class Middle:
        class Inner:
            def __init__(self, n):
                self.n = n
""" + _EQ.replace("\n    ", "\n            "), "{c}_outer.Middle.Inner",
                    "{c}_outer.Middle.Inner(n)", by_name=True),
    "each other": Shape("""
class {c}:
    def __init__(self, n):
        self.n = n

    def other(self):
        return {c}_other(self)
""" + _EQ + """
class {c}_other({c}):
    def back(self):
        return {c}(self.n.n)
""", "{c}", "{c}(n).other().back()", by_name=True),
    "super": Shape("""
class {c}_base:
    def __init__(self, n):
        self.n = n

class {c}_left({c}_base):
    def __init__(self, n):
        super().__init__(n)
        self.left = True

class {c}_right({c}_base):
    def __init__(self, n):
        super().__init__(n)
        self.right = __class__.__name__

class {c}({c}_left, {c}_right):
    pass
""" + _EQ.replace("\n    ", "\n    "), "{c}", "{c}(n)", by_name=True),
    "subclasses noted": Shape("""
class {c}_plugin:
    known = []

    def __init_subclass__(cls, /, label="", **more):
        super().__init_subclass__(**more)
        cls.label = label
        {c}_plugin.known.append(label)

class {c}({c}_plugin, label="one"):
    def __init__(self, n):
        self.n = n, self.label
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "hooks that want something": Shape("""
class {c}_base:
    def __init_subclass__(cls, /, label):
        cls.label, cls.entry = label, cls.run

class {c}({c}_base, label="one"):
    def __init__(self, n):
        self.n = n

    def run(self):
        return self.n, self.label

    def __repr__(self):
        return f"{{type(self).__qualname__}} {{self.entry()}}"
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "state": Shape("""
class {c}:
    table = {{"a": [1, 2]}}
    lock_free = True
    _cache = {{}}

    def __init__(self, n):
        self.n = n, self.table["a"]

    @classmethod
    def of(cls, n):
        return cls(n)

    @staticmethod
    def twice(n):
        return 2 * n

    @property
    def double(self):
        return self.twice(self.n)

    @functools.cached_property
    def cached(self):
        return self.n
""" + _EQ, "{c}", "{c}.of(n)", by_name=True),
    "reduced": Shape("""
def {c}_make(n):
    return {c}(n)

class {c}:
    def __init__(self, n):
        self.n, self.lock = n, None

    def __reduce__(self):
        return {c}_make, (self.n,)
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "copyreg": Shape("""
class {c}:
    def __init__(self, n):
        self.n = n
""" + _EQ + """
def {c}_reduce(one):
    return {c}, (one.n,)

copyreg.pickle({c}, {c}_reduce)
""", "{c}", "{c}(n)", by_name=True),
    "getnewargs": Shape("""
class {c}(int):
    def __new__(cls, n, label="none"):
        self = super().__new__(cls, n)
        self.label = label
        return self

    def __getnewargs_ex__(self):
        return (int(self),), {{"label": self.label}}
""", "{c}", '{c}(n, label="given")', by_name=True),
    "list": Shape("class {c}(list):\n    extra = 1", "{c}", "{c}([n, [n]])", by_name=True),
    "defaultdict": Shape("class {c}(collections.defaultdict):\n    pass", "{c}",
                         "{c}(list, a=[n])", by_name=True),
    "UserDict": Shape("class {c}(collections.UserDict):\n    pass", "{c}", "{c}(a=n)",
                      by_name=True),
    "exception": Shape("""
class {c}(Exception):
    def __init__(self, n, more=None):
        super().__init__(n)
        self.n, self.more = n, more

    def __eq__(self, other):
        return type(self) is type(other) and self.args == other.args

    def __hash__(self):
        return 1
""", "{c}", "{c}(n, more=1)", by_name=True),
    "decorated": Shape("""
def {c}_decorator(cls):
    cls.seen = True

    def of(self):
        return {c}_plain
    cls.of = of
    return cls

@{c}_decorator
@functools.total_ordering
class {c}:
    def __init__(self, n):
        self.n = n

    def __lt__(self, other):
        return self.n < other.n
""" + _EQ + "\n{c}_plain = {c}\n", "{c}", "{c}(n)", by_name=True),
    "wrapped class": Shape("""
def {c}_wrap(cls):
    @functools.wraps(cls, updated=())
    class Wrapper(cls):
        wrapped = True
    return Wrapper

@{c}_wrap
class {c}:
    def __init__(self, n):
        self.n = n
""" + _EQ, "{c}", "{c}(n)"),
    "in a table": Shape("""
def {c}_build(k):
    class Item:
        number = k

        def __init__(self, n):
            self.n = n, self.number
""" + _EQ.replace("\n    ", "\n        ") + """
    return Item

{c}_table = {{k: {c}_build(k) for k in range(3)}}
""", "{c}_table[1]", "{c}_table[1](n)"),
    "descriptor": Shape("""
class {c}_field:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, one, owner):
        return self if one is None else one.__dict__[self.name]

    def __set__(self, one, value):
        one.__dict__[self.name] = value

class {c}:
    n = {c}_field()

    def __init__(self, n):
        self.n = n
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "protocol": Shape("""
@typing.runtime_checkable
class {c}_protocol(typing.Protocol):
    def run(self): ...

class {c}({c}_protocol):
    def __init__(self, n):
        self.n = n

    def run(self):
        return isinstance(self, {c}_protocol)
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "dispatching method": Shape("""
class {c}:
    def __init__(self, n):
        self.n = n

    @functools.singledispatchmethod
    def run(self, value):
        return "any"

    @run.register
    def _(self, value: int):
        return "int"
""" + _EQ, "{c}", "{c}(n)", by_name=True),
    "called": Shape("""
class {c}:
    def __init__(self, n):
        self.n = n

    def __call__(self, n):
        return self.n + n

    def __getattr__(self, name):
        if name.startswith("x"):
            return name
        raise AttributeError(name)
""" + _EQ, "{c}", "{c}(n)", by_name=True),
}
