"""Exercise 03.1: measure the order of a difference formula.

A formula of order p has an error of about C · hᵖ. So halving h divides the error by 2ᵖ, and p can be measured:

    p ≈ log2(error with h / error with h/2)

`order(formula, f, slope, x, h)` is to return that number. `formula(f, x, h)` is an approximation to the derivative of
f at x, `slope(x)` the true one.
"""

from collections.abc import Callable


def order(formula: Callable, f: Callable, slope: Callable, x: float, h: float) -> float:
    """The measured order of a difference formula at x."""
    ...  # your work
