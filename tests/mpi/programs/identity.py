"""What a function or class is, on every rank: under which name, changed or not, made where."""

import abc
import copyreg
import enum
import functools
import sys
import threading
import time
import typing
import weakref
from collections import namedtuple
from dataclasses import dataclass, make_dataclass

import shapes
from checking import assert_raises, run_checks, several_workers
from deap import base, creator
from ways import (
    FEW, after_a_nap, assert_comes_back, assert_one_class, assert_same, by_every_way, doze,
    from_a_constant, from_a_task, itself, new_name,
)

from scoop_mpi import NotPicklableError
from scoop_mpi import futures, shared

creator.create("FitnessMax", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.FitnessMax)

Point = namedtuple("Pt", "x y")
Colour = enum.Enum("Shade", "RED BLUE")
Made = make_dataclass("Maid", ["n"])
Trouble = type("Distress", (Exception,), {})
Metre = shapes.unit("metre")


@shapes.locked
def plus_one(n):
    return n + 1


@shapes.wrapped
def plus_two(n):
    return n + 2


@functools.lru_cache
def plus_three(n):
    return n + 3


@functools.singledispatch
def plus_four(n):
    return n


@plus_four.register
def _(n: int):
    return n + 4


@shapes.Counted
def plus_five(n):
    return n + 5


def replaced(n):
    return "as imported"


def user_of_replaced(n):
    return replaced(n)


class Replaced:
    def answer(self):
        return "as imported"


class Patched:
    def answer(self):
        return "as imported"


class Counting:
    """Class-level state belongs to each rank."""

    count = 0

    @classmethod
    def add(cls, n):
        cls.count += 1
        return cls, n


def decorated_later(n):
    return n


# -- at top level, under whatever name -------------------------------------


def is_one_of_the_programs(thing):
    """By the names that this rank has."""
    return type(thing) in (Point, Colour, Made, Trouble, Metre)


def is_one_of_the_modules(thing):
    return type(thing) in (shapes.Point, shapes.Colour, shapes.Made, shapes.Trouble, shapes.Metre)


def instances_of(place):
    return [place.Point(1, 2), place.Colour.RED, place.Made(3), place.Trouble("why"),
            place.Metre(4)]


def check_classes_under_other_names():
    for thing in instances_of(sys.modules["__main__"]):
        assert all(by_every_way(is_one_of_the_programs, thing))
        assert_one_class(thing)
        assert_comes_back(type(thing))


def check_classes_of_a_module_under_other_names():
    for thing in instances_of(shapes):
        assert all(by_every_way(is_one_of_the_modules, thing))
        assert_one_class(thing)
        assert_comes_back(type(thing))


def is_red(colour):
    return colour is Colour.RED


def check_enum_members_are_themselves():
    assert all(by_every_way(is_red, Colour.RED))
    assert not any(by_every_way(is_red, Colour.BLUE))
    assert_comes_back(Colour.RED, shapes.Colour.BLUE)


def trouble(kind):
    doze()
    raise kind("why")


def catches(kind):
    """Raised and caught on this rank, and in a task of it."""
    try:
        trouble(kind)
    except kind:
        pass
    try:
        futures.submit(trouble, kind).result()
    except kind as error:
        return type(error) is kind
    return False


def check_exceptions_under_other_names_are_caught():
    for kind in (Trouble, shapes.Trouble):
        for future in [futures.submit(trouble, kind) for _ in range(FEW)]:
            assert_raises(kind, future.result)
        assert_raises(kind, list, futures.map(trouble, [kind] * FEW))
        assert all(by_every_way(catches, kind))


def check_decorated_functions():
    for place in (sys.modules["__main__"], shapes):
        functions = [place.plus_one, place.plus_two, place.plus_three, place.plus_four,
                     place.plus_five]
        assert_comes_back(*functions)
        for more, function in enumerate(functions, 1):
            assert_same(function, 10, 10 + more)


