"""Ctrl-C a hundred times a second, while the program uses all verbs and catches each.

argv: seconds, seed. At the end, with no more signals, nothing must have been lost.
"""

import os
import random
import select
import signal
import subprocess
import sys
import time

from scoop_mpi import futures, shared

SENDER = """
import os, random, sys, time
pid, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
chance, stop_by, sent = random.Random(seed), time.time() + seconds, 0
while time.time() < stop_by:
    time.sleep(chance.expovariate(100))
    os.kill(pid, 2)
    sent += 1
print(sent)
"""


class TooLong(Exception):
    pass


def ring(number, frame):
    raise TooLong


def work(x):
    stop_by = time.perf_counter() + 0.0005
    while time.perf_counter() < stop_by:
        pass
    return x + 1


def nest(x):
    return sum(future.result() for future in [futures.submit(work, x + k) for k in range(3)])


def read(number):
    return shared.getConst(f"constant{number}", timeout=10)


limits = []
"""Those that are set here: a process has one timer, so there can be one at a time."""


def limited(x):
    """Odd numbers take too long, twice as long as a signal may have to wait (PATIENCE_S)."""
    if limits:
        return "too long" if x % 2 else nest(x)
    limits.append(x)
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.005 if x % 2 else 10)
    try:
        return futures.submit(time.sleep, 0.5).result() if x % 2 else nest(x)
    except TooLong:
        return "too long"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        limits.remove(x)


def submit_some(chance, kept):
    fresh = []
    for k in range(6):
        func, value = chance.choice([(work, k + 1), (nest, 3 * k + 6)])
        fresh.append(futures.submit(func, k))
        kept.append((fresh[-1], value))
    return fresh


def play(chance, kept, number, called):
    """A round with one of the verbs."""
    which = chance.choice(["submit", "callback", "wait", "completed", "map", "reduce",
                           "constant", "limit"])
    if which == "map":
        assert list(futures.map(nest, range(8))) == [3 * x + 6 for x in range(8)]
    elif which == "reduce":
        assert futures.mapReduce(work, int.__add__, range(20)) == 210
    elif which == "constant":
        shared.setConst(**{f"constant{number}": number})
        kept.append((futures.submit(read, number), number))
        assert kept[-1][0].result() == number
    elif which == "limit":
        x = chance.randrange(4)
        future = futures.submit(limited, x)
        kept.append((future, "too long" if x % 2 else 3 * x + 6))
        future.result()
    else:
        fresh = submit_some(chance, kept)
        if which == "callback":
            fresh[0].add_done_callback(called.append)
        if which == "wait":
            futures.wait(fresh, timeout=chance.choice([None, 0.002]))
        elif which == "completed":
            assert set(futures.as_completed(fresh)) == set(fresh)
        else:
            for future in fresh:
                future.result()


def storm(seconds, seed):
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(os.getpid()), str(seconds), str(seed)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )
    chance, kept, called = random.Random(seed), [], []
    caught = rounds = 0

    def goes_on():
        # Not poll(): a Ctrl-C inside it may leave its lock held, and then it says None for ever.
        return not select.select([sender.stdout], [], [], 0)[0]

    def play_on():
        nonlocal rounds
        while goes_on():
            rounds += 1
            play(chance, kept, rounds, called)

    def catch():
        nonlocal caught
        while goes_on():
            try:
                play_on()
            except KeyboardInterrupt:
                caught += 1

    while goes_on():
        try:
            catch()
        except KeyboardInterrupt:  # between two lines of catch()
            caught += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return kept, f"sent {sender.stdout.read().strip()} caught {caught} rounds {rounds}"


if __name__ == "__main__":
    kept, text = storm(float(sys.argv[1]), int(sys.argv[2]))
    lost = [(future, value) for future, value in kept if future.result() != value]
    print(text, "kept", len(kept), "lost", lost[:5])
    print("map", sum(futures.map(work, range(1000))))
