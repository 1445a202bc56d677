"""User code outside tasks: reducers, representations, inputs, callbacks, whatever they raise."""

from __future__ import annotations

from .section import Draw, Text

_RAISE = ('raise ValueError("x")', "sys.exit(3)", "raise KeyboardInterrupt()",
          "raise {p}_stop('x')", "raise RecursionError()", "raise StopIteration()")
"""{p}_stop is a BaseException of the section's own."""
_VERBS = ("futures.submit(abs, -1).result()", "list(futures.map(abs, range(3)))",
          "futures.wait([futures.submit(nap, 1)])", "pass", "nap(1)",
          'shared.getConst("nobody", 0.001)')


def outside(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """Some of the blocks below; what is sent may fail, the pool must go on."""
    place = draw.choice(draw.places())
    strike = draw.one(*_RAISE).format(p=name)
    verb = draw.one(*_VERBS)
    definitions.add(_CLASSES.format(p=name, strike=strike, verb=verb))
    body.add("facts = []")
    for block in draw.sample(_BLOCKS, draw.randint(1, 4)):
        body.add(block.format(p=name, n=draw.randint(1, 6), k=draw.randint(1, 4), strike=strike,
                              verb=verb))
    body.add(f"facts.append(list(futures.map({name}_take, range(5))))", "return facts")
    return place


_CLASSES = """
class {p}_stop(BaseException):
    pass


def {p}_take(*unused):
    nap(2)
    return "taken"


class {p}_no_pickling:
    def __reduce__(self):
        {verb}
        {strike}


def {p}_strike():
    {verb}
    {strike}


class {p}_no_rebuilding:
    def __reduce__(self):
        return {p}_strike, ()


class {p}_verbs_in_state:
    def __getstate__(self):
        {verb}
        return {{"a": 1}}

    def __setstate__(self, state):
        {verb}
        self.a = state["a"]


class {p}_no_text:
    def __init__(self):
        self.lock = Lock()

    def __repr__(self):
        {strike}

    __str__ = __repr__


class {p}_bad_error(Exception):
    def __repr__(self):
        {strike}

    __str__ = __repr__


class {p}_finalised:
    def __del__(self):
        {strike}


def {p}_give(kind):
    nap(2)
    return kind()


def {p}_raise_bad(n):
    raise {p}_bad_error(n)
"""

_BLOCKS = [
    # It goes through where it need not be pickled; else it is that task's error.
    """
for kind in ({p}_no_pickling, {p}_no_rebuilding, {p}_no_text):
    pending = [futures.submit({p}_take, kind()) for n in range({n})]
    facts.append(all(error_name(one.result) in ("", "NotPicklableError") for one in pending))
""",
    """
for kind in ({p}_no_pickling, {p}_no_rebuilding, {p}_no_text):
    pending = [futures.submit({p}_give, kind) for n in range({n})]
    facts.append(all(error_name(one.result) in ("", "NotPicklableError") for one in pending))
""",
    """
kinds = [int, {p}_no_pickling, int, {p}_no_rebuilding][:{k}] * {n}
facts.append(error_name(lambda: list(futures.map({p}_give, kinds))) in ("", "NotPicklableError"))
facts.append(error_name(lambda: list(futures.map({p}_take, [kind() for kind in kinds])))
             in ("", "NotPicklableError"))
""",
    """
pending = [futures.submit({p}_give, {p}_verbs_in_state) for n in range({n})]
facts.append([one.result().a if one.result().__dict__ else 1 for one in pending])
""",
    """
facts.append(list(futures.map({p}_take, [{p}_verbs_in_state() for n in range({n})])))
""",
    """
pending = [futures.submit({p}_raise_bad, n) for n in range({n})]
facts.append([error_name(one.result) in ("TaskError", "{p}_bad_error") for one in pending])
""",
    """
facts.append(error_name(lambda: shared.setConst({p}_c={p}_no_pickling())))
facts.append(shared.getConst("{p}_c", 0.001))
""",
    # Inputs that call verbs, or raise, are the caller's affair.
    """
def inputs(verb={n}):
    for n in range({n}):
        yield futures.submit(abs, -n).result()
facts.append(list(futures.map({p}_take, inputs())))
facts.append(list(futures.map({p}_take, inputs(), buffersize={k})))
""",
    """
def failing():
    for n in range({n}):
        yield n
    raise LookupError("inputs")
facts.append(error_name(lambda: list(futures.map({p}_take, failing()))))
facts.append(error_name(lambda: list(futures.map({p}_take, failing(), buffersize={k}))))
facts.append(error_name(lambda: futures.mapReduce(abs, max, failing())))
""",
    # What a callback raises harms nobody.
    """
def callback(future):
    {verb}
    raise ValueError("in a callback")
pending = [futures.submit({p}_take, n) for n in range({n})]
for one in pending:
    one.add_done_callback(callback)
facts.append([one.result() for one in pending])
""",
    """
pending = [futures.submit({p}_give, {p}_finalised) for n in range({n})]
facts.append(len([one.result() for one in pending]))
del pending
""",
]
