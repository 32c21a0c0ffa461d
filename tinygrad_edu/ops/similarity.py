"""Distances, angles, and products of two kinds of features.

    normalize            x / max(‖x‖, ε)
    cosine_similarity    x·y / (max(‖x‖, ε) max(‖y‖, ε))
    pairwise_distance    ‖x - y + ε‖                               row by row
    cdist                ‖x_i - y_j‖                               every row of x with every row of y
    bilinear             y_k = x₁ᵀ W_k x₂ + b_k
    one_hot              1 at the place of a class number, else 0

The Euclidean distances of many rows take one matrix product, since ‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y. The price is
accuracy where x and y are nearly equal: the difference of two large numbers.

A norm has no derivative at 0; here, as in PyTorch, it is taken as 0.

Source: C. Manning, P. Raghavan, H. Schütze, Introduction to Information Retrieval, 2008, chapters 6 and 14.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..creation import zeros
from ..dtypes import int64, promote
from ..hints import not_a_tensor
from ..tensors import Tensor
from .strides import broadcast_shapes

MANY = 25  # rows from which cdist multiplies matrices
MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: None = None) -> Tensor:
    """x / max(‖x‖, eps), with the p-norm over `dim`: of the same shape.

    >>> import tinygrad_edu as tg
    >>> normalize(tg.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    if out is not None:
        raise NotImplementedError("normalize(): out= is not supported; use out.copy_(normalize(x))")
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim` of two tensors, which are broadcast.

    >>> import tinygrad_edu as tg
    >>> cosine_similarity(tg.tensor([[1.0, 0.0]]), tg.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    for position, x in enumerate((x1, x2), 1):
        if not isinstance(x, Tensor):
            raise not_a_tensor("cosine_similarity", f"x{position}", position, x)
    dtype = promote(x1.kind.dtype, x2.kind.dtype)
    if not dtype.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {dtype.name}")
    shape = broadcast_shapes(x1.shape, x2.shape)
    units = []
    for x in (x1, x2):
        x = x.to(dtype).expand(shape)
        norm = x.norm(2, dim, keepdim=True)
        units.append(x / (norm + (norm.clamp_min(eps) - norm).detach()))  # the gradient is that of the norm
    return (units[0] * units[1]).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last axis: (*, n), (*, n) -> (*).

    >>> import tinygrad_edu as tg
    >>> pairwise_distance(tg.tensor([[1.0, 2.0]]), tg.tensor([[4.0, 6.0]]), eps=0.0)
    tensor([5.])
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = MODES[0]) -> Tensor:
    """The p-norm of every row of x1 minus every row of x2: (*, n, k), (*, m, k) -> (*, n, m).

    `compute_mode` says whether Euclidean distances may be computed from a matrix product: by default from 26 rows on.
    RuntimeError for shapes, dtypes or a p that do not fit.

    >>> import tinygrad_edu as tg
    >>> cdist(tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if compute_mode is not None and compute_mode not in MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode: {', '.join(MODES)}")
    for name, x in (("X1", x1), ("X2", x2)):
        if len(x.shape) < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {len(x.shape)}D")
        if not x.kind.dtype.is_floating_point:
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {x.kind.dtype.name}")
    (n, k), (m, columns) = x1.shape[-2:], x2.shape[-2:]
    if columns != k:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {k} X2: {columns}")
    if x1.kind is not x2.kind:
        raise RuntimeError(f"expected scalar type {x1.kind.dtype.name} but found {x2.kind.dtype.name}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if not prod(x1.shape) or not prod(x2.shape):
        return zeros(*broadcast_shapes(x1.shape[:-2], x2.shape[:-2]), n, m, dtype=x1.kind.dtype, device=x1.kind.device)
    if p == 2 and (compute_mode == MODES[1] or (compute_mode != MODES[2] and max(n, m) > MANY)):
        square = (x1 * x1).sum(-1, keepdim=True) + (x2 * x2).sum(-1).unsqueeze(-2) - 2.0 * (x1 @ x2.mT)
        apart = square > 0.0
        return square.where(apart, 1.0).sqrt().where(apart, 0.0)
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x₁ᵀ W_k x₂ + b_k: (*, n), (*, m), (out, n, m), (out,) -> (*, out).

    >>> import tinygrad_edu as tg
    >>> bilinear(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]), tg.eye(2).unsqueeze(0))
    tensor([11.])
    """
    if len(input1.shape) != len(input2.shape):
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {len(input1.shape)} and {len(input2.shape)}"
        )
    for axis, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {axis}: got {a} and {b}")
    out, n, m = weight.shape
    for name, x, wanted in (("input1", input1, n), ("input2", input2, m), ("bias", bias, out)):
        if x is not None and x.shape[-1] != wanted:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {x.shape[-1]} but expected {wanted}"
            )
        if x is not None and x.kind is not weight.kind:
            raise RuntimeError(
                f"bilinear(): all tensors must have the same dtype, got {name}: {x.kind.dtype.name}, weight: "
                f"{weight.kind.dtype.name}"
            )
    rows = input1.reshape(-1, n) @ weight.permute(1, 0, 2).reshape(n, out * m)  # x₁ᵀ W, for each row of a batch
    y = (rows.reshape(-1, out, m) @ input2.reshape(-1, m, 1)).reshape(*input1.shape[:-1], out)
    return y if bias is None else y + bias


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers as rows with a 1 at their place: (*) of int64 -> (*, num_classes) of int64.

    By default as many classes as the largest number asks for. RuntimeError for other dtypes and numbers out of range.

    >>> import tinygrad_edu as tg
    >>> one_hot(tg.tensor([2, 0]))
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    if not isinstance(tensor, Tensor):
        raise not_a_tensor("one_hot", "input", 1, tensor)
    if tensor.kind.dtype is not int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor: use .long()")
    if tensor.numel():
        smallest, largest = tensor.kind.backend.smallest_and_largest(tensor.contiguous().flat)
        if smallest < 0:
            raise RuntimeError("Class values must be non-negative.")
        if num_classes != -1 and largest >= num_classes:
            raise RuntimeError("Class values must be smaller than num_classes.")
        num_classes = largest + 1 if num_classes == -1 else num_classes
    elif num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    rows = zeros(*tensor.shape, num_classes, dtype=int64, device=tensor.kind.device)
    return rows.scatter_(-1, tensor.unsqueeze(-1), 1)
