"""Activations as modules: for networks that are written as a list of layers. The formulas are in the calculus.

    nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

A module here says which function it is for, and the names of the options that it keeps; `forward` calls the one with
the others: (*) -> (*).

Source: PyTorch documentation, torch.nn, "Non-linear activations".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensors import Tensor
from . import functional as F
from .module import Module


class Activation(Module):
    """A function as a module. `options` are the names of its arguments, which are kept as attributes and printed.

    An option that says `inplace` is printed only where it is True.
    """

    function: Callable[..., Tensor]
    options: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, *[getattr(self, name) for name in self.options])

    def extra_repr(self) -> str:
        shown = {name: getattr(self, name) for name in self.options}
        if not shown.get("inplace", True):
            del shown["inplace"]
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


class MayBeInPlace(Activation):
    """An activation whose only option is to take the place of its input."""

    options: tuple[str, ...] = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(MayBeInPlace):
    """max(x, 0), elementwise."""

    function = staticmethod(F.relu)


class ReLU6(MayBeInPlace):
    """x between 0 and 6, elementwise."""

    function = staticmethod(F.relu6)


class SELU(MayBeInPlace):
    """elu, scaled so that mean 0 and variance 1 reproduce themselves."""

    function = staticmethod(F.selu)


class SiLU(MayBeInPlace):
    """x sigmoid(x), elementwise."""

    function = staticmethod(F.silu)


class Mish(MayBeInPlace):
    """x tanh(log(1 + eˣ)), elementwise."""

    function = staticmethod(F.mish)


class Hardsigmoid(MayBeInPlace):
    """x/6 + 1/2 between 0 and 1, elementwise."""

    function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        return ""


class Hardswish(Hardsigmoid):
    """x hardsigmoid(x), elementwise."""

    function = staticmethod(F.hardswish)


class LeakyReLU(Activation):
    """x above 0, negative_slope · x below."""

    function, options = staticmethod(F.leaky_relu), ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class ELU(Activation):
    """x above 0, α (eˣ - 1) below."""

    function, options = staticmethod(F.elu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class CELU(ELU):
    """x above 0, α (e^(x/α) - 1) below."""

    function = staticmethod(F.celu)


class Hardtanh(Activation):
    """x between two bounds."""

    function, options = staticmethod(F.hardtanh), ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if min_val >= max_val:
            raise AssertionError("max_val must be larger than min_val")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace


class GELU(Activation):
    """x Φ(x), with the normal distribution Φ; with approximate='tanh' a formula close to it."""

    function, options = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class Softplus(Activation):
    """log(1 + e^(βx)) / β; x itself where βx is above the threshold."""

    function, options = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Tanh(Activation):
    """tanh x, elementwise."""

    function = staticmethod(F.tanh)


class Tanhshrink(Activation):
    """x - tanh x, elementwise."""

    function = staticmethod(F.tanhshrink)


class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ), elementwise."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(Activation):
    """log(1 / (1 + e⁻ˣ)), elementwise."""

    function = staticmethod(F.logsigmoid)


class Softsign(Activation):
    """x / (1 + |x|), elementwise."""

    function = staticmethod(F.softsign)


class Softmax(Activation):
    """eˣ / Σ eˣ along an axis."""

    function: Any = staticmethod(F.softmax)
    options = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(Softmax):
    """log softmax(x) along an axis."""

    function = staticmethod(F.log_softmax)


class Softmin(Softmax):
    """softmax(-x) along an axis."""

    function = staticmethod(F.softmin)