def check_cells_of_data_with_classes_in_them():
    thing = {"class": Point, "made": [Point(1, 2), shapes.Point(3, 4)], "colour": Colour.RED}
    for got in by_every_way(itself, thing):
        assert got["class"] is Point and type(got["made"][0]) is Point
        assert type(got["made"][1]) is shapes.Point and got["colour"] is Colour.RED


def check_class_level_state_belongs_to_each_rank():
    for cls, n in by_every_way(Counting.add, 7):
        assert cls is Counting and n == 7
    assert Counting.count > 0
    assert_comes_back(Counting)
    Counting.count = 1000
    assert_comes_back(Counting)
    assert all(cls is Counting for cls, _ in by_every_way(Counting.add, 7))


# -- registries, as DEAP's ---------------------------------------------------


def evaluated(individual):
    individual.fitness.values = (float(sum(individual)),)
    return individual


def is_individual(individual):
    return type(individual) is creator.Individual and \
        type(individual.fitness) is creator.FitnessMax


def check_deap_classes_of_the_top_level():
    population = [creator.Individual([n, n + 1]) for n in range(FEW)]
    assert all(futures.map(is_individual, population))
    for n, individual in enumerate(futures.map(evaluated, population)):
        assert individual == [n, n + 1] and individual.fitness.values == (2 * n + 1.0,)
        assert is_individual(individual)
    assert_one_class(*population[:2])
    assert_comes_back(creator.Individual, creator.FitnessMax)


def check_deap_classes_that_are_made_later():
    creator.create("LateFitness", base.Fitness, weights=(-1.0, 1.0))
    creator.create("Late", list, fitness=creator.LateFitness, strategy=None)
    population = [creator.Late([n]) for n in range(FEW)]
    for individual in population:
        individual.fitness.values = 1.0, 2.0
    for individual in futures.map(itself, population):
        assert type(individual) is creator.Late
        assert type(individual.fitness) is creator.LateFitness
        assert individual.fitness.wvalues == (-1.0, 2.0)
    assert_one_class(population[0])


def made_in_a_registry(n):
    creator.create(f"Made{n}", list, fitness=creator.FitnessMax)
    doze()
    cls = getattr(creator, f"Made{n}")
    return cls([n])


def check_deap_classes_that_are_made_in_tasks():
    made = list(futures.map(made_in_a_registry, range(FEW)))
    assert [type(one).__name__ for one in made] == [f"Made{n}" for n in range(FEW)]
    for one in made:
        assert_one_class(one)
    name = new_name()
    shared.setConst(**{name: (itself, made)})
    for got in futures.map(functools.partial(from_a_constant, name), range(FEW)):
        assert [type(one) for one in got] == [type(one) for one in made]


# -- what the program changes ----------------------------------------------


def check_a_function_that_is_replaced():
    global replaced
    old = replaced

    def replaced(n):
        return "new", n

    assert_same(replaced, 3, ("new", 3))
    assert_same(user_of_replaced, 3, ("new", 3))
    assert_same(old, 3, "as imported")
    assert_comes_back(replaced, old)


def check_a_class_that_is_replaced():
    global Replaced
    old = Replaced

    class Replaced(old):
        def answer(self):
            return "new", super().answer()

    assert_same(Replaced.answer, Replaced(), ("new", "as imported"))
    assert_same(old.answer, old(), "as imported")
    assert_one_class(Replaced(), old())
    assert_comes_back(Replaced, old)


def answer_of(thing):
    return thing.answer()


def check_a_class_that_is_patched():
    Patched.answer = lambda self: "patched"
    assert_same(answer_of, Patched(), "patched")
    assert_one_class(Patched())
    Patched.more = property(lambda self: "more")
    assert_same(lambda thing: thing.more, Patched(), "more")
    assert_comes_back(Patched)


