"""Much passes through each verb, little at a time: how much memory each rank takes at most.

Arguments: the verbs; none: all. Each rank that runs tasks leaves a file ``peak-<process id>``
with the largest size it ever had, in MB.
"""

import atexit
import collections
import os
import sys
import time

from scoop_mpi import futures, shared

SIZE = 4 << 20
COUNT = 120


def note_peak():
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    with open(f"peak-{os.getpid()}", "w") as file:
        file.write(str(int(peak.split()[1]) // 1000))


atexit.register(note_peak)


def large(number):
    return bytes([number % 251]) * SIZE


def many():
    return (large(number) for number in range(COUNT))


def echo(data):
    time.sleep(0.002)  # long enough to be given away
    return data[::-1]


def slow_first(pair):
    number, data = pair
    time.sleep(1.0 if number == 0 else 0.002)
    return len(data)


def larger(one, other):
    return max(one, other)


def fail(data):
    here = data + b"1"
    time.sleep(0.002)
    raise ValueError(len(here))


def drain(results):
    count = 0
    for result in results:
        del result
        count += 1
    return count


def in_order():
    return drain(futures.map(echo, many(), buffersize=4))


def as_they_come():
    return drain(futures.map_as_completed(echo, many(), buffersize=4))


def behind_a_slow_one():
    return sum(futures.map(slow_first, enumerate(many()), buffersize=8)) // SIZE


def from_small(verb=futures.map):
    """Large results of small inputs: they are the consumer's to take."""
    return drain(verb(large, range(COUNT), buffersize=4))


def in_a_task():
    return sum(futures.map(lambda _: drain(futures.map(echo, many(), buffersize=3)), range(2))) // 2


def submitted():
    inputs, pending, count = many(), collections.deque(), 0
    for data in inputs:
        pending.append(futures.submit(echo, data))
        del data
        if len(pending) > 4:
            count += len(pending.popleft().result()) == SIZE
    return count + sum(len(one.result()) == SIZE for one in pending)


def as_completed():
    inputs, count = many(), 0
    for _ in range(0, COUNT, 6):
        made = [futures.submit(echo, next(inputs)) for _ in range(6)]
        completed = futures.as_completed(made)
        del made
        for one in completed:
            count += len(one.result()) == SIZE
    return count


def waited():
    inputs, count = many(), 0
    for _ in range(0, COUNT, 6):
        count += len(futures.wait([futures.submit(echo, next(inputs)) for _ in range(6)]).done)
    return count


def failing():
    inputs, count = many(), 0
    for _ in range(0, COUNT, 4):
        made = [futures.submit(fail, next(inputs)) for _ in range(4)]
        while made:  # an error's traceback refers to the frames below it, as anywhere
            count += made.pop().exception().args == (SIZE + 1,)
    return count


def abandoned():
    count = 0
    for _ in range(0, COUNT, 6):
        for _ in futures.map(echo, [large(number) for number in range(6)], chunksize=1):
            break
        count += 6
    return count


def reduced():
    count = 0
    for _ in range(0, COUNT, 12):
        count += len(futures.mapReduce(large, larger, range(12))) // SIZE * 12
    return count


def constants():
    count = 0
    for number in range(COUNT):
        shared.setConst(data=large(number))
        if number % 10 == 0:
            list(futures.map(lambda n: len(shared.getConst("data", timeout=10)), range(4)))
        shared.delConst("data")
        count += 1
    return count


VERBS = [
    in_order, as_they_come, behind_a_slow_one, from_small, in_a_task, submitted, as_completed,
    waited, failing, abandoned, reduced, constants,
]

if __name__ == "__main__":
    for verb in VERBS:
        if verb.__name__ in sys.argv[1:] or not sys.argv[1:]:
            print(verb.__name__, verb(), flush=True)
