"""What travels by name: what every rank has noted, and has not been changed since."""

import copyreg
import sys
import types

import pytest

from scoop_mpi.identity.names import PROGRAM, PROGRAM_MODULE, MissingName, Names
from scoop_mpi.wire.codec import Codec

PROGRAM_SOURCE = """
import collections, enum, functools, threading
import example_library
from example_library import borrowed

def plain(n):
    return n

class Plain:
    def method(self):
        return 1

    @staticmethod
    def static():
        return 2

    @classmethod
    def of_class(cls):
        return cls

    class Inner:
        def method(self):
            return 3

Point = collections.namedtuple("Pt", "x y")
Colour = enum.Enum("Shade", "RED BLUE")

def factory():
    class Made:
        def method(self):
            return 4
    return Made

Metre, Second = factory(), factory()
anonymous = lambda: 5

def locked(function):
    lock = threading.Lock()
    def call(*args):
        with lock:
            return function(*args)
    return call

@locked
def decorated():
    return 6

@functools.lru_cache
def cached():
    return 7

class Wrapper:
    def __init__(self, function):
        functools.update_wrapper(self, function)
    def __call__(self):
        return self.__wrapped__()

@Wrapper
def wrapped():
    return 8

class Proxy:
    @property
    def __class__(self):
        raise SystemExit
    def __getattribute__(self, name):
        raise SystemExit

proxy = Proxy()

class OddMeta(type):
    def __getattribute__(cls, name):
        raise SystemExit

class Odd(metaclass=OddMeta):
    pass
"""
LIBRARY_SOURCE = """
import collections

def borrowed():
    return 1

class Base:
    pass

Alias = collections.namedtuple("Other", "a")

class Registered(type):
    pass

class WithReducer(metaclass=Registered):
    pass

def create(name):
    class Created:
        def __init__(self):
            pass
    Created.__name__ = Created.__qualname__ = name
    globals()[name] = Created
"""


class Rank:
    """A rank's modules and its names; :meth:`be` makes this process that rank."""

    def __init__(self, monkeypatch):
        self._patch = monkeypatch
        self.program = types.ModuleType("__main__")
        self.library = types.ModuleType("example_library")
        self.library.__file__ = sys.prefix + "/example_library.py"
        self.names = Names()
        self.be()
        exec(LIBRARY_SOURCE, vars(self.library))
        exec(PROGRAM_SOURCE, vars(self.program))
        copyreg.pickle(self.library.Registered, lambda cls: cls.__name__)

    def be(self):
        for name, module in (("__main__", self.program), (PROGRAM_MODULE, self.program),
                             ("example_library", self.library)):
            self._patch.setitem(sys.modules, name, module)

    def place(self, obj):
        """Where others are told to look; None: nowhere."""
        self.be()
        reference = self.names.reference(obj)
        return None if reference is None else (reference.module, reference.path)

    def find(self, place):
        self.be()
        return self.names.find(*place)


@pytest.fixture
def make(monkeypatch):
    def make(**options):
        rank = Rank(monkeypatch)
        if options.pop("freeze", True):
            rank.names.freeze(**options)
        return rank

    yield make
    for kind in [kind for kind in copyreg.dispatch_table if kind.__name__ == "Registered"]:
        del copyreg.dispatch_table[kind]


@pytest.fixture
def root(make):
    return make()


@pytest.fixture
def worker(root, make):
    return make()


NAMED = ["plain", "Plain", "Point", "Colour", "Metre", "Second", "anonymous", "decorated",
         "cached", "wrapped", "factory", "Wrapper", "Proxy", "Odd"]


# -- what was noted --------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_whatever_the_program_has_goes_by_name(root, worker, name):
    obj = vars(root.program)[name]
    place = root.place(obj)
    assert place is not None
    assert worker.find(place) is vars(worker.program)[name]
    assert root.find(root.place(obj)) is obj
    # The second time it is known.
    assert root.place(obj) == place


@pytest.mark.parametrize("path", ["Plain.method", "Plain.static", "Plain.Inner",
                                  "Plain.Inner.method", "Metre.method"])
def test_what_is_inside_of_a_class(root, worker, path):
    def at(rank):
        obj = rank.program
        for name in path.split("."):
            obj = getattr(obj, name)
        return obj

    place = root.place(at(root))
    if path == "Metre.method":
        assert place is None  # it says that it is in a function
    else:
        assert worker.find(place) is at(worker)


