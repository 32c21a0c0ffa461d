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
import warnings
from typing import Any

from .. import linalg
from ..creation import empty_like
from ..graph import no_grad
from ..hints import refused
from ..ops.elementwise import where
from ..random import randperm
from ..ranges import eye
from ..tensors import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers in [a, b).

    >>> import tinygrad_edu as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.nn.init.uniform_(tg.empty(2), -1.0, 1.0)
    tensor([-0.0075,  0.5364])
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal numbers, of those in [a, b]: what falls outside is drawn again.

    Where less than 3 in 10 would fall inside, uniform numbers in [a, b] are drawn instead, and kept with a probability
    in proportion to the density.
    """
    if not a - 2 * std <= mean <= b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
            "incorrect.",
            stacklevel=2,
        )
    inside = math.erf((b - mean) / std / math.sqrt(2.0)) / 2 - math.erf((a - mean) / std / math.sqrt(2.0)) / 2
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2  # the largest logarithm of the density
    with no_grad():
        low, high = tensor.new_tensor([a, b]).tolist()  # as the dtype has them
        kept, wrong = tensor, None
        while wrong is None or bool(wrong.any().item()):
            new = tensor if wrong is None else empty_like(tensor)
            if inside > 0.3:
                new.normal_(mean, std, generator=generator)
                refused = (new < low) | (new > high)
            else:
                new.uniform_(a, b, generator=generator)
                density = ((new - mean) / std) ** 2 * -0.5 - peak
                refused = empty_like(tensor).uniform_(generator=generator).log() > density
            kept = new if wrong is None else where(wrong, new, kept)
            wrong = refused if wrong is None else wrong & refused
        return tensor if kept is tensor else tensor.copy_(kept)


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
    with no_grad():
        return tensor.copy_(eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight (out, in, *kernel) of a convolution that begins as the identity, in each of its groups."""
    if len(tensor.shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    rows = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for k in range(min(rows, tensor.shape[1])):
                tensor[(group * rows + k, k, *middle)] = 1
    return tensor


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Rows (or columns, if there are more rows) of length `gain` that are orthogonal to each other.

    The Q of a QR decomposition of normal numbers, with the signs that make it uniform among all such matrices.
    Source: A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning, 2014.
    """
    if len(tensor.shape) < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    with no_grad():
        drawn = tensor.new_empty((tensor.shape[0], tensor.numel() // tensor.shape[0])).normal_(
            0, 1, generator=generator
        )
        wide = drawn.shape[0] < drawn.shape[1]
        q, r = linalg.qr(drawn.t() if wide else drawn)
        q = q * r.diagonal().sign()
        return tensor.copy_((q.t() if wide else q).reshape(tensor.shape)).mul_(gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal numbers, of which in each column a share `sparsity` is replaced by 0."""
    if len(tensor.shape) != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[randperm(rows)[: math.ceil(sparsity * rows)], column] = 0
    return tensor


LINEAR = ("linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)), "sigmoid")
GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75, **dict.fromkeys(LINEAR, 1)}


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


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel): how many products an output adds up, and an input enters."""
    if len(tensor.shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out))."""
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor)))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal, with the standard deviation gain √(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor)))), generator)


def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def nothing_to_do(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return 0 in tensor.shape


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform in ±gain √(3 / fan), for a weight before an activation (a: the slope of a leaky relu)."""
    if nothing_to_do(tensor):
        return tensor
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal, with the standard deviation gain / √fan."""
    if nothing_to_do(tensor):
        return tensor
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity), generator)


def __getattr__(name: str) -> Any:
    """The old names, without the underscore: `xavier_uniform` is `xavier_uniform_`, with a warning."""
    known = [n for n in globals() if n.endswith("_") and not n.startswith("_")]
    if name + "_" not in known or name in ("ones", "zeros", "trunc_normal"):
        raise refused("tinygrad_edu.nn.init", name, known)
    warnings.warn(
        f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.", category=FutureWarning, stacklevel=2
    )
    return globals()[name + "_"]