def check_a_module_that_is_patched():
    shapes.replaced = lambda n: ("patched", n)
    assert_same(shapes.replaced, 3, ("patched", 3))
    shapes.Patched.answer = lambda self: "patched"
    assert_same(answer_of, shapes.Patched(), "patched")
    assert_comes_back(shapes.replaced, shapes.Patched)


def check_a_decorator_that_is_applied_later():
    global decorated_later
    original = decorated_later
    decorated_later = shapes.wrapped(lambda n: original(n) * 2)
    assert_same(decorated_later, 21, 42)
    assert_same(original, 21, 21)
    assert_comes_back(decorated_later, original)


def check_changed_defaults():
    def scaled(n, factor=2):
        return n * factor

    assert_same(scaled, 2, 4)
    scaled.__defaults__ = (10,)
    assert_same(scaled, 2, 20)
    plus_two.__defaults__ = ()
    assert_same(plus_two, 2, 4)


# -- made in functions -----------------------------------------------------


def check_classes_that_refer_to_each_other():
    class Tree:
        def __init__(self, n):
            self.leaves = [Leaf(self, one) for one in range(n)]

    class Leaf:
        def __init__(self, tree, n):
            self.tree, self.n = tree, n

        def grow(self):
            return Tree(self.n)

    tree = Tree(3)
    assert_one_class(tree, tree.leaves[0])
    for grown in by_every_way(Leaf.grow, tree.leaves[2]):
        assert type(grown) is Tree and [type(leaf) for leaf in grown.leaves] == [Leaf, Leaf]
    for got in by_every_way(itself, tree):
        assert all(type(leaf) is Leaf and leaf.tree is got for leaf in got.leaves)


def check_local_classes_that_inherit():
    class Base(abc.ABC):
        @abc.abstractmethod
        def name(self):
            return "base"

    class Derived(Base, Replaced):
        def name(self):
            return "derived of " + super().name()

    assert_same(lambda thing: thing.name(), Derived(), "derived of base")
    assert all(by_every_way(lambda thing: isinstance(thing, Base), Derived()))
    assert all(by_every_way(lambda thing: isinstance(thing, Replaced), Derived()))
    assert_one_class(Derived())
    assert_comes_back(Base, Derived)


def check_generic_local_classes():
    T = typing.TypeVar("T")

    class Box(typing.Generic[T]):
        def __init__(self, value: T) -> None:
            self.value = value

    class IntBox(Box[int]):
        pass

    assert_one_class(Box(1), Box[int](2), IntBox(3))
    assert_same(lambda box: box.value, IntBox(3), 3)
    assert_comes_back(Box, IntBox)


def check_local_metaclasses():
    class Registered(type):
        known = []

        def __init__(cls, name, bases, namespace):
            super().__init__(name, bases, namespace)
            Registered.known.append(name)

        def shout(cls):
            return cls.__name__.upper()

    class First(metaclass=Registered):
        pass

    class Second(First):
        pass

    assert_one_class(First(), Second())
    assert_same(Registered.shout, Second, "SECOND")
    assert_comes_back(Registered, First, Second)
    assert Registered.known == ["First", "Second"]


def check_local_slots():
    class Slotted:
        __slots__ = ("a", "b")

        def __init__(self, a, b):
            self.a, self.b = a, b

    @dataclass(frozen=True)
    class Frozen:
        a: int
        b: str = "b"

    assert_one_class(Slotted(1, 2), Frozen(1))
    assert_same(lambda thing: (thing.a, thing.b), Slotted(1, 2), (1, 2))
    assert_same(itself, Frozen(1), Frozen(1))
    assert_comes_back(Slotted, Frozen)


