"""Children that tasks and the program fork: each ends as under plain Python.

What children find out they write down: :func:`tell` appends a line to a file, which is
read when they have ended.
"""

import atexit
import concurrent.futures
import functools
import multiprocessing
import os
import pty
import signal
import sys
import tempfile
import threading
import time

import scoop_mpi
from checking import MANY, assert_raises, nap, run_checks

from scoop_mpi import futures, shared

CHILD_S = 15
"""Seconds after which a child that has not ended is killed, and reported."""


def ending_of(pid):
    """The exit code of a child, negative: the signal; None: it had to be killed."""
    stop_by = time.monotonic() + CHILD_S
    while time.monotonic() < stop_by:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def tell(path, text):
    """Appends a line, in one piece."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{text}\n".encode())
    os.close(file)


def told(path):
    with open(path) as file:
        return file.read().splitlines()


def notebook():
    """A new file for :func:`tell`."""
    file, path = tempfile.mkstemp(dir=os.getcwd())
    os.close(file)
    return path


def quiet():
    """In a child: its last words are not wanted."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def in_child(function, *args):
    """Forks; what the function returned or raised there, as text, and the exit code."""
    path = notebook()
    pid = os.fork()
    if pid == 0:
        try:
            tell(path, f"{function(*args)!r}")
        except BaseException as error:
            tell(path, f"{type(error).__name__}")
        os._exit(0)
    code = ending_of(pid)
    assert code == 0, (code, told(path))
    [line] = told(path)
    os.unlink(path)
    return line


# -- how a child ends -------------------------------------------------------


def forked(way):
    """A task that forks; how its child ends."""
    time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        quiet()
        if way == "raise":
            raise ValueError("in the child")
        if way == "ctrl-c":
            raise KeyboardInterrupt
        if way == "text":
            sys.exit("why")
        if way != "fall":
            sys.exit(way)
        return "the child's value"
    return ending_of(pid)


def nested(way):
    return futures.submit(forked, way).result(), list(futures.map(forked, [way, 4]))


ENDINGS = {7: 7, 0: 0, None: 0, 256: 0, "text": 1, "raise": 1, "ctrl-c": -2, "fall": 0}


def check_how_children_of_tasks_end():
    for way, code in ENDINGS.items():
        assert list(futures.map(forked, [way] * MANY)) == [code] * MANY, way
        fs = [futures.submit(forked, way) for _ in range(MANY)]
        assert [f.result() for f in fs] == [code] * MANY, way
        assert futures.submit(nested, way).result() == (code, [code, 4]), way


def forks_and_continues(path, n):
    if n == 2 and os.fork() == 0:
        return None
    tell(path, n)
    return nap(n)[0]


def check_a_child_makes_no_calls_of_its_parents_map():
    path = notebook()
    assert list(futures.map(functools.partial(forks_and_continues, path), range(MANY),
                            chunksize=MANY)) == list(range(MANY))
    time.sleep(0.2)
    assert sorted(map(int, told(path))) == list(range(MANY))
    os.unlink(path)


def check_a_child_calls_no_callbacks():
    called = []
    fs = [futures.submit(forked, "fall") for _ in range(MANY)]
    path = notebook()
    for f in fs:
        f.add_done_callback(lambda f: (called.append(os.getpid()), tell(path, os.getpid())))
    assert [f.result() for f in fs] == [0] * MANY
    assert set(called) == {os.getpid()} == set(map(int, told(path)))


def check_a_child_of_a_callback_ends_with_it():
    codes = []

    def forks(f, way):
        pid = os.fork()
        if pid == 0:
            quiet()
            if way == "raise":
                raise ValueError
            if way == "exit":
                sys.exit(3)
        codes.append(ending_of(pid))

    for way in "raise", "exit":
        f = futures.submit(nap)
        f.add_done_callback(functools.partial(forks, way=way))
        f.result()
    assert codes == [1, 3], codes


def waits_and_cleans(path, event):
    """Waits for a task that its own stack holds; its cleaning-up is done once."""
    try:
        return futures.submit(time.sleep, 0.3).result()
    finally:
        tell(path, os.getpid())


def check_tasks_that_wait_are_none_of_a_childs_business():
    path = notebook()
    waiting = [futures.submit(waits_and_cleans, path, n) for n in range(MANY)]
    codes = list(futures.map(forked, ["fall", "raise", 3] * 4))
    assert codes == [0, 1, 3] * 4, codes
    for f in waiting:
        f.result()
    assert len(told(path)) == MANY


def leaves_words(path):
    pid = os.fork()
    if pid == 0:
        quiet()
        atexit.register(tell, path, f"over {os.getpid()}")
        helper = threading.Thread(target=lambda: (time.sleep(0.1), tell(path, "thread")))
        helper.start()
        sys.exit(5)
    return ending_of(pid), [line.replace(str(pid), "pid") for line in told(path)]


def check_threads_and_atexit_of_a_child():
    for _ in range(3):
        path = notebook()
        assert futures.submit(leaves_words, path).result() == (5, ["thread", "over pid"])


def by_terminal(_):
    pid, terminal = pty.fork()
    if pid == 0:
        print("hello", futures.submit(abs, -5).result())
        sys.exit(6)
    text = b""
    try:
        while part := os.read(terminal, 1000):
            text += part
    except OSError:  # the end, on Linux
        pass
    os.close(terminal)
    return ending_of(pid), text


