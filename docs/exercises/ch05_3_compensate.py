"""Exercise 05.3: a sum that loses nothing.

`total(numbers)` is to return the sum of a list of np.float32 as an np.float32, off by one rounding at most, however
many there are. All that you add and keep is to be np.float32: no float64, no math.fsum.

A running total in float32 rounds at each addition. What was rounded away can be computed: for s = a + b, if a is the
larger in absolute value, it is (a - s) + b; if b is, it is (b - s) + a. Add these up in a second total, and put the
two together at the end.
"""

import numpy as np


def total(numbers: list[np.float32]) -> np.float32:
    """The sum, off by one rounding at most."""
    ...  # your work
