"""Trees of tasks: every verb, over callables of every form that call verbs themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .callables import define
from .errors import raising
from .section import Draw, Text

VALUES = (
    "n * 3", "(n, str(n))", "[n] * (n % 4)", '{"n": n, n: None}', "float(n) / 7", "{n, n + 1}",
    '"x" * n', "None", "large(n)", "frozenset([n])", "n % 2 == 0", "range(n)", "complex(n, 1)",
    "[large(n), (n, large(n + 1))]", "bytearray([n % 250])", "collections.deque([n, n])",
    "collections.OrderedDict(a=n)", "2 ** (n + 70)", "abs", "len",
)


class Level(NamedTuple):
    """A callable of the tree: its expression; ``raises``: may it?; ``cost``: calls in all."""

    expression: str
    raises: bool
    cost: int


def tree(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """One to three levels of functions whose bodies call verbs; the errors are caught or not."""
    place = draw.choice(draw.places())
    shared = place in ("top", "module", "split")
    levels = [_leaf(draw, f"{name}_leaf{k}", definitions, shared)
              for k in range(draw.randint(1, 3))]
    for k in range(draw.randint(0, 3)):
        below = draw.choice(levels)
        if below.cost < 60:
            levels.append(_inner(draw, f"{name}_f{k}", below, definitions, shared))
    for k in range(draw.randint(1, 3)):
        body.add(*_verb(draw, f"r{k}", draw.choice(levels[-2:]), str(draw.randint(2, 9))))
    used = [f"r{k}" for k in range(3) if any(line.startswith(f"r{k} =") for line in body.lines)]
    body.add(f"return [{', '.join(used)}]")
    return place


def _leaf(draw: Draw, name: str, text: Text, shared: bool) -> Level:
    lines = [draw.one("nap(n)", "nap(n)", "nap(2)", "pass")]
    raises = draw.maybe(0.35)
    if raises:
        raised = raising(draw, f"{name}_error", text)
        condition = draw.one("n % 3 == 1", "n == 2", "n % 7 == 6", "n > 1", "True")
        lines += [f"if {condition}:", *("    " + line for line in raised.lines)]
        if raised.catch and draw.maybe(0.3):  # something of its own on the way out
            lines = ["try:", *("    " + line for line in lines),
                     f"except {raised.catch}:", "    nap(n)", "    raise"]
    lines.append(f"return {draw.one(*VALUES)}")
    return Level(define(draw, name, lines, text, shared), raises, 1)


def _inner(draw: Draw, name: str, below: Level, text: Text, shared: bool) -> Level:
    count = draw.randint(1, 4)
    lines: list[str] = []
    if draw.maybe(0.3):
        lines.append("nap(n)")
    lines += _verb(draw, "r", below, str(count))
    raises = below.raises and not lines[-1].startswith("r = outcome(")
    lines.append(draw.one("return r", "return (n, r)", "return show(r)"))
    return Level(define(draw, name, lines, text, shared), raises, below.cost * count + 1)


def _verb(draw: Draw, target: str, level: Level, count: str) -> list[str]:
    """Statements that call a verb ``count`` times and set ``target``."""
    verbs = _ANY if level.raises else _ANY + _NOT_RAISING
    lines = draw.choice(verbs)(draw, target, level.expression, f"range({count})")
    if not draw.timeouts:
        lines = [line.replace(", timeout=60", "") for line in lines]
    if level.raises and not lines[-1].startswith(f"{target} = outcome(") and draw.maybe():
        inside = [line.replace(f"{target} =", "return") for line in lines]
        return [f"def attempt_{target}():", *("    " + line for line in inside),
                f"{target} = outcome(attempt_{target})"]
    return lines


# -- verbs whose outcome is promised, whether items raise or not ---------------


def _map(draw: Draw, target: str, f: str, items: str) -> list[str]:
    extra = draw.one("", "", ", chunksize=1", ", chunksize=4", ", buffersize=1", ", buffersize=5",
                     ", timeout=60", ", timeout=None")
    items = draw.one(items, f"list({items})", f"iter({items})", f"(n for n in {items})")
    return [f"{target} = list(futures.map({f}, {items}{extra}))"]


def _map_until_error(draw: Draw, target: str, f: str, items: str) -> list[str]:
    extra = draw.one("", "", ", buffersize=2", ", chunksize=2")
    return [f"results = futures.map({f}, {items}{extra})",
            f"taken_{target} = []",
            "def take():",
            "    for one in results:",
            f"        taken_{target}.append(one)",
            "    return next(results, 'over')",
            f"{target} = outcome(take), taken_{target}, next(results, 'over')"]


def _submit(draw: Draw, target: str, f: str, items: str) -> list[str]:
    pending = f"[futures.submit({f}, n) for n in {items}]"
    order = draw.one("pending", "reversed(pending)", "pending[1:] + pending[:1]")
    return [f"pending = {pending}", f"{target} = [outcome(one.result) for one in {order}]"]


def _submit_and_raise(draw: Draw, target: str, f: str, items: str) -> list[str]:
    join = draw.one("[one.result() for one in pending]", "futures._joinAll(*pending)",
                    "[one.result() for one in futures._waitAll(*pending)]",
                    "[futures._join(one) for one in pending]")
    make = draw.one(f"[futures.submit({f}, n) for n in {items}]",
                    f"futures._mapFuture({f}, {items})")
    return [f"pending = {make}", f"{target} = {join}"]


def _exceptions(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"pending = [futures.submit({f}, n) for n in {items}]",
            f"{target} = [show(one.exception()) for one in pending]"]


def _as_completed(draw: Draw, target: str, f: str, items: str) -> list[str]:
    extra = draw.one("", "", ", timeout=60")
    return [f"pending = [futures.submit({f}, n) for n in {items}]",
            f"{target} = unordered(outcome(one.result) "
            f"for one in futures.as_completed(pending{extra}))"]


def _wait(draw: Draw, target: str, f: str, items: str) -> list[str]:
    lines = [f"pending = [futures.submit({f}, n) for n in {items}]"]
    when = draw.one("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")
    extra = draw.one("", ", timeout=60", ", timeout=None")
    lines.append(f"done, rest = futures.wait(pending{extra}, return_when=futures.{when})")
    if when == "ALL_COMPLETED":
        lines.append("facts = len(done), len(rest)")
    elif when == "FIRST_COMPLETED":
        lines.append("facts = bool(done) or not pending, len(done) + len(rest) == len(pending)")
    else:
        lines.append("facts = not rest or any(one.exception() is not None for one in done)")
    lines.append(f"{target} = facts, [outcome(one.result) for one in pending]")
    return lines


def _startup(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"{target} = [futures._startup({f}, n) for n in {items}]"]


def _nested_submit(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"pending = [futures.submit(outcome, {f}, n) for n in {items}]",
            f"{target} = [one.result() for one in pending]"]


def _which(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"{target} = happened(list, futures.map_as_completed({f}, {items}))"]


def _reduce(draw: Draw, target: str, f: str, items: str) -> list[str]:
    verb = draw.one("mapReduce", "mapScan")
    return [f"def as_list(n, f={f}):", "    return [f(n)]",
            f"{target} = futures.{verb}(as_list, operator.add, {items})"]


_ANY: list[Callable[[Draw, str, str, str], list[str]]] = [
    _map, _map, _map_until_error, _submit, _submit_and_raise, _exceptions, _as_completed, _wait,
    _startup, _nested_submit, _which, _reduce, _reduce,
]


# -- verbs whose outcome is promised only if no item raises ---------------------


def _map_as_completed(draw: Draw, target: str, f: str, items: str) -> list[str]:
    extra = draw.one("", ", buffersize=3", ", timeout=60", ", chunksize=2")
    return [f"{target} = unordered(futures.map_as_completed({f}, {items}{extra}))"]


def _wait_any(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"pending = futures._mapFuture({f}, {items})",
            f"{target} = unordered(one.result() for one in futures._waitAny(*pending))"]


def _map_of_several(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"def two(n, other, f={f}, by_name=0):", "    return f(n), other, by_name",
            f"{target} = list(futures.map(two, {items}, 'abcdefgh', by_name=5))"]


def _endless(draw: Draw, target: str, f: str, items: str) -> list[str]:
    size = draw.randint(1, 6)
    return [f"results = futures.map({f}, itertools.count(), buffersize={size})",
            f"{target} = list(itertools.islice(results, len({items})))", "results.close()"]


def _closed(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"results = futures.map({f}, {items})", f"{target} = next(results, None)",
            "results.close()"]


def _dropped(draw: Draw, target: str, f: str, items: str) -> list[str]:
    return [f"futures.map({f}, {items})", f"futures.submit({f}, 3)",
            f"{target} = 'nobody asks'"]


_NOT_RAISING: list[Callable[[Draw, str, str, str], list[str]]] = [
    _map_as_completed, _map_as_completed, _wait_any, _map_of_several, _endless, _closed, _dropped,
]
