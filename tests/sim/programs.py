"""Random programs: trees of tasks that use all verbs, in all manners.

The value of a task is its number plus those of its children, whatever happens to them:
what was cancelled, or given up, counts as if it had run. So each program has one right
result. The simulation is told which tasks need not, and which must not, be run.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import strategies as st

from scoop_mpi import futures, shared
from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.base.tuning import TUNING
from simulation import Simulation

_simulation: Simulation | None = None
_optional: set[int] = set()
_forbidden: set[int] = set()


class Node(NamedTuple):
    """A task: what it does with its children, and whether it takes its time."""

    number: int
    verb: str
    slow: bool
    children: tuple[Any, ...]


def current_simulation() -> Simulation:
    """The one that runs."""
    assert _simulation is not None
    return _simulation


def breathe() -> None:
    """User code takes its time."""
    current_simulation().breathe()


# -- what tasks do ---------------------------------------------------------


def run_node(node: Node) -> int:
    """Runs a task of the random program; its value is the sum over its subtree."""
    current_simulation().executed[node.number] += 1
    if node.slow:
        breathe()
    total = node.number + (combine(node) if node.children else 0)
    if node.slow:
        breathe()
    return total


def run_and_raise(node: Node) -> None:
    """A task that fails, with its value in the exception."""
    kind = (KeyError, SystemExit, StopIteration)[node.number % 3]
    raise kind(run_node(node))


def run_or_raise(node: Node) -> int:
    """Every third task fails."""
    if node.number % 3 == 0:
        raise KeyError(run_node(node))
    return run_node(node)


def combine(node: Node) -> int:
    """The sum over the children of ``node``, computed in the manner of its verb."""
    return WAYS[node.verb](node)


def value_of(node: Node) -> int:
    """What ``run_node`` must return."""
    if node.verb == "forget":
        return node.number
    return node.number + sum(map(value_of, node.children))


def nodes(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def give_up(children: Iterable[Node], started: bool = True) -> int:
    """The value of children that need not run; that must not, unless they may have started."""
    total = 0
    for child in children:
        (_optional if started else _forbidden).update(one.number for one in nodes(child))
        total += value_of(child)
    return total


def patience(node: Node) -> float:
    """A timeout in virtual seconds: from a look at the clock to thousands."""
    return current_simulation().tick_s * 4 ** (node.number % 8)


def submitted(node: Node, func: Callable[..., Any] = run_node) -> list[futures.Future[Any]]:
    """The children as futures."""
    return [futures.submit(func, child) for child in node.children]


def results(pending: Iterable[futures.Future[int]]) -> int:
    """The sum of the results."""
    return sum(future.result() for future in pending)


# -- ways to run the children ----------------------------------------------


def wait_for_first(node: Node) -> int:
    pending = submitted(node)
    done, rest = futures.wait(pending, return_when=futures.FIRST_COMPLETED)
    assert done and all(future.done() for future in done)
    return results([*done, *rest])


def wait_for_first_exception(node: Node) -> int:
    pending = submitted(node, run_or_raise)
    done, rest = futures.wait(pending, return_when=futures.FIRST_EXCEPTION)
    assert not rest or any(future.exception() for future in done)
    errors = [future.exception() for future in [*done, *rest]]
    return sum(error.args[0] for error in errors if error is not None) + results(
        future for future in pending if future.exception() is None)


def wait_with_timeout(node: Node) -> int:
    pending = submitted(node)
    done, rest = futures.wait(pending, timeout=patience(node))
    assert len(done) + len(rest) == len(pending)
    return results(pending)


def result_with_timeout(node: Node) -> int:
    total = 0
    for future in submitted(node):
        try:
            total += future.result(timeout=patience(node))
        except futures.TimeoutError:
            total += future.result()
    return total


def as_completed_with_timeout(node: Node) -> int:
    pending = submitted(node)
    seen = []
    try:
        for future in futures.as_completed(pending, timeout=patience(node)):
            seen.append(future)
    except futures.TimeoutError:
        assert len(seen) < len(pending)
    assert len(set(seen)) == len(seen) and all(future.done() for future in seen)
    return results(pending)


def cancel_some(node: Node) -> int:
    total = 0
    for child, future in zip(node.children, submitted(node)):
        if child.number % 2 and future.cancel():
            assert future.cancelled() and future.done()
            total += give_up([child], started=False)
        else:
            total += future.result()
    return total


def poll(node: Node) -> int:
    pending = submitted(node)
    for future in reversed(pending):
        while not future.done():
            breathe()
    return results(pending)


def raise_all(node: Node) -> int:
    errors = [future.exception() for future in submitted(node, run_and_raise)]
    assert all(isinstance(error, (KeyError, SystemExit, StopIteration)) for error in errors)
    return sum(int(error.args[0]) for error in errors if error is not None)


def map_with_timeout(node: Node) -> int:
    try:
        return sum(futures.map(run_node, node.children, timeout=patience(node)))
    except futures.TimeoutError:
        return give_up(node.children)


def map_and_raise(node: Node) -> int:
    total = 0
    children = iter(node.children)
    try:
        for result in futures.map(run_or_raise, node.children):
            assert result == value_of(next(children))
            total += result
    except KeyError as error:
        assert error.args == (value_of(next(children)),)
        total += error.args[0] + give_up(children)
    return total


def reduce_and_raise(node: Node) -> int:
    try:
        return futures.mapReduce(run_or_raise, operator.add, node.children)
    except KeyError as error:
        assert error.args[0] in map(value_of, node.children)
        return give_up(node.children)


def abandon(node: Node) -> int:
    found = futures.map(run_node, node.children)
    total = next(found)
    found.close()
    return total + give_up(node.children[1:])


def abandon_buffered(node: Node) -> int:
    found = futures.map_as_completed(run_node, iter(node.children), buffersize=3)
    assert next(found) in map(value_of, node.children)
    del found
    return give_up(node.children)


def with_lambda(node: Node) -> int:
    bonus = len(node.children)
    return sum(futures.map(lambda one: run_node(one) + bonus, node.children)) - bonus ** 2


def with_closures(node: Node) -> int:
    """A function by value for each task; which makes more of them there."""
    def closure(bonus: int) -> Callable[[Node], int]:
        filler = "x" * 50 * bonus

        def run(child: Node) -> int:
            def twice() -> int:
                return 2 * bonus + len(filler[:0])
            return run_node(child) + futures.submit(twice).result() - bonus
        return run

    pending = [futures.submit(closure(child.number), child) for child in node.children]
    return results(pending) - sum(child.number for child in node.children)


def in_callbacks(run: Callable[[Node], Any]) -> Callable[[Node], int]:
    """Each child is run in a callback of another task, by ``run``."""
    def way(node: Node) -> int:
        seen: list[Any] = []
        for child in node.children:
            future = futures.submit(_tick, child.slow)
            future.add_done_callback(lambda _, child=child: seen.append(run(child)))
        while len(seen) < len(node.children):  # a callback that waits ends some time later
            futures.submit(_tick, True).result()
        return sum(one.result() if isinstance(one, futures.Future) else one for one in seen)
    return way


def _tick(slow: bool) -> None:
    current_simulation().signs_of_life += 1
    if slow:
        breathe()


def with_constants(node: Node) -> int:
    names = [f"c{node.number}", f"d{node.number}"]
    shared.setConst(**dict.fromkeys(names, node))
    total = sum(futures.map(run_with_constant, [names[0]] * len(node.children), node.children))
    assert futures.submit(shared.getConst, names[1]).result() == node
    shared.delConst(names[0])
    assert futures.submit(shared.getConst, names[0], 0).result() is None
    return total


def run_with_constant(name: str, child: Node) -> int:
    """A task that reads a constant first."""
    node = shared.getConst(name)
    assert child in node.children
    return run_node(child)


class Unpicklable:
    """Travels to nobody."""

    def __reduce__(self) -> Any:
        raise TypeError("not this one")


class Unloadable:
    """Pickles, but cannot be rebuilt."""

    def __reduce__(self) -> Any:
        return _fail_to_load, ()


def _fail_to_load() -> None:
    raise OSError("cannot be rebuilt")


class Slow:
    """Takes its time to be pickled, and to be rebuilt."""

    def __reduce__(self) -> Any:
        current_simulation().breathe(in_task=False)
        return _rebuild_slowly, ()


def _rebuild_slowly() -> Slow:
    current_simulation().breathe(in_task=False)
    return Slow()


class Busy:
    """Creates tasks, and waits for them, while it is rebuilt."""

    def __reduce__(self) -> Any:
        return _rebuild_busily, ()


def _rebuild_busily() -> Busy:
    with current_simulation().work_in_hands():
        futures.submit(_tick, True).result()
    return Busy()


LUGGAGE = (Unpicklable, int, Unloadable, Slow)


def run_with(child: Node, luggage: object) -> int:
    return run_node(child)


def run_and_return(child: Node, luggage: object) -> tuple[int, object]:
    return run_node(child), luggage


def with_luggage(node: Node) -> int:
    """Arguments that cannot travel, or do so slowly: nobody else is harmed."""
    pending = [futures.submit(run_with, child, LUGGAGE[child.number % len(LUGGAGE)]())
               for child in node.children]
    total = 0
    for child, future in zip(node.children, pending):
        try:
            total += future.result()
        except NotPicklableError:
            assert child.number % len(LUGGAGE) in (0, 2)
            total += give_up([child], started=False)
    return total


def with_busy_luggage(node: Node) -> int:
    """User code that the package calls uses its verbs."""
    found = futures.map(run_with, node.children, [Busy() for _ in node.children])
    alone = [futures.submit(isinstance, Busy(), Busy) for _ in range(3)]
    assert all(future.result() for future in alone)
    return sum(found)


def map_with_luggage(node: Node) -> int:
    """Results that cannot travel, or do so slowly."""
    pending = [futures.submit(run_and_return, child, LUGGAGE[child.number % len(LUGGAGE)]())
               for child in node.children]
    total = 0
    for child, future in zip(node.children, pending):
        try:
            total += future.result()[0]
        except NotPicklableError:
            total += give_up([child])
    return total


WAYS: dict[str, Callable[[Node], int]] = {
    "leaf": lambda node: results(submitted(node)),
    "submit": lambda node: results(submitted(node)),
    "reverse": lambda node: results(reversed(submitted(node))),
    "as_completed": lambda node: results(futures.as_completed(submitted(node))),
    "wait": lambda node: results(futures.wait(submitted(node)).done),
    "first": wait_for_first,
    "map": lambda node: sum(futures.map(run_node, node.children)),
    "map_as_completed": lambda node: sum(futures.map_as_completed(run_node, node.children)),
    "mapReduce": lambda node: futures.mapReduce(run_node, operator.add, node.children),
    "mapScan": lambda node: futures.mapScan(run_node, operator.add, node.children)[-1],
    "forget": lambda node: 0 if submitted(node) else 1,
    "raise": raise_all,
    "buffered": lambda node: sum(futures.map(run_node, iter(node.children), buffersize=2)),
    "lambda": with_lambda,
    "abandon": abandon,
    "chunks": lambda node: sum(futures.map(run_node, node.children, chunksize=2)),
    "first_exception": wait_for_first_exception,
    "wait_timeout": wait_with_timeout,
    "timeout": result_with_timeout,
    "as_completed_timeout": as_completed_with_timeout,
    "map_timeout": map_with_timeout,
    "map_raise": map_and_raise,
    "reduce_raise": reduce_and_raise,
    "abandon_buffered": abandon_buffered,
    "cancel": cancel_some,
    "poll": poll,
    "closures": with_closures,
    "callback_submit": in_callbacks(lambda child: futures.submit(run_node, child)),
    "callback_wait": in_callbacks(lambda child: futures.submit(run_node, child).result()),
    "callback_map": in_callbacks(lambda child: sum(futures.map(run_node, [child]))),
    "constants": with_constants,
    "luggage": with_luggage,
    "luggage_back": map_with_luggage,
    "busy_luggage": with_busy_luggage,
}
VERBS = tuple(WAYS)

Shape = tuple[str, bool, tuple[Any, ...]]

shapes = st.recursive(
    st.tuples(st.sampled_from(VERBS), st.booleans(), st.just(())),
    lambda below: st.tuples(
        st.sampled_from(VERBS), st.booleans(), st.lists(below, max_size=6).map(tuple)
    ),
    max_leaves=25,
)


def numbered(shape: Shape, count: list[int]) -> Node:
    """Gives every task of a shape its number."""
    count[0] += 1
    number = count[0]
    verb, slow, children = shape
    return Node(number, verb, slow, tuple(numbered(child, count) for child in children))


def wide(verb: str, width: int, depth: int) -> Shape:
    """A full tree."""
    below = tuple(wide(verb, width, depth - 1) for _ in range(width)) if depth else ()
    return verb, depth == 0, below


def play(
    workers: int, program: Callable[[], Any], seed: int = 0, **settings: Any
) -> Simulation:
    """Runs ``program`` on the root of a pool; the job must end well."""
    global _simulation
    _simulation = simulation = Simulation(workers, seed, **settings)
    simulation.run(program)
    return simulation


def simulate(workers: int, seed: int, tree: Node, **settings: Any) -> Simulation:
    """Runs a random program; checks its result and that it was run once."""
    _optional.clear()
    _forbidden.clear()
    tuning = replace(settings.pop("tuning", TUNING), turn_after=(1, 5, 100)[seed % 3])
    if not seed % 2:
        tuning = replace(tuning, definitions_kept_bytes=seed % 3000,
                         definitions_believed_bytes=seed % 7000)
    simulation = play(workers, lambda: run_node(tree), seed, tuning=tuning, **settings)
    assert simulation.result == value_of(tree)
    run = set(simulation.executed)
    missing = {node.number for node in nodes(tree)} - _optional - _forbidden - run
    assert not missing, f"never run: {missing}"
    assert not run & _forbidden, f"run, but cancelled: {run & _forbidden}"
    return simulation
