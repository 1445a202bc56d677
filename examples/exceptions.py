"""Exceptions of tasks: raised where the result is asked for, with their own type.

    python -m scoop_mpi examples/exceptions.py
"""

import traceback

from scoop_mpi import futures


class Overdrawn(Exception):
    """An exception of one's own. All its arguments go to ``super().__init__``."""

    def __init__(self, balance: int, amount: int) -> None:
        super().__init__(balance, amount)
        self.missing = amount - balance


def withdraw(balance: int, amount: int) -> int:
    """The balance after a withdrawal."""
    if amount > balance:
        raise Overdrawn(balance, amount)
    return balance - amount


def withdraw_what_is_there(balance: int, amount: int) -> int:
    """A task that handles the exception of a task of its own."""
    try:
        return futures.submit(withdraw, balance, amount).result()
    except Overdrawn:
        return 0


def main() -> None:
    """Runs on the root only."""
    task = futures.submit(withdraw, 10, 25)
    try:
        task.result()
    except Overdrawn as error:
        print("result() raises:", type(error).__name__, "with", error.missing, "missing")
        # Wherever the task ran, the traceback shows its lines.
        print("traceback names the function:", "in withdraw" in traceback.format_exc())
    print("exception() returns:", repr(task.exception()))

    # A map raises where the result would come, and ends there.
    left = []
    try:
        for balance in futures.map(withdraw, [10, 20, 30, 40], [5, 5, 50, 5]):
            left.append(balance)
    except Overdrawn as error:
        print("map: after", left, "comes", repr(error))

    # Futures fail one by one.
    tasks = [futures.submit(withdraw, 20, amount) for amount in (10, 20, 30, 40)]
    futures.wait(tasks)
    print("submit:", *["failed" if task.exception() else task.result() for task in tasks])

    print("handled in a task:", *futures.map(withdraw_what_is_there, [10, 10], [4, 11]))


if __name__ == "__main__":
    main()
