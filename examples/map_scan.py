"""``mapScan``: as ``mapReduce``, with all the values on the way to the last one.

    python -m scoop_mpi examples/map_scan.py

Adding up which numbers are prime gives, for each number, how many primes there are up to
it; the largest gap seen so far comes from the same call with ``max``.
"""

import itertools
import math
import operator

from scoop_mpi import futures

LIMIT = 10_000


def is_prime(number: int) -> int:
    """1 for a prime number, 0 for any other."""
    return int(number > 1 and all(number % n for n in range(2, math.isqrt(number) + 1)))


def main() -> None:
    """Runs on the root only."""
    numbers = range(1, LIMIT + 1)
    counts = futures.mapScan(is_prime, operator.add, numbers)
    for limit in (10, 100, 1000, 10_000):
        print(f"primes up to {limit:>6,}: {counts[limit - 1]:>5,}")

    serial = itertools.accumulate(map(is_prime, numbers), operator.add)
    print("same as accumulate():", counts == list(serial))

    primes = [number for number in numbers if is_prime(number)]
    gaps = futures.mapScan(operator.sub, max, primes[1:], primes)
    print("largest gap so far, after 10, 100 and 1000 primes:", gaps[8], gaps[98], gaps[998])


if __name__ == "__main__":
    main()
