"""What a program replaces or changes while it runs travels as it is then."""

from __future__ import annotations

from .section import Draw, Text


_REPLACED = ("run", "cls", "child", "combine", "power", "hook")


def changes(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """Names and attributes that the program changes before it creates tasks."""
    definitions.add(_CHANGED.format(c=name))
    body.add("facts = []")
    fill = {"c": name, "n": str(draw.randint(2, 9)), "k": str(draw.randint(1, 4))}
    for block in draw.sample(_CHANGES, draw.randint(1, 3)):
        body.add(block.format(**fill))
    declared = "global " + ", ".join(f"{name}_{what}" for what in _REPLACED)
    body.lines.insert(0, declared)
    body.add("return facts")
    return "top"


_CHANGED = """
def {c}_run(n):
    nap(n)
    return "old", n


class {c}_cls:
    level = 1

    def __init__(self, n):
        self.n = n

    def value(self):
        nap(self.n)
        return "old", self.n, self.level

    def __call__(self, n):
        return self.value(), n


class {c}_child({c}_cls):
    pass


def {c}_apply(function, *args):
    return function(*args)


@functools.singledispatch
def {c}_show(thing):
    return "something"


class {c}_shape(abc.ABC):
    pass


{c}_combine = operator.add
{c}_power = functools.partial(pow, 2)
{c}_hook = None
{c}_one = {c}_cls(1)


def {c}_work(n):
    nap(n)
    return {c}_combine(n, 3), {c}_power(n), {c}_hook and {c}_hook(n), {c}_one.value()


def {c}_told(thing):
    nap(thing.n)
    return {c}_show(thing), isinstance(thing, {c}_shape)
"""

_CHANGES = [
    """
{c}_show.register({c}_cls, lambda thing: ("shown", thing.n))
facts.append(list(futures.map({c}_told, [{c}_cls(n) for n in range({n})])))
facts.append(futures.submit({c}_apply, {c}_show, {c}_cls({k})).result())
""",
    """
{c}_shape.register({c}_child)
facts.append(list(futures.map({c}_told, [{c}_child(n) for n in range({n})])))
""",
    """
{c}_combine, {c}_power = operator.mul, functools.partial(pow, 3)
facts.append(list(futures.map({c}_work, range({n}))))
""",
    """
{c}_hook = {c}_run
facts.append(list(futures.map({c}_work, range({n}))))
""",
    """
type({c}_one).value = lambda self: ("patched", self.n)
facts.append(list(futures.map({c}_work, range({n}))))
""",
    """
def {c}_run(n):
    nap(n)
    return "new", n
facts.append(list(futures.map({c}_run, range({n}))))
facts.append([futures.submit({c}_apply, {c}_run, n).result() for n in range({k})])
""",
    """
before = {c}_run
@functools.wraps(before)
def {c}_run(*args):
    return "wrapped", before(*args)
facts.append(list(futures.map({c}_run, range({n}))))
facts.append(futures.submit(lambda: ({c}_run(1), before(2))).result())
""",
    """
{c}_run = functools.lru_cache({c}_run)
facts.append(list(futures.map({c}_run, range({n}))))
""",
    """
class {c}_cls:
    def __init__(self, n):
        self.n = n

    def __call__(self, n):
        nap(n)
        return "new class", self.n, n
facts.append(list(futures.map({c}_cls({k}), range({n}))))
made = list(futures.map(lambda n: {c}_cls(n), range({n})))
facts.append([type(one) is {c}_cls for one in made])
""",
    """
def patched(self):
    nap(self.n)
    return "patched", self.n
{c}_cls.value = patched
facts.append(list(futures.map({c}_cls({k}), range({n}))))
made = [futures.submit({c}_apply, {c}_cls, n) for n in range({n})]
facts.append([type(one.result()) is {c}_cls for one in made])
facts.append(list(futures.map({c}_cls.value, [{c}_cls(n) for n in range({k})])))
""",
    """
def patched(self):
    nap(self.n)
    return "patched for the child", self.n
{c}_cls.value = patched
facts.append(list(futures.map({c}_child({k}), range({n}))))
facts.append([type(futures.submit({c}_apply, {c}_child, 1).result()) is {c}_child])
""",
    """
class Other({c}_cls):
    def value(self):
        return "other", super().value()
{c}_child = Other
facts.append(list(futures.map({c}_child({k}), range({n}))))
facts.append([type(one) is {c}_child is Other
              for one in futures.map(lambda n: {c}_child(n), range({n}))])
""",
    """
{c}_cls.extra = lambda self: ("extra", self.n)
facts.append(list(futures.map(lambda one: one.extra(), [{c}_cls(n) for n in range({n})])))
""",
    """
for turn in range({k}):
    def {c}_run(n, turn=turn):
        nap(n)
        return turn, n
    facts.append(list(futures.map({c}_run, range({n}))))
""",
    """
{c}_run.__defaults__ = None
{c}_run.__code__ = (lambda n: (nap(n), "new code", n)).__code__
facts.append(list(futures.map({c}_run, range({n}))))
""",
]
