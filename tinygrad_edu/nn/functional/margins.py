"""Losses that ask for a margin: it is enough to be right by so much.

    soft_margin_loss        log(1 + e^(-t x))                           t is 1 or -1, the side where x should be
    hinge_embedding_loss    x, or max(0, m - x)                         x a distance, of what belongs together, or not
    cosine_embedding_loss   1 - cos, or max(0, cos - m)                 cos the cosine between two vectors
    margin_ranking_loss     max(0, m - t (x₁ - x₂))                     which of two should be larger
    triplet_margin_loss     max(0, m + ‖a - p‖ - ‖a - n‖)               the anchor a is closer to p than to n
    multi_margin_loss       Σ max(0, m - x[t] + x[i])^p / classes       the score of the right class t is the largest
    multilabel_...          the same for several right classes

Beyond the margin the gradient is 0: what is right is left alone, and training looks at what is wrong.

Put together from differentiable operations. Shapes as for all losses: (*) -> (), or (*) with reduction='none'; those of
vectors take (rows, features), or one vector.

Sources: C. Cortes, V. Vapnik, Support-vector networks, 1995; K. Crammer, Y. Singer, On the algorithmic implementation
of multiclass kernel-based vector machines, 2001; F. Schroff, D. Kalenichenko, J. Philbin, FaceNet, 2015 (triplets).
"""

from __future__ import annotations

from collections.abc import Callable

from ...dtypes import int64
from ...ops.conversion import says_wrong
from ...ops.plan import OPERATIONS, apply
from ...ops.similarity import pairwise_distance
from ...tensors import Tensor
from .losses import check_reduction, legacy_reduction, reduced


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + e^(-t x)) for targets 1 and -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduced(-apply(OPERATIONS["logsigmoid"], target * input), reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """For a distance x: x itself where the target is 1, max(0, margin - x) where it is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    near = input.where(target != -1, 0.0)
    far = (margin - input).clamp_min(0).where(target != 1, 0.0)
    return reduced(near + far, reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin - t (x₁ - x₂)): t = 1 asks for x₁ above x₂, -1 for the reverse."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not len(input1.shape) == len(input2.shape) == len(target.shape):
        shapes = ", ".join(str(list(x.shape)) for x in (input1, input2, target))
        raise RuntimeError(f"margin_ranking_loss: all tensors should have the same dimension, got {shapes}")
    return reduced((margin - target * (input1 - input2)).clamp_min(0), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1: (rows, n), (rows, n), (rows,), or one row.

    >>> import tinygrad_edu as tg
    >>> cosine_embedding_loss(tg.tensor([[1.0, 0.0]]), tg.tensor([[0.0, 2.0]]), tg.tensor([1]))
    tensor(1.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    axes = len(target.shape)
    if axes > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if len(input1.shape) != axes + 1 or len(input2.shape) != axes + 1:
        raise RuntimeError(
            f"{axes}D target tensor expects {axes + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((input1 * input1).sum(axes) + 1e-12) * ((input2 * input2).sum(axes) + 1e-12)
    cosine = (input1 * input2).sum(axes) / squares.sqrt()
    alike, apart = (1 - cosine).where(target == 1, 0.0), (cosine - margin).clamp_min(0).where(target == -1, 0.0)
    return reduced(alike + apart, reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin + ‖a - p‖ - ‖a - n‖) in the p-norm over the last axis; eps is added to each difference.

    `swap` takes ‖p - n‖ in place of ‖a - n‖ where that is less. ValueError for a margin that is not positive.
    """
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda x, y: pairwise_distance(x, y, p, eps), margin=margin,
        swap=swap, reduction=legacy_reduction(size_average, reduce, reduction),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The same with any distance; by default the Euclidean one."""
    check_reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, p, n = (len(x.shape) for x in (anchor, positive, negative))
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {a}D, positive {p}D, and negative {n}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ over the wrong classes i of max(0, margin - x[t] + x[i])^p · weight[t] / classes.

    Scores (rows, classes) or (classes,), class numbers (rows,) or (), int64; p is 1 or 2.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and len(weight.shape) != 1:
        raise ValueError("weight must be one-dimensional")
    rows, classes = input if len(input.shape) > 1 else input.unsqueeze(0), input.shape[-1]
    if target.numel() != rows.shape[0] or len(target.shape) > 1:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{rows.shape[0]}], but got {list(target.shape)}."
        )
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    check_range(target, 0, classes, "target out of range")
    chosen = target.reshape(-1, 1)
    over = (margin - rows.gather(1, chosen) + rows).relu()
    over = over * over if p == 2 else over
    over = over.scatter(1, chosen, 0.0)
    if weight is not None:
        over = over * weight[chosen]
    losses = over.sum(1) / classes
    return reduced(losses if len(input.shape) > 1 else losses.squeeze(0), reduction)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Tensor:
    """Σ over right classes j and wrong ones i of max(0, 1 - x[j] + x[i]) / classes.

    Scores and class numbers (rows, classes) or (classes,): a row of targets is a list of classes that ends at -1.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    check_range(target, -1, input.shape[-1] if input.shape else 1, "argument #2 'target' is out of range")
    rows, listed = input.reshape(-1, target.shape[-1]), target.reshape(-1, target.shape[-1])
    counted = (listed >= 0).to(int64).cumprod(1)  # 0 from the first -1 on
    listed = listed * counted
    right = counted.new_zeros(rows.shape).scatter_add(1, listed, counted) > 0
    over = (1.0 - rows.gather(1, listed).unsqueeze(2) + rows.unsqueeze(1)).relu()  # (rows, right ones, all)
    over = over.where((counted > 0).unsqueeze(2) & ~right.unsqueeze(1), 0.0)
    return reduced((over.sum((1, 2)) / rows.shape[1]).reshape(input.shape[:-1]), reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(t log σ(x) + (1 - t) log σ(-x)), the mean over the classes (the last axis), for targets 0 and 1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    yes, no = (apply(OPERATIONS["logsigmoid"], x) for x in (input, -input))
    losses = -(target * yes + (1 - target) * no)
    return reduced((losses if weight is None else losses * weight).mean(-1), reduction)


def check_range(target: Tensor, low: int, high: int, text: str) -> None:
    if target.numel() and says_wrong(((target < low) | (target >= high)).any()):
        raise RuntimeError(f"{text}: the classes are 0 to {high - 1}")
