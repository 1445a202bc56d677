"""Pi by the Monte Carlo method, with the same digits on any number of workers.

    python -m scoop_mpi examples/pi.py [number of tasks]

Of random points in a square, the share that falls into the circle in it is pi / 4. Each
task draws from a generator of its own, with the task's number as seed: what it draws does
not depend on where it runs, nor on what ran there before.
"""

import operator
import random
import sys

from scoop_mpi import futures

POINTS = 20_000
"""Points of a task."""


def hits(seed: int) -> int:
    """How many points of a task are inside the circle."""
    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(POINTS))


def main() -> None:
    """Runs on the root only."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    inside = futures.mapReduce(hits, operator.add, range(tasks))
    points = tasks * POINTS
    print(f"{inside:,} of {points:,} points are inside the circle")
    print(f"pi is about {4 * inside / points:.4f}")


if __name__ == "__main__":
    main()
