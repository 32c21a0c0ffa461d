"""Exercise 03.2: write a checker.

`is_right(f, pull, x, outputs)` is to say (True or False) whether a backward pass belongs to its function.

    f(x)        takes a list of floats and returns a list of `outputs` floats
    pull(x, v)  is its backward pass: takes x and a cotangent v (a list of `outputs` floats), and returns Jᵀ v, as
                long as x

Some wrong ones are planted in the tests: for all-ones cotangents they are right, or in all elements but one, or they
return nan, or are off by a thousandth. The right ones come with large and small derivatives.

Hint: <v, (f(x + h u) - f(x - h u)) / 2h> = <pull(x, v), u>. Take random numbers from `random.Random(0)`: they are the
same each time.
"""

from collections.abc import Callable
from random import Random


def is_right(f: Callable, pull: Callable, x: list[float], outputs: int) -> bool:
    """Does the backward pass `pull` belong to the function `f`, at x?"""
    random, h = Random(0), 1e-5
    for _ in range(5):
        u = [random.gauss(0, 1) for _ in x]
        v = [random.gauss(0, 1) for _ in range(outputs)]
        up = f([a + h * b for a, b in zip(x, u, strict=True)])
        down = f([a - h * b for a, b in zip(x, u, strict=True)])
        by_difference = sum(c * (p - m) for c, p, m in zip(v, up, down, strict=True)) / (2 * h)
        terms = [g * b for g, b in zip(pull(x, v), u, strict=True)]
        size = sum(map(abs, terms)) + abs(by_difference)
        if not abs(sum(terms) - by_difference) <= 1e-5 * size + 1e-12:  # `not <=`, so that nan is refused
            return False
    return True