def check_local_tuples_and_enums():
    class Pair(typing.NamedTuple):
        a: int
        b: int

    Old = namedtuple("Other", "a b")

    class Mood(enum.Enum):
        GOOD = 1
        BAD = 2

        def other(self):
            return Mood.BAD if self is Mood.GOOD else Mood.GOOD

    class Bits(enum.Flag):
        A = 1
        B = 2

    assert_one_class(Pair(1, 2), Old(1, 2))
    assert_comes_back(Mood.GOOD, Mood.BAD, Mood, Bits, Bits.A, Pair, Old)
    assert all(got is Mood.BAD for got in by_every_way(Mood.other, Mood.GOOD))
    assert all(by_every_way(lambda mood: mood is Mood.GOOD, Mood.GOOD))


def check_local_classes_with_state():
    class Tally:
        instances = []

        def __init__(self):
            self.instances.append(1)

    before = Tally
    tallies = [Tally() for _ in range(3)]
    assert_one_class(*tallies[:2])
    Tally()
    assert_one_class(tallies[2])
    assert_comes_back(before)


def made_in_a_task(n):
    class Made:
        number = n

        def more(self):
            return Made()

    return Made, Made(), Made().more()


def check_classes_made_in_tasks():
    for cls, one, two in by_every_way(made_in_a_task, 5):
        assert type(one) is cls and type(two) is cls and cls.number == 5
    made = [one for _, one, _ in futures.map(made_in_a_task, range(FEW))]
    for thing in made:
        assert_one_class(thing)
        assert_comes_back(type(thing))
    assert len({type(thing) for thing in made}) == FEW
    # By way of another task, to whoever made it and anybody else.
    assert [type(thing) for thing in futures.map(itself, made)] == [type(thing) for thing in made]


def check_local_exceptions():
    class Local(Exception):
        pass

    class Derived(Local):
        def __init__(self, text):
            super().__init__(text)
            self.more = "more"

    for kind in (Local, Derived):
        for _ in range(2):
            for future in [futures.submit(trouble, kind) for _ in range(FEW)]:
                assert_raises(kind, future.result)
        assert all(by_every_way(catches, kind))
        try:
            list(futures.map(trouble, [kind] * FEW))
        except Local as error:
            assert getattr(error, "more", "more") == "more"
        else:
            raise AssertionError("not raised")


def raises_one_of_its_own(depth):
    """Each task makes a class, and those that wait for it catch it by the one they get."""
    if depth == 0:
        class Own(Exception):
            pass
        raise Own("text", Own)
    try:
        return futures.submit(raises_one_of_its_own, depth - 1).result()
    except Exception as error:
        assert type(error) is error.args[1]
        raise


def check_exceptions_of_tasks_own():
    for depth in range(3):
        for future in [futures.submit(raises_one_of_its_own, depth) for _ in range(FEW)]:
            error = future.exception()
            assert type(error) is error.args[1], error
            assert_comes_back(type(error))


def check_local_functions():
    lock = 5

    @functools.lru_cache
    def cached(n):
        return n if n < 2 else cached(n - 1) + cached(n - 2) + lock - 5

    @functools.singledispatch
    def dispatched(n):
        return "object"

    @dispatched.register
    def _(n: int):
        return dispatched(str(n)) + " for an int"

    @shapes.wrapped
    def wrapped(n):
        return n + 1

    class Cached:
        @functools.lru_cache
        def method(self, n):
            return n + 2

        @functools.cached_property
        def prop(self):
            return 8

    assert_same(cached, 20, 6765)
    assert_same(dispatched, 3, "object for an int")
    assert_same(wrapped, 3, 4)
    assert_same(lambda n: Cached().method(n), 3, 5)
    assert_same(lambda n: Cached().prop, 3, 8)
    assert_comes_back(cached, dispatched, wrapped, Cached, lambda n: n)
    assert_same(cached, 20, 6765)


def check_two_equal_closures_stay_two():
    def make():
        return lambda n: n

    one, two = make(), make()
    for first, second, third in by_every_way(itself, (one, two, one)):
        assert (first, second, third) == (one, two, one)
    assert all(by_every_way(lambda pair: pair[0] is not pair[1], (one, two)))
    assert all(by_every_way(lambda pair: pair[0] is pair[1], (one, one)))


