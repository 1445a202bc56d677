"""Callbacks: functions that are called with a future when it is done.

    python -m scoop_mpi examples/callbacks.py

They are called on the worker that made the future, one at a time, so they may change
what the program has without a lock. The factors come in any order.
"""

import functools

from scoop_mpi import futures

NUMBERS = [600_851_475_143, 2 ** 31 - 1, 1001, 0, 2 ** 10]


def factors(number: int) -> list[int]:
    """The prime factors, smallest first."""
    if number < 1:
        raise ValueError("only positive numbers have prime factors")
    found, divisor = [], 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            found.append(divisor)
            number //= divisor
        else:
            divisor += 1
    return [*found, number] if number > 1 else found


def report(number: int, task: futures.Future[list[int]]) -> None:
    """A callback: it is also called for a task that failed, and has to ask for that."""
    if error := task.exception():
        print(f"{number}: {error}")
    else:
        print(f"{number} =", " * ".join(map(str, task.result())))


def main() -> None:
    """Runs on the root only."""
    finished = []
    tasks = [futures.submit(factors, number) for number in NUMBERS]
    for number, task in zip(NUMBERS, tasks):
        # A future knows its outcome only; what else a callback needs is bound to it.
        task.add_done_callback(functools.partial(report, number))
        task.add_done_callback(finished.append)
    futures.wait(tasks)
    print(len(finished), "tasks are done")

    # For a future that is done already, the callback is called at once.
    tasks[0].add_done_callback(lambda task: print("largest factor:", max(task.result())))


if __name__ == "__main__":
    main()
