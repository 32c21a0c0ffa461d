"""Solution 06.3: no exit from the loop; vectors along j; no step that needs the one before it."""

import numpy as np
from numpy import float32


def ratios(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """The number of zeros in y; out = x / y if there are none."""
    zeros = 0
    for i in range(y.size):
        zeros += y[i] == 0
    if zeros == 0:
        for i in range(out.size):
            out[i] = x[i] / y[i]
    return zeros


def column_sums(out: np.ndarray, x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """out[j] = Σ_i x[i * cols + j]."""
    out[:] = 0
    for i in range(rows):
        row = x[i * cols : i * cols + cols]
        for j in range(cols):
            out[j] += row[j]
    return out


def ramp(out: np.ndarray, x: np.ndarray, step: float32) -> np.ndarray:
    """out[i] = x[i] + (i + 1) * step."""
    for i in range(out.size):
        out[i] = x[i] + float32(i + 1) * step
    return out
