"""Exercise 12.2: both gradients of a convolution.

For y = convolution of x (n, c, h, w) by weights w (o, c, a, b), stride 1, no padding, and the cotangent g of y:

`input_gradient(g, w)` is to give gx (n, c, h, w): each output paints its window back, w[o, c, a, b] times g[n, o, i, j]
at x[n, c, i + a, j + b].

`weight_gradient(g, x)` is to give gw (o, c, a, b): how the windows of x went together with g.

NumPy arrays. Loops over the places of the window are fine; they are few.
"""

import numpy as np


def input_gradient(g: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The cotangent of the images."""
    ...  # your work


def weight_gradient(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The cotangent of the weights; their height and width follow from the shapes of g and x."""
    ...  # your work