def collects(n):
    """Its closure is equal to that of every other call, but its list is its own."""
    seen = []

    def visit(item):
        doze()
        seen.append(item)
        return list(seen)

    lists = list(futures.map(visit, [(n, i) for i in range(2 * FEW)]))
    return [owner for items in [seen, *lists] for owner, _ in items]


def check_equal_closures_share_nothing():
    for n in range(2 * FEW):
        assert set(collects(n)) == {n}
    for n, owners in enumerate(futures.map(collects, range(2 * FEW))):
        assert set(owners) == {n}, (n, owners)


def check_fresh_lambdas_again_and_again():
    for n in range(20):
        assert list(futures.map(lambda one: one + n, range(FEW))) == [n + i for i in range(FEW)]


def with_a_lock(function):
    lock = threading.Lock()

    def call(*args):
        with lock:
            return function(*args)
    return call


def check_a_local_function_that_cannot_be_pickled():
    function = with_a_lock(lambda n: n)
    outcomes = [futures.submit(after_a_nap, function, 3) for _ in range(FEW)]
    for future in outcomes:
        error = future.exception()
        assert error is None or type(error) is NotPicklableError, error
    assert_goes_on()


# -- code of the user's that runs outside of tasks -------------------------


def assert_goes_on():
    """The pool is none the worse."""
    assert list(futures.map(functools.partial(after_a_nap, itself), range(FEW))) == [*range(FEW)]


class Leave(BaseException):
    """Not even an Exception."""


def too_deep():
    too_deep()


RAISING = {
    "exit": lambda: sys.exit(3), "leave": lambda: trouble_now(Leave()),
    "interrupt": lambda: trouble_now(KeyboardInterrupt()), "deep": too_deep,
    "error": lambda: trouble_now(ValueError("why")),
}


def trouble_now(error):
    raise error


class Bad:
    """Raises where it is told to: when pickled or unpickled, shown, compared, let go."""

    def __init__(self, where, how):
        self.where, self.how = where, how

    def raise_if(self, *places):
        if self.where in places:
            RAISING[self.how]()

    def __reduce__(self):
        self.raise_if("pickle")
        return rebuild_bad, (self.where, self.how)

    def __repr__(self):
        self.raise_if("repr", "pickle", "unpickle")
        return "Bad"

    __str__ = __repr__

    def __eq__(self, other):
        self.raise_if("eq")
        return self is other

    def __hash__(self):
        self.raise_if("hash")
        return 1

    def __del__(self):
        if self.where == "del":
            RAISING[self.how]()


def rebuild_bad(where, how):
    bad = Bad(where, how)
    bad.raise_if("unpickle")
    return bad


class BadError(Exception):
    def __init__(self, where, how):
        super().__init__(where, how)
        self.bad = Bad(where, how)

    def __str__(self):
        RAISING[self.bad.how]()

    __repr__ = __str__


def take(bad):
    doze()
    return 1


def give(where, how):
    doze()
    return Bad(where, how)


def fail(where, how):
    doze()
    raise BadError(where, how)


def check_arguments_that_raise():
    for how in RAISING:
        for where in ("pickle", "unpickle", "repr", "eq", "hash", "del"):
            outcomes = [futures.submit(take, Bad(where, how)) for _ in range(FEW)]
            for future in outcomes:
                error = future.exception()
                assert error is None or type(error) is NotPicklableError, (how, where, error)
                assert error is None or where in ("pickle", "unpickle"), (how, where, error)
            try:
                assert list(futures.map(take, [Bad(where, how)] * FEW)) == [1] * FEW
            except NotPicklableError:
                assert where in ("pickle", "unpickle")
            del outcomes, future
        assert_goes_on()


