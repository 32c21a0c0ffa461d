"""A training step of a small convolutional network, the digit classifier of chapter 12.

    1 x 28 x 28 ── conv 3x3, relu, pool ──▶ 8 x 14 x 14 ── conv 3x3, relu, pool ──▶ 16 x 7 x 7 ── linear ──▶ 10

As in training.py, one text serves both libraries, and the parameters start from the same numbers.
Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import Step
from benchmarks.training import VARIANTS, as_it_is, parameters


def cnn(m: Any, batch: int = 64, size: int = 28, *, make: Callable = as_it_is) -> Step:
    """Forward, backward and the update by SGD, for images (batch, 1, size, size)."""
    rng = np.random.default_rng(5)
    functional, features = m.nn.functional, 16 * (size // 4) ** 2
    shapes = [(8, 1, 3, 3), (8,), (16, 8, 3, 3), (16,), (10, features), (10,)]
    bounds = [1 / 3, 1 / 3, 72**-0.5, 72**-0.5, features**-0.5, features**-0.5]
    weights = parameters(m, [rng.uniform(-b, b, shape) for b, shape in zip(bounds, shapes, strict=True)])
    w1, b1, w2, b2, w3, b3 = weights
    optimizer = m.optim.SGD(weights, lr=0.01)
    images = [m.tensor(rng.uniform(0, 1, (batch, 1, size, size)).astype(np.float32)) for _ in range(VARIANTS)]
    labels = [m.tensor(rng.integers(0, 10, batch)) for _ in range(VARIANTS)]

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        hidden = functional.max_pool2d(functional.conv2d(x, w1, b1, padding=1).relu(), 2)
        hidden = functional.max_pool2d(functional.conv2d(hidden, w2, b2, padding=1).relu(), 2)
        loss = functional.cross_entropy(functional.linear(hidden.flatten(1), w3, b3), y)
        loss.backward()
        optimizer.step()
        return loss

    train = make(train)
    return lambda i: (train(images[i % VARIANTS], labels[i % VARIANTS]), *weights)
