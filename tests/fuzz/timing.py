"""Timeouts, cancellations and callbacks: what is not promised becomes a fact that always holds."""

from __future__ import annotations

from .callables import define
from .section import Draw, Text


def timing(draw: Draw, name: str, definitions: Text, body: Text) -> str:
    """Some of the blocks below, one after the other."""
    place = draw.choice(draw.places())
    shared = place in ("top", "module", "split")
    f = define(draw, f"{name}_quick", ["nap(n)", "return (n, 'quick')"], definitions, shared)
    slow = define(draw, f"{name}_slow", ["time.sleep(0.02)", "return n"], definitions, shared)
    bad = define(draw, f"{name}_bad", ["nap(n)", "if n % 2:", "    raise KeyError(n)",
                                       "return n"], definitions, shared)
    body.add("facts = []")
    for block in draw.sample(_BLOCKS, draw.randint(1, 4)):
        text = block.format(f=f, slow=slow, bad=bad, p=name, n=draw.randint(1, 8),
                            k=draw.randint(1, 5), t=draw.choice([0, 0.0001, 0.005, 0.03]))
        if draw.maybe(0.3):  # in a task
            lines = ["def inside():", "    facts = []",
                     *("    " + line for line in text.strip().split("\n")), "    return facts",
                     "facts.append(futures.submit(inside).result())"]
            text = "\n".join(lines)
        body.add(text)
    body.add("return facts")
    return place


_BLOCKS = [
    # A timeout strikes or not; the result is there afterwards.
    """
one = futures.submit({slow}, {n})
facts.append(error_name(one.result, {t}) in ("", "TimeoutError"))
facts.append(one.result())
""",
    # Before the deadline some results of a map, and they are the first ones.
    """
taken = []
def take():
    for one in futures.map({slow}, range({n}), timeout={t}):
        taken.append(one)
facts.append(error_name(take) in ("", "TimeoutError") and taken == list(range(len(taken))))
""",
    """
pending = [futures.submit({slow}, n) for n in range({n})]
done, rest = futures.wait(pending, timeout={t})
facts.append((len(done) + len(rest) == {n}, done | rest == set(pending)))
facts.append([one.result() for one in pending])
""",
    """
pending = [futures.submit({slow}, n) for n in range({n})]
def some():
    return [one.result() for one in futures.as_completed(pending, timeout={t})]
facts.append(error_name(some) in ("", "TimeoutError"))
facts.append(unordered(one.result() for one in futures.as_completed(pending)))
""",
    # A cancelled future says so, any other one has its result.
    """
pending = [futures.submit({f}, n) for n in range({n})]
cancelled = [one.cancel() for one in pending[::2]]
facts.append(all((error_name(one.result) == "CancelledError") == gone == one.cancelled()
                 for one, gone in zip(pending[::2], cancelled)))
facts.append([one.result() for one in pending[1::2]])
facts.append(all(one.done() for one in pending))
""",
    """
pending = [futures.submit({f}, n) for n in range({n})]
futures.wait(pending)
facts.append([one.cancel() or one.cancelled() or one.running() for one in pending])
""",
    """
pending = [futures.submit({bad}, n) for n in range({n})]
pending[0].cancel()
seen = [one for one in futures.as_completed(pending)]
facts.append((len(seen), set(seen) == set(pending)))
done, rest = futures.wait(pending, return_when=futures.FIRST_EXCEPTION)
facts.append((len(done), len(rest)))
""",
    # Polling goes on until all is done.
    """
pending = [futures.submit({f}, n) for n in range({n})]
while not all([one.done() for one in pending]):
    nap({k})
facts.append([one.result() for one in pending])
""",
    # Callbacks: each is called once, whatever others raise; they may create tasks.
    """
seen = []
pending = [futures.submit({bad}, n) for n in range({n})]
for number, one in enumerate(pending):
    one.add_done_callback(lambda one, number=number: seen.append((number, one.done())))
facts.append(until(lambda: len(seen) >= {n}))
facts.append(unordered(seen))
""",
    """
seen = []
one = futures.submit({f}, {n})
def again(future, seen=seen):  # its last task may end when "seen" is another list
    if len(seen) < {k}:
        seen.append(future.result())
        futures.submit({f}, len(seen)).add_done_callback(again)
one.add_done_callback(again)
facts.append(until(lambda: len(seen) == {k}))
facts.append(seen)
""",
    """
seen = []
one = futures.submit({f}, {n})
for number in range({k}):
    one.add_done_callback(lambda one, number=number: seen.append(number))
one.result()
one.add_done_callback(lambda one: seen.append(one.result()))
facts.append(until(lambda: len(seen) == {k} + 1) and seen[:{k}] == list(range({k})))
""",
    """
seen = []
pending = [futures.submit({f}, n) for n in range({n})]
for one in pending:
    one.add_done_callback(lambda one: seen.append(futures.submit({slow}, 5).result()))
facts.append(until(lambda: len(seen) == {n}))
facts.append([one.result() for one in pending])
""",
    """
def universal(future):
    futures.submit({f}, 1)
pending = [futures.submit({f}, n) for n in range({n})]
for one in pending:
    one.add_done_callback(universal, CallbackType.universal)
facts.append([one.result() for one in pending])
""",
    # A map is left in the middle.
    """
results = futures.map({slow}, range({n} + 2), buffersize={k})
facts.append(next(results))
results.close()
facts.append(list(results))
results = futures.map_as_completed({f}, range({n} + 2))
next(results)
del results
""",
    # Tasks that wait for tasks of others' making.
    """
pending = [futures.submit({slow}, n) for n in range({n})]
facts.append(list(futures.map(lambda n: {f}(n)[0] + futures.submit({slow}, n).result(),
                              range({k}))))
facts.append([one.result() for one in pending])
""",
]
