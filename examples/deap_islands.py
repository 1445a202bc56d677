"""The island model: populations that evolve apart, with migration now and then (DEAP).

    python -m scoop_mpi examples/deap_islands.py

A task is some generations of one island, so there is more work in a task, and less to
send, than in evaluating one individual. Between the rounds the root lets the best of each
island move to the next one. They look for the minimum of Rastrigin's function, which is 0
among many that are only local. Needs DEAP.
"""

import random

from deap import algorithms, base, benchmarks, creator, tools

from scoop_mpi import futures

ISLANDS, SIZE, DIMENSIONS = 4, 40, 5
ROUNDS, GENERATIONS, MIGRANTS = 6, 15, 3

creator.create("Minimum", base.Fitness, weights=(-1.0,))
creator.create("Point", list, fitness=creator.Minimum)

toolbox = base.Toolbox()
toolbox.register("coordinate", random.uniform, -5.12, 5.12)
toolbox.register("point", tools.initRepeat, creator.Point, toolbox.coordinate, DIMENSIONS)
toolbox.register("island", tools.initRepeat, list, toolbox.point, SIZE)
toolbox.register("evaluate", benchmarks.rastrigin)
toolbox.register("mate", tools.cxBlend, alpha=0.3)
toolbox.register("mutate", tools.mutGaussian, mu=0, sigma=0.4, indpb=0.3)
toolbox.register("select", tools.selBest)


def evolve(island: list[list[float]], seed: int) -> list[list[float]]:
    """The island, some generations later. The best of old and young survive."""
    # DEAP draws from the generator of the module: seeded here, a task draws the same
    # numbers wherever it runs.
    random.seed(seed)
    island, _ = algorithms.eaMuPlusLambda(island, toolbox, SIZE, SIZE, cxpb=0.5, mutpb=0.5,
                                          ngen=GENERATIONS, verbose=False)
    return island


def main() -> None:
    """Runs on the root only."""
    random.seed(3)
    islands = [toolbox.island() for _ in range(ISLANDS)]
    for round_ in range(ROUNDS):
        seeds = range(round_ * ISLANDS, (round_ + 1) * ISLANDS)
        islands = list(futures.map(evolve, islands, seeds))
        best = [min(point.fitness.values[0] for point in island) for island in islands]
        print(f"round {round_ + 1}:", *(f"{value:9.6f}" for value in best))
        tools.migRing(islands, MIGRANTS, tools.selBest)
    winner = max((point for island in islands for point in island), key=lambda it: it.fitness)
    print("minimum:", f"{winner.fitness.values[0]:.6f}")
    print("at:", *(f"{coordinate:.9f}" for coordinate in winner))


if __name__ == "__main__":
    main()
