"""Exercise 04.2: what may be folded?

Twelve rewrites that hold in algebra. `counterexample(name)` is to return a float x at which the two sides differ, or
the string "safe" if there is none. Two results differ if one is nan and the other is not, or if they print
differently: 0.0 and -0.0 are two numbers. (`div` is the total division: 1 / 0 is inf, 0 / 0 is nan.)

For most, one of 0.0, -0.0, 1.0, inf and 1e-20 will do, if any float does. One needs a search.
"""

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
    ...  # your work