def check_results_that_raise():
    for how in RAISING:
        for where in ("pickle", "unpickle", "repr", "eq", "hash"):
            for future in [futures.submit(give, where, how) for _ in range(FEW)]:
                error = future.exception()
                assert error is None or type(error) is NotPicklableError, (how, where, error)
                assert error is None or where in ("pickle", "unpickle"), (how, where, error)
            try:
                got = list(futures.map(give, [where] * FEW, [how] * FEW))
                assert [type(one) for one in got] == [Bad] * FEW
            except NotPicklableError:
                assert where in ("pickle", "unpickle")
        assert_goes_on()


def check_errors_that_raise():
    for how in RAISING:
        for where in ("pickle", "unpickle", "repr"):
            for future in [futures.submit(fail, where, how) for _ in range(FEW)]:
                assert isinstance(future.exception(), Exception)
            assert_raises_some(futures.map(fail, [where] * FEW, [how] * FEW))
        assert_goes_on()


def assert_raises_some(results):
    try:
        list(results)
    except Exception:
        return
    raise AssertionError("not raised")


def check_functions_that_raise():
    for how in RAISING:
        for where in ("pickle", "unpickle"):
            function = functools.partial(take_two, Bad(where, how))
            for future in [futures.submit(function, n) for n in range(FEW)]:
                error = future.exception()
                assert error is None or type(error) is NotPicklableError, (how, where, error)
            try:
                list(futures.map(function, range(FEW)))
            except NotPicklableError:
                pass
        assert_goes_on()


def take_two(bad, n):
    doze()
    return n


def read_constant(name):
    doze()
    return type(shared.getConst(name, timeout=30)).__name__


def check_constants_that_raise():
    for how in RAISING:
        name = new_name()
        assert_raises(NotPicklableError, shared.setConst, **{name: Bad("pickle", how)})
        shared.setConst(**{name: Bad("unpickle", how)})
        for future in [futures.submit(read_constant, name) for _ in range(FEW)]:
            assert type(future.exception()) is NotPicklableError
        shared.delConst(name)
        assert_goes_on()


class Busy:
    """Calls verbs, sleeps and imports whenever it is pickled and unpickled."""

    def __init__(self, n):
        self.n = n

    def __getstate__(self):
        return {"n": self.n, "more": use_verbs(self.n)}

    def __setstate__(self, state):
        self.n = state["n"]
        assert state["more"] == use_verbs(self.n)


def use_verbs(n):
    import fractions
    time.sleep(0.001)
    assert fractions.Fraction(n, 1) == n
    assert shared.getConst("for_busy", timeout=30) == "constant"
    assert list(futures.map(abs, [-n, n])) == [n, n]
    return futures.submit(abs, -n).result()


def number_of(busy):
    doze()
    return busy.n


def next_one(busy):
    doze()
    return Busy(busy.n + 1)


def define_for_busy():
    try:
        shared.setConst(for_busy="constant")
    except TypeError:
        pass  # there already


class BusyReduce(Busy):
    def __reduce__(self):
        assert use_verbs(self.n) == self.n
        return rebuild_busy, (self.n,)


def rebuild_busy(n):
    assert use_verbs(n) == n
    return BusyReduce(n)


def check_pickling_that_calls_verbs():
    define_for_busy()
    for kind in (Busy, BusyReduce):
        for n in range(3):
            things = [kind(n) for n in range(FEW)]
            fs = [futures.submit(number_of, thing) for thing in things]
            assert [f.result() for f in fs] == [*range(FEW)]
            assert list(futures.map(number_of, things)) == [*range(FEW)]
        got = list(futures.map(next_one, [kind(n) for n in range(FEW)]))
        assert [one.n for one in got] == [*range(1, FEW + 1)]
        fs = [futures.submit(next_one, kind(n)) for n in range(FEW)]
        assert [f.result().n for f in fs] == [*range(1, FEW + 1)]
        nested = [futures.submit(from_a_task, number_of, kind(n)) for n in range(FEW)]
        assert [f.result() for f in nested] == [*range(FEW)]
        name = new_name()
        shared.setConst(**{name: (number_of, kind(5))})
        assert list(futures.map(functools.partial(from_a_constant, name), range(FEW))) == [5] * FEW


