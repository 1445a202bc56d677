"""A program written for SCOOP, which knows nothing of MPI: it runs as it is.

    python -m scoop_mpi examples/scoop_program.py

In a job, the name ``scoop`` means this package; plain ``python`` needs SCOOP itself.
The program checks the numbers under bar codes: the digits, with weights 1 and 3 in turn,
add up to a multiple of ten.
"""

import operator

import scoop
from scoop import futures, shared

CODES = ["4006381333931", "9780306406157", "5901234123457", "5901234123475",
         "7351353123457", "0012345678905"]


def checksum(code):
    """0 for a valid code."""
    weights = shared.getConst("weights")
    return sum(w * int(digit) for w, digit in zip(weights, code)) % 10


def is_valid(code):
    """Checks a code in a task of its own."""
    return futures.submit(checksum, code).result() == 0


if __name__ == "__main__":
    shared.setConst(weights=[1, 3] * 6 + [1])
    for code, valid in zip(CODES, futures.map(is_valid, CODES)):
        print(code, "valid" if valid else "wrong")
        if not valid:
            scoop.logger.warning("not a bar code: %s", code)
    print("valid codes:", futures.mapReduce(is_valid, operator.add, CODES))
    print("on the root:", scoop.IS_ORIGIN, "with a pool:", scoop.IS_RUNNING)
