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


def is_right(f: Callable, pull: Callable, x: list[float], outputs: int) -> bool:
    """Does the backward pass `pull` belong to the function `f`, at x?"""
    ...  # your work
