"""Evolves sorting networks: fixed lists of comparisons that sort any input.

    python -m scoop_mpi examples/sorting_networks.py

Each task follows one line of descent: a network is changed at random, and the change is
kept unless it makes it worse. Lines often get stuck, so many are followed, each with its
own seed. For 6 inputs 12 comparisons are needed.
"""

import random

from scoop_mpi import futures

INPUTS = 6
LINES, STEPS = 8, 1500

Comparison = tuple[int, int]
"""The two wires, of which the first gets the smaller value."""

WIRES = [sum((case >> wire & 1) << case for case in range(2 ** INPUTS))
         for wire in range(INPUTS)]
"""All inputs of zeros and ones: bit n of a wire is its value in input n."""


def unsorted(network: list[Comparison]) -> int:
    """The number of inputs of zeros and ones that a network does not sort.

    One that sorts all of those sorts everything. They all go through it at once.
    """
    wires = WIRES.copy()
    for low, high in network:
        wires[low], wires[high] = wires[low] & wires[high], wires[low] | wires[high]
    wrong = 0
    for above, below in zip(wires, wires[1:]):
        wrong |= above & ~below
    return wrong.bit_count()


def change(network: list[Comparison], rng: random.Random) -> list[Comparison]:
    """A copy in which one place has another comparison, one less, or one more."""
    low, high = sorted(rng.sample(range(INPUTS), 2))
    place = rng.randrange(len(network) + 1)
    removed, added = rng.choice([(1, 1), (1, 0), (0, 1)])
    return network[:place] + [(low, high)] * added + network[place + removed:]


def descend(seed: int) -> tuple[int, int, list[Comparison]]:
    """The end of a line of descent: inputs not sorted, length, network."""
    rng = random.Random(seed)
    network: list[Comparison] = []
    quality = unsorted(network), len(network)
    for _ in range(STEPS):
        child = change(network, rng)
        child_quality = unsorted(child), len(child)
        if child_quality <= quality:
            network, quality = child, child_quality
    return *quality, network


if __name__ == "__main__":
    lines = list(futures.map(descend, range(LINES)))
    wrong, length, best = min(lines)
    print("lines that sort everything:", sum(line[0] == 0 for line in lines), "of", LINES)
    print("best:", length, "comparisons,", wrong, "inputs not sorted")
    print("network:", " ".join(f"{low}-{high}" for low, high in best))