def long_task(n):
    """Long enough for others to be served by the second thread meanwhile."""
    kinds = [Busy, BusyReduce, Hiding] * FEW
    fs = [futures.submit(number_of, kind(n)) for kind in kinds]
    stop_by = time.monotonic() + (0.3 if several_workers() else 0)
    while time.monotonic() < stop_by:
        sum(range(1000))
    return [f.result() for f in fs]


class Hiding(Busy):
    """Hides it if verbs do not work, and then is another one."""

    def __reduce__(self):
        try:
            n = futures.submit(abs, -self.n).result()
        except Exception:
            n = -1
        return rebuild_hiding, (n,)


def rebuild_hiding(n):
    return Hiding(n)


def check_pickling_that_calls_verbs_while_a_task_computes():
    define_for_busy()
    for n, future in enumerate([futures.submit(long_task, n) for n in range(3)]):
        assert future.result() == [n] * (3 * FEW)


class Mourner:
    """Calls verbs when it goes."""

    gone = 0

    def __init__(self, n):
        self.n = n
        weakref.finalize(self, use_after, n)

    def __del__(self):
        Mourner.gone += futures.submit(abs, -1).result()


def use_after(n):
    assert list(futures.map(abs, [-n])) == [n]


def check_finalizers_that_call_verbs():
    things = [Mourner(n) for n in range(FEW)]
    fs = [futures.submit(number_of, thing) for thing in things]
    assert [f.result() for f in fs] == [*range(FEW)]
    before = Mourner.gone
    del things, fs
    assert list(futures.map(number_of, (Mourner(n) for n in range(FEW)))) == [*range(FEW)]
    assert Mourner.gone > before
    assert_goes_on()


def raising_inputs(error):
    yield 1
    yield 2
    raise error


def asking_inputs():
    for n in range(FEW):
        yield futures.submit(abs, -n).result()


def check_inputs_that_raise_or_call_verbs():
    for error in (ValueError("why"), SystemExit(3), KeyboardInterrupt(), Leave()):
        for options in ({}, {"buffersize": 1}, {"buffersize": 4}):
            def use():
                return list(futures.map(take, raising_inputs(error), **options))
            assert_raises(type(error), use)
        assert_raises(type(error), futures.mapReduce, take, max, raising_inputs(error))
        assert_raises(type(error), futures.mapScan, take, max, raising_inputs(error))
        assert_raises(type(error), futures.wait, raising_inputs(error))
    for options in ({}, {"buffersize": 1}, {"buffersize": 4}):
        assert list(futures.map(itself, asking_inputs(), **options)) == [*range(FEW)]
    assert futures.mapReduce(itself, max, asking_inputs()) == FEW - 1
    assert_goes_on()


def check_callbacks_that_raise():
    for how in RAISING:
        called = []

        def bad(future):
            called.append("bad")
            RAISING[how]()

        def good(future):
            called.append(future.result())

        fs = [futures.submit(take, n) for n in range(FEW)]
        for future in fs:
            future.add_done_callback(bad)
            future.add_done_callback(good)
        assert [f.result() for f in fs] == [1] * FEW
        futures.wait(fs)
        # Also those that are called at once.
        fs[0].add_done_callback(bad)
        fs[0].add_done_callback(good)
        assert called == ["bad", 1] * (FEW + 1), called
        assert_goes_on()


