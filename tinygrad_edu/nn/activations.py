"""Activations as modules: for networks that are written as a list of layers. The formulas are in the calculus.

    nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

A module here says which function it is for, (*) -> (*); its options are those of the function (nn/kept.py says how).

Source: PyTorch documentation, torch.nn, "Non-linear activations".
"""

from __future__ import annotations

from typing import Any

from ..creation import full
from ..graph import no_grad
from ..tensors import Tensor
from . import functional as F
from .kept import Kept
from .module import Module
from .parameter import Parameter


class ReLU(Kept):
    """max(x, 0), elementwise."""

    function = staticmethod(F.relu)


class ReLU6(Kept):
    """x between 0 and 6, elementwise."""

    function = staticmethod(F.relu6)


class SELU(Kept):
    """elu, scaled so that mean 0 and variance 1 reproduce themselves."""

    function = staticmethod(F.selu)


class SiLU(Kept):
    """x sigmoid(x), elementwise."""

    function = staticmethod(F.silu)


class Mish(Kept):
    """x tanh(log(1 + eˣ)), elementwise."""

    function = staticmethod(F.mish)


class Hardsigmoid(Kept):
    """x/6 + 1/2 between 0 and 1, elementwise."""

    function, shown = staticmethod(F.hardsigmoid), ()


class Hardswish(Kept):
    """x hardsigmoid(x), elementwise."""

    function, shown = staticmethod(F.hardswish), ()


class LeakyReLU(Kept):
    """x above 0, negative_slope · x below."""

    function = staticmethod(F.leaky_relu)


class ELU(Kept):
    """x above 0, α (eˣ - 1) below."""

    function = staticmethod(F.elu)


class CELU(Kept):
    """x above 0, α (e^(x/α) - 1) below."""

    function = staticmethod(F.celu)


class Hardtanh(Kept):
    """x between two bounds."""

    function = staticmethod(F.hardtanh)

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["min_val"] >= options["max_val"]:
            raise AssertionError("max_val must be larger than min_val")
        return options


class Threshold(Kept):
    """x above a threshold, `value` below."""

    function = staticmethod(F.threshold)


class RReLU(Kept):
    """leaky_relu; in training with a random slope for each negative element, else with the mean of the bounds."""

    function = staticmethod(F.rrelu)


class Hardshrink(Kept):
    """x, but 0 between -lambd and lambd."""

    function = staticmethod(F.hardshrink)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x, closer to 0 by lambd, and 0 between -lambd and lambd."""

    function = staticmethod(F.softshrink)


class PReLU(Module):
    """x above 0, w x below, where w (one, or one for each channel) is a parameter: `weight`."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Start again from `init`."""
        with no_grad():
            self.weight.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class GELU(Kept):
    """x Φ(x), with the normal distribution Φ; with approximate='tanh' a formula close to it."""

    function = staticmethod(F.gelu)


class Softplus(Kept):
    """log(1 + e^(βx)) / β; x itself where βx is above the threshold."""

    function = staticmethod(F.softplus)


class Tanh(Kept):
    """tanh x, elementwise."""

    function = staticmethod(F.tanh)


class Tanhshrink(Kept):
    """x - tanh x, elementwise."""

    function = staticmethod(F.tanhshrink)


class Sigmoid(Kept):
    """1 / (1 + e⁻ˣ), elementwise."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(Kept):
    """log(1 / (1 + e⁻ˣ)), elementwise."""

    function = staticmethod(F.logsigmoid)


class Softsign(Kept):
    """x / (1 + |x|), elementwise."""

    function = staticmethod(F.softsign)


class Softmax(Kept):
    """eˣ / Σ eˣ along an axis."""

    function, missing = staticmethod(F.softmax), ("_stacklevel", "dtype")


class LogSoftmax(Softmax):
    """log softmax(x) along an axis."""

    function = staticmethod(F.log_softmax)


class Softmin(Softmax):
    """softmax(-x) along an axis."""

    function = staticmethod(F.softmin)


class Softmax2d(Module):
    """softmax over the channels of images (rows, channels, height, width), or of one."""

    def forward(self, input: Tensor) -> Tensor:
        if len(input.shape) not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {len(input.shape)}D instead")
        return F.softmax(input, -3)


class GLU(Kept):
    """The first half along an axis, times the sigmoid of the second half."""

    function = staticmethod(F.glu)
