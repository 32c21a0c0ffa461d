"""Exercise 08.3: first weights for any activation.

A layer computes y = W f(x): n inputs, weights of mean 0 and deviation σ, an activation f. If x is normal with mean 0
and deviation 1, then y has mean 0 and the variance n σ² E[f(x)²]. To keep it at 1, σ must be gain / √n.

`gain(f)` is to give this gain for an activation, a function of a NumPy array. Estimate E[f(x)²] by a sum over a fine
grid with the normal density as weights (a mean over random numbers is too coarse for the tests).

`first_weights(f, inputs, outputs, rng)` is to give W (outputs, inputs): normal numbers of that deviation.
"""

from collections.abc import Callable

import numpy as np

Activation = Callable[[np.ndarray], np.ndarray]


def gain(f: Activation) -> float:
    """The factor that makes up for what f does to the size of normal numbers."""
    ...  # your work


def first_weights(f: Activation, inputs: int, outputs: int, rng: np.random.Generator) -> np.ndarray:
    """Weights that keep the variance of a layer's results at 1."""
    ...  # your work
