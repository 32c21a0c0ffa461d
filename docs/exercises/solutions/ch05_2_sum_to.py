"""Solution 05.2. First the axes that the operand does not have, then those that it has with size 1."""

import numpy as np


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of an operand of this shape that was broadcast to that of g."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    repeated = tuple(axis for axis, n in enumerate(shape) if n == 1 and g.shape[axis] != 1)
    return np.asarray(g.sum(repeated, keepdims=True))
