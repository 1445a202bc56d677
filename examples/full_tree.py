"""A tree of tasks in which every level is of another kind, and some tasks fail.

    python -m scoop_mpi examples/full_tree.py

Leaves are numbers or failures. Twigs are maps, which end at the first failure. Branches
are futures, which fail one by one. A trunk is a reduction of branches of all sizes.
"""

from typing import NamedTuple

from scoop_mpi import futures


class Withered(Exception):
    """Raised by a leaf, and by a twig that has no good leaf at all."""


class Crop(NamedTuple):
    """What a part of the tree bears, and how many of its parts have failed."""

    fruit: int
    failed: int


def leaf(number: int) -> int:
    """Bears the square of its number; every seventh leaf has withered."""
    if number % 7 == 0:
        raise Withered(number)
    return number * number


def twig(first: int, leaves: int) -> Crop:
    """A map over leaves; those behind the first failure are not seen."""
    fruit = 0
    try:
        for squared in futures.map(leaf, range(first, first + leaves)):
            fruit += squared
    except Withered as error:
        if not fruit:
            raise Withered(f"nothing grows behind leaf {error}") from error
        return Crop(fruit, 1)
    return Crop(fruit, 0)


def branch(twigs: int) -> Crop:
    """Futures of twigs, taken as they come; each one that fails is counted."""
    tasks = [futures.submit(twig, first, leaves=twigs) for first in range(1, twigs + 1)]
    fruit = failed = 0
    for task in futures.as_completed(tasks):
        if task.exception():
            failed += 1
        else:
            fruit += task.result().fruit
            failed += task.result().failed
    return Crop(fruit, failed)


def together(one: Crop, other: Crop) -> Crop:
    """What two parts of the tree bear."""
    return Crop(one.fruit + other.fruit, one.failed + other.failed)


if __name__ == "__main__":
    trunk = futures.submit(futures.mapReduce, branch, together, range(1, 13))
    print("fruit {}, failed {}".format(*trunk.result()))
