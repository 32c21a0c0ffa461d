"""Layers as functions of their input and their parameters.

    linear       y = x Wᵀ + b
    dropout      y = x m / (1 - p)         m: 0 with probability p, else 1; nothing happens outside training
    embedding    y = W[i]                  rows of a table, by number
    softmax      eˣⁱ / Σ eˣʲ               along an axis

Dropout divides by 1 - p so that the expected value of y is x, and a network may be evaluated without it.

Source: N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
"""

from __future__ import annotations

from typing import Any

from ... import random
from ...dtypes import as_dtype
from ...ops import linalg
from ...ops.rows import along_rows
from ...tensors import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: (*, in), (out, in), (out,) -> (*, out)."""
    if bias is not None and bias.flat is not None and len(input.shape) == len(weight.shape) == 2:
        if input.kind is weight.kind is bias.kind:
            return linalg.linear(input, weight, bias)
    y = input @ weight.t()
    return y if bias is None else y + bias


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element is 0 with probability p, else divided by 1 - p; the input itself where not `training`.

    The random numbers are those of PyTorch's portable code; on Intel processors PyTorch itself takes others.

    >>> import tinygrad_edu as tg
    >>> dropout(tg.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0.0 or input.numel() == 0:
        return input
    noise = Tensor(input.kind.empty(input.numel()), input.shape, input.kind)
    if p == 1.0:
        noise.zero_()
    else:
        random.default_generator.bernoulli(noise.flat, 1.0 - p)
        noise.div_(1.0 - p)
    return input.mul_(noise) if inplace else input * noise


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of a table by number: (*) of integers, (rows, width) -> (*, width).

    The row `padding_idx` gets no gradient. IndexError for a number that is no row, RuntimeError for a float.

    >>> import tinygrad_edu as tg
    >>> embedding(tg.tensor([2, 0]), tg.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    if input.kind.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.kind.dtype} instead: use .long()"
        )
    if len(weight.shape) != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = weight.shape[0]
    if input.numel() and not bool(((input >= 0) & (input < rows)).all().item()):
        raise IndexError(f"index out of range in self: the numbers of the rows are 0 to {rows - 1}")
    found = weight[input]
    if padding_idx is None:
        return found
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    padded = (input == padding_idx % rows).unsqueeze(-1)
    return found.where(~padded, found.detach())


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """eˣ / Σ eˣ along an axis: positive numbers that add up to 1.

    >>> import tinygrad_edu as tg
    >>> softmax(tg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return along_rows(input if dtype is None else input.to(as_dtype(dtype)), dim, log=False)


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """softmax(-x): the smallest gets most."""
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """log softmax(x), without the detour through numbers that may round to 0."""
    return along_rows(input if dtype is None else input.to(as_dtype(dtype)), dim, log=True)
