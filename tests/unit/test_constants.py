"""What one worker knows of the pool's constants, in whatever order it hears of them."""

import functools
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.base.messages import (
    Define, Defined, Forget, Forgotten, Found, Undefine, Undefined, Variable,
)
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.broker import registry
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.parcels import Parcels
from scoop_mpi.workers.constants import Constants, _Prefix


class Counted:
    """Counts how often objects of its class are unpickled."""

    rebuilt = 0

    def __reduce__(self):
        return rebuild_counted, ()


def rebuild_counted():
    Counted.rebuilt += 1
    return Counted()


class Stubborn:
    """Pickles well, but cannot be rebuilt."""

    def __reduce__(self):
        return refuse, ()

    def __call__(self):
        """Callable, so it would become a global."""


def refuse():
    raise OSError("refused")


def triple(x):
    return 3 * x


def packed(name, value, rank=1):
    """A constant as another worker would send it."""
    return Parcels(Codec(), rank).pack_constant(name, value)


def news(serial, epoch=0, **values):
    """A VARIABLE, without anybody to hand it on to."""
    constants = tuple(packed(name, value) for name, value in values.items())
    return Variable(serial, epoch, constants, ())


@pytest.fixture
def program(monkeypatch):
    """The globals of the program."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return vars(module)


@pytest.fixture
def constants(program):
    return Constants(Codec())


# -- values ----------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, False, (), [], {}, "", b"", 1.5, {"a": [1]}])
def test_a_value_that_has_come(constants, value):
    assert constants.arrive(news(1, x=value)) == []
    assert "x" in constants
    assert constants.value("x") == value
    assert type(constants.value("x")) is type(value)


def test_what_has_not_come(constants):
    constants.arrive(news(1, x=5))
    assert "y" not in constants
    assert constants.value("y") is None
    assert constants.owner("y") is None


def test_what_is_known_of_them(constants):
    constants.arrive(Variable(1, 0, (packed("x", 1, rank=2), packed("y", None, rank=2)), ()))
    constants.arrive(Variable(2, 0, (packed("z", 1, rank=3),), ()))
    assert constants.names() == ["x", "y", "z"]
    assert [constants.owner(name) for name in "xyz"] == [2, 2, 3]


def test_a_value_is_unpickled_once_when_it_is_read(constants):
    Counted.rebuilt = 0
    constants.arrive(news(1, x=Counted()))
    constants.announce()
    assert Counted.rebuilt == 0
    assert constants.value("x") is constants.value("x")
    assert Counted.rebuilt == 1


def test_functions_by_value_come_with_all_they_need(constants):
    bonus = 7
    constants.arrive(news(1, x=lambda n: triple(n) + bonus))
    assert constants.value("x")(2) == 13


def test_a_value_that_cannot_be_rebuilt_is_an_error_for_each_reader(constants):
    constants.arrive(news(1, x=Stubborn(), y=2))
    for _ in range(2):
        with pytest.raises(NotPicklableError, match="the constant x.*OSError: refused"):
            constants.value("x")
    assert constants.value("y") == 2


# -- own definitions -------------------------------------------------------


def test_an_own_definition_that_is_accepted(constants):
    constants.define(5, (packed("x", 1), packed("y", 2)))
    assert "x" not in constants
    assert constants.defined(Defined(5, 1, 0, "")) == []
    assert (constants.value("x"), constants.value("y")) == (1, 2)


def test_an_own_definition_that_is_refused(constants):
    constants.define(5, (packed("x", 1),))
    assert constants.defined(Defined(5, 0, 0, "x")) == []
    assert "x" not in constants


def test_answers_may_come_in_another_order(constants):
    constants.define(5, (packed("x", "fifth"),))
    constants.define(6, (packed("x", "sixth"),))
    constants.defined(Defined(6, 3, 0, ""))
    constants.defined(Defined(5, 0, 0, "x"))
    assert constants.value("x") == "sixth"


def test_an_own_definition_that_is_freed_before_its_answer_comes(constants):
    constants.define(5, (packed("x", 1), packed("y", 2)))
    assert not constants.forget(Forget("x", 1))
    assert constants.defined(Defined(5, 1, 0, "")) == ["x"]
    assert constants.names() == ["y"]


# -- copies that were asked for --------------------------------------------


def test_a_copy_may_come_before_the_one_that_everybody_gets(constants):
    x = packed("x", [1])
    constants.arrive_early(Found(1, 1, 1, (x,)))
    value = constants.value("x")
    assert value == [1]
    constants.arrive(Variable(1, 0, (x, packed("y", 2)), ()))
    assert constants.value("x") is value
    assert constants.value("y") == 2


def test_two_copies_are_one_object(constants):
    constants.arrive_early(Found(1, 1, 1, (packed("x", [1]),)))
    value = constants.value("x")
    constants.arrive_early(Found(1, 1, 1, (packed("x", [1]),)))
    assert constants.value("x") is value


def test_a_copy_that_comes_late_is_dropped(constants):
    constants.arrive(news(1, x="old"))
    assert constants.forget(Forget("x", 1))
    constants.arrive_early(Found(1, 1, 1, (packed("x", "old"),)))
    assert "x" not in constants
    constants.arrive(news(2, x="new"))
    constants.arrive_early(Found(1, 1, 1, (packed("x", "old"),)))
    assert constants.value("x") == "new"


def test_the_same_variable_twice_counts_once(constants):
    constants.arrive(news(1, x="old"))
    constants.forget(Forget("x", 1))
    assert constants.arrive(news(1, x="old")) == []
    assert "x" not in constants


def test_an_answer_without_payload_says_nothing(constants):
    constants.arrive_early(Found(1, 1, 1, ()))
    assert constants.names() == []


# -- FORGET ----------------------------------------------------------------


def test_forget_what_has_come(constants):
    constants.arrive(news(1, x=1, y=2))
    assert constants.forget(Forget("x", 1))
    assert constants.names() == ["y"]


def test_forget_before_variable_is_answered_when_that_comes(constants):
    assert not constants.forget(Forget("x", 1))
    assert constants.arrive(news(1, x=1, y=2)) == ["x"]
    assert constants.names() == ["y"]


def test_forget_several_before_variable(constants):
    assert not constants.forget(Forget("y", 1))
    assert not constants.forget(Forget("x", 1))
    assert constants.arrive(news(1, x=1, y=2, z=3)) == ["x", "y"]
    assert constants.names() == ["z"]


def test_forget_between_an_early_copy_and_variable(constants):
    x = packed("x", 1)
    constants.arrive_early(Found(1, 1, 1, (x,)))
    assert not constants.forget(Forget("x", 1))
    assert "x" not in constants
    constants.arrive_early(Found(1, 1, 1, (x,)))
    assert "x" not in constants
    assert constants.arrive(Variable(1, 0, (x,), ())) == ["x"]
    constants.arrive_early(Found(1, 1, 1, (x,)))
    assert "x" not in constants


def test_forget_is_about_one_definition_of_the_name(constants):
    constants.arrive(news(2, x="new"))
    constants.forget(Forget("x", 1))
    assert constants.value("x") == "new"


# -- announcements ---------------------------------------------------------


def test_a_task_waits_for_all_epochs_up_to_its_own(constants):
    assert constants.knows(0)
    assert not constants.knows(1)
    for serial, epoch in (3, 3), (1, 1):
        constants.arrive(news(serial, epoch, **{f"f{epoch}": triple}))
        assert not constants.knows(epoch)
        constants.announce()
    assert [constants.knows(epoch) for epoch in range(5)] == [True, True, False, False, False]
    assert constants.newest_epoch == 1
    constants.arrive(news(2, 2, f2=triple))
    constants.announce()
    assert constants.knows(3)
    assert constants.newest_epoch == 3


def test_what_is_gone_before_it_comes_counts_as_an_epoch(constants):
    constants.forget(Forget("f", 1))
    constants.arrive(news(1, 1, f=triple))
    constants.announce()
    assert constants.knows(1)


def test_an_early_copy_is_no_epoch(constants):
    constants.arrive_early(Found(1, 1, 1, (packed("f", triple),)))
    constants.announce()
    assert not constants.knows(1)


def test_callables_become_globals(constants, program):
    constants.arrive(news(1, 1, f=lambda n: n + 1, x=5, kind=Counted))
    assert "f" not in program
    constants.announce()
    assert program["f"](1) == 2
    assert program["f"] is constants.value("f")
    assert program["kind"] is Counted
    assert "x" not in program


def test_an_own_callable_becomes_a_global_too(constants, program):
    constants.define(5, (packed("f", lambda: "f"),))
    constants.defined(Defined(5, 1, 1, ""))
    constants.announce()
    assert program["f"]() == "f"
    assert constants.newest_epoch == 1


def test_a_global_goes_with_its_constant(constants, program):
    constants.arrive(news(1, 1, f=lambda: 1))
    constants.announce()
    constants.forget(Forget("f", 1))
    constants.withdraw("f")
    assert "f" not in program


def test_what_the_program_has_put_there_stays(constants, program):
    program["f"] = triple
    constants.arrive(news(1, 1, f=triple, g=lambda: 1))
    constants.announce()
    program["g"] = "the program's own"
    for name in ("f", "g"):
        constants.forget(Forget(name, 1))
        constants.withdraw(name)
    assert program["f"] is triple
    assert program["g"] == "the program's own"


def test_what_is_gone_again_does_not_become_a_global(constants, program):
    constants.arrive(news(1, 1, f=lambda: 1))
    constants.forget(Forget("f", 1))
    constants.announce()
    assert "f" not in program


def test_a_callable_that_cannot_be_rebuilt_harms_no_other(constants, program):
    constants.arrive(news(1, 1, f=Stubborn(), g=lambda: 1))
    constants.arrive(news(2, 2, h=lambda: 2))
    constants.announce()
    assert "f" not in program
    assert (program["g"](), program["h"]()) == (1, 2)
    assert constants.knows(2)


def announce_in_order(constants, *steps):
    """The donor thread has taken in all of it before the first thread looks at any."""
    for step in steps:
        if isinstance(step, Variable):
            constants.arrive(step)
        else:
            constants.forget(step)
    for step in steps:
        if isinstance(step, Variable):
            constants.announce()
        else:
            constants.withdraw(step.name)


def test_a_name_that_was_given_anew_while_a_worker_was_busy(constants, program):
    """Its first value, its end and its second value are announced one after the other."""
    announce_in_order(constants, news(1, 1, f=lambda: "old"), Forget("f", 1),
                      news(2, 2, f=lambda: "new"))
    assert constants.value("f")() == "new"
    assert program["f"]() == "new"


def test_the_same_when_the_first_value_was_known(constants, program):
    constants.arrive(news(1, 1, f=lambda: "old"))
    constants.announce()
    announce_in_order(constants, news(2, 0, x=1), Forget("f", 1), news(3, 2, f=lambda: "new"))
    assert program["f"]() == "new"


def test_a_name_that_was_given_to_something_else_while_a_worker_was_busy(constants, program):
    announced = []
    constants.expect("f", lambda: announced.append(dict(program)))
    announce_in_order(constants, news(1, 1, f=lambda: "old"), Forget("f", 1), news(2, 0, f=5))
    assert constants.value("f") == 5
    assert all("f" not in seen for seen in [*announced, program])


def test_those_who_wait_for_a_name_are_told_once(constants):
    told = []
    for letter in "ab":
        constants.expect("x", functools.partial(told.append, letter))
    constants.arrive(news(1, y=1))
    constants.announce()
    assert told == []
    constants.arrive(news(2, x=1))
    assert told == []
    constants.announce()
    assert told == ["a", "b"]
    constants.forget(Forget("x", 2))
    constants.withdraw("x")
    constants.arrive(news(3, x=1))
    constants.announce()
    assert told == ["a", "b"]


def test_an_early_copy_tells_them_too(constants):
    told = []
    constants.expect("x", functools.partial(told.append, 1))
    constants.arrive_early(Found(1, 1, 1, (packed("x", 5),)))
    constants.announce()
    assert told == [1]


def test_who_gives_up_is_not_told(constants):
    told = []
    wakes = [functools.partial(told.append, letter) for letter in "ab"]
    for wake in wakes:
        constants.expect("x", wake)
    constants.give_up("x", wakes[0])
    constants.give_up("x", wakes[0])
    constants.give_up("y", wakes[0])
    constants.arrive(news(1, x=1))
    constants.announce()
    assert told == ["b"]


def test_what_came_after_a_callable_is_there_after_it(constants):
    """A reader of ``go`` may use by its bare name what was defined before."""
    told = []
    constants.expect("go", functools.partial(told.append, 1))
    constants.arrive(news(2, go=1)._replace(since=1))
    constants.announce()
    assert "go" not in constants and not told
    constants.arrive(news(1, 1, model=triple))
    constants.announce()
    assert "go" in constants and told == [1]


# -- any order of delivery -------------------------------------------------


@given(st.permutations(range(1, 12)))
def test_a_set_of_numbers_that_fills_up(numbers):
    seen = _Prefix()
    for count, number in enumerate(numbers, 1):
        assert number not in seen
        seen.add(number)
        assert all(one in seen for one in numbers[:count])
        assert set(range(1, seen.reached + 1)) <= set(numbers[:count])
        assert seen.reached + 1 not in seen
    assert seen.reached == 11
    assert not seen._beyond


class Pool:
    """The real table and the real workers' sides; any message may be the next to arrive."""

    def __init__(self, workers, data, small):
        self.workers = range(1, workers + 1)
        self.registry = registry.Registry(
            self.workers, replace(TUNING, small_constant=small))
        self.sides = {worker: Constants(Codec()) for worker in self.workers}
        self.in_flight = []
        self.data = data
        self.tickets = 0
        self.asked = {}
        self.valid = {}
        """name → its value, for those whose definition was accepted and not yet undone"""
        self.received = {worker: [] for worker in self.workers}

    def pick(self, options):
        return self.data.draw(st.sampled_from(list(options)))

    def act(self):
        worker = self.pick(self.workers)
        self.tickets = ticket = self.tickets + 1
        name = self.pick("xyz")
        match self.pick(["define", "define", "define both", "look up", "undefine"]):
            case "define":
                self.define(worker, ticket, {name: ticket})
            case "define both":
                self.define(worker, ticket, {"x": ticket, "y": -ticket})
            case "look up":
                self.send(worker, 0, registry.Lookup(ticket, name, self.pick([True, False])))
            case "undefine":
                self.asked[ticket] = name
                self.send(worker, 0, Undefine(ticket, name))

    def define(self, worker, ticket, values):
        constants = tuple(packed(*item, rank=worker) for item in values.items())
        if self.pick([True, False]):
            constants = tuple(one._replace(is_callable=True) for one in constants)
        self.sides[worker].define(ticket, constants)
        self.send(worker, 0, Define(ticket, constants))

    def send(self, source, dest, message):
        self.in_flight.append((source, dest, message))

    def deliver(self):
        at = self.pick(range(len(self.in_flight)))
        source, dest, message = self.in_flight.pop(at)
        if dest == 0:
            if isinstance(message, Undefine):
                self.valid.pop(message.name, None)
            for to, answer in self.registry.handle(source, message):
                if isinstance(answer, Defined) and not answer.taken:
                    self.valid.update({one.name: one for one in message.constants})
                self.send(0, to, answer)
        else:
            self.take(dest, message)

    def take(self, rank, message):
        """As ``Exchange`` does it."""
        side = self.sides[rank]
        gone = []
        match message:
            case Variable():
                self.received[rank].append(message.serial)
                for to, part in registry.forward(message, TUNING.constant_fanout):
                    self.send(rank, to, part)
                gone = side.arrive(message)
            case Defined():
                if not message.taken:
                    self.received[rank].append(message.serial)
                gone = side.defined(message)
            case Found():
                side.arrive_early(message)
            case Forget():
                gone = [message.name] if side.forget(message) else []
            case Undefined(ticket, True):
                # The name may have been defined anew, but the old value is nowhere.
                self.check_no_old_value(self.asked[ticket])
        for name in gone:
            self.send(rank, 0, Forgotten(name))
        side.announce()

    def check_no_old_value(self, name):
        for side in self.sides.values():
            if name in side and name in self.valid:  # else it is being freed once more
                assert side.value(name) == Codec().loads(self.valid[name].pickled)


@pytest.mark.parametrize("small", [0, TUNING.small_constant])
@settings(max_examples=100, deadline=None)
@given(data=st.data(), workers=st.integers(1, 5))
def test_any_order_of_delivery(small, data, workers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        pool = Pool(workers, data, small)
        for _ in range(data.draw(st.integers(1, 12))):
            pool.act()
            for _ in range(data.draw(st.integers(0, 4))):
                if pool.in_flight:
                    pool.deliver()
        while pool.in_flight:
            pool.deliver()
        assert not pool.registry._leaving
        for rank, side in pool.sides.items():
            assert {name: side.value(name) for name in side.names()} == {
                name: Codec().loads(one.pickled) for name, one in pool.valid.items()}
            # Each definition has reached each worker exactly once.
            assert sorted(pool.received[rank]) == list(range(1, pool.registry._serial + 1))
            assert side.knows(pool.registry._epoch)
            assert not side._dying and not side._defining
