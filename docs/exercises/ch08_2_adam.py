"""Exercise 08.2: Adam.

`adam_step(p, g, state, lr, beta1, beta2, eps)` is to give the new value of a parameter p with gradient g, and to keep
what it needs for the next step in the dict `state`, which is empty the first time:

    m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²,    t ← t + 1
    p - lr · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)

p and g are NumPy arrays of one shape; neither is to be changed.
"""

from typing import Any

import numpy as np


def adam_step(
    p: np.ndarray,
    g: np.ndarray,
    state: dict[str, Any],
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> np.ndarray:
    """The parameter after one step."""
    ...  # your work
