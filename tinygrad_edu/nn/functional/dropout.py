"""Dropout: of elements, of whole channels, and the one that keeps mean and variance. Only in training.

    dropout              y = x m / (1 - p)    m: 0 with probability p, else 1, drawn for each element
    dropout1d, 2d, 3d    the same with one draw for each sample and channel: m is (n, channels, 1, ...)
    alpha_dropout        dropped elements become α' = -1.7581, what SELU gives far below 0; then y = a x + b, with
                         a and b such that mean 0 and variance 1 stay so

Dividing by 1 - p makes x the expected value of y, so that a network may be evaluated without dropout. Neighbouring
pixels are alike, so dropping one of them hides nothing; dropping a channel does. And a network of SELUs depends on mean
0 and variance 1, which zeros would change.

Source: N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014; J. Tompson
et al., Efficient object localization using convolutional networks, CVPR 2015 (channels); G. Klambauer et al.,
Self-normalizing neural networks, NeurIPS 2017 (alpha).
"""

from __future__ import annotations

import warnings
from math import prod

from ...creation import zeros_like
from ...hints import not_a_tensor
from ...ops.random import drawn
from ...ops.strides import Size
from ...tensors import Tensor

ALPHA = 1.7580993408473766


def check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def is_idle(x: Tensor, p: float, training: bool) -> bool:
    check_probability(p)
    if not isinstance(x, Tensor):
        raise not_a_tensor("dropout", "input", 1, x)
    return not training or not p or not x.numel()


def mask(x: Tensor, p: float, channels: bool) -> Tensor:
    """0 with probability p, else 1: as many as x has elements, or channels."""
    if channels and len(x.shape) < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not channels:
        return zeros_like(x) if p == 1.0 else drawn(x, "bernoulli", None, 1.0 - p)  # as x lies in memory
    shape = Size((*x.shape[:2], *[1] * (len(x.shape) - 2)))
    out = Tensor(x.kind.empty(prod(shape)), shape, x.kind)
    return out.zero_() if p == 1.0 else out.bernoulli_(1.0 - p)


def dropped(x: Tensor, p: float, training: bool, inplace: bool, channels: bool) -> Tensor:
    """x times the mask, divided by 1 - p."""
    if is_idle(x, p, training):
        return x
    noise = mask(x, p, channels)
    if p < 1.0:
        noise.div_(1.0 - p)
    return x.mul_(noise) if inplace else x * noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element is 0 with probability p, else divided by 1 - p; the input itself where not `training`.

    The random numbers are those of PyTorch's portable code; on Intel processors PyTorch itself takes others.
    ValueError unless 0 <= p <= 1.

    >>> import tinygrad_edu as tg
    >>> dropout(tg.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    return dropped(input, p, training, inplace, False)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (n, channels, length) or (channels, length) are 0 with probability p, else divided by 1 - p."""
    if len(input.shape) not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {len(input.shape)}D input")
    return one_or_many(input, 3, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (n, channels, height, width) are 0 with probability p, else divided by 1 - p.

    >>> import tinygrad_edu as tg
    >>> y = dropout2d(tg.ones(5, 8, 3, 3), p=0.25)
    >>> bool((y.amax((2, 3)) == y.amin((2, 3))).all())
    True
    """
    check_probability(p)
    n = len(input.shape)
    if n == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim: use dropout1d",
            stacklevel=2,
        )
    elif n != 4:
        warnings.warn(f"dropout2d: Received a {n}-D input to dropout2d, which is deprecated", stacklevel=2)
    return dropped(input, p, training, inplace, True)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (n, channels, depth, height, width), with or without n, are 0 with probability p."""
    check_probability(p)
    n = len(input.shape)
    if n not in (4, 5):
        warnings.warn(f"dropout3d: Received a {n}-D input to dropout3d, which is deprecated", stacklevel=2)
    return one_or_many(input, 5, p, training, inplace)


def one_or_many(x: Tensor, axes: int, p: float, training: bool, inplace: bool) -> Tensor:
    """Dropout of the channels of x, which has `axes` axes, or one less without a batch."""
    if len(x.shape) == axes:
        return dropped(x, p, training, inplace, True)
    out = dropped(x.unsqueeze(0), p, training, inplace, True)
    return x if inplace else out.squeeze(0)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Each element becomes α' with probability p; then all are scaled and shifted back to mean 0 and variance 1."""
    return with_alpha(input, p, training, inplace, False)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels."""
    return with_alpha(input, p, training, inplace, True)


def with_alpha(x: Tensor, p: float, training: bool, inplace: bool, channels: bool) -> Tensor:
    if is_idle(x, p, training):
        return x
    if p == 1.0:
        return x.mul_(0.0) if inplace else x * 0.0
    kept = mask(x, p, channels)
    a = ((ALPHA**2 * p + 1.0) * (1.0 - p)) ** -0.5
    shift = (kept - 1.0).mul_(ALPHA * a).add_(ALPHA * a * p)
    return x.mul_(kept * a).add_(shift) if inplace else x * (kept * a) + shift
