"""Whatever can be called can be a task; objects are arguments and results.

    python -m scoop_mpi examples/lambdas_and_objects.py

What can be imported travels by its name. All else travels by value: lambdas, closures,
bound methods, callable objects and what is defined under the main guard.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from scoop_mpi import futures


class Polynomial:
    """a + b x + c x² ..., for the coefficients a, b, c, ... Can be called with an x."""

    def __init__(self, *coefficients: float) -> None:
        self.coefficients = coefficients

    def __call__(self, x: float) -> float:
        return functools.reduce(lambda value, a: value * x + a, reversed(self.coefficients))

    def __str__(self) -> str:
        return " + ".join(f"{a} x^{n}" for n, a in enumerate(self.coefficients))

    def slope(self, x: float) -> float:
        """The value of the derivative."""
        return self.derivative()(x)

    def derivative(self) -> Polynomial:
        """Another polynomial."""
        return Polynomial(*[n * a for n, a in enumerate(self.coefficients)][1:])


def call(function: Callable[[Any], Any], argument: Any) -> Any:
    """Functions can be arguments, too."""
    return function(argument)


if __name__ == "__main__":
    xs = range(6)
    print("lambda:", *futures.map(lambda x: x * x, xs))

    offset = 10

    def shift(x: int) -> int:
        """Defined under the main guard, where the other workers never were."""
        return x + offset

    print("function of the main block:", *futures.map(shift, xs))
    print("partial:", *futures.map(functools.partial(pow, 2), xs))

    polynomial = Polynomial(1, 2, 3)
    print("callable object:", *futures.map(polynomial, xs))
    print("bound method:", *futures.map(polynomial.slope, xs))
    print("functions as arguments:", *futures.map(call, [abs, lambda x: x + 1, str], [-5, 6, 7]))

    polynomials = [polynomial, Polynomial(0, 0, 0, 1)]
    for result in futures.map(operator.methodcaller("derivative"), polynomials):
        print("object as a result:", result)
