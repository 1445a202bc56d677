"""What a rank rebuilds has all that the original has; what a program changes is new everywhere."""

import abc
import dataclasses
import enum
import functools
import operator
import warnings

from checking import assert_raises, run_checks
from deap import base, creator
from greenlet import GreenletExit
from ways import FEW, assert_comes_back, assert_same, by_every_way, doze

from scoop_mpi import futures

MISSING = object()
combine = operator.add
power = functools.partial(pow, 2)
hook = None


def step():
    return "as imported"


class Service:
    def run(self):
        return step()


SERVICE = Service()


@functools.singledispatch
def show(thing):
    return "something"


class Shape(abc.ABC):
    """Others are registered with it."""


class Disk:
    pass


class Plugin:
    def __init_subclass__(cls, /, name):
        cls.name = name


class NeedsRun:
    def __init_subclass__(cls):
        cls.entry = cls.run


class Tagged(type):
    def __new__(mcs, name, bases, space, *, tag):
        cls = super().__new__(mcs, name, bases, space)
        cls.tag = tag
        return cls

    def __init__(cls, name, bases, space, *, tag):
        super().__init__(name, bases, space)


class ApiError(Exception):
    def __init__(self, message, *, code):
        super().__init__(message)
        self.code = code


class FileTrouble(OSError):
    def __init__(self, number, text, *, hint):
        super().__init__(number, text, "name.txt")
        self.hint = hint


# -- what every rank has ---------------------------------------------------


def is_missing(thing):
    return thing is MISSING


def check_sentinels():
    assert_same(is_missing, MISSING, True)
    assert_same(is_missing, object(), False)
    assert_comes_back(MISSING)
    assert_same(lambda key: {}.get(key, MISSING) is MISSING, 1, True)


def check_fields_that_have_no_default():
    @dataclasses.dataclass
    class Base:
        a: int

    def derived(b):
        @dataclasses.dataclass
        class Derived(Base):
            b: int = 2
        return [field.default is dataclasses.MISSING for field in dataclasses.fields(Derived)]

    assert_same(derived, 1, [True, False])


# -- classes by value ------------------------------------------------------


def check_members_of_enums():
    class Planet(enum.Enum):
        EARTH = (5.976e+24, 6.37814e6)
        MARS = (6.421e+23, 3.3972e6)
        HOME = EARTH

        def __init__(self, mass, radius):
            self.mass = mass
            self.radius = radius

    assert_same(lambda planet: (planet.mass, planet.radius), Planet.MARS, (6.421e+23, 3.3972e6))
    assert_comes_back(*Planet)
    assert_same(lambda name: (Planet[name] is Planet.EARTH is Planet.HOME, len(Planet)), "HOME",
                (True, 2))


def check_members_that_are_made_of_their_values():
    class Numbered(enum.Enum):
        def __new__(cls):
            member = object.__new__(cls)
            member._value_ = len(cls.__members__) + 1
            return member

    class Colour(Numbered):
        RED = ()
        BLUE = ()

    class Place(bytes, enum.Enum):
        def __new__(cls, number, label):
            member = bytes.__new__(cls, [number])
            member._value_ = number
            member.label = label
            return member

        HERE = (0, "here")
        THERE = (1, "there")

    class Word(str, enum.Enum):
        def __new__(cls, text, number):
            member = str.__new__(cls, text)
            member._value_ = number
            return member

        def __str__(self):
            return "nonsense"

        ONE = ("one", 1)

    def tell(member):
        cls = type(member)
        return member.name, member.value, cls(member.value) is member, list(cls).index(member)

    assert_same(tell, Colour.BLUE, ("BLUE", 2, True, 1))
    assert_same(lambda place: (*tell(place), bytes(place), place.label), Place.THERE,
                ("THERE", 1, True, 1, b"\1", "there"))
    assert_same(lambda word: (*tell(word), word + "!"), Word.ONE, ("ONE", 1, True, 0, "one!"))
    assert_comes_back(Colour.RED, Place.HERE, Word.ONE)


