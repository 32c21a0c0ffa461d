"""Layers as functions of their input and their parameters.

    linear       y = x Wᵀ + b
    embedding    y = W[i]                  rows of a table, by number
    softmax      eˣⁱ / Σ eˣʲ               along an axis

The rows of a table are its product with vectors of one 1; their gradient is a sum over the places that used a row.

Source: Y. Bengio et al., A neural probabilistic language model, JMLR 2003 (tables); E. Jang, S. Gu, B. Poole,
Categorical reparameterization with Gumbel-softmax, ICLR 2017.
"""

from __future__ import annotations

import warnings
from typing import Any

from ...creation import zeros_like
from ...graph import no_grad
from ...hints import not_a_tensor
from ...ops import linalg
from ...ops.places import numbers_of, places_in, take
from ...ops.random import fill
from ...tensors import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: (*, in), (out, in), (out,) -> (*, out)."""
    if not isinstance(input, Tensor):
        raise not_a_tensor("linear", "input", 1, input)
    if bias is not None and bias.flat is not None and input.kind is weight.kind is bias.kind:
        if len(weight.shape) == 2 and bias.shape == weight.shape[:1] and len(input.shape) > 1 and input.numel():
            if len(input.shape) == 2:
                return linalg.linear(input, weight, bias)
            rows = linalg.linear(input.reshape(-1, input.shape[-1]), weight, bias)
            return rows.view(*input.shape[:-1], weight.shape[0])
    y = input @ weight.t()
    return y if bias is None else y + bias


def refuse_sparse(sparse: bool) -> None:
    if sparse:
        raise NotImplementedError(
            "embedding: sparse=True is outside of this library's scope: gradients are dense tensors"
        )


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table by number: (*) of integers, (rows, width) -> (*, width).

    The row `padding_idx` gets no gradient. Rows that are looked up and longer than `max_norm` are shortened first, in
    the table itself. `scale_grad_by_freq` divides gradients by how often a number occurs in `input`.
    IndexError for a number that is no row, RuntimeError for a float, NotImplementedError for `sparse`.

    >>> import tinygrad_edu as tg
    >>> embedding(tg.tensor([2, 0]), tg.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    refuse_sparse(sparse)
    if not isinstance(input, Tensor):
        raise not_a_tensor("embedding", "indices", 2, input)
    if not isinstance(weight, Tensor):
        raise not_a_tensor("embedding", "weight", 1, weight)
    if input.kind.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.kind.dtype} instead: use .long()"
        )
    if len(weight.shape) != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    numbers = numbers_of(input, input.shape).copy()  # the derivative needs them as they are now
    least, greatest = input.kind.backend.smallest_and_largest(numbers)
    if least < 0 or greatest >= rows:
        raise IndexError(f"index out of range in self: the numbers of the rows are 0 to {rows - 1}")
    if max_norm is not None:
        shorten(weight, input, max_norm, norm_type)
    found = take(weight, places_in(weight.shape, (0,), numbers, input.shape), "EmbeddingBackward0")
    if found.node is None or found.node.leaf:
        return found
    if scale_grad_by_freq:
        count = input.reshape(-1).bincount(minlength=rows)[input.long()].unsqueeze(-1).to_kind(weight.kind)
        found.register_hook(lambda g: g / count)
    if padding_idx is not None:
        kept = (input != padding_idx % rows).unsqueeze(-1)
        found.register_hook(lambda g: g.where(kept, 0.0))
    return found


def shorten(weight: Tensor, numbers: Tensor, max_norm: float, norm_type: float) -> None:
    """Bring the rows of these numbers to a norm of at most `max_norm`, in place."""
    with no_grad():
        at = numbers.long().unique()
        rows = weight.detach()[at]
        norms = rows.norm(norm_type, dim=1, keepdim=True)
        weight[at] = rows * (max_norm / (norms + 1e-7)).where(norms > max_norm, 1.0)


def axis_for(name: str, input: Tensor, dim: int | None) -> int:
    """The axis of a softmax. None is an old habit: 0 for 0, 1 or 3 axes, else 1, with a warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if len(input.shape) in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """eˣ / Σ eˣ along an axis: positive numbers that add up to 1. `dtype`: convert first.

    >>> import tinygrad_edu as tg
    >>> softmax(tg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return input.softmax(axis_for("softmax", input, dim), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x): the smallest gets most."""
    return (-input).softmax(axis_for("softmin", input, dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log softmax(x), without the detour through numbers that may round to 0."""
    return input.log_softmax(axis_for("log_softmax", input, dim), dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A random choice by softmax probabilities, made differentiable: softmax((x + Gumbel noise) / tau).

    With `hard` the result is one-hot, and the gradient that of the soft one. `eps` has no effect (PyTorch kept it).

    >>> import tinygrad_edu as tg
    >>> gumbel_softmax(tg.tensor([[0.0, 100.0]]), hard=True)
    tensor([[0., 1.]])
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    if not logits.kind.dtype.is_floating_point:
        raise RuntimeError(
            f"gumbel_softmax of {logits.kind.dtype.name} is not implemented: convert with .float() first"
        )
    noise = Tensor(logits.kind.empty(logits.numel()), logits.shape, logits.kind)
    fill(noise, "exponential", None)
    soft = ((logits - noise.log()) / tau).softmax(dim)
    if not hard:
        return soft
    chosen = soft.detach().argmax(dim, keepdim=True)
    return zeros_like(soft.detach()).scatter(dim, chosen, 1.0) - soft.detach() + soft
