"""Losses as modules: what a network is asked to make small. The functions are in functional/.

    nn.HuberLoss(delta=2.0)(x, t)    is    F.huber_loss(x, t, delta=2.0)

Every loss has a `reduction`: 'mean', 'sum', or 'none' for one number per element (or row); the other options are those
of the function (nn/kept.py says how they come here). Weights are buffers.

Source: PyTorch documentation, torch.nn, "Loss functions".
"""

from __future__ import annotations

from typing import Any

from . import functional as F
from .functional.losses import check_reduction, legacy_reduction
from .kept import Kept
from .similarity import PairwiseDistance


class Loss(Kept):
    """The base: compares two tensors, and knows the old names of reductions."""

    operands, shown = 2, ()
    reductions: tuple[str, ...] = ()  # besides the usual three

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        old = options.pop("size_average", None), options.pop("reduce", None)
        options["reduction"] = legacy_reduction(*old, options["reduction"], stacklevel=4)
        if options["reduction"] not in self.reductions:
            check_reduction(options["reduction"])
        return options


class MSELoss(Loss):
    """The squared error (input - target)²; differentiates both.

    >>> import tinygrad_edu as tg
    >>> tg.nn.MSELoss(reduction="sum")(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(5.)
    """

    function, missing = staticmethod(F.mse_loss), ("weight",)


class L1Loss(Loss):
    """The absolute error |input - target|."""

    function, missing = staticmethod(F.l1_loss), ("weight",)


class SmoothL1Loss(Loss):
    """Squared where the error is below `beta`, absolute beyond."""

    function = staticmethod(F.smooth_l1_loss)


class HuberLoss(Loss):
    """Squared where the error is below `delta`, delta times the absolute error beyond."""

    function, missing = staticmethod(F.huber_loss), ("weight",)


class BCELoss(Loss):
    """Binary cross-entropy of probabilities: -(t log p + (1 - t) log(1 - p))."""

    function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of sigmoid(input), without the detour through numbers that may round to 0 or 1."""

    function = staticmethod(F.binary_cross_entropy_with_logits)


class NLLLoss(Loss):
    """-input[target] of log-probabilities (n, classes, ...) and class numbers (n, ...)."""

    function = staticmethod(F.nll_loss)


class CrossEntropyLoss(Loss):
    """Cross-entropy of logits (n, classes, ...) against class numbers (n, ...), or against probabilities."""

    function = staticmethod(F.cross_entropy)


class KLDivLoss(Loss):
    """The divergence of Kullback and Leibler of log-probabilities from probabilities (or from their logarithms)."""

    function, reductions = staticmethod(F.kl_div), ("batchmean",)


class PoissonNLLLoss(Loss):
    """Of counts against the (logarithm of the) rate of a Poisson distribution."""

    function = staticmethod(F.poisson_nll_loss)


class GaussianNLLLoss(Loss):
    """Of targets against a normal distribution with mean `input` and variance `var`."""

    operands, by_name, function = 3, True, staticmethod(F.gaussian_nll_loss)


class SoftMarginLoss(Loss):
    """log(1 + e^(-target · input)), for targets 1 and -1."""

    function = staticmethod(F.soft_margin_loss)


class HingeEmbeddingLoss(Loss):
    """For a distance: itself where the target is 1, max(0, margin - it) where the target is -1."""

    function = staticmethod(F.hinge_embedding_loss)


class CosineEmbeddingLoss(Loss):
    """1 - cos of two vectors where the target is 1, max(0, cos - margin) where it is -1."""

    operands, function = 3, staticmethod(F.cosine_embedding_loss)


class MarginRankingLoss(Loss):
    """max(0, margin - target · (input1 - input2)): which of the two should be larger."""

    operands, function = 3, staticmethod(F.margin_ranking_loss)


class TripletMarginLoss(Loss):
    """max(0, margin + ‖anchor - positive‖ - ‖anchor - negative‖)."""

    operands, function = 3, staticmethod(F.triplet_margin_loss)


class TripletMarginWithDistanceLoss(Loss):
    """The same with any distance, a function or a module."""

    operands, function = 3, staticmethod(F.triplet_margin_with_distance_loss)

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        return super().settled(options | {"distance_function": options["distance_function"] or PairwiseDistance()})


class MultiMarginLoss(Loss):
    """The score of the right class should be the largest, by `margin`."""

    function = staticmethod(F.multi_margin_loss)


class MultiLabelMarginLoss(Loss):
    """The scores of all right classes should be larger than those of all others, by 1."""

    function = staticmethod(F.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(Loss):
    """Binary cross-entropy of sigmoid(input), the mean over the classes."""

    function = staticmethod(F.multilabel_soft_margin_loss)
