"""Normalisation layers: keep what flows through a network at mean 0 and variance 1.

Layer norm does it for each example by itself, over its features:

    y = (x - μ) / √(σ² + ε) · w + b        μ, σ² over the last axes;  w starts as 1, b as 0

so it does not mix the examples of a batch, and does the same in training and afterwards. The kernels are in
tinygrad_kernels/cpu/norm.py.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450).
"""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .module import Module, Parameter


class LayerNorm(Module):
    """Layer norm over the last axes: (*, *normalized_shape) -> the same.

    `normalized_shape` is an int for the last axis alone. Without `elementwise_affine` there are no w and b, without
    `bias` there is no b.

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.LayerNorm(2)
    >>> layer
    LayerNorm((2,), eps=1e-05, elementwise_affine=True, bias=True)
    >>> layer(tg.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    @hinted
    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine

        def parameter(wanted: bool) -> Parameter | None:
            return Parameter(empty(*self.normalized_shape, dtype=dtype, device=device)) if wanted else None

        self.register_parameter("weight", parameter(elementwise_affine))
        self.register_parameter("bias", parameter(elementwise_affine and bias))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """w = 1, b = 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"
