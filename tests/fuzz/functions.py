"""Functions of every shape: their values, and their identity."""

from __future__ import annotations

from .section import SHARED_PLACES, Draw, Text


def functions(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """Some functions, their values and their identity."""
    place = draw.choice(draw.places())
    keys = draw.sample(list(_FUNCTIONS), draw.randint(1, 3))
    expressions = []
    for at, key in enumerate(keys):
        text, expression = _FUNCTIONS[key]
        definitions.add(text.format(f=f"{name}_f{at}"), "", "")
        expressions.append(expression.format(f=f"{name}_f{at}"))
    definitions.add(_TASKS.format(f=name))
    body.add("facts = []", f"functions = [{', '.join(expressions)}]")
    fill = {"f": name, "n": str(draw.randint(2, 9)), "k": str(draw.randint(1, 4))}
    for block in draw.sample(_FUNCTION_BLOCKS, draw.randint(2, 5)):
        body.add(block.format(**fill))
    if place in SHARED_PLACES:
        inside = " and ".join(f"given[{at}] is {one}" for at, one in enumerate(expressions)
                              if "(" not in one and not keys[at].startswith("in a "))
        if inside:
            body.add("def inside(given):", f"    nap(1)\n    return {inside}",
                     "facts.append(list(futures.map(inside, [functions] * 5)))")
    body.add("return facts")
    return place


_TASKS = """
def {f}_same(value):
    nap(1)
    return value


def {f}_apply(function, *args):
    nap(1)
    return function(*args)


def {f}_twice(function, n):
    nap(1)
    return [one.result() for one in [futures.submit({f}_apply, function, n + k) for k in (0, 1)]]
"""

_FUNCTIONS = {
    "plain": ("def {f}(n):\n    return n + 1", "{f}"),
    "lambda": ("{f} = lambda n, k=3: n + k  # noqa", "{f}"),
    "defaults": ("""
def {f}(n, more=(1, [2]), *, kind={{"a": 5}}, factory=lambda n: n):
    return n, more, kind, factory(n)
""", "{f}"),
    "attributes": ("""
def {f}(n: int) -> "text":
    "A docstring."
    return n, {f}.limit, {f}.__doc__, {f}.__annotations__["n"] is int

{f}.limit = 10
""", "{f}"),
    "cached": ("""
@functools.lru_cache(maxsize=3)
def {f}(n):
    return n * n if n < 2 else {f}(n - 1) + 1
""", "{f}"),
    "dispatched": ("""
@functools.singledispatch
def {f}(n):
    return "any"

@{f}.register(int)
def _{f}_int(n):
    return "int", n

@{f}.register(list)
def _{f}_list(n):
    return "list"
""", "{f}"),
    "mutual": ("""
def {f}_pair():
    def even(n):
        return True if n == 0 else odd(n - 1)

    def odd(n):
        return False if n == 0 else even(n - 1)
    return even, odd

{f}, {f}_odd = {f}_pair()
""", "{f}"),
    "bare decorator": ("""
def {f}_decorator(function):
    def inner(*args, **kwargs):
        return "inner", function(*args, **kwargs)
    return inner

@{f}_decorator
@{f}_decorator
def {f}(n):
    return n
""", "{f}"),
    "decorator with arguments": ("""
def {f}_repeat(times):
    def decorator(function):
        @functools.wraps(function)
        def inner(*args):
            return [function(*args) for _ in range(times)]
        return inner
    return decorator

@{f}_repeat(3)
def {f}(n):
    return n, {f}.__name__
""", "{f}"),
    "partial": ("""
def {f}_base(k, n):
    return k, n

{f} = functools.partial({f}_base, 5)
""", "functools.partial({f}_base, 4)"),
    "class decorator": ("""
class {f}_counted:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, n):
        return "counted", self.function(n)

@{f}_counted
def {f}(n):
    return n
""", "functools.partial({f})"),
    "context manager": ("""
@contextlib.contextmanager
def {f}_opened(n):
    yield n + 100

def {f}(n):
    with {f}_opened(n) as value:
        return value
""", "{f}"),
    "generator": ("""
def {f}_steps(n):
    for k in range(n % 5):
        yield k, n

def {f}(n):
    return list({f}_steps(n))
""", "{f}"),
    "recursive closure": ("""
def {f}_make(base):
    def run(n):
        return base if n <= 0 else (n, run(n - 2))
    return run

{f} = {f}_make("end")
""", "{f}"),
    "methods": ("""
class {f}_class:
    @staticmethod
    def static(n):
        return "static", n

    @classmethod
    def of_class(cls, n):
        return cls.__name__, n

    def plain(self, n):
        return "plain", n
""", "{f}_class.static"),
    "unbound method": ("""
class {f}_class:
    def plain(self, more=1):
        return "plain", self, more
""", "{f}_class.plain"),
    "in a list": ("""
{f} = [lambda n, k=k: n * k for k in range(4)]  # noqa
""", "{f}[3]"),
    "in a namespace": ("""
{f} = types.SimpleNamespace(run=lambda n: ("run", n))
""", "{f}.run"),
    "cells": ("""
def {f}_make():
    table = {{"n": 1}}
    values = [1, 2]

    def run(n):
        return table, values, n
    return run

{f} = {f}_make()
""", "{f}"),
    "async": ("""
async def {f}_wait(n):
    return n

def {f}(n):
    coroutine = {f}_wait(n)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
""", "{f}"),
    "method of a parent": ("""
class {f}_parent:
    def run(self, n):
        return "parent", n

class {f}_child({f}_parent):
    def run(self, n):
        return "child", n

    def of_parent(self):
        return super().run
""", "{f}_child().of_parent()"),
    "method of an instance": ("""
class {f}_class:
    pass

def {f}_run(self, n):
    return type(self) is {f}_class, n
""", "types.MethodType({f}_run, {f}_class())"),
    "builtin": ("{f} = math.floor", "{f}"),
    "comparing": ("""
def {f}(n):
    return {f} is {f}_alias, n

{f}_alias = {f}
""", "{f}"),
    "of exec": ("""
{f}_space = {{"__name__": __name__}}
exec("def {f}_made(n):\\n    return n, 'made'", {f}_space)
{f} = {f}_space["{f}_made"]
""", "{f}"),
}

_FUNCTION_BLOCKS = [
    """
for function in functions:
    facts.append(list(futures.map(function, range({n}))))
""",
    """
for function in functions:
    facts.append([one.result() for one in [futures.submit(function, n) for n in range({n})]])
""",
    """
for function in functions:
    if not isinstance(function, (functools.partial, types.MethodType)):
        facts.append([one is function for one in futures.map({f}_same, [function] * {n})])
""",
    """
for function in functions:
    facts.append(list(futures.map({f}_twice, [function] * {k}, range({k}))))
""",
    """
given = list(futures.map({f}_same, [(one, one, functions) for one in functions]))
facts.append([one is other and one in all_ for one, other, all_ in given
              if not isinstance(one, functools.partial)])
""",
    """
for at, function in enumerate(functions):
    shared.setConst(**{{f"{f}_c{{at}}": function}})
    facts.append(list(futures.map(lambda n: shared.getConst(f"{f}_c{{at}}")(n), range({n}))))
""",
    """
def uses(n):
    nap(n)
    return [function(n) for function in functions]
facts.append(list(futures.map(uses, range({n}))))
""",
    """
def make(n):
    nap(n)
    def inner(k):
        return n, k, functions[0](k)
    return inner, inner
for first, second in futures.map(make, range({k})):
    facts.append((first is second, first(3), futures.submit(first, 4).result()))
    facts.append(futures.submit({f}_same, first).result() is first)
""",
]
