"""What SCOOP 0.7.2 gets wrong, one function each; runs unmodified under SCOOP and here.

Argument: which one. Prints ``verdict: right``, or what happened in place of it; nothing if
it hangs or the program is gone. The
right behaviour is that of PEP 3148 and of SCOOP's manual.
"""

import concurrent.futures
import faulthandler
import itertools
import logging
import operator
import sys
import time

import scoop
from scoop import futures, shared
from scoop._types import CancelledError, TimeoutError

LONG_S = 3
"""A task that lasts so long is not waited for, if all is right."""


def nap(seconds):
    """Takes a while."""
    time.sleep(seconds)
    return seconds


def fail(seconds=0):
    """Raises, after a while."""
    time.sleep(seconds)
    raise ValueError("as it should")


def add(a, b):
    """A reduction."""
    return a + b


class Hollow(Exception):
    """An exception that is false."""

    def __len__(self):
        return 0


def fail_hollow(seconds):
    """Raises that, after a while."""
    time.sleep(seconds)
    raise Hollow()


class Demanding(Exception):
    """An exception that pickle cannot rebuild."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fail_demanding(seconds):
    """Raises that, after a while."""
    time.sleep(seconds)
    raise Demanding("one", "two")


def in_time(verdict, began):
    """The verdict, unless a long task was waited for."""
    return verdict if time.time() - began < LONG_S - 1 else f"{verdict}, but too late"


# -- timeouts --------------------------------------------------------------


def times_out(wait):
    """Does ``wait`` raise TimeoutError in time? What it waits for lasts long."""
    began = time.time()
    try:
        wait()
    except concurrent.futures.TimeoutError:
        return in_time("right", began)
    return "waited to the end"


def result_timeout():
    """result(timeout) waits no longer than that."""
    return times_out(lambda: futures.submit(nap, LONG_S).result(timeout=0.2))


def exception_timeout():
    """So does exception(timeout)."""
    return times_out(lambda: futures.submit(nap, LONG_S).exception(timeout=0.2))


def map_timeout():
    """So does map(timeout=...)."""
    return times_out(lambda: list(futures.map(nap, [LONG_S] * 2, timeout=0.2)))


def map_as_completed_timeout():
    """So does map_as_completed(timeout=...)."""
    return times_out(lambda: list(futures.map_as_completed(nap, [LONG_S] * 2, timeout=0.2)))


def as_completed_timeout():
    """So does as_completed(timeout)."""
    return times_out(lambda: list(futures.as_completed([futures.submit(nap, LONG_S)], 0.2)))


def wait_without_limit():
    """wait(timeout=None) has no limit."""
    future = futures.submit(nap, 0.1)
    return "right" if future in futures.wait([future], timeout=None).done else "not done"


# -- exceptions ------------------------------------------------------------


def exception_waits():
    """exception() waits for the outcome."""
    error = futures.submit(fail, 0.1).exception()
    return "right" if isinstance(error, ValueError) else f"exception() is {error!r}"


def wait_first_exception():
    """wait(FIRST_EXCEPTION) returns at the first exception."""
    began = time.time()
    slow, failing = futures.submit(nap, LONG_S), futures.submit(fail, 0.2)
    done, _ = futures.wait([slow, failing], return_when=futures.FIRST_EXCEPTION)
    return in_time("right" if failing in done else "the failed one is not done", began)


def wait_does_not_raise():
    """wait() tells which futures are done; it does not raise what they raised."""
    fs = [futures.submit(fail), futures.submit(nap, 0)]
    return "right" if futures.wait(fs).done == set(fs) else "not all are done"


def as_completed_yields_failed_ones():
    """as_completed() yields futures that have raised."""
    fs = [futures.submit(fail), futures.submit(nap, 0)]
    return "right" if set(futures.as_completed(fs)) == set(fs) else "not all came"


def result_is_its_own():
    """result() raises what its own call raised, nobody else's exception."""
    failing, fine = futures.submit(fail, 0.1), futures.submit(nap, 0.3)
    fine.result()
    return "right" if isinstance(failing.exception(), ValueError) else "lost"


def false_exceptions():
    """An exception that is false is one all the same."""
    return "right" if _raises(Hollow, futures.submit(fail_hollow, 0)) else "lost"


def exceptions_that_cannot_be_rebuilt():
    """An exception that pickle cannot rebuild arrives as some exception."""
    fs = [futures.submit(fail_demanding, 0.1) for _ in range(8)]
    return "right" if all(_raises(Exception, future) for future in fs) else "lost"


def _raises(type_, future):
    try:
        future.result()
    except type_:
        return True
    return False


def standard_exceptions():
    """CancelledError and TimeoutError are the standard library's."""
    same = (CancelledError is concurrent.futures.CancelledError
            and TimeoutError is concurrent.futures.TimeoutError)
    return "right" if same else "others of the same name"


