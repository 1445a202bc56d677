"""Shared constants on random schedules: one definition, seen by all, gone for all.

All ranks share one process here, so a history of what has happened when can be kept, and
every answer be held against it.
"""

from __future__ import annotations

import functools
import itertools
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from scoop_mpi import futures, shared
from scoop_mpi.base import context
from scoop_mpi.base.tuning import TUNING
from scoop_mpi.broker import registry
from simulation import Simulation

NAMES = "abc"
SHORT_S = 2e-4
"""A timeout, and a time that large constants take: virtual seconds are short."""


@dataclass(frozen=True)
class Value:
    """What a constant is set to; no two are equal."""

    number: int


class CallableValue(Value):
    """One that tasks may call by its bare name."""

    def __call__(self) -> int:
        return self.number


@dataclass
class Life:
    """A definition: when setConst and delConst began and ended, for those who look on."""

    value: Value
    set_began: int
    set_ended: int | None = None
    del_began: int | None = None
    del_ended: int | None = None


class History:
    """All that the tasks of one simulation have done."""

    def __init__(self) -> None:
        self.moments = itertools.count()
        self.lives: dict[str, list[Life]] = {name: [] for name in NAMES}
        self.read: list[tuple[str, Value]] = []
        self.refused = 0
        self.values = itertools.count(1)

    def now(self) -> int:
        """A number that grows."""
        return next(self.moments)

    def certain(self, name: str, began: int, ended: int) -> list[Life]:
        """Definitions that held all the time from ``began`` to ``ended``."""
        return [life for life in self.lives[name]
                if life.set_ended is not None and life.set_ended < began
                and (life.del_began is None or life.del_began > ended)]

    def possible(self, name: str, began: int, ended: int) -> list[Life]:
        """Definitions that may have been seen at some time from ``began`` to ``ended``."""
        return [life for life in self.lives[name]
                if life.set_began < ended
                and (life.del_ended is None or life.del_ended > began)]


_simulation = Simulation(1, 0)
_history = History()


def simulate(workers: int, seed: int, program: Any, tick_s: float | None = None) -> Any:
    """Runs ``program`` on the root of a pool."""
    global _simulation, _history
    _history = History()
    _simulation = Simulation(
        workers, seed, tick_s=tick_s, tuning=_tunings[-1], steps_at_most=50_000)
    return _simulation.run(program)


@pytest.fixture(autouse=True)
def program_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module for the globals that callable constants become."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))


_tunings = [TUNING]
"""The last one is used."""


@pytest.fixture(params=["small", "large"])
def any_size(request: pytest.FixtureRequest) -> Iterator[None]:
    """Constants that go straight to all workers, or down the tree."""
    tuning = replace(TUNING, constant_patience_s=SHORT_S)
    if request.param == "large":
        tuning = replace(tuning, small_constant=0)
    _tunings.append(tuning)
    yield
    _tunings.pop()


# -- what tasks do, and how it must turn out -------------------------------


def define(names: str, is_callable: bool) -> list[tuple[str, Life]]:
    """Sets constants; the definitions, none if a name is taken."""
    kind = CallableValue if is_callable else Value
    lives = [Life(kind(next(_history.values)), _history.now()) for _ in names]
    for name, life in zip(names, lives):
        _history.lives[name].append(life)
    try:
        shared.setConst(**{name: life.value for name, life in zip(names, lives)})
    except TypeError as error:
        for name, life in zip(names, lives):
            _history.lives[name].remove(life)
        taken = str(error).removeprefix("This constant already exists: ").removesuffix(".")
        assert taken in names and len(taken) == 1, error
        _history.refused += 1
        assert _history.possible(taken, lives[0].set_began, _history.now()), "nobody has it"
        return []
    for name, life in zip(names, lives):
        life.set_ended = _history.now()
        for other in _history.lives[name]:
            if other is not life and other.set_ended is not None:
                assert other.del_began is not None, f"{name} is defined twice"
    return list(zip(names, lives))


def free(name: str, life: Life) -> None:
    """Frees a constant; nobody has it any more."""
    life.del_began = _history.now()
    shared.delConst(name)
    life.del_ended = _history.now()
    for rank in _simulation.ranks:
        if rank.scheduler is not None:
            assert rank.scheduler.constants.value(name) != life.value


