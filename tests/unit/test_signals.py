"""The guard of signal handlers, with real signals in this process and in others."""

import logging
import os
import signal
import sys
import time

import pytest

from scoop_mpi import futures, shared
from scoop_mpi.base import context
from scoop_mpi.workers.signals import Guarded, guard

pytestmark = pytest.mark.usefixtures("scheduler")

LIMIT_S = 10
"""A signal that has not come after that never will."""


class TooLong(Exception):
    pass


def ring(number, frame):
    raise TooLong


@pytest.fixture(autouse=True)
def dispositions():
    """Handlers as they are at a terminal; put back afterwards."""
    numbers = signal.SIGINT, signal.SIGALRM, signal.SIGUSR1
    before = [guard._getsignal(number) for number in numbers]
    guard._rests_until = 0.0  # not that of the test before
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, before):
        guard._signal(number, handler)
    guard.noted.clear()


def hit(number=signal.SIGUSR1):
    os.kill(os.getpid(), number)


def wait_until(condition):
    """User code that runs on."""
    stop_by = time.monotonic() + LIMIT_S
    while not condition() and time.monotonic() < stop_by:
        time.sleep(0.001)
    assert condition()


def never():
    wait_until(lambda: False)


# -- what the program sees -------------------------------------------------


def test_the_program_sees_its_own_handlers():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    before = signal.signal(signal.SIGUSR1, ring)
    assert signal.getsignal(signal.SIGUSR1) is ring
    assert signal.signal(signal.SIGUSR1, before) is ring
    assert signal.getsignal(signal.SIGUSR1) == before


def test_what_is_no_function_is_passed_on():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    hit()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert guard._getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_errors_are_those_of_the_standard_library():
    with pytest.raises(ValueError):
        signal.signal(10_000, ring)
    with pytest.raises(TypeError):
        signal.signal(signal.SIGUSR1, "no handler")
    with pytest.raises(OSError):
        signal.signal(signal.SIGKILL, ring)


def test_handlers_from_before_are_guarded_too():
    guard._signal(signal.SIGUSR1, ring)  # by a library, before the first verb
    guard.install()
    assert isinstance(guard._getsignal(signal.SIGUSR1), Guarded)
    assert signal.getsignal(signal.SIGUSR1) is ring


# -- where a handler is called ---------------------------------------------


def test_in_user_code_at_once():
    signal.signal(signal.SIGUSR1, ring)
    with pytest.raises(TooLong):
        hit()
        pytest.fail("not reached")


def test_the_frame_is_the_one_that_was_struck():
    frames = []
    signal.signal(signal.SIGUSR1, lambda number, frame: frames.append(frame))
    hit()
    hit()
    assert {frame.f_code.co_name for frame in frames} == {"hit"}


def test_a_step_of_ours_is_not_struck():
    """Pickling calls user code, but the step is ours: the handler is called after it."""
    done = []

    class Hits:
        def __reduce__(self):
            hit()
            done.append("pickled")
            return Hits, ()

    signal.signal(signal.SIGUSR1, lambda number, frame: done.append("called"))
    shared.setConst(hits=Hits())
    wait_until(lambda: len(done) > 1)
    assert done == ["pickled", "called"]


def test_what_was_noted_is_dropped_with_the_handler():
    signal.signal(signal.SIGUSR1, ring)
    guard.noted[signal.SIGUSR1] = time.monotonic()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    assert not guard.noted


def test_a_handler_that_raises_is_given_time(monkeypatch):
    monkeypatch.setattr(guard, "rest_s", 0.2)
    signal.signal(signal.SIGUSR1, ring)
    for _ in range(3):
        with pytest.raises(TooLong):
            hit()
            wait_until(lambda: False)
        hit()  # is not raised in here


# -- whom it is meant for --------------------------------------------------


def test_ctrl_c_is_for_the_program_not_for_the_task_that_runs():
    def busy():
        hit(signal.SIGINT)
        return 7

    future = futures.submit(busy)
    with pytest.raises(KeyboardInterrupt):
        future.result()
    assert future.running()
    assert future.result() == 7


