"""Solution 04.2. Seven of twelve fail.

Dividing by 4 only changes the exponent, and 0.25 is a float; 1/3 is not, so x * (1/3) is rounded twice. And 0 - x is
0.0 at x = 0, where -x is -0.0. Note that x - 0 is safe and x + 0 is not: -0.0 + 0.0 is 0.0, but -0.0 - 0.0 is -0.0.
"""

import math
from operator import neg

from tinygrad_kernels.floats import div

REWRITES = {
    "x * 1 -> x": (lambda x: x * 1.0, lambda x: x),
    "x * 0 -> 0": (lambda x: x * 0.0, lambda x: 0.0),
    "x + 0 -> x": (lambda x: x + 0.0, lambda x: x),
    "x - 0 -> x": (lambda x: x - 0.0, lambda x: x),
    "x - x -> 0": (lambda x: x - x, lambda x: 0.0),
    "x / x -> 1": (lambda x: div(x, x), lambda x: 1.0),
    "0 - x -> -x": (lambda x: 0.0 - x, lambda x: -x),
    "2 * x -> x + x": (lambda x: 2.0 * x, lambda x: x + x),
    "x / 4 -> x * 0.25": (lambda x: x / 4.0, lambda x: x * 0.25),
    "x / 3 -> x * (1/3)": (lambda x: x / 3.0, lambda x: x * (1.0 / 3.0)),
    "(x + 1) - 1 -> x": (lambda x: (x + 1.0) - 1.0, lambda x: x),
    "-(-x) -> x": (lambda x: neg(neg(x)), lambda x: x),
}


def counterexample(name: str) -> float | str:
    """A float at which the two sides of the rewrite differ, or "safe"."""
    before, after = REWRITES[name]
    simple = [0.0, -0.0, 1.0, math.inf, 1e-20]
    for x in [*simple, *map(float, range(2, 100))]:
        if repr(before(x)) != repr(after(x)):
            return x
    return "safe"
