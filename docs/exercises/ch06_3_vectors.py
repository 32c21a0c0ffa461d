"""Exercise 06.3: three loops that do not vectorise.

Each of these functions works, and the compiler makes of it a loop that takes one element at a time. Find out why
(chapter 06, "Vectors, and what stops them"), and write the function of the same name without the 0 so that its loop
runs on vectors. The arrays are flat and of float32. The test compiles your functions with error_model="numpy" and
'contract', as kernels are, and looks for vectors in what the compiler wrote. 'reassoc' is not needed.

    ratios(out, x, y)                   the number of zeros in y; if it is 0, out = x / y, else `out` is untouched
    column_sums(out, x, rows, cols)     out[j] = Σ_i x[i * cols + j]; returns out
    ramp(out, x, step)                  out[i] = x[i] + (i + 1) * step; returns out
"""

import numpy as np
from numpy import float32


def ratios_0(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """Stops at the first zero (and has then written a part of `out`)."""
    for i in range(out.size):
        if y[i] == 0:
            return 1
        out[i] = x[i] / y[i]
    return 0


def column_sums_0(out: np.ndarray, x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Down one column after the other."""
    for j in range(cols):
        s = float32(0.0)
        for i in range(rows):
            s += x[i * cols + j]
        out[j] = s
    return out


def ramp_0(out: np.ndarray, x: np.ndarray, step: float32) -> np.ndarray:
    """Keeps the sum of the steps so far."""
    s = float32(0.0)
    for i in range(out.size):
        s += step
        out[i] = x[i] + s
    return out


def ratios(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """The number of zeros in y; out = x / y if there are none."""
    ...  # your work


def column_sums(out: np.ndarray, x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """out[j] = Σ_i x[i * cols + j]."""
    ...  # your work


def ramp(out: np.ndarray, x: np.ndarray, step: float32) -> np.ndarray:
    """out[i] = x[i] + (i + 1) * step."""
    ...  # your work