def test_ctrl_c_during_a_map():
    seen = []

    def busy(x):
        seen.append(x)
        if x == 2:
            hit(signal.SIGINT)
        return x

    with pytest.raises(KeyboardInterrupt):
        list(futures.map(busy, range(5)))
    assert list(futures.map(busy, [7, 8])) == [7, 8]
    assert sorted(seen) == sorted(set(seen))


def test_ctrl_c_in_a_builtin_that_is_a_task():
    future = futures.submit(signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        future.result()
    assert future.result() is None


def test_a_time_limit_is_for_the_task_that_has_set_it():
    def limited():
        signal.signal(signal.SIGALRM, ring)
        inner = futures.submit(innocent)
        try:
            inner.result()
        except TooLong:
            return "too long", inner

    def innocent():
        hit(signal.SIGALRM)
        return "innocent"

    outcome, inner = futures.submit(limited).result()
    assert outcome == "too long"
    assert inner.result() == "innocent"


def test_a_time_limit_that_strikes_its_own_task():
    def limited():
        signal.signal(signal.SIGALRM, ring)
        hit(signal.SIGALRM)

    with pytest.raises(TooLong):
        futures.submit(limited).result()


def test_a_time_limit_that_strikes_while_the_program_runs():
    """The program is put aside, the task goes on."""
    log = []

    def limited(waits_for):
        signal.signal(signal.SIGALRM, ring)
        try:
            waits_for[0].result()
        except TooLong:
            log.append("task")

    gate = []
    task = futures.submit(limited, gate)
    gate.append(futures.submit(never))
    gate[0].cancel()
    gate[0] = task  # it waits for itself: for ever
    with pytest.raises(futures.TimeoutError):
        task.result(timeout=0.01)
    hit(signal.SIGALRM)
    log.append("program")
    task.result()
    assert log == ["task", "program"]


def test_a_handler_that_is_put_back_is_whose_it_was():
    log = []

    def first(number, frame):
        raise TooLong("first")

    def outer():
        signal.signal(signal.SIGALRM, first)
        try:
            futures.submit(inner).result()
        except TooLong as error:
            log.append(str(error))

    def inner():
        before = signal.signal(signal.SIGALRM, ring)
        signal.signal(signal.SIGALRM, before)
        hit(signal.SIGALRM)
        log.append("inner goes on")

    futures.submit(outer).result()
    futures.wait([futures.submit(abs, 1)])
    context.current().poll()
    assert log == ["first", "inner goes on"]


def test_the_owner_is_over():
    """It strikes whatever runs, as under plain Python."""
    futures.submit(signal.signal, signal.SIGALRM, ring).result()

    def sets():
        signal.signal(signal.SIGALRM, ring)

    futures.submit(sets).result()
    with pytest.raises(TooLong):
        hit(signal.SIGALRM)


def test_nobody_is_there(scheduler, caplog):
    """The owner is over, and nothing runs: the exception is logged."""
    def sets():
        signal.signal(signal.SIGALRM, ring)

    futures.submit(sets).result()
    with caplog.at_level(logging.ERROR):
        guard.noted[signal.SIGALRM] = time.monotonic()
        guard.strike_idle(scheduler)
    assert "TooLong" in caplog.text and not guard.noted


def test_a_wait_with_nothing_to_do_ends():
    """The program waits, with a deadline, and no task is there."""
    future = futures.submit(abs, 1)
    future.cancel()
    me = []
    me.append(futures.submit(lambda: me[0].result()))
    pid = os.fork()
    if not pid:
        time.sleep(0.3)
        os.kill(os.getppid(), signal.SIGINT)
        os._exit(0)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        futures.wait(me, timeout=LIMIT_S)
    os.waitpid(pid, 0)
    assert time.monotonic() - began < LIMIT_S


def test_quick_tasks_run_in_place_long_ones_apart():
    def callers(nap_s):
        time.sleep(nap_s)
        frame, names = sys._getframe(), set()
        while frame is not None:
            names.add(frame.f_code.co_name)
            frame = frame.f_back
        return "in place" if "wait_for" in names else "apart"

    assert futures.submit(callers, 0).result() == "apart"  # it may take long
    assert "in place" in [futures.submit(callers, 0).result() for _ in range(20)]


def test_a_quick_task_that_is_long_for_once_is_struck_after_a_while():
    naps = [0.0] * 50 + [LIMIT_S]

    def nap(s):
        if s:
            hit(signal.SIGINT)
        time.sleep(s)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        for s in naps:
            futures.submit(nap, s).result()
    assert time.monotonic() - began < LIMIT_S


def test_a_constant_that_was_interrupted_leaves_nothing(scheduler, monkeypatch):
    enquiries = scheduler.exchange.enquiries
    ask = enquiries.ask
    futures.submit(hit, signal.SIGINT)  # runs while the program waits for the answer
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(enquiries, "ask", lambda make, wake: ask(make, lambda: None))
        shared.setConst(interrupted=1)
    assert futures.submit(abs, -1).result() == 1
    shared.setConst(other=2)
    assert shared.getConst("other") == 2
    assert not enquiries and not enquiries._answers


# -- the ends of a process -------------------------------------------------


def serial(text):
    return "import os, signal, sys, time\nfrom scoop_mpi import futures\n" + text


def test_ctrl_c_while_the_rest_runs_at_exit(run_python):
    done = run_python(serial(
        "import atexit\natexit.register(print, 'first', flush=True)\n"
        "def hit():\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "futures.submit(hit)\natexit.register(print, 'last', flush=True)\nprint('end')\n"
    ), "-W", "ignore")
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")  # as Python does it
    assert done.stdout == "end\nlast\nfirst\n"


@pytest.mark.parametrize("handler, error, out", [
    ("lambda *_: 1 / 0", "ZeroDivisionError", "task\n"),
    ("lambda *_: print('handled')", "", "task\nhandled\n"),
])
def test_other_handlers_at_exit(run_python, handler, error, out):
    done = run_python(serial(
        f"signal.signal(signal.SIGUSR1, {handler})\n"
        "def hit():\n    os.kill(os.getpid(), signal.SIGUSR1)\n    time.sleep(0.1)\n"
        "futures.submit(hit)\nfutures.submit(print, 'task')\n"
    ), "-W", "ignore")
    assert done.stdout == out
    assert error in done.stderr


def test_a_forked_child_has_plain_handlers(run_python):
    done = run_python(serial(
        "from scoop_mpi.base import context\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('called', flush=True))\n"
        "futures.submit(abs, 1).result()\n"
        "if not os.fork():\n    os.kill(os.getpid(), signal.SIGUSR1)\n    os._exit(0)\n"
        "os.wait()\n"
    ), "-W", "ignore")
    assert done.stdout == "called\n"


def test_thousands_of_signals_lose_nothing(run_python):
    done = run_python(serial(
        "import threading\n"
        "def work(x):\n    t = time.perf_counter() + 1e-4\n"
        "    while time.perf_counter() < t:\n        pass\n    return x + 1\n"
        "def nest(x):\n    return sum(f.result() for f in [futures.submit(work, x)] * 2)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main, sent, over = threading.main_thread().ident, 0, False\n"
        "def storm():\n    global sent, over\n    time.sleep(0.3)\n"
        "    for sent in range(1, 2001):\n"
        "        signal.pthread_kill(main, signal.SIGINT)\n        time.sleep(0.001)\n"
        "    over = True\n"
        "kept, caught = [], 0\n"
        "storm_thread = threading.Thread(target=storm)\n"
        "storm_thread.start()\n"
        "def rounds():\n    while not over:\n"
        "        for f, v in [(work, 1), (nest, 2)]:\n"
        "            kept.append((futures.submit(f, 0), v))\n"
        "        for f, v in kept[-2:]:\n            assert f.result() == v\n"
        "        assert list(futures.map(work, range(5))) == [1, 2, 3, 4, 5]\n"
        "def guarded():\n    global caught\n    while not over:\n        try:\n"
        "            rounds()\n        except KeyboardInterrupt:\n            caught += 1\n"
        "while not over:\n    try:\n        guarded()\n    except KeyboardInterrupt:\n"
        "        pass\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nstorm_thread.join()\n"
        "bad = [f for f, v in kept if f.result() != v]\n"
        "print(sent, caught > 100, len(kept) > 100, bad)\n"
    ), "-W", "ignore", timeout=60)
    assert (done.stdout, done.stderr) == ("2000 True True []\n", "")
