"""Initial weights: PyTorch's distributions, and for the same seed its numbers (CPU)."""

from __future__ import annotations

import math

from .. import random
from ..tensors import Tensor


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill x with uniform numbers in [a, b), in place and unrecorded."""
    random.default_generator.uniform(x.flat, a, b)
    return x


def kaiming_uniform_(x: Tensor, a: float = 0.0) -> Tensor:
    """Uniform in ±gain sqrt(3 / fan_in), for a weight (out, in) before a leaky relu of slope a.

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015.
    """
    fan_in = x.shape[1] if len(x.shape) > 1 else x.shape[0]
    if fan_in == 0:
        return x
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan_in))
    return uniform_(x, -bound, bound)
