"""Losses of predictions against targets, element by element, and then the mean or the sum.

    mse_loss              (x - t)²                         l1_loss        |x - t|
    smooth_l1_loss        squared near 0, then straight    huber_loss     the same, scaled
    binary_cross_entropy  -(t log p + (1 - t) log(1 - p))  ..._with_logits    of p = sigmoid x, stable
    kl_div                t (log t - x)                    poisson_nll_loss   eˣ - t x
    gaussian_nll_loss     (log v + (x - t)² / v) / 2

The formulas are in the calculus (losses.py there), so that forward and backward are one loop each. A loss
differentiates *both* its operands, whichever of them is the prediction.

input, target (*) -> (), or (*) with reduction='none'. Every function takes `reduction`: 'mean', 'sum', or 'none' for
the losses of the elements; ValueError for another. (`size_average` and `reduce` are how PyTorch said that until 2018;
they still work, with a warning.)

Source: PyTorch documentation, torch.nn.functional, "Loss functions".
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from tinygrad_kernels.expr import trace

from ...creation import tensor
from ...hints import not_a_tensor
from ...ops.conversion import says_wrong
from ...ops.launch import compute
from ...ops.plan import OPERATIONS, apply
from ...tensors import Tensor


def check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: use 'mean', 'sum' or 'none'")


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str, stacklevel: int = 3) -> str:
    """What `size_average` and `reduce` say, if one of them is given; the warning is for `stacklevel` frames up."""
    if size_average is None and reduce is None:
        return reduction
    if isinstance(size_average, Tensor) or isinstance(reduce, Tensor):  # nn.MSELoss(output, target)
        raise RuntimeError("Boolean value of Tensor is ambiguous: make the loss first, then call it with tensors: "
                           "nn.MSELoss()(output, target)")  # fmt: skip
    found = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.",
                  stacklevel=stacklevel)  # fmt: skip
    return found


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of a loss's elements, or the elements themselves."""
    check_reduction(reduction)
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def check_tensors(name: str, input: Any, target: Any) -> None:
    """TypeError unless both are tensors."""
    for position, (role, x) in enumerate((("input", input), ("target", target))):
        if not isinstance(x, Tensor):
            raise not_a_tensor(name, role, position + 1, x)


def warn_if_sizes_differ(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
        )


def error(
    name: str, input: Tensor, target: Tensor, reduction: str, weight: Tensor | None = None, *parameters: float
) -> Tensor:
    """A loss of the calculus, reduced; with weights, their mean is a weighted one."""
    warn_if_sizes_differ(input, target)
    loss = apply(OPERATIONS[name], input, target, *[float(p) for p in parameters])
    if weight is None:
        return reduced(loss, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    if reduction == "mean" and name != "huber":
        return (loss * weight).sum() / weight.sum()
    return reduced(loss * weight, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared error. A UserWarning where the shapes differ and are broadcast.

    >>> import tinygrad_edu as tg
    >>> mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(2.5000)
    """
    return error("squarederror", input, target, legacy_reduction(size_average, reduce, reduction), weight)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute error."""
    return error("absolute_error", input, target, legacy_reduction(size_average, reduce, reduction), weight)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Squared where the error is below `beta`, absolute beyond."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    reduction = legacy_reduction(size_average, reduce, reduction)
    if beta == 0:
        return error("absolute_error", input, target, reduction)
    return error("smooth_l1", input, target, reduction, None, beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Squared where the error is below `delta`, delta times the absolute error beyond."""
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    return error("huber", input, target, reduction, weight, delta)


OUTSIDE = trace("outside", lambda x: OPERATIONS["where"].op.forward(x >= 0.0, (x > 1.0)._where(1.0, 0.0), 1.0), ("x",))


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of probabilities in [0, 1] against targets in [0, 1], of the same shape.

    ValueError where the shapes differ, RuntimeError where an input is outside [0, 1] (nan included).
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_tensors("binary_cross_entropy", input, target)
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if target.kind is not input.kind:
        raise RuntimeError(f"Found dtype {target.dtype} but expected {input.dtype}: use target.to(input.dtype)")
    if says_wrong(compute(OUTSIDE, (input.detach(),), input.kind, input.kind, ())):
        raise RuntimeError("all elements of input should be between 0 and 1; apply sigmoid first")
    loss = apply(OPERATIONS["binarycrossentropy"], input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the probabilities sigmoid(x) against targets; `pos_weight` multiplies the loss of positives.

    >>> import tinygrad_edu as tg
    >>> binary_cross_entropy_with_logits(tg.tensor([100.0, 0.0]), tg.tensor([0.0, 1.0]), reduction="none")
    tensor([100.0000,   0.6931])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    if not target.kind.dtype.is_floating_point:
        raise RuntimeError(f"result type {input.dtype} can't be cast to {target.dtype}: use target.float()")
    loss = apply(OPERATIONS["logistic_loss"], input, target, 1.0 if pos_weight is None else pos_weight)
    return reduced(loss if weight is None else loss * weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The divergence of Kullback and Leibler; `input` holds log-probabilities, `target` probabilities (or their logs).

    reduction='batchmean' divides the sum by the number of rows, which is what the definition says.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides "
            "only by the batch size, and aligns with the KL div math definition.",
            stacklevel=2,
        )
    loss = apply(OPERATIONS["log_divergence" if log_target else "divergence"], input, target)
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.shape else loss.sum()
    return reduced(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Of counts against the rate of a Poisson distribution, or (log_input) its logarithm.

    `full` adds Stirling's approximation of log t! for targets above 1.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = apply(OPERATIONS["poisson_loss"], input, target) if log_input else input - target * (input + eps).log()
    if full:
        safe = target.where(target > 1, 1.0)
        stirling = safe * safe.log() - safe + 0.5 * (2 * math.pi * safe).log()
        loss = loss + stirling.where(target > 1, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Of targets against a normal distribution with mean `input` and variance `var`, a tensor or a number.

    `var` has the shape of `input`, or one axis of it is 1, or the last one is absent. `full` adds log(2π) / 2.
    """
    check_reduction(reduction)
    negative = says_wrong((var < 0).any()) if isinstance(var, Tensor) else var < 0
    if negative:
        raise ValueError("var has negative entry/entries")
    if isinstance(var, Tensor) and var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif len(var.shape) != len(input.shape) or [
            n for m, n in zip(input.shape, var.shape, strict=True) if m != n
        ] != [1]:
            raise ValueError("var is of incorrect size")
    variance = var if isinstance(var, Tensor) else tensor(float(var), dtype=input.dtype, device=input.device)
    loss = apply(OPERATIONS["gaussian_loss"], input, target, variance, float(eps))
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
