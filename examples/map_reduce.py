"""``mapReduce``: a map whose results are combined into one, on the workers as well.

    python -m scoop_mpi examples/map_reduce.py

How many powers of two begin with which digit? Almost exactly as many as Benford's law
says: the share of the digit d is log10(1 + 1/d).
"""

import math
import operator
from collections import Counter

from scoop_mpi import futures

POWERS = 3000


def first_digit(exponent: int) -> Counter[int]:
    """A count of one, for the first digit of this power of two."""
    return Counter([int(str(2 ** exponent)[0])])


def main() -> None:
    """Runs on the root only."""
    # Counters are added pair by pair, in a tree: only the last one arrives here.
    counts = futures.mapReduce(first_digit, operator.add, range(POWERS))
    print("digit  count  share  Benford")
    for digit in range(1, 10):
        share, law = counts[digit] / POWERS, math.log10(1 + 1 / digit)
        print(f"{digit:>5}  {counts[digit]:>5}  {share:>5.1%}  {law:>7.1%}")
    print("powers:", counts.total())

    # The order of the items is kept, so the reduction need not be commutative; it must
    # be associative: (a + b) + c == a + (b + c).
    words = "scalable concurrent operations in python".split()
    print(futures.mapReduce(str.capitalize, operator.add, words))


if __name__ == "__main__":
    main()
