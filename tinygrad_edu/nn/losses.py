"""Losses as modules: what a network is asked to make small. The formulas are in functional.py."""

from __future__ import annotations

from ..tensors import Tensor
from . import functional as F
from .module import Module


class Loss(Module):
    """A loss with a `reduction` of its elements: 'mean', 'sum' or 'none'."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        F.check_reduction(reduction)
        self.reduction = reduction


class MSELoss(Loss):
    """The squared error (input - target)²; differentiates both."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class BCELoss(Loss):
    """Binary cross-entropy of probabilities: -(t log p + (1 - t) log(1 - p))."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, reduction=self.reduction)


class CrossEntropyLoss(Loss):
    """Cross-entropy of logits (n, classes) against class numbers (n,)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, reduction=self.reduction)