def read(name: str, timeout: float) -> None:
    """Reads a constant."""
    began = _history.now()
    value = shared.getConst(name, timeout)
    ended = _history.now()
    certain = _history.certain(name, began, ended)
    if certain:
        assert value == certain[0].value, f"{value} in place of {certain}"
    elif value is not None:
        assert value in [life.value for life in _history.possible(name, began, ended)]
    if value is not None:
        _history.read.append((name, value))


def assert_has_globals(callables: Iterable[tuple[str, Value]]) -> None:
    """These can be called by their bare names on this rank, if nobody frees them.

    All ranks have the same ``__main__`` here, so their books are looked at.
    """
    ours = context.current().constants._published
    for name, value in callables:
        [life] = [one for one in _history.lives[name] if one.value == value]
        published = [one for _, one in ours.get(name, ())]
        assert value in published or life.del_began is not None, f"{name} is missing"


class Script(NamedTuple):
    """A task: its number, and what it does one after the other."""

    number: int
    deeds: tuple[tuple[Any, ...], ...]


def perform(script: Script, known: tuple[tuple[str, Value], ...] = ()) -> None:
    """Runs a script; ``known``: callables that were there when it was created."""
    assert_has_globals(known)
    _simulation.executed[script.number] += 1
    mine: list[tuple[str, Life]] = []
    children = []
    for verb, *details in script.deeds:
        known += tuple((name, life.value) for name, life in mine if callable(life.value))
        assert_has_globals(known)
        match verb:
            case "define":
                mine += define(*details)
            case "free":
                while mine:
                    free(*mine.pop())
            case "read":
                read(*details)
            case "free nothing":
                with pytest.raises(KeyError):
                    shared.delConst("never there")
            case "breathe":
                _simulation.breathe()
            case "submit":
                children.append(futures.submit(perform, *details, known))
            case "map":
                list(futures.map(functools.partial(perform, known=known), *details))
    for child in children:
        child.result()
    while mine and script.number % 3:  # some are never freed
        free(*mine.pop())


def make_script(chance: random.Random, depth: int, numbers: Iterator[int]) -> Script:
    """A random task, with those that it creates."""
    number = next(numbers)
    deeds = [_make_deed(chance, depth, numbers) for _ in range(chance.randint(2, 6))]
    return Script(number, tuple(deeds))


def _make_deed(chance: random.Random, depth: int, numbers: Iterator[int]) -> tuple[Any, ...]:
    verb = chance.choice(["define"] * 4 + ["read"] * 4 + ["free", "breathe", "submit", "map",
                                                          "submit", "map", "free nothing"])
    if verb == "define":
        names = "".join(chance.sample(NAMES, chance.choice([1, 1, 2])))
        return verb, names, chance.random() < 0.5
    if verb == "read":
        return verb, chance.choice(NAMES), chance.choice([0, 0, SHORT_S])
    if verb in ("submit", "map") and not depth:
        return "breathe",
    if verb == "submit":
        return verb, make_script(chance, depth - 1, numbers)
    if verb == "map":
        return verb, [make_script(chance, depth - 1, numbers)
                      for _ in range(chance.randint(1, 4))]
    return verb,


@pytest.mark.usefixtures("any_size")
def test_random_programs() -> None:
    refused = read_ = freed = spread = 0
    for seed in range(100):
        chance = random.Random(seed)
        scripts = [make_script(chance, 2, itertools.count(1000 * n)) for n in range(1, 4)]
        workers = chance.randint(1, 5)
        simulate(workers, seed, lambda: list(futures.map(perform, scripts)))
        for name, value in _history.read:
            accepted = [life.value for life in _history.lives[name] if life.set_ended]
            assert value in accepted, "that definition was refused"
        refused += _history.refused
        read_ += len(_history.read)
        freed += sum(life.del_ended is not None for lives in _history.lives.values()
                     for life in lives)
        authors = {source for source, _, message in _simulation.network.log
                   if isinstance(message, registry.Define)}
        spread += len(authors) > 1
    # Else all this would have tested nothing.
    assert min(refused, read_, freed, spread) > 25, (refused, read_, freed, spread)


# -- one definition --------------------------------------------------------


