"""Initial weights: PyTorch's distributions, and for the same seed its numbers (CPU).

The problem. A layer adds up fan_in products. If its weights have variance σ², the result has fan_in · σ² times the
variance of what came in: ten layers, and the numbers have vanished or overflowed. Backward the same happens to the
gradients, with fan_out in place of fan_in.

The idea. Choose σ so that the variance stays:

    Xavier     σ² = gain² · 2 / (fan_in + fan_out)      a compromise between forward and backward
    Kaiming    σ² = gain² / fan_in  (or fan_out)        one of them, exactly

where `gain` makes up for what the activation takes away (√2 for relu, which drops half). A uniform distribution in ±b
has the standard deviation b / √3, so b = √3 σ.

Sources: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010;
K. He et al., Delving deep into rectifiers, ICCV 2015.
"""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..creation import eye
from ..graph import no_grad, share
from ..tensors import Tensor


def drawn(x: Tensor, draw: str, first: float, second: float, generator: Any) -> Tensor:
    """Fill x from a distribution of the generator's, in place and unrecorded."""
    target = x.flat if x.flat is not None else x.kind.empty(x.numel())
    getattr(generator or random.default_generator, draw)(target, first, second)
    if x.flat is None:
        return copied(x, Tensor(target, x.shape, x.kind))
    share(x).version += 1
    return x


def copied(x: Tensor, source: Tensor) -> Tensor:
    with no_grad():
        x.copy_(source)
    return x


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers in [a, b).

    >>> import tinygrad_edu as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.nn.init.uniform_(tg.empty(2), -1.0, 1.0)
    tensor([-0.0075,  0.5364])
    """
    return drawn(tensor, "uniform", a, b, generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers."""
    return drawn(tensor, "normal", mean, std, generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number, everywhere."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """1, everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0, everywhere."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere: the layer begins as the identity."""
    if len(tensor.shape) != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return copied(tensor, eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75, "sigmoid": 1.0, "linear": 1.0}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What an activation takes away from the standard deviation, as a factor to make up for it.

    `param` is the slope of leaky_relu (0.01 if it is not given). ValueError for an activation that is not known.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, int | float | None):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}: use leaky_relu, {', '.join(GAINS)}")
    return GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel): how many products an output adds up, and an input enters."""
    if len(tensor.shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out))."""
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(sum(fans(tensor)))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal, with the standard deviation gain √(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(fans(tensor)))), generator)


def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = fans(tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform in ±gain √(3 / fan), for a weight before an activation (a: the slope of a leaky relu)."""
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal, with the standard deviation gain / √fan."""
    if 0 in tensor.shape:
        return tensor
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity), generator)
