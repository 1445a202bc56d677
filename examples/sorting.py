"""A parallel merge sort: each task has two halves sorted by two more tasks.

    python -m scoop_mpi examples/sorting.py

Sorting is quick beside sending the numbers around, so do not expect it to beat
``sorted``; it shows how to divide and to conquer.
"""

import heapq
import random
from itertools import repeat

from scoop_mpi import futures

LEVELS = 3
"""How often the list is divided; the 2 ** LEVELS parts are sorted serially."""


def merge_sort(values: list[float], levels: int = LEVELS) -> list[float]:
    """A sorted copy."""
    if levels == 0:
        return sorted(values)
    middle = len(values) // 2
    halves = values[:middle], values[middle:]
    return list(heapq.merge(*futures.map(merge_sort, halves, repeat(levels - 1))))


def main() -> None:
    """Runs on the root only."""
    draw = random.Random(1).random
    values = [draw() for _ in range(50_000)]
    result = merge_sort(values)
    print(f"{len(result):,} numbers; same as sorted(): {result == sorted(values)}")
    print(f"smallest {result[0]:.6f}, median {result[25_000]:.6f}, largest {result[-1]:.6f}")


if __name__ == "__main__":
    main()