def cancelled_is_done():
    """A cancelled future is done, and its callbacks are called."""
    called = []
    future = [futures.submit(nap, 0.1) for _ in range(3)][-1]
    future.add_done_callback(called.append)
    if not future.cancel():
        return "cannot be cancelled"
    return "right" if future.done() and called else "not done"


# -- callbacks -------------------------------------------------------------


def callback_errors_are_logged():
    """An exception in a callback is logged and ignored."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    scoop.logger.addHandler(handler)
    called = []
    future = futures.submit(nap, 0.1)
    future.add_done_callback(lambda future: operator.truediv(1, 0))
    future.add_done_callback(called.append)
    future.result()
    scoop.logger.removeHandler(handler)
    if not called:
        return "the next callback was not called"
    errors = [record.exc_info[0] for record in records if record.exc_info]
    return "right" if errors == [ZeroDivisionError] else "swallowed"


def late_callback_errors_are_ignored():
    """Also in a callback that is added when the future is done."""
    logging.disable(logging.ERROR)
    future = futures.submit(nap, 0)
    future.result()
    future.add_done_callback(lambda future: operator.truediv(1, 0))
    return "right"


# -- reductions ------------------------------------------------------------


def map_scan():
    """mapScan() carries on from the left half to the right."""
    found = futures.mapScan(abs, add, range(1, 11))
    return "right" if found == list(itertools.accumulate(range(1, 11))) else f"{found}"


def map_scan_of_one():
    """mapScan() of a single element."""
    return "right" if futures.mapScan(abs, add, [-5]) == [5] else "wrong"


def map_reduce_of_one():
    """mapReduce() of a single element."""
    return "right" if futures.mapReduce(abs, add, [-5]) == 5 else "wrong"


def map_reduce_of_none():
    """mapReduce() of no elements says so."""
    try:
        return f"{futures.mapReduce(abs, add, [])!r}"
    except ValueError as error:
        return "right" if "element" in str(error) else f"{error}"


def map_reduce_of_an_iterator():
    """mapReduce() takes whatever can be iterated over."""
    return "right" if futures.mapReduce(abs, add, iter(range(5))) == 10 else "wrong"


# -- constants -------------------------------------------------------------


def constant_none():
    """None is a constant like others: there at once."""
    shared.setConst(nothing=None)
    began = time.time()
    shared.getConst("nothing", timeout=LONG_S)
    return in_time("right", began)


def constant_at_once():
    """setConst() does not sleep."""
    took = []
    for number in range(5):
        began = time.time()
        shared.setConst(**{f"number{number}": number})
        took.append(time.time() - began)
    return "right" if min(took) < 0.1 else "slept"


def read_now(name):
    """What this task sees, without any waiting."""
    time.sleep(0.01)
    return shared.getConst(name, timeout=0)


def constant_everywhere():
    """When setConst() returns, every task that starts afterwards sees the constant."""
    for number in range(10):
        shared.setConst(**{f"seen{number}": number})
        found = list(futures.map(read_now, [f"seen{number}"] * 8))
        if found != [number] * 8:
            return f"{found}"
    return "right"


def define(name, at):
    """Tries to define a constant at the same moment as others do."""
    time.sleep(max(0, at - time.time()))
    try:
        shared.setConst(**{name: at})
    except TypeError as error:
        return str(error)
    return "defined"


def constant_once():
    """Of several that define a constant at the same time, one succeeds."""
    for number in range(5):
        name, at = f"once{number}", time.time() + 0.3
        told = sorted(futures.map(define, [name] * 2, [at] * 2))
        if told != [f"This constant already exists: {name}.", "defined"]:
            return f"{told}"
    return "right"


def set_later(name):
    """Sets what others wait for."""
    shared.setConst(**{name: "here"})


def others_run_meanwhile():
    """While one waits for a constant, the task that defines it can run on that worker."""
    busy = [futures.submit(nap, LONG_S) for _ in range(scoop.SIZE - 1)]
    time.sleep(0.5)
    setting = futures.submit(set_later, "late")
    found = shared.getConst("late", timeout=LONG_S - 1)
    setting.result()
    futures.wait(busy)
    return "right" if found == "here" else f"{found}"


# -- the rest --------------------------------------------------------------


def compares_with_anything():
    """A future can be compared with what is none."""
    future = futures.submit(nap, 0)
    return "right" if future != 5 and future in [None, future] else "wrong"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        faulthandler.dump_traceback_later(15, exit=True)  # it hangs: no verdict
        try:
            verdict = globals()[name]()
        except BaseException as problem:
            verdict = f"raised {type(problem).__name__}: {problem}"
        print(f"verdict of {name}: {verdict}", flush=True)