def test_what_a_module_has_under_another_name(root, worker):
    assert root.place(root.library.Alias) == ("example_library", "Alias")
    assert root.place(root.program.borrowed) == ("example_library", "borrowed")
    assert worker.find(("example_library", "Alias")) is worker.library.Alias


def test_what_the_library_has_pickle_finds_by_itself(root):
    assert root.names.reference(root.library.borrowed).is_plain
    assert root.names.reference(root.library.Base).is_plain
    assert root.names.reference(print) is None or root.names.reference(print).is_plain


@pytest.mark.parametrize("name", ["Alias", "WithReducer"])
def test_what_pickle_does_not_find_by_itself(root, name):
    reference = root.names.reference(vars(root.library)[name])
    assert reference is not None and not reference.is_plain


def test_nothing_of_the_program_is_plain(root):
    assert not any(root.names.reference(vars(root.program)[name]).is_plain for name in NAMED)


def test_what_has_no_name(root):
    exec("inside = factory()", {**vars(root.program)}, namespace := {})
    assert root.place(namespace["inside"]) is None
    assert root.place(lambda: 1) is None
    assert root.place(root.program.factory()) is None


def test_objects_that_cannot_be_looked_at(root, worker):
    assert root.place(root.program.proxy) is None
    assert worker.find(root.place(root.program.Odd)) is worker.program.Odd


# -- what has got another name, or lost it ---------------------------------


def test_a_name_that_was_given_to_something_else(root, worker):
    old = root.program.plain
    exec("def plain(n):\n    return -n", vars(root.program))
    assert root.place(root.program.plain) is None
    assert root.place(old) == (PROGRAM, "plain")
    assert worker.find((PROGRAM, "plain")) is worker.program.plain


def test_a_class_that_was_replaced(root):
    old = root.program.Plain
    exec("class Plain(Plain):\n    pass", vars(root.program))
    assert root.place(root.program.Plain) is None
    assert root.place(old) == (PROGRAM, "Plain")


def test_a_name_that_is_gone(root, worker):
    old = root.program.plain
    del root.program.plain
    assert root.place(old) == (PROGRAM, "plain")
    # Nor does it matter what has become of it where it is looked up.
    del worker.program.plain
    assert worker.find((PROGRAM, "plain")).__name__ == "plain"


def test_a_new_name_for_something_old(root):
    root.program.other = root.program.plain
    assert root.place(root.program.other) == (PROGRAM, "plain")


def test_a_name_of_a_library_that_was_given_to_something_else(root):
    old = root.library.borrowed
    root.library.borrowed = lambda: "patched"
    assert root.place(root.library.borrowed) is None
    assert root.place(old) == ("example_library", "borrowed")
    assert not root.names.reference(old).is_plain  # pickle would find the new one


def test_names_that_are_made_by_the_program_later(root):
    exec("def late(): pass\nclass Late: pass", vars(root.program))
    assert root.place(root.program.late) is None
    assert root.place(root.program.Late) is None


def test_names_that_the_program_makes_everywhere_later(make):
    rank = make(later=["late", "Late", "plain"])
    exec("def late(): pass\nclass Late: pass\ndef other(): pass", vars(rank.program))
    assert rank.place(rank.program.late) == (PROGRAM, "late")
    assert rank.place(rank.program.Late) == (PROGRAM, "Late")
    assert rank.place(rank.program.other) is None
    exec("def plain(n): pass", vars(rank.program))
    assert rank.place(rank.program.plain) == (PROGRAM, "plain")
    assert not rank.names.reference(rank.program.late).is_late


def test_names_that_the_root_does_not_have(make):
    rank = make(without=["plain"])
    assert rank.place(rank.program.plain) is None
    assert rank.place(rank.program.Plain) is not None


# -- before names are noted, and modules without notes ---------------------


def test_before_names_are_noted_they_are_taken_as_they_are(make):
    rank = make(freeze=False)
    assert rank.place(rank.program.plain) == (PROGRAM, "plain")
    old = rank.program.plain
    exec("def plain(n):\n    return -n", vars(rank.program))
    assert rank.place(rank.program.plain) == (PROGRAM, "plain")
    assert rank.place(old) is None
    assert rank.names.reference(rank.library.Base).is_plain


