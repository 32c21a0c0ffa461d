"""Layers: the affine map, functions as modules, and modules one after another.

A linear layer computes x Wᵀ + b for x (*, in), W (out, in), b (out,): each row of W is one output's weights. It starts
from W and b uniform in ±1/sqrt(in), so that an output has about the variance of an input, whatever the width.

Source: Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp, 1998, section 4.6.
"""

from __future__ import annotations

import math
from typing import Any

from ..creation import empty
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .module import Container, Module, Parameter


class Linear(Module):
    """x Wᵀ + b: (*, in_features) -> (*, out_features).

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.Linear(3, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    >>> layer(tg.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    @hinted
    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.bias = Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights; PyTorch's own for the same seed."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Sequential(Container):
    """Modules applied one after another."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for k, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(
                    f"{type(module).__name__} is not a Module subclass: Sequential(Linear(...), Tanh(), ...)"
                )
            setattr(self, str(k), module)

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x


class Tanh(Module):
    """tanh x, elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh()


class ReLU(Module):
    """max(x, 0), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu()


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid()
