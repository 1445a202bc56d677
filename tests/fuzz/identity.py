"""The identity of classes and functions: facts that hold in one process hold on workers.

What every rank has at its top level, under whatever name, and unchanged since the workers
imported it, is the same object there. All else is rebuilt once for each worker, and what comes
back is the original again.
"""

from __future__ import annotations

from .section import SHARED_PLACES, Draw, Text
from .shapes import SHAPES, Shape


def classes(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """A class of some shape, its instances in tasks, and facts about them."""
    place = draw.choice(draw.places())
    keys = list(SHAPES)
    if place in SHARED_PLACES:
        keys.remove("in a table")  # has no name of its own there: a task must not expect its own
    key = draw.choice(keys)
    shape = SHAPES[key]
    name += "_c"  # what a section defines must not be called as the section
    definitions.add(f"# shape: {key}", shape.definitions.format(c=name))
    cls, instance = shape.cls.format(c=name), shape.instance.format(c=name)
    fill = {"c": name, "cls": cls, "instance": instance, "n": str(draw.randint(2, 9)),
            "k": str(draw.randint(1, 4))}
    definitions.add(_TASKS.format(**fill))
    blocks = _blocks(shape, place)
    body.add("facts = []")
    for block in draw.sample(blocks, draw.randint(2, 5)):
        body.add(block.format(**fill))
    body.add("return facts")
    return place


def _blocks(shape: Shape, place: str) -> list[str]:
    blocks = list(_CLASS_BLOCKS)
    if shape.equal:
        blocks += _EQUAL_BLOCKS
    if place in SHARED_PLACES and shape.by_name:
        blocks += _PICKLE_BLOCKS
    if "Exception)" in shape.definitions:
        blocks += _EXCEPTION_BLOCKS
    return blocks


_TASKS = """
def {c}_create(n):
    nap(n)
    return {instance}


def {c}_is_one(one, cls):
    nap(2)
    return type(one) is cls and cls is {cls} and isinstance(one, {cls})


def {c}_same(value):
    nap(3)
    return value


def {c}_nested(n):
    nap(n)
    one, cls = [futures.submit({c}_same, value) for value in ({c}_create(n), {cls})]
    made = list(futures.map({c}_create, range(3)))
    return type(one.result()) is {cls} is cls.result(), [type(m) is {cls} for m in made], made
"""

_CLASS_BLOCKS = [
    """
made = list(futures.map({c}_create, range({n})))
facts.append([type(one) is {cls} for one in made])
facts.append(show(made))
""",
    """
made = [{c}_create(n) for n in range({n})]
facts.append(list(futures.map({c}_is_one, made, [{cls}] * {n})))
""",
    """
facts.append([one is {cls} for one in futures.map({c}_same, [{cls}] * {n})])
""",
    """
for first, second, made in futures.map({c}_nested, range({k})):
    facts.append((first, second, [type(one) is {cls} for one in made]))
""",
    """
pair = [({cls}, {c}_create(n), {{"class": {cls}}}) for n in range({n})]
for cls, one, table in futures.map({c}_same, pair):
    facts.append((cls is {cls}, type(one) is cls, table["class"] is cls))
""",
    """
shared.setConst({c}_cls={cls}, {c}_one={c}_create({k}))
def agree(n):
    nap(n)
    one = shared.getConst("{c}_one")
    return type(one) is shared.getConst("{c}_cls") is {cls} is type({c}_create(n))
facts.append(list(futures.map(agree, range({n}))))
facts.append((shared.getConst("{c}_cls") is {cls}, type(shared.getConst("{c}_one")) is {cls}))
""",
    """
pending = [futures.submit(lambda n: ({c}_create(n), {cls}), n) for n in range({n})]
for one in pending:
    made, cls = one.result()
    facts.append((type(made) is cls is {cls}, futures.submit({c}_is_one, made, cls).result()))
""",
    # A class of a task's own making.
    """
def fresh(n):
    nap(n)
    class Fresh({cls} if not issubclass({cls}, __import__("enum").Enum) else object):
        number = n

        def me(self):
            return Fresh
    return Fresh, Fresh.number
for cls, number in futures.map(fresh, range({n})):
    facts.append((number, cls.number, cls.me(None) is cls, cls.__mro__[1] in ({cls}, object)))
    facts.append(futures.submit({c}_same, cls).result() is cls)
""",
    """
mixed = [futures.submit({c}_create, 1), futures.submit({c}_same, {cls}),
         futures.submit({c}_same, {c}_create), futures.submit({c}_same, {c}_create(2))]
made, cls, create, same = [one.result() for one in mixed]
facts.append((type(made) is cls, cls is {cls}, create is {c}_create, type(same) is cls))
""",
]
_EQUAL_BLOCKS = [
    """
facts.append(list(futures.map({c}_create, range({n}))) == [{c}_create(n) for n in range({n})])
facts.append([one == {c}_create(3) for one in futures.map({c}_same, [{c}_create(3)] * {k})])
""",
    """
def equal(one, n):
    nap(n)
    return one == {c}_create(n)
facts.append(list(futures.map(equal, [{c}_create(n) for n in range({n})], range({n}))))
""",
]
_PICKLE_BLOCKS = [
    """
def pickled(n):
    nap(n)
    return pickle.dumps([{c}_create(n), {cls}])
for data in futures.map(pickled, range({n})):
    one, cls = pickle.loads(data)
    facts.append((type(one) is cls is {cls}, b"__scoop_main__" in data))
""",
    """
sent = pickle.dumps([{c}_create({k}), {cls}])
def loaded(data):
    nap(1)
    one, cls = pickle.loads(data)
    return type(one) is cls is {cls}
facts.append(list(futures.map(loaded, [sent] * {n})))
""",
]
_EXCEPTION_BLOCKS = [
    """
def fail(n):
    nap(n)
    raise {c}_create(n)
def caught(n):
    try:
        futures.submit(fail, n).result()
    except {cls} as error:
        return type(error) is {cls}, error.n, error.more
for n, one in enumerate([futures.submit(fail, n) for n in range({n})]):
    try:
        one.result()
    except {cls} as error:
        facts.append((type(error) is {cls}, error.n == n, show(error)))
facts.append(list(futures.map(caught, range({k}))))
""",
]
