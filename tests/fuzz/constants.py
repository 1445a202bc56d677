"""Shared constants: defined and read anywhere, freed and defined anew, called."""

from __future__ import annotations

from .callables import define
from .section import Draw, Text

_VALUES = (
    "None", "0", "()", "[1, [2, 3]]", '{"a": large(3)}', "large(5) * 30", "lambda n: n + 1",
    "functools.partial(pow, 2)", "int", "range(5)", "{1, 2}", "ValueError('x', 3)",
    "collections.OrderedDict", "operator.itemgetter(1)", "math.sqrt",
)


def constants(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """Some of the blocks below, each with constants of its own."""
    place = draw.choice(draw.places())
    shared = place in ("top", "module", "split")
    f = define(draw, f"{name}_run", ["nap(n)", "return n * 2"], definitions, shared)
    body.add("facts = []")
    usable = [one for one in _BLOCKS if place != "module" or "{c}(n)" not in one]
    blocks = draw.sample(usable, draw.randint(1, 4))
    for at, block in enumerate(blocks):
        text = block.format(f=f, c=f"{name}_c{at}", v=draw.one(*_VALUES), w=draw.one(*_VALUES),
                            n=draw.randint(1, 8), k=draw.randint(1, 4))
        if draw.maybe(0.3):
            lines = [f"def inside_{at}():", "    facts = []",
                     *("    " + line for line in text.strip().split("\n")), "    return facts",
                     f"facts.append(futures.submit(inside_{at}).result())"]
            text = "\n".join(lines)
        body.add(text)
    body.add("return facts")
    return place


_BLOCKS = [
    """
shared.setConst({c}={v}, {c}_b={w})
facts.append(show((shared.getConst("{c}"), shared.getConst("{c}_b"))))
def read(n):
    nap(n)
    return show((shared.getConst("{c}"), shared.getConst("{c}_b"))), n
facts.append(list(futures.map(read, range({n}))))
facts.append(outcome(shared.setConst, {c}=5))
shared.delConst("{c}")
facts.append([futures.submit(shared.getConst, "{c}", 0.001).result() for _ in range({k})])
facts.append(error_name(shared.delConst, "{c}"))
facts.append([one[0] for one in futures.map(read, range({k}))] == [
    show((None, shared.getConst("{c}_b")))] * {k} if {k} < 3 else None)
""",
    # Defined, freed, defined anew: nobody sees an old value.
    """
for turn in range({k} + 1):
    shared.setConst({c}=(turn, {v}))
    pending = [futures.submit(lambda n: shared.getConst("{c}")[0], n) for n in range({n})]
    facts.append([one.result() for one in pending] == [turn] * {n})
    shared.delConst("{c}")
""",
    # Of several that define a name at the same time exactly one succeeds.
    """
def define(n):
    nap(n)
    return error_name(lambda: shared.setConst({c}=n)) == ""
facts.append(sum(futures.map(define, range({n}))))
facts.append(shared.getConst("{c}") in range({n}))
facts.append(len(set(futures.map(lambda n: shared.getConst("{c}"), range({n})))))
""",
    # A callable becomes a global; the same object is read twice.
    """
shared.setConst({c}=lambda n: ("called", n, {f}(n)))
facts.append(list(futures.map(lambda n: {c}(n), range({n}))))
facts.append(list(futures.map(lambda n: shared.getConst("{c}")(n), range({n}))))
shared.delConst("{c}")
facts.append(error_name(lambda: {c}(1)))
""",
    """
shared.setConst({c}=[1, {{"n": {n}}}])
def twice(n):
    nap(n)
    return shared.getConst("{c}") is shared.getConst("{c}")
facts.append(list(futures.map(twice, range({n}))))
""",
    """
call = shared.SharedElementEncapsulation({f})
facts.append(list(futures.map(call, range({n}))))
again = shared.SharedElementEncapsulation([5, 6, 7].__getitem__)
facts.append(outcome(lambda: list(futures.map(again, range({k})))))
shared.setConst({c}={f})
facts.append(list(futures.map(shared.SharedElementEncapsulation("{c}"), range({n}))))
facts.append(error_name(shared.SharedElementEncapsulation, "{c}_missing"))
""",
    # All names of a call are defined, or none.
    """
facts.append(error_name(lambda: shared.setConst({c}={v}, {c}_b=Lock())))
facts.append(shared.getConst("{c}", timeout=0.001))
shared.setConst({c}_x=1)
facts.append(outcome(lambda: shared.setConst({c}={v}, {c}_x=2)))
facts.append(shared.getConst("{c}", 0.001))
""",
    # A reader waits for the definition.
    """
pending = [futures.submit(shared.getConst, "{c}", 20) for n in range({k})]
later = futures.submit(lambda: nap({n}) or shared.setConst({c}=({n}, {k})))
facts.append([one.result() for one in pending])
""",
    # A constant that is made in a task is there for the program.
    """
facts.append(futures.submit(lambda: shared.setConst({c}={v})).result())
facts.append(show(shared.getConst("{c}")))
facts.append(any("{c}" in names for names in shared.elements.values()))
""",
    """
values = {v}
shared.setConst({c}=dict(data=[{n}], more=values))
def change(n):
    nap(n)
    return [n] + shared.getConst("{c}")["data"]
facts.append(futures.mapReduce(change, operator.add, range({n})))
facts.append(futures.mapScan(change, operator.add, range({k})))
""",
]
