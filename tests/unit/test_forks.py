"""Forked children of a program that runs serially: how they end, what they may use.

Each program forks in a process of its own, as a child must not go on as pytest.
"""

import os
import signal
import threading

import pytest

from scoop_mpi import ForkError
from scoop_mpi.base import context, forks
from scoop_mpi.base.tuning import Tuning
from scoop_mpi.process import alone, rank
from scoop_mpi.tasks import chunk
from scoop_mpi.workers.scheduler import Scheduler

SETUP = """
import atexit, os, sys, threading, time, warnings
warnings.simplefilter("ignore")
from scoop_mpi import ForkError, futures, shared

def ending_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def say(*what):
    print(*what, flush=True)
"""


@pytest.fixture
def run(run_python):
    """Runs a program; returns its lines of output, and what it said on standard error."""
    def run(source):
        done = run_python(SETUP + source)
        assert done.returncode == 0, done
        return done.stdout.splitlines(), done.stderr
    return run


TASK = """
def task(_=None):
    pid = os.fork()
    if pid == 0:
        {end}
    return ending_of(pid)
say({call})
say("end")
"""
CALLS = ["futures.submit(task).result()", "*futures.map(task, [1])",
         "futures.submit(lambda: futures.submit(task).result()).result()"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("end, code, text", [
    ("sys.exit(7)", 7, ""), ("sys.exit()", 0, ""), ("sys.exit('why')", 1, "why\n"),
    ("os._exit(4)", 4, ""), ("return 'value'", 0, ""), ("raise LookupError('why')", 1, None),
    ("raise KeyboardInterrupt", -signal.SIGINT, None), ("raise SystemExit(3)", 3, ""),
])
def test_how_a_child_of_a_task_ends(run, call, end, code, text):
    lines, error = run(TASK.format(end=end, call=call))
    assert lines == [str(code), "end"]
    if text is not None:
        assert error == text


def test_the_traceback_of_a_child_shows_user_code_only(run):
    _, error = run(TASK.format(end="raise LookupError('why')", call=CALLS[0]))
    assert error.rstrip().endswith("LookupError: why")
    assert error.count("Traceback") == 1
    assert "scoop_mpi" not in error


def test_the_programs_hook_for_uncaught_exceptions(run):
    lines, error = run("sys.excepthook = lambda *what: say(what[0].__name__)\n"
                       + TASK.format(end="raise LookupError", call=CALLS[0]))
    assert (lines, error) == (["LookupError", "1", "end"], "")


def test_atexit_and_threads_of_a_child(run):
    lines, _ = run(
        "me = os.getpid()\n"
        "atexit.register(lambda: say('exit', os.getpid() == me))\n"
        + TASK.format(end="threading.Thread(target=lambda: (time.sleep(.1), say('thread')))"
                          ".start(); sys.exit(3)", call=CALLS[0]))
    assert lines == ["thread", "exit False", "3", "end", "exit True"]


@pytest.mark.parametrize("end, said", [("return", ["left"]), ("raise ValueError", [])])
def test_what_a_child_leaves_behind_runs_if_it_ends_well(run, end, said):
    task = f"futures.submit(say, 'left'); {end}"
    lines, _ = run(TASK.format(end=task, call=CALLS[0]))
    assert lines == [*said, str(int(not said)), "end"]


def test_what_the_parent_left_runs_once(run):
    lines, _ = run(
        "futures.submit(say, 'left')\n"
        "pid = os.fork()\n"
        "if pid: ending_of(pid)\n")
    assert lines == ["left"]


def test_output_that_cannot_be_written(run_python):
    done = run_python(SETUP + TASK.format(
        end="sys.stdout = open('/dev/full', 'w'); print('lost'); sys.exit(0)",
        call=CALLS[0]))
    assert done.stdout.splitlines() == ["120", "end"]


def test_a_childs_child(run):
    lines, _ = run("""
def task(depth):
    pid = os.fork()
    if pid == 0:
        if depth:
            say(depth, futures.submit(task, depth - 1).result())
        sys.exit(depth + 1)
    return ending_of(pid)
say("all", task(2))
""")
    assert lines == ["1 1", "2 2", "all 3"]


def test_tasks_of_a_child_may_fail(run):
    lines, _ = run("""
def fail(n): raise LookupError(n)
def task():
    pid = os.fork()
    if pid == 0:
        for call in lambda: futures.submit(fail, 1).result(), lambda: [*futures.map(fail, [2])]:
            try: call()
            except LookupError as error: say(error)
        sys.exit(5)
    return ending_of(pid)
say(futures.submit(task).result())
""")
    assert lines == ["1", "2", "5"]


def test_what_the_parent_has_begun(run):
    lines, _ = run("""
shared.setConst(k=[5])
done, begun = futures.submit(abs, -1), [futures.submit(abs, -n) for n in range(4)]
done.result()
results = futures.map(abs, [-7])
others = futures.as_completed(begun)
pid = os.fork()
if pid == 0:
    say(done.result(), shared.getConst("k"), begun[3].cancel(), begun[3].done())
    for what in begun[0].result, begun[1].exception, lambda: futures.wait(begun), \\
            lambda: next(results), lambda: begun[2].result(timeout=1):
        try: say("no error", what())
        except ForkError as error: say("ForkError")
    say(futures.submit(abs, -8).result())
    os._exit(0)
say(ending_of(pid), *(f.result() for f in begun), *results, len(list(others)))
""")
    assert lines == ["1 [5] False False", *["ForkError"] * 5, "8", "0 0 1 2 3 7 4"]


def test_a_child_has_no_part_in_the_greenlets_of_its_parent(run):
    """A task that waits cleans up once, when it is over."""
    lines, _ = run("""
def waits():
    try:
        return futures.submit(forks).result()
    finally:
        say("cleaned")
def forks():
    time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        del fs[:]
        import gc; gc.collect()
        raise ValueError
    return ending_of(pid)
fs = [futures.submit(waits) for _ in range(20)]
say([f.result() for f in list(fs)])
""")
    assert lines.count("cleaned") == 20
    assert lines[-1] == str([1] * 20)


def test_a_thread_may_hold_a_lock_of_ours(run):
    lines, _ = run("""
from scoop_mpi.tasks import chunk
held, done = threading.Event(), threading.Event()
def hold():
    with chunk._taking:
        held.set()
        done.wait()
futures.submit(abs, 1).result()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    say(*futures.map(abs, [-1, -2]))
    os._exit(0)
say(ending_of(pid))
done.set()
""")
    assert lines == ["1 2", "0"]


# -- the parts -------------------------------------------------------------


def test_a_fork_waits_until_the_donor_thread_is_between_two_looks(scheduler, monkeypatch):
    lock = scheduler.exchange.lock
    context.before_fork()
    assert not taken_by_another(lock)
    context.after_fork()
    assert taken_by_another(lock)


def test_a_fork_does_not_wait_for_ever(scheduler):
    scheduler = alone.start_alone(tuning=Tuning(hold_still_s=0.01))
    context.install(scheduler)
    held, done = threading.Event(), threading.Event()

    def hold():
        with scheduler.exchange.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    context.before_fork()
    context.after_fork()
    done.set()
    thread.join()
    assert taken_by_another(scheduler.exchange.lock)


def taken_by_another(lock):
    """Can another thread have it?"""
    found = []

    def take():
        found.append(lock.acquire(blocking=False))
        if found[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return found[0]


def test_without_a_scheduler_nothing_is_held(monkeypatch):
    monkeypatch.setattr(context, "_scheduler", None)
    context.before_fork()
    context.after_fork()


def test_what_is_abandoned_can_only_be_refused(monkeypatch, scheduler):
    monkeypatch.setattr(forks, "_abandoned", [])
    before = type(scheduler)
    forks.abandon(scheduler)
    try:
        assert isinstance(scheduler, Scheduler)
        for use in (lambda: scheduler.rank, lambda: scheduler.look(),
                    lambda: scheduler.submit(abs, (1,), None)):
            with pytest.raises(ForkError, match="forked"):
                use()
        assert forks._abandoned == [scheduler]
    finally:
        object.__setattr__(scheduler, "__class__", before)


def test_only_our_own_calls_of_the_parent_end_the_child(monkeypatch):
    monkeypatch.setattr(forks, "stack", set())
    monkeypatch.setattr(forks, "leave", lambda error: pytest.fail("left"))
    forks.end_if_forked()
    forks.note_stack()
    assert all(frame.f_code.co_filename.startswith(os.path.dirname(forks.__file__))
               for frame in forks.stack)
    forks.end_if_forked()  # this frame is a test's


@pytest.mark.parametrize("handler, expected", [
    (rank._ignore, signal.default_int_handler), (signal.SIG_IGN, signal.SIG_IGN),
    (signal.SIG_DFL, signal.SIG_DFL),
])
def test_ctrl_c_in_a_child_is_the_programs(monkeypatch, handler, expected):
    """A handler of the program's own stays, and stops being a rank's."""
    hooks = []
    monkeypatch.setattr(os, "register_at_fork",
                        lambda **calls: hooks.append(calls["after_in_child"]))
    before = signal.getsignal(signal.SIGINT)
    try:
        rank._on_ctrl_c(rank._ignore)
        assert signal.getsignal(signal.SIGINT) is rank._ignore
        signal.signal(signal.SIGINT, handler)
        hooks[0]()
        assert signal.getsignal(signal.SIGINT) is expected
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_lock_is_renewed(monkeypatch):
    monkeypatch.setattr(chunk, "_taking", chunk._taking)
    before = chunk._taking
    chunk.renew_lock()
    assert chunk._taking is not before
