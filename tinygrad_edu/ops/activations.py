"""Activations as functions of a tensor, with PyTorch's names, arguments and defaults.

    y = gelu(x)                     new
    y = leaky_relu(x, 0.2)          a parameter is an operand that is a number: no new kernel for another slope
    relu6(x, inplace=True)          x itself: one array less to hold

`nn.functional` shows these names, and the modules of `nn` call them. In place is refused where the old elements are
still needed for a gradient. The formulas, with their sources, are in tinygrad_kernels/calculus/activations.py.

    >>> import tinygrad_edu as tg
    >>> leaky_relu(tg.tensor([-1.0, 2.0]), 0.25)
    tensor([-0.2500,  2.0000])

What PyTorch also has in place under a name of its own (`relu_`, ...) is made from these at the end.

Source: PyTorch documentation, torch.nn.functional, "Non-linear activation functions".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import random
from ..creation import ones_like
from ..dtypes import float64, uint8
from ..graph import no_grad
from ..hints import not_a_tensor
from ..tensors import Tensor
from .in_place import apply_in_place
from .plan import OPERATIONS, apply

Activation = Callable[..., Tensor]


def activate(name: str, inplace: bool, x: Tensor, *parameters: float) -> Tensor:
    """The operation of that name on x, in place or not. TypeError where x is no tensor."""
    if not isinstance(x, Tensor):
        raise not_a_tensor(name, "input", 1, x)
    return (apply_in_place if inplace else apply)(OPERATIONS[name], x, *parameters)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return activate("relu", inplace, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return activate("relu6", inplace, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above 0, negative_slope · x below"""
    return activate("leaky_relu", inplace, input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, α (eˣ - 1) below"""
    return activate("elu", inplace, input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 times elu with α = 1.6733: activations of mean 0 and variance 1 stay so"""
    return activate("selu", inplace, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, α (e^(x/α) - 1) below"""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return activate("celu", inplace, input, alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x), with the normal distribution Φ, or its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, not {approximate!r}")
    return activate("gelu" if approximate == "none" else "gelutanh", False, input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)"""
    return activate("silu", inplace, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x))"""
    return activate("mish", inplace, input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(βx)) / β; x where βx is above the threshold"""
    return activate("softplus", False, input, beta, threshold)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return activate("softsign", False, input)


def logsigmoid(input: Tensor) -> Tensor:
    """log sigmoid(x)"""
    return activate("logsigmoid", False, input)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh x"""
    return input - input.tanh()


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x between two bounds"""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if isinstance(input, Tensor) and input.kind.dtype is uint8 and min_val < 0:
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits: use .int()")
    return activate("hardtanh", inplace, input, min_val, max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x/6 + 1/2 between 0 and 1"""
    return activate("hardsigmoid", inplace, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)"""
    return activate("hardswish", inplace, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, but 0 between -lambd and lambd"""
    return activate("hardshrink", False, input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, closer to 0 by lambd, and 0 between -lambd and lambd"""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return activate("softshrink", False, input, lambd)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x above a threshold, `value` below"""
    return activate("threshold", inplace, input, threshold, value)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above 0, w x below, with one weight, or one for each channel (axis 1)."""
    if weight.numel() != 1:
        channels = input.shape[1] if len(input.shape) > 1 else 1
        if not input.shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
    if len(weight.shape) > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {len(weight.shape)}")
    if input.dtype != weight.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}")
    axes = len(input.shape)
    shaped = weight.reshape((1, -1, *[1] * (axes - 2))) if axes > 1 else weight.reshape(input.shape and (1,))
    return apply(OPERATIONS["prelu"], input, shaped)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu, in training with a random slope for each negative element, else with the mean of the bounds."""
    if not lower <= upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    with no_grad():
        slopes, negative = ones_like(input), input <= 0
        drawn = random.rand(int(negative.sum().item()), dtype=float64, device=input.device) * (upper - lower) + lower
        slopes[negative] = drawn.to_kind(input.kind)
    return input.mul_(slopes) if inplace else input * slopes


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along an axis, times the sigmoid of the second half"""
    if not input.shape:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % len(input.shape)} is size {input.shape[dim]}"
        )
    values, gates = input.chunk(2, dim)
    return values * gates.sigmoid()


def in_place_form(function: Activation) -> Activation:
    @wraps(function)
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, **kwargs, inplace=True)

    call.__name__ = call.__qualname__ = f"{function.__name__}_"
    return call


relu_, leaky_relu_, elu_, selu_ = (in_place_form(f) for f in (relu, leaky_relu, elu, selu))
celu_, hardtanh_, rrelu_, threshold_ = (in_place_form(f) for f in (celu, hardtanh, rrelu, threshold))
