"""Recurrent layers: an LSTM over a batch of sequences, forward and backward.

Source: S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.measure import Step
from benchmarks.training import VARIANTS


def lstm(m: Any, steps: int = 32, batch: int = 32, width: int = 64) -> Step:
    """The sum of an `nn.LSTM`'s outputs, weighted, and all its gradients; `width` features in and out."""
    rng = np.random.default_rng(5)
    model = m.nn.LSTM(width, width)
    with m.no_grad():
        for p in model.parameters():
            p.copy_(m.tensor(rng.uniform(-1, 1, tuple(p.shape)).astype(np.float32) / width**0.5))
    shape = (steps, batch, width)
    data = [m.tensor(rng.normal(size=shape).astype(np.float32)) for _ in range(VARIANTS)]
    weights = m.tensor(rng.normal(size=shape).astype(np.float32))

    def step(i: int) -> Sequence[Any]:
        for p in model.parameters():
            p.grad = None
        output, _ = model(data[i % VARIANTS])
        loss = (output * weights).sum()
        loss.backward()
        return loss, *(p.grad for p in model.parameters())

    return step
