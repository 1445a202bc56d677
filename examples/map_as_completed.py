"""``map_as_completed``: results in the order in which they come.

    python -m scoop_mpi examples/map_as_completed.py

The first good answer ends the search; with ``map``, it would wait for the answers to all
questions that were asked before. Which answer is the first differs from run to run.
"""

import hashlib

from scoop_mpi import futures

ZEROS = "0000"
STEP = 5000


def digest(number: int) -> str:
    """A hash of the number, in hexadecimal digits."""
    return hashlib.sha256(b"scoop %d" % number).hexdigest()


def search(start: int) -> int | None:
    """The first number in a range whose hash begins with zeros, if there is one."""
    for number in range(start, start + STEP):
        if digest(number).startswith(ZEROS):
            return number
    return None


def main() -> None:
    """Runs on the root only."""
    starts = range(0, 1_000_000, STEP)
    found = futures.map_as_completed(search, starts)
    number = next(number for number in found if number is not None)
    found.close()  # what has not begun is not computed any more
    print("number:", number)
    print("hash:", digest(number))

    # The results are those of map, in another order.
    some = starts[:20]
    same = set(futures.map_as_completed(search, some)) == set(futures.map(search, some))
    print("same results as map:", same)


if __name__ == "__main__":
    main()
