"""What pickles how: by reference, by value, once a rank; the wire form of messages."""

import collections
import copyreg
import functools
import operator
import sys
import threading
import types

import pytest
from apart import send

from scoop_mpi.base.tuning import Tuning
from scoop_mpi.identity.names import PROGRAM_MODULE, MissingName, Names
from scoop_mpi.wire.codec import Codec, MissingDefinition

PROGRAM = """
class Shared:
    def method(self):
        return "shared"

def shared(n):
    return n + offset

offset = 100

if __name__ == "__main__":
    offset = 200

    def guarded(n):
        return shared(n) + helper(n)

    def helper(n):
        return 1000 * n

    class Local:
        def __init__(self, n):
            self.n = n

        def double(self):
            return 2 * self.n
"""
GUARDED = ("guarded", "helper", "Local")


def module_level(n):
    return n + 1


class ModuleLevel:
    @staticmethod
    def static(n):
        return n + 2

    def method(self):
        return "method"

    class Inner:
        pass


def dump(codec, obj):
    """The pickle, and the definitions it needs."""
    found = {}
    return codec.dumps(obj, found), found


@pytest.fixture
def program(monkeypatch):
    """The program as the root has it, under both of its names; its codec is noted.

    (Here all of it has run before that, so what is under the guard is left out by name.)
    """
    module = types.ModuleType("__main__")
    exec(PROGRAM, module.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.setitem(sys.modules, PROGRAM_MODULE, module)
    module.codec = noted(without=GUARDED)
    return module


def noted(**options):
    """The codec of a rank that has noted what all modules have."""
    names = Names()
    names.freeze(**options)
    return Codec(names)


@pytest.fixture
def worker(program, monkeypatch):
    """Call it to become a worker: the program without what is under its guard."""
    def become():
        module = types.ModuleType(PROGRAM_MODULE)
        exec(PROGRAM, module.__dict__)
        monkeypatch.setitem(sys.modules, "__main__", module)
        monkeypatch.setitem(sys.modules, PROGRAM_MODULE, module)
        module.codec = noted()
        return module
    return become


# -- by reference ----------------------------------------------------------


@pytest.mark.parametrize("obj", [
    abs, len, operator.add, sys.exit, int, dict, collections.OrderedDict, module_level,
    ModuleLevel, ModuleLevel.static, ModuleLevel.Inner, threading.Thread, type(None),
    type(...), type(NotImplemented), types.FunctionType, [].append.__class__,
], ids=lambda obj: obj.__name__)
def test_importable_things_go_by_reference(obj):
    data, found = dump(Codec(), obj)
    assert not found
    assert Codec().loads(data) is obj


def test_plain_values():
    value = {"a": [1, 2.5, None, (b"x", {3})], 4: ModuleLevel}
    data, found = dump(Codec(), value)
    assert not found
    assert Codec().loads(data) == value


def test_bound_methods_of_importable_classes():
    data, found = dump(Codec(), ModuleLevel().method)
    assert not found
    assert Codec().loads(data)() == "method"


def test_bound_methods_of_builtins():
    assert send([1, 2].count)(2) == 1


def test_partials_of_importable_functions():
    data, found = dump(Codec(), functools.partial(pow, 2))
    assert not found
    assert Codec().loads(data)(5) == 32


def test_functions_of_the_program_go_by_reference(program, worker):
    data, found = dump(program.codec, [program.shared, program.Shared, program.Shared().method])
    assert not found
    there = worker()
    function, cls, method = there.codec.loads(data)
    assert function is there.shared
    assert cls is there.Shared
    assert method() == "shared"


# -- by value --------------------------------------------------------------


def test_names_under_the_guard_go_by_value(program, worker):
    sender = program.codec
    function, found_function = dump(sender, program.guarded)
    instance, found_instance = dump(sender, [program.Local(4), program.Local])
    method, found_method = dump(sender, program.Local(5).double)
    assert found_function and found_instance and found_method
    there = worker()
    assert not hasattr(there, "guarded")
    receiver = there.codec
    for found in (found_function, found_instance, found_method):
        receiver.definitions.learn(found.values())
    # What it refers to and is shared is the worker's own.
    assert receiver.loads(function)(3) == 3 + 100 + 3000
    one, cls = receiver.loads(instance)
    assert type(one) is cls
    assert (one.double(), cls(1).double()) == (8, 2)
    assert type(receiver.loads(method).__self__) is cls
    assert receiver.loads(method)() == 10


def test_a_name_that_was_given_away_goes_by_value(program, worker):
    exec("def shared(n):\n    return -n", vars(program))
    data, found = dump(program.codec, program.shared)
    there = worker().codec
    there.definitions.learn(found.values())
    assert there.loads(data)(1) == -1


def test_a_name_that_the_receiver_lacks(program, worker):
    exec("def lost(): pass", vars(program))
    sender = noted(without=GUARDED)
    data, found = dump(sender, program.lost)
    assert not found
    with pytest.raises(MissingName) as raised:
        worker().codec.loads(data)
    assert (raised.value.module, raised.value.name) == ("__main__", "lost")


def test_send_by_value(program):
    sender = program.codec
    assert not dump(sender, program.shared)[1]
    assert sender.names.send_by_value("__main__", "shared")
    assert dump(sender, program.shared)[1]
    assert not dump(sender, program.Shared)[1]
    assert sender.names.send_by_value("__main__", "Shared")
    assert dump(sender, program.Shared().method)[1]


# -- definitions -----------------------------------------------------------


def make(number):
    """A closure; a different definition for each number."""
    return lambda: number


def test_a_definition_keeps_its_key_until_it_changes():
    codec, factor = Codec(), 1

    def scale(n):
        return n * factor

    [key] = dump(codec, scale)[1]
    scale(3)
    assert [key] == list(dump(codec, [scale, scale])[1])
    factor = 2
    assert [key] != list(dump(codec, scale)[1])


def test_equal_definitions_have_keys_of_their_own():
    """Whether one of them is gone or not, and whoever made them."""
    codecs = [Codec(), Codec()]
    keys = [next(iter(dump(codec, make(1))[1])) for codec in codecs for _ in range(3)]
    assert len(set(keys)) == len(keys)


def test_a_definition_used_twice_is_one():
    function = make(1)
    _, found = dump(Codec(), [function, function, functools.partial(function)])
    assert len(found) == 1


def test_two_objects_are_two_also_if_they_are_equal():
    first, second = make(1), make(1)
    assert first is not second
    received = send([first, second, first])
    assert received[0] is received[2] is not received[1]


def test_definitions_go_to_each_rank_once():
    sender, function = Codec(), make(1)
    for rank in (2, 3):
        _, found = dump(sender, function)
        assert sender.definitions.news_for(rank, found) == tuple(found.values())
        _, found = dump(sender, function)
        assert sender.definitions.news_for(rank, found) == ()


def test_only_new_definitions_are_sent():
    sender, first, second = Codec(), make(1), make(2)
    sender.definitions.news_for(2, dump(sender, first)[1])
    _, found = dump(sender, [first, second])
    assert len(found) == 2
    [news] = sender.definitions.news_for(2, found)
    assert news.key in dump(sender, second)[1]


def test_a_definition_is_loaded_once():
    sender, receiver, function = Codec(), Codec(), make(1)
    assert send(function, sender, receiver) is send(function, sender, receiver)


def test_a_definition_that_is_missing():
    sender, receiver = Codec(), Codec()
    data, found = dump(sender, make(1))
    with pytest.raises(MissingDefinition, match=next(iter(found)).hex()):
        receiver.loads(data)
    receiver.definitions.learn(found.values())
    assert receiver.loads(data)() == 1


def test_what_comes_with_a_message_need_not_be_kept():
    data, found = dump(Codec(), make(1))
    assert Codec().loads(data, found.values())() == 1


def test_old_definitions_are_let_go():
    functions = {number: make(number) for number in (1, 2, 3)}
    sender, receiver = that_keep_two(functions[1])
    for function in functions.values():
        send(function, sender, receiver)
    with pytest.raises(MissingDefinition):
        receiver.loads(dump(sender, functions[1])[0])
    assert receiver.loads(dump(sender, functions[3])[0])() == 3


def test_the_least_recently_used_definition_goes_first():
    functions = {number: make(number) for number in (1, 2, 3)}
    sender, receiver = that_keep_two(functions[1])
    for number in (1, 2, 1, 3):
        send(functions[number], sender, receiver)
    assert receiver.loads(dump(sender, functions[1])[0])() == 1
    with pytest.raises(MissingDefinition):
        receiver.loads(dump(sender, functions[2])[0])


def that_keep_two(function):
    """Two ranks with room for two definitions of that size."""
    [definition] = dump(Codec(), function)[1].values()
    size = len(definition.pickled)
    tuning = Tuning(definitions_kept_bytes=2 * size + size // 2)
    return Codec(tuning=tuning), Codec(tuning=tuning)


def test_what_is_still_in_use_is_not_lost():
    functions = [make(number) for number in range(4)]
    sender, receiver = that_keep_two(functions[0])
    in_use = send(functions[0], sender, receiver)
    for function in functions[1:]:
        send(function, sender, receiver)
    assert receiver.loads(dump(sender, functions[0])[0]) is in_use


def test_a_message_with_more_definitions_than_are_kept():
    few = Tuning(definitions_kept_bytes=400)
    received = send(
        [make(number) for number in range(10)], Codec(tuning=few), Codec(tuning=few))
    assert [function() for function in received] == list(range(10))


class Picky:
    """Cannot be rebuilt."""

    def __reduce__(self):
        return int, ("not a number",)


def test_a_definition_that_cannot_be_loaded_says_so_each_time():
    data, found = dump(Codec(), make(Picky()))
    receiver = Codec()
    receiver.definitions.learn(found.values())
    for _ in range(2):
        with pytest.raises(ValueError, match="not a number"):
            receiver.loads(data)


others = []


def load_elsewhere(data):
    return others[-1].loads(data)


class Nest:
    """Loads another pickle while it is being loaded."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return load_elsewhere, (self.data,)


def test_loading_inside_of_loading(monkeypatch):
    sender, receiver, other = Codec(), Codec(), Codec()
    data, found = dump(sender, make(42))
    other.definitions.learn(found.values())
    monkeypatch.setattr(sys.modules[__name__], "others", [other])
    outer, found = dump(sender, [Nest(data), make(43)])
    receiver.definitions.learn(found.values())
    inner, last = receiver.loads(outer)
    assert (inner(), last()) == (42, 43)


class Meta(type):
    """A metaclass that makes its classes from other arguments than type, as DEAP's does."""

    def __new__(cls, name, base):
        return super().__new__(cls, name, (base,), {})

    def __init__(cls, name, base):
        cls.made_of = (name, base)


def make_class(name, base):
    """What Meta's reducer calls: like DEAP's ``creator.create``, it replaces the global."""
    made = globals()[name] = Meta(name, base)
    return made


copyreg.pickle(Meta, lambda cls: (make_class, cls.made_of))


@pytest.mark.parametrize("with_a_type_for_cloudpickle", [False, True])
def test_a_metaclass_with_a_reducer_is_asked(with_a_type_for_cloudpickle):
    old = make_class("Point", list)([1])
    make_class("Point", list)  # the global is another class now
    sent = [old, {1: 2}.keys() if with_a_type_for_cloudpickle else None]
    sender, receiver = noted(), noted()
    received, _ = send(sent, sender, receiver)
    assert received == [1] and type(received).__name__ == "Point"
    # It was asked once.
    assert type(send(sent, sender, receiver)[0]) is type(received)
    # On its way back it is the class that it was.
    assert type(send(received, receiver, sender)) is type(old)
