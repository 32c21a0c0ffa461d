"""Exercise 12.1: a convolution, by loops over the window only.

`slide(x, w, stride, padding)` is to give y (n, o, h', w') for x (n, c, h, w) and weights w (o, c, a, b):

    y[n, o, i, j] = Σ_c Σ_a Σ_b  w[o, c, a, b] x[n, c, i · stride + a - padding, j · stride + b - padding]

where x is 0 outside. Two loops, over a and b; everything else in one go for all images, channels and places: a strided
slice of the padded input, and `np.einsum` (or a product) over the channels. NumPy arrays.
"""

import numpy as np


def slide(x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """The convolution of images x by windows w."""
    ...  # your work