def test_names_may_be_noted_when_the_first_is_sent(make):
    rank = make(freeze=False)
    rank.names.due = True
    assert rank.place(rank.program.plain) == (PROGRAM, "plain")
    assert not rank.names.due
    exec("def plain(n):\n    return -n", vars(rank.program))
    assert rank.place(rank.program.plain) is None


def test_a_module_that_is_imported_later(root, worker, monkeypatch):
    late = types.ModuleType("example_late")
    exec("def f(): pass\nclass C: pass", vars(late))
    monkeypatch.setitem(sys.modules, "example_late", late)
    assert root.place(late.f) == ("example_late", "f")
    reference = root.names.reference(late.C)
    assert not (reference.is_noted or reference.is_late or reference.is_plain)
    assert worker.find(("example_late", "C")) is late.C


def test_a_module_that_the_receiver_cannot_import(worker):
    with pytest.raises(MissingName) as raised:
        worker.find(("example_unheard_of", "f"))
    assert (raised.value.module, raised.value.name) == ("example_unheard_of", "f")


@pytest.mark.parametrize("place", [(PROGRAM, "nothing"), (PROGRAM, "Plain.nothing"),
                                   ("example_library", "Base.nothing.more")])
def test_a_name_that_the_receiver_lacks(worker, place):
    with pytest.raises(MissingName) as raised:
        worker.find(place)
    assert (raised.value.module, raised.value.name) == (place[0], place[1].partition(".")[0])


def test_what_is_lacking_goes_by_value(root):
    assert root.names.send_by_value(PROGRAM, "Plain")
    assert not root.names.send_by_value(PROGRAM, "Plain")
    assert root.place(root.program.Plain) is None
    assert root.place(root.program.Plain.Inner) is None
    assert root.place(root.program.plain) is not None


def test_what_is_lacking_may_have_another_name(root):
    root.names.send_by_value(PROGRAM, "Point")
    assert root.place(root.program.Point) is None
    root.program.Also = root.program.Plain
    root.names.freeze()
    root.names.send_by_value(PROGRAM, "Plain")
    assert root.place(root.program.Plain) == (PROGRAM, "Also")


# -- what a module makes after that (DEAP's creator) -----------------------


def test_what_a_module_has_made_itself_since(root):
    root.be()
    root.library.create("Late")
    reference = root.names.reference(root.library.Late)
    assert (reference.module, reference.path) == ("example_library", "Late")
    assert reference.is_late and not reference.is_plain


def test_what_was_put_into_a_module_is_not_its_own(root):
    exec("class Mine:\n    def method(self): pass", vars(root.program))
    root.library.Mine = root.program.Mine
    root.library.Mine.__module__ = "example_library"
    assert root.place(root.library.Mine) is None


def send(obj, sender, receiver):
    """There, and what comes back."""
    sender.be()
    found = {}
    data = sender.codec.dumps(obj, found)
    receiver.be()
    received = receiver.codec.loads(data, found.values())
    found = {}
    data = receiver.codec.dumps(received, found)
    sender.be()
    return received, sender.codec.loads(data, found.values())


def test_what_was_made_later_comes_to_a_rank_without_it(root, worker):
    root.be()
    root.library.create("Late")
    root.codec, worker.codec = Codec(root.names), Codec(worker.names)
    received, back = send(root.library.Late, root, worker)
    assert received.__name__ == "Late" and back is root.library.Late
    assert send(root.library.Late, root, worker)[0] is received


def test_what_was_made_later_on_both_ranks_is_each_ranks_own(root, worker):
    for rank in (root, worker):
        rank.be()
        rank.library.create("Late")
        rank.codec = Codec(rank.names)
    received, _ = send(root.library.Late, root, worker)
    assert received is worker.library.Late


def test_what_was_made_anew_is_another_one(root, worker):
    root.be()
    root.library.create("Late")
    old = root.library.Late
    root.codec, worker.codec = Codec(root.names), Codec(worker.names)
    received_old, _ = send(old, root, worker)
    root.library.create("Late")
    received_new, back = send(root.library.Late, root, worker)
    assert received_new is not received_old
    assert back is root.library.Late
    assert send(old, root, worker) == (received_old, old)
