"""Distances, and a product of two kinds of features, as modules.

    Bilinear    y_k = x₁ᵀ W_k x₂ + b_k: how much each pair of features, one of either kind, says for output k

W and b start uniform in ±1/sqrt(in1_features). The functions are in ops/similarity.py.

Source: PyTorch documentation, torch.nn, "Distance Functions", and of nn.Bilinear.
"""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .kept import Kept
from .module import Module
from .parameter import Parameter


class Bilinear(Module):
    """x₁ᵀ W x₂ + b: (*, in1_features), (*, in2_features) -> (*, out_features).

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.Bilinear(2, 3, 4)
    >>> layer(tg.zeros(5, 2), tg.zeros(5, 3)).shape
    torch.Size([5, 4])
    """

    @hinted
    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights; PyTorch's own for the same seed."""
        bound = self.in1_features**-0.5
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class CosineSimilarity(Kept):
    """The cosine of the angle between vectors along an axis of two tensors."""

    function, operands, shown = staticmethod(F.cosine_similarity), 2, ()


class PairwiseDistance(Kept):
    """The p-norm of x1 - x2 + eps over the last axis."""

    function, operands, shown = staticmethod(F.pairwise_distance), 2, ()
