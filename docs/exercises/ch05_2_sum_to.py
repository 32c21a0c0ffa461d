"""Exercise 05.2: undo a broadcast.

An operand of shape `shape` was broadcast to the shape of `g`, the gradient that comes back. `sum_to(g, shape)` is to
return the operand's gradient: `g` summed over the axes along which the operand was repeated. Those are the axes that
the operand does not have (at the left), and those where it has size 1 and `g` has not. The result has exactly the
shape `shape`.

`g` is a NumPy array; `g.sum(axis)` and `g.sum(axis, keepdims=True)` are allowed, and so is `reshape`.
"""

import numpy as np


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of an operand of this shape that was broadcast to that of g."""
    ...  # your work
