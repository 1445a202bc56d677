"""The parallel ``map``: the same results as the built-in one, in the same order.

    python -m scoop_mpi examples/map_basics.py
"""

import itertools

from scoop_mpi import futures


def collatz_steps(number: int) -> int:
    """Steps to 1, where an even number is halved and any other n becomes 3n + 1."""
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


def main() -> None:
    """Runs on the root only; the other workers wait for tasks meanwhile."""
    numbers = range(1, 10_001)
    steps = list(futures.map(collatz_steps, numbers))
    print("same as map():", steps == list(map(collatz_steps, numbers)))
    print("steps of 1 to 10:", *steps[:10])
    most = max(steps)
    print(f"most steps: {most}, of {numbers[steps.index(most)]}")

    # Of several iterables each call gets one item; the shortest ends it.
    print("powers:", *futures.map(pow, [2, 3, 5, 7], itertools.count(1)))

    # With a buffersize, inputs are read only so far ahead of the results that are
    # taken. So they may be endless; what is not wanted any more is not computed.
    endless = futures.map(collatz_steps, itertools.count(1), buffersize=100)
    number = next(number for number, steps in enumerate(endless, 1) if steps > 200)
    print("first with more than 200 steps:", number)


# Every worker imports this file. What only the root should do stands under this line.
if __name__ == "__main__":
    main()
