"""Activations as functions: the formulas are in the calculus, here are PyTorch's names, arguments and defaults.

With `inplace=True` the result takes the place of the input: one array less to hold. It is refused where the old
elements are still needed for a gradient.

Source: PyTorch documentation, torch.nn.functional, "Non-linear activation functions".
"""

from __future__ import annotations

from typing import Any

from ...ops.in_place import apply_in_place
from ...ops.plan import OPERATIONS, apply
from ...tensors import Tensor


def activation(name: str, x: Tensor, *parameters: float, inplace: bool = False) -> Tensor:
    """One operation of the calculus on a tensor. TypeError for anything else."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(x).__name__}; make one with tensor(...)")
    numbers = [float(p) for p in parameters]
    return apply_in_place(OPERATIONS[name], x, *numbers) if inplace else apply(OPERATIONS[name], x, *numbers)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return activation("relu", input, inplace=inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x between 0 and 6"""
    return activation("relu6", input, inplace=inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above 0, negative_slope · x below

    >>> import tinygrad_edu as tg
    >>> leaky_relu(tg.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return activation("leaky_relu", input, negative_slope, inplace=inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, α (eˣ - 1) below"""
    return activation("elu", input, alpha, inplace=inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu, scaled so that mean 0 and variance 1 reproduce themselves"""
    return activation("selu", input, inplace=inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, α (e^(x/α) - 1) below"""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return activation("celu", input, alpha, inplace=inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x), with the normal distribution Φ; with approximate='tanh' a formula close to it"""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, not {approximate!r}")
    return activation("gelu" if approximate == "none" else OF_TANH, input)


OF_TANH = next(name for name, o in OPERATIONS.items() if o.op.__name__ == "GeluTanh")


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)"""
    return activation("silu", input, inplace=inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + eˣ))"""
    return activation("mish", input, inplace=inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(βx)) / β; x itself where βx is above the threshold"""
    return activation("softplus", input, beta, threshold)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return activation("softsign", input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x between two bounds"""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return activation("hardtanh", input, min_val, max_val, inplace=inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x/6 + 1/2 between 0 and 1"""
    return activation("hardsigmoid", input, inplace=inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)"""
    return activation("hardswish", input, inplace=inplace)


def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + e⁻ˣ))"""
    return activation("logsigmoid", input)


def tanh(input: Any) -> Tensor:
    """tanh x"""
    return input.tanh()


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh x"""
    return input - input.tanh()


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e⁻ˣ)"""
    return input.sigmoid()
