"""Losses as modules: what a network is asked to make small. The functions are in functional/.

    F.huber_loss(x, t, delta=2.0)           a function: every option at every call
    nn.HuberLoss(delta=2.0)(x, t)           a module: the options are given once, and travel with the model

So a class here says which function it is for, and which options that has; the base keeps them and calls it. Every loss
has a `reduction`: 'mean', 'sum', or 'none' for one number per element (or row). Weights are buffers, so that they move
and are saved with the module.

Source: PyTorch documentation, torch.nn, "Loss functions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensors import Tensor
from . import functional as F
from .functional.losses import check_reduction, legacy_reduction
from .module import Module


class Loss(Module):
    """The base: keeps `reduction` and the options, and calls the function with them."""

    function: Callable[..., Tensor]
    reductions: tuple[str, ...] = ()  # besides the usual three

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", **options: Any
    ) -> None:
        super().__init__()
        self.reduction = legacy_reduction(size_average, reduce, reduction)
        if self.reduction not in self.reductions:
            check_reduction(self.reduction)
        self.options = tuple(options)
        for name, value in options.items():
            if name.endswith("weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *operands: Tensor, **named: Tensor) -> Tensor:
        options = {name: getattr(self, name) for name in self.options}
        return type(self).function(*operands, **named, reduction=self.reduction, **options)


class MSELoss(Loss):
    """The squared error (input - target)²; differentiates both."""

    function: Callable[..., Tensor] = staticmethod(F.mse_loss)

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)


class L1Loss(MSELoss):
    """The absolute error |input - target|."""

    function = staticmethod(F.l1_loss)


class SoftMarginLoss(MSELoss):
    """log(1 + e^(-target · input)), for targets 1 and -1."""

    function = staticmethod(F.soft_margin_loss)


class SmoothL1Loss(Loss):
    """Squared where the error is below `beta`, absolute beyond."""

    function = staticmethod(F.smooth_l1_loss)

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction, beta=beta)


class HuberLoss(Loss):
    """Squared where the error is below `delta`, delta times the absolute error beyond."""

    function = staticmethod(F.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class BCELoss(Loss):
    """Binary cross-entropy of probabilities: -(t log p + (1 - t) log(1 - p))."""

    function = staticmethod(F.binary_cross_entropy)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of sigmoid(input), without the detour through numbers that may round to 0 or 1."""

    function = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(Loss):
    """-input[target] of log-probabilities (n, classes, ...) and class numbers (n, ...)."""

    function = staticmethod(F.nll_loss)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(Loss):
    """Cross-entropy of logits (n, classes, ...) against class numbers (n, ...), or against probabilities."""

    function = staticmethod(F.cross_entropy)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        options = dict(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)
        super().__init__(size_average, reduce, reduction, **options)


class KLDivLoss(Loss):
    """The divergence of Kullback and Leibler of log-probabilities from probabilities (or from their logarithms)."""

    function, reductions = staticmethod(F.kl_div), ("batchmean",)

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction, log_target=log_target)


class PoissonNLLLoss(Loss):
    """Of counts against the (logarithm of the) rate of a Poisson distribution."""

    function = staticmethod(F.poisson_nll_loss)

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(Loss):
    """Of targets against a normal distribution with mean `input` and variance `var`."""

    function = staticmethod(F.gaussian_nll_loss)

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, full=full, eps=eps)


class HingeEmbeddingLoss(Loss):
    """For a distance: itself where the target is 1, max(0, margin - it) where the target is -1."""

    function: Callable[..., Tensor] = staticmethod(F.hinge_embedding_loss)

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, margin=margin)


class MarginRankingLoss(HingeEmbeddingLoss):
    """max(0, margin - target · (input1 - input2)): which of the two should be larger."""

    function = staticmethod(F.margin_ranking_loss)

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)
