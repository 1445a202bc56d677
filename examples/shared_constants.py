"""Shared constants: defined once, there for every task on every worker.

    python -m scoop_mpi examples/shared_constants.py

What all tasks need, and what may be large, goes to each worker once and not with each task.
"""

from scoop_mpi import futures, shared

BASKETS = [
    {"apple": 3, "bread": 1},
    {"bread": 2, "cheese": 2},
    {"cheese": 1},
    {},
]


def total(basket: dict[str, int]) -> int:
    """What a basket costs, in cents."""
    prices = shared.getConst("prices")
    discount = shared.getConst("discount")
    return discount(sum(prices[item] * number for item, number in basket.items()))


def main() -> None:
    """Runs on the root only."""
    # When setConst returns, every task that starts afterwards sees the constants.
    # Functions are values like any other.
    shared.setConst(prices={"apple": 40, "bread": 250, "cheese": 600},
                    discount=lambda cents: cents if cents < 1000 else cents * 9 // 10)
    print("totals:", *futures.map(total, BASKETS))

    # A task may define one as well; on the whole pool, a name is defined only once.
    futures.submit(shared.setConst, currency="cent").result()
    print("defined by a task:", shared.getConst("currency"))
    try:
        shared.setConst(currency="penny")
    except TypeError as error:
        print("a second time:", error)

    # getConst waits a moment for a constant that is not there (yet).
    print("not defined:", shared.getConst("coupons", timeout=0.01))

    # To change a constant, free its name first.
    shared.delConst("prices")
    shared.setConst(prices={"apple": 50, "bread": 300, "cheese": 700})
    print("new totals:", *futures.map(total, BASKETS))


if __name__ == "__main__":
    main()
