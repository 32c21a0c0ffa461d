"""Exercise 03.3: change sides.

Write a function that has the values of x³ and the right first derivative, 3x², so that `gradcheck` accepts it; but
whose second derivative is wrong, so that `gradgradcheck` refuses it. `x` is a float64 Tensor that requires a gradient.

Hint: `x.detach()` has the values of x, and no memory. Chapter 03 does this for x². Which straight line touches x³ at c?
"""

from tinygrad_edu import Tensor


def cube(x: Tensor) -> Tensor:
    """x³, with the right first derivative and a wrong second one."""
    ...  # your work