def try_to_set(number: int) -> bool:
    """Defines what all others try to define too."""
    _simulation.breathe()
    try:
        shared.setConst(a=number, **{f"own_{number}": number})
    except TypeError as error:
        assert str(error) == "This constant already exists: a."
        return False
    return True


def read_all(number: int) -> list[Any]:
    """What a task finds, without waiting."""
    _simulation.breathe()
    return [shared.getConst(name, timeout=0)
            for name in ("a", *(f"own_{n}" for n in range(10)))]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_one_of_many_definitions_at_the_same_time(workers: int) -> None:
    def program() -> None:
        outcomes = list(futures.map(try_to_set, range(10)))
        assert outcomes.count(True) == 1, outcomes
        winner = outcomes.index(True)
        expected = [winner, *(n if n == winner else None for n in range(10))]
        assert list(futures.map(read_all, range(8))) == [expected] * 8

    for seed in range(10):
        simulate(workers, seed, program)


def try_to_free(number: int) -> bool:
    """Frees what all others try to free too."""
    _simulation.breathe()
    try:
        shared.delConst("a")
    except KeyError:
        return False
    return True


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_one_of_many_frees_it(workers: int) -> None:
    def program() -> None:
        for round_ in range(3):
            shared.setConst(a=round_)
            assert sum(futures.map(try_to_free, range(8))) == 1
            assert not any(futures.map(lambda n: shared.getConst("a", 0), range(8)))

    for seed in range(8):
        simulate(workers, seed, program)


# -- waiting ---------------------------------------------------------------


def set_late(name: str) -> None:
    """Defines what others wait for."""
    _simulation.breathe()
    shared.setConst(**{name: 5})


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_constant_that_comes_while_tasks_wait(workers: int) -> None:
    def program() -> list[Any]:
        waiting = [futures.submit(shared.getConst, "a", 0.05) for _ in range(6)]
        shared.getConst("b", SHORT_S)
        set_late("a")
        return [future.result() for future in waiting]

    for seed in range(10):
        assert simulate(workers, seed, program, tick_s=1e-6) == [5] * 6


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_wait_for_what_an_unstarted_task_defines(workers: int) -> None:
    def program() -> list[Any]:
        waiting = [futures.submit(shared.getConst, "a", None) for _ in range(8)]
        futures.submit(set_late, "a")
        return [future.result() for future in waiting]

    for seed in range(10):
        assert simulate(workers, seed, program) == [5] * 8


# -- bare names ------------------------------------------------------------


def use(known: list[tuple[str, Value]]) -> None:
    """A task that calls constants by their bare names."""
    assert_has_globals(known)
    _simulation.breathe()


def set_callable(name: str) -> list[tuple[str, Value]]:
    """Defines one that others may call by its bare name when this has returned."""
    _simulation.breathe()
    return [(name, life.value) for name, life in define(name, is_callable=True)]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_tasks_of_the_setter_have_the_bare_name(workers: int) -> None:
    def program() -> None:
        for name in NAMES:
            known = set_callable(name)
            assert_has_globals(known)
            list(futures.map(use, [known] * 6))
            for future in [futures.submit(use, known) for _ in range(6)]:
                future.result()

    for seed in range(10):
        simulate(workers, seed, program)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_whoever_waits_for_the_setter_has_the_bare_name(workers: int) -> None:
    """The outcome of the task that has set it may come before the constant does."""
    def program() -> None:
        for known in futures.map(set_callable, NAMES):
            assert_has_globals(known)
            list(futures.map(use, [known] * 4))

    for seed in range(10):
        simulate(workers, seed, program)


def linger(number: int) -> None:
    """User code that takes long, so that much arrives before this rank looks at it."""
    for _ in range(number):
        _simulation.breathe()


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("workers", [2, 5])
def test_a_bare_name_that_is_given_anew_while_ranks_are_busy(workers: int) -> None:
    def program() -> None:
        busy = futures.map(linger, range(20, 30))
        for _ in range(6):
            [(name, life)] = define("a", is_callable=True)
            assert_has_globals([(name, life.value)])
            list(futures.map(use, [[(name, life.value)]] * 3))
            free(name, life)
        known = set_callable("a")
        list(busy)
        list(futures.map(use, [known] * 10))

    for seed in range(10):
        simulate(workers, seed, program)