def check_callbacks_that_call_verbs():
    called = []

    def ask(future):
        called.append(futures.submit(abs, -future.result()).result())
        called.append(futures.submit(take, 1).result())

    fs = [futures.submit(take, n) for n in range(FEW)]
    for future in fs:
        future.add_done_callback(ask)
    futures.wait(fs)
    assert [f.result() for f in fs] == [1] * FEW
    stop_by = time.monotonic() + 10
    while len(called) < 2 * FEW and time.monotonic() < stop_by:
        futures.submit(take, 0).result()
    assert called == [1] * (2 * FEW)


class OddClass(type):
    """Stands at top level, and cannot be looked at."""

    def __getattribute__(cls, name):
        raise Leave()


class Unknown(metaclass=OddClass):
    pass


class Proxy:
    """As Flask's: stands for something that is not there now, even when it is looked at."""

    @property
    def __class__(self):
        raise Leave()

    def __getattribute__(self, name):
        raise Leave()


proxy = Proxy()


def uses_odd_things(n):
    return n, Unknown is proxy


def check_functions_that_use_what_cannot_be_looked_at():
    assert_same(uses_odd_things, 3, (3, False))
    assert_comes_back(uses_odd_things, Proxy)


class Odd:
    """A callable whose attributes cannot be asked for."""

    def __init__(self, how):
        object.__setattr__(self, "how", how)

    def __call__(self, n):
        doze()
        return n

    def __getattr__(self, name):
        if name in ("__qualname__", "__name__", "func", "__wrapped__"):
            RAISING[object.__getattribute__(self, "how")]()
        raise AttributeError(name)


def check_callables_that_have_no_name():
    for how in RAISING:
        function = Odd(how)
        assert [f.result() for f in [futures.submit(function, n) for n in range(FEW)]] == \
            [*range(FEW)]
        assert list(futures.map(function, range(FEW))) == [*range(FEW)]
        assert repr(futures.submit(function, 1))
        assert_goes_on()


def check_modules_that_are_imported_later():
    import colorsys
    assert_same(lambda thing: thing.rgb_to_hsv(0, 0, 0), colorsys, (0.0, 0.0, 0))
    assert_comes_back(colorsys.rgb_to_hsv, colorsys)


def check_reducers_of_copyreg():
    class Local:
        def __init__(self, n):
            self.n = n

    copyreg.pickle(Local, lambda local: (Local, (local.n + 1,)))
    try:
        for got in [f.result() for f in [futures.submit(after_a_nap, itself, Local(1))
                                         for _ in range(FEW)]]:
            assert type(got) is Local and got.n in (1, 2, 3)
    finally:
        del copyreg.dispatch_table[Local]


def under_the_guard():
    """What only the root has, although it is a global name."""
    creator.create("GuardedFitness", base.Fitness, weights=(1.0,))
    creator.create("Guarded", list, fitness=creator.GuardedFitness)


if __name__ == "__main__":
    under_the_guard()
    GuardedPoint = namedtuple("Gp", "x y")
    GuardedColour = enum.Enum("Gc", "RED BLUE")

    @shapes.wrapped
    def guarded(n):
        return n + 1

    @functools.lru_cache
    def guarded_cached(n):
        return n + 2

    @functools.singledispatch
    def guarded_dispatch(n):
        return n + 3

    class GuardedClass:
        def __init__(self, n):
            self.n = n

        def another(self):
            return GuardedClass(self.n)

    def check_classes_under_the_guard():
        assert_one_class(GuardedPoint(1, 2), GuardedClass(3), creator.Guarded([1]))
        assert_comes_back(GuardedPoint, GuardedClass, GuardedColour, GuardedColour.RED,
                          creator.Guarded, creator.GuardedFitness)
        for got in by_every_way(GuardedClass.another, GuardedClass(3)):
            assert type(got) is GuardedClass

    def check_functions_under_the_guard():
        assert_same(guarded, 1, 2)
        assert_same(guarded_cached, 1, 3)
        assert_same(guarded_dispatch, 1, 4)
        assert_comes_back(guarded, guarded_cached, guarded_dispatch)

    run_checks(globals())