def check_forkpty():
    assert list(futures.map(by_terminal, range(4))) == [(6, b"hello 5\r\n")] * 4


def interrupted(_):
    pid = os.fork()
    if pid == 0:
        quiet()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(CHILD_S)
    return ending_of(pid)


def check_ctrl_c_is_the_childs_own():
    assert list(futures.map(interrupted, range(MANY))) == [-signal.SIGINT] * MANY


# -- verbs in a child -------------------------------------------------------


def fail(n):
    raise LookupError(n)


def verbs(n):
    """Many verbs, which must run right here."""
    mine = os.getpid()
    assert futures.submit(os.getpid).result() == mine
    assert list(futures.map(lambda x: (x * n, os.getpid()), range(5))) == [
        (x * n, mine) for x in range(5)]
    assert sorted(futures.map_as_completed(abs, [-3, n, 2])) == sorted([3, n, 2])
    assert futures.mapReduce(abs, lambda a, b: a + b, range(-5, 5)) == 25
    fs = [futures.submit(pow, x, 2) for x in range(4)]
    assert futures.wait(fs).not_done == set()
    assert sorted(f.result() for f in futures.as_completed(fs)) == [0, 1, 4, 9]
    assert_raises(LookupError, futures.submit(fail, 1).result)
    assert_raises(LookupError, list, futures.map(fail, [1, 2]))
    assert futures.submit(nested, 3).result() == (3, [3, 4])
    shared.setConst(childs=mine)
    assert shared.getConst("childs") == mine
    assert (scoop_mpi.SIZE, scoop_mpi.IS_RUNNING) == (1, False)
    return n


def verbs_in_child(n):
    time.sleep(0.02)
    return in_child(verbs, n)


def check_verbs_in_a_child():
    assert list(futures.map(verbs_in_child, range(MANY))) == [str(n) for n in range(MANY)]
    assert [futures.submit(verbs_in_child, n).result() for n in range(4)] == list("0123")
    assert verbs_in_child(7) == "7"  # of the program
    assert shared.getConst("childs") is None


def constant_in_child(name):
    assert shared.getConst(name) == ("known", [1, 2])
    return in_child(shared.getConst, name)


def check_constants_in_a_child():
    shared.setConst(forks=("known", [1, 2]))
    assert list(futures.map(constant_in_child, ["forks"] * MANY)) == [
        "('known', [1, 2])"] * MANY


def parents(_):
    """A task whose child uses what the task has begun."""
    done = futures.submit(abs, -3)
    done.result()
    begun = [futures.submit(nap, n) for n in range(5)]
    results = futures.map(nap, range(5))
    found = [
        in_child(done.result),
        in_child(begun[0].result),
        in_child(futures.wait, begun),
        in_child(next, results),
        in_child(lambda: results.close()),
        in_child(begun[1].cancel),
        in_child(lambda: futures.submit(lambda: begun[2].result()).result()),
    ]
    assert [f.result()[0] for f in begun] == list(range(5))
    assert [value for value, _ in results] == list(range(5))
    return found


def check_what_the_parent_has_begun():
    for found in [parents(0), *futures.map(parents, range(4))]:
        assert found == ["3", "ForkError", "ForkError", "ForkError", "None", "False", "ForkError"]


def square(n):
    return n * n


def pools(n):
    """Pools that fork, and tasks of each of their processes."""
    fork = multiprocessing.get_context("fork")
    with fork.Pool(2) as pool:
        squares = pool.map_async(square, range(n, n + 5)).get(CHILD_S)
        inside = pool.map_async(verbs, [n, n]).get(CHILD_S)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as executor:
        more = list(executor.map(square, range(n, n + 5), timeout=CHILD_S))
    assert squares == more
    process = fork.Process(target=fail, args=(1,))
    quietly = os.dup(2)
    quiet()
    process.start()
    os.dup2(quietly, 2)
    os.close(quietly)
    process.join(CHILD_S)
    return squares, inside, process.exitcode


def check_pools_that_fork():
    expected = [([x * x for x in range(n, n + 5)], [n, n], 1) for n in range(6)]
    assert list(futures.map(pools, range(6))) == expected
    assert pools(2) == expected[2]


def forks_in_thread(n):
    """A thread forks; the child has that thread only."""
    found = []
    helper = threading.Thread(target=lambda: found.append(in_child(verbs, n)))
    helper.start()
    helper.join(CHILD_S)
    return found


def check_a_thread_that_forks():
    waiting = [futures.submit(waits_and_cleans, os.devnull, n) for n in range(4)]
    assert list(futures.map(forks_in_thread, range(4))) == [[str(n)] for n in range(4)]
    assert [f.result() for f in waiting] == [None] * 4


def many_forks(_):
    return [in_child(futures.mapReduce, abs, max, [-1, -2]) for _ in range(20)]


def check_forks_while_others_take_work():
    large = "x" * 10_000
    fs = [futures.submit(lambda: len(large)) for _ in range(300)]
    assert list(futures.map(many_forks, range(6))) == [["2"] * 20] * 6
    assert [f.result() for f in fs] == [10_000] * 300


def check_fork_while_the_program_waits():
    """The child of a task that runs while the program waits for another one."""
    slow = futures.submit(time.sleep, 0.5)
    f = futures.submit(forked, "raise")
    slow.result()
    assert f.result() == 1


if __name__ == "__main__":
    run_checks(globals())
