"""Layers and losses as functions of tensors.

    linear                   y = x Wᵀ + b
    mse_loss                 (x - t)²
    binary_cross_entropy     -(t log p + (1 - t) log(1 - p))
    softmax                  eˣⁱ / Σ eˣʲ             along an axis
    cross_entropy            -log softmax(x)[t]     per row

A loss differentiates *both* its operands, whichever of them is the prediction.
"""

from __future__ import annotations

import warnings

from tinygrad_kernels.expr import trace

from ..ops import linalg
from ..ops.launch import compute
from ..ops.plan import OPERATIONS, apply
from ..ops.rows import along_rows, cross_entropy_rows
from ..tensors import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: (*, in), (out, in), (out,) -> (*, out)."""
    if bias is not None and bias.flat is not None and len(input.shape) == len(weight.shape) == 2:
        if input.kind is weight.kind is bias.kind:
            return linalg.linear(input, weight, bias)
    y = input @ weight.t()
    return y if bias is None else y + bias


def relu(input: Tensor) -> Tensor:
    """max(x, 0)"""
    return input.relu()


def tanh(input: Tensor) -> Tensor:
    """tanh x"""
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ)"""
    return input.sigmoid()


def check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: use 'mean', 'sum' or 'none'")


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of a loss's elements, or the elements themselves."""
    check_reduction(reduction)
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The squared error. A UserWarning where the shapes differ and are broadcast.

    >>> import tinygrad_edu as tg
    >>> mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(2.5000)
    """
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=2,
        )
    return reduce(apply(OPERATIONS["squarederror"], input, target), reduction)


OUTSIDE = trace("outside", lambda x: OPERATIONS["where"].op.forward(x >= 0.0, (x > 1.0)._where(1.0, 0.0), 1.0), ("x",))


def binary_cross_entropy(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Cross-entropy of probabilities in [0, 1] against targets in [0, 1], of the same shape.

    ValueError where the shapes differ, RuntimeError where an input is outside [0, 1] (nan included).
    """
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if compute(OUTSIDE, (input.detach(),), input.kind, input.kind, ()).item():
        raise RuntimeError("all elements of input should be between 0 and 1; apply sigmoid first")
    return reduce(apply(OPERATIONS["binarycrossentropy"], input, target), reduction)


def softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """eˣ / Σ eˣ along an axis: positive numbers that add up to 1.

    >>> import tinygrad_edu as tg
    >>> softmax(tg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return along_rows(input, dim, log=False)


def log_softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """log softmax(x), without the detour through numbers that may round to 0."""
    return along_rows(input, dim, log=True)


def cross_entropy(input: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """-log softmax(x)[t] for logits (n, classes) and class numbers (n,), int64; rows with `ignore_index` do not count.

    >>> import tinygrad_edu as tg
    >>> cross_entropy(tg.zeros(2, 4), tg.tensor([3, 0]))
    tensor(1.3863)
    """
    check_reduction(reduction)
    losses = cross_entropy_rows(input, target, ignore_index)
    if reduction != "mean":
        return reduce(losses, reduction)
    counted = int((target != ignore_index).sum().item())
    return losses.mean() if counted == target.numel() else losses.sum() / counted