def check_sums_of_flags():
    class Access(enum.Flag):
        READ = enum.auto()
        WRITE = enum.auto()
        BOTH = READ | WRITE

    def tell(access):
        return str(access), Access["BOTH"] is access, access is Access.READ | Access.WRITE

    assert_same(tell, Access.BOTH, tell(Access.BOTH))
    assert_comes_back(*Access, Access.BOTH)


def check_names_of_classes():
    @dataclasses.dataclass
    class Pair:
        x: int

    def tell(x):
        return repr(Pair(x)), Pair.__qualname__, Pair.__name__

    assert_same(tell, 1, tell(1))


def check_hooks_of_base_classes():
    """They have run; what they want may not be there when the class is rebuilt."""
    class Mine(Plugin, name="mine"):
        pass

    class Runs(NeedsRun):
        def run(self):
            return 1

    class Slots(Plugin, list, name="slots"):
        __slots__ = ("one",)

    class Known(metaclass=Tagged, tag="known"):
        def run(self):
            return type(self).tag

    class Child(Known, tag="child"):
        pass

    assert_same(lambda thing: (thing.run(), type(type(thing)) is Tagged), Known(), ("known", True))
    assert_same(lambda thing: (thing.run(), isinstance(thing, Known)), Child(), ("child", True))
    assert_same(lambda thing: (thing.name, type(thing).__bases__ == (Plugin,)), Mine(),
                ("mine", True))
    assert_same(lambda thing: thing.entry(), Runs(), 1)
    assert_same(lambda thing: (thing.name, list(thing)), Slots([1]), ("slots", [1]))


def evaluate(individual):
    return individual.fitness.weights[0] * sum(individual), type(individual).__mro__[1].__name__


def check_classes_that_are_created_again():
    for weight, kind in (1.0, list), (-1.0, set), (-2.0, list):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # creator says that there was one before
            creator.create("Fit", base.Fitness, weights=(weight,))
            creator.create("Ind", kind, fitness=creator.Fit)
        one = creator.Ind([1, 2])
        assert_same(evaluate, one, (3 * weight, kind.__name__))
        assert_comes_back(creator.Ind)


# -- what a program changes ------------------------------------------------


def told(thing):
    return show(thing), isinstance(thing, Shape)


def check_what_is_registered():
    assert_same(told, Disk(), ("something", False))
    show.register(Disk, lambda disk: "disk")
    Shape.register(Disk)
    assert_same(told, Disk(), ("disk", True))
    assert_same(lambda function: function(Disk()), show, "disk")


def work(n):
    return combine(6, n), power(5), hook and hook(7), SERVICE.run()


def check_names_that_stand_for_something_else():
    global combine, power, hook, step
    assert_same(work, 3, (9, 32, None, "as imported"))
    combine, power, hook = operator.mul, functools.partial(pow, 3), functools.partial(pow, 1)

    def step():
        return "new"

    assert_same(work, 3, (18, 243, 1, "new"))


# -- errors ----------------------------------------------------------------


def fail(how):
    doze()
    if how == "keyword":
        raise ApiError("no", code=4)
    raise FileTrouble(2, "gone", hint="look")


def check_errors_that_python_cannot_rebuild():
    for error in [future.exception() for future in
                  [futures.submit(fail, "keyword") for _ in range(2 * FEW)]]:
        assert (type(error), error.code, error.args) == (ApiError, 4, ("no",)), error
    for error in [future.exception() for future in
                  [futures.submit(fail, "file") for _ in range(2 * FEW)]]:
        assert type(error) is FileTrouble, error
        assert (error.errno, error.filename, error.hint) == (2, "name.txt", "look"), error
    error = ApiError("no", code=5)
    assert set(by_every_way(lambda one: (type(one) is ApiError, one.code), error)) == {(True, 5)}


def leave(n):
    doze()
    raise GreenletExit(n)


def check_tasks_that_end_their_greenlet():
    for future in [futures.submit(leave, n) for n in range(2 * FEW)]:
        assert type(future.exception()) is GreenletExit
    assert_raises(GreenletExit, list, futures.map(leave, range(FEW)))
    assert list(futures.map(abs, range(FEW))) == [*range(FEW)]


if __name__ == "__main__":
    run_checks(globals())
