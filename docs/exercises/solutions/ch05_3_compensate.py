"""Solution 05.3. Neumaier's sum: the same three lines are in tinygrad_kernels/cpu/reduction.py."""

import numpy as np


def total(numbers: list[np.float32]) -> np.float32:
    """The sum, off by one rounding at most."""
    high, low = np.float32(0.0), np.float32(0.0)
    for x in numbers:
        new = high + x
        low += (high - new) + x if abs(high) >= abs(x) else (x - new) + high
        high = new
    return high + low
