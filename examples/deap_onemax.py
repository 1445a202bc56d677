"""A genetic algorithm of DEAP, whose individuals are evaluated by all workers.

    python -m scoop_mpi examples/deap_onemax.py

The one line that makes it parallel is ``toolbox.register("map", futures.map)``. What the
algorithm draws, it draws on the root, so the outcome does not depend on the workers.
It looks for a list of 60 bits with as many ones as possible. Needs DEAP.
"""

import random
import statistics

from deap import algorithms, base, creator, tools

from scoop_mpi import futures

BITS = 60

# Every worker imports this file, so these classes exist everywhere.
creator.create("Fitness", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.Fitness)


def ones(individual: list[int]) -> tuple[int]:
    """The fitness; in DEAP it is a tuple."""
    return (sum(individual),)


toolbox = base.Toolbox()
toolbox.register("bit", random.randint, 0, 1)
toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.bit, BITS)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)
toolbox.register("evaluate", ones)
toolbox.register("mate", tools.cxTwoPoint)
toolbox.register("mutate", tools.mutFlipBit, indpb=0.03)
toolbox.register("select", tools.selTournament, tournsize=3)
toolbox.register("map", futures.map)


def main() -> None:
    """Runs on the root only."""
    random.seed(11)
    figures = tools.Statistics(key=lambda individual: individual.fitness.values[0])
    figures.register("mean", statistics.mean)
    figures.register("best", max)
    winners = tools.HallOfFame(1)
    _, log = algorithms.eaSimple(toolbox.population(n=100), toolbox, cxpb=0.5, mutpb=0.3,
                                 ngen=40, stats=figures, halloffame=winners, verbose=False)
    for entry in log[::10]:
        print("generation {gen:>2}: mean {mean:.1f}, best {best}".format(**entry))
    print("best:", "".join(map(str, winners[0])))
    print("ones:", sum(winners[0]))


if __name__ == "__main__":
    main()
