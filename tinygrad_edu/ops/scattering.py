"""Scatter with a reduction, and other ways of writing part of a copy: what is there, and what arrives, become one.

    scatter_reduce(dim, index, src, "amax")     for a matrix and dim 0: out[i, j] = the largest of x[i, j] and of all
                                                src[k, j] whose index[k, j] is i
    include_self=False                          the same without x[i, j], where something arrives

Sum and mean are `scatter_add`, whose gradients are known (places.py). The other three have these:

    amax, amin      g is shared equally by all that equal the result, whether they were there or arrived
    prod            g times the product of the others. With Z zeros at a place, and P the product of all but the zeros:
                    g P / v for Z = 0; g P for the zero itself where Z = 1; otherwise 0

Source: for names and ties, PyTorch documentation, `torch.Tensor.scatter_reduce_`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import bool_, promote
from ..graph import mode
from .advanced import true_places
from .elementwise import where
from .gathering import flat_places, gather_places, scattered_part, source_of
from .places import Places, modified, modify, scalar, take
from .reduction import SavingNode
from .sorting import searchsorted
from .strides import Size, broadcast_shapes

if TYPE_CHECKING:
    from ..tensors import Tensor

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


class ScatterReduceBackward(SavingNode):
    """The gradients of x and of what arrived at the places, for prod, amax, amin."""

    __slots__ = ("places", "op")

    def __init__(self, x: Tensor, v: Tensor, out: Tensor, places: Places, op: str) -> None:
        super().__init__((x.node, v.node), x, v, out)
        self.places, self.op = places, op

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor, Tensor]:
        x, v, out = self.saved()
        at = lambda y: take(y, self.places, "GatherBackward0")  # noqa: E731
        counts = lambda a, b: modified(a, self.places, b, True, "ScatterAddBackward0")  # noqa: E731
        if self.op != "prod":
            is_x, is_v = ((y.detach() == of).to_kind(x.kind) for y, of in ((x, out), (v, at(out))))
            share = g / counts(is_x, is_v)
            return share * is_x, at(share) * is_v
        zero_x, zero_v = x.detach() == 0, v.detach() == 0
        if graph and (zero_x.any().item() or zero_v.any().item()):
            raise RuntimeError("the second derivative of scatter_reduce with 'prod' is not there where an operand is 0")
        zeros = counts(zero_x.to_kind(x.kind), zero_v.to_kind(x.kind))
        x, v = where(zero_x, 1.0, x), where(zero_v, 1.0, v)
        all_but_zeros = g * reduced(x, self.places, v, "prod")
        return (
            where(zeros == zero_x, all_but_zeros / x, 0.0),
            where(at(zeros) == zero_v, at(all_but_zeros) / v, 0.0),
        )


def reduced(x: Tensor, places: Places, v: Tensor, op: str) -> Tensor:
    """x with what arrives at the places multiplied to it (prod), or the larger (amax) or smaller (amin) kept."""
    out = x.detach().clone()
    out.kind.backend.reduce_at(out.flat, places.at, v.detach().contiguous().flat, op)
    if mode.grad and (x.node is not None or v.node is not None):
        out.node = ScatterReduceBackward(x, v, out.detach(), places, op)
    return out


def identity(x: Tensor, op: str) -> Any:
    """The number that changes nothing."""
    if op not in ("amax", "amin"):
        return int(op == "prod")
    if x.kind.dtype.is_floating_point:
        return -inf if op == "amax" else inf
    if x.kind.dtype is bool_:
        return op == "amin"
    limits = np.iinfo(x.kind.dtype.name)
    return int(limits.min if op == "amax" else limits.max)


def scatter_reduced(x: Tensor, places: Places, v: Tensor, op: str, include_self: bool) -> Tensor:
    if op not in REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {op}")
    if not include_self:
        x = modified(x, places, scalar(x.kind, identity(x, op)), False, "ScatterBackward0")
    if op not in ("sum", "mean"):
        return reduced(x, places, v, op)
    total = modified(x, places, v, True, "ScatterReduceBackward0")
    if op == "sum":
        return total
    ones = scalar(x.kind, 1).expand(x.shape)
    there = ones if include_self else modified(ones, places, scalar(x.kind, 0), False, "")
    counts = modified(there, places, scalar(x.kind, 1).expand(places.result), True, "").clamp(min=1)
    return total.div(counts, rounding_mode=None if x.kind.dtype.is_floating_point else "floor")


def masked_places(x: Tensor, mask: Any, source: Any, shape: Any) -> tuple[Places, Tensor]:
    """Where a mask, broadcast to a shape, is True, and the elements that go there."""
    for name, given in (("mask", mask), ("source", source)):
        if not isinstance(given, Tensor):
            raise TypeError(f"masked_scatter(): argument '{name}' must be Tensor, not {type(given).__name__}")
    if mask.kind.dtype is not bool_:
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.kind.dtype.name}"
        )
    if x.kind is not source.kind:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {x.kind.dtype.name} and "
            f"{source.kind.dtype.name}"
        )
    found = true_places(mask.expand(shape))
    if source.numel() < found.shape[0]:
        raise RuntimeError("masked_scatter: Number of elements of source < number of ones in mask")
    places = Places(found.flat, 1, prod(shape), 1, Size(shape), found.shape)
    return places, source.reshape(-1)[: found.shape[0]]


def put_places(x: Tensor, index: Tensor, source: Tensor) -> tuple[Places, Tensor]:
    """The places of put, and the source in the shape of the index."""
    places = flat_places("put_", x, index)
    if source.kind is not x.kind:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{x.kind.dtype.name} and source.dtype = {source.kind.dtype.name}"
        )
    if source.numel() != index.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    return places, source.reshape(index.shape)


def with_part(x: Tensor, src: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of x in which one part (a view) is `src`."""
    out = x.clone()
    target = part(out)
    if target.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(target.shape)}"
        )
    target.copy_(src)
    return out


class ScatteringMethods:
    """The methods of Tensor that write into a copy of it, or into itself, what a second tensor brings."""

    __slots__ = ()

    def scatter(
        self: Any, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> Tensor:
        """A copy of self with (for a matrix and dim 0) out[index[i, j], j] = src[i, j], a tensor or a number.

        `reduce` 'add' or 'multiply' joins them with what is there (`scatter_reduce` does more).

        >>> import tinygrad_edu as tg
        >>> tg.zeros(2, 3).scatter(1, tg.tensor([[2], [0]]), 1.0)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
        """
        places = gather_places("scatter", self, dim, index)
        source = source_of(self, places, src, value)
        if reduce is None:
            return modified(self, places, source, False, "ScatterBackward0")
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        source = source.expand(places.result)
        return scatter_reduced(self, places, source, "sum" if reduce == "add" else "prod", True)

    def scatter_(
        self: Any, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> Tensor:
        """`scatter` in place."""
        if reduce is not None:
            return self.copy_(self.scatter(dim, index, src, value=value, reduce=reduce))
        places = gather_places("scatter", self, dim, index)
        return modify(self, places, source_of(self, places, src, value), False, "scatter", "ScatterBackward0")

    def scatter_reduce(
        self: Any, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """A copy of self in which all src[i, j] with one place are reduced, with what is there if `include_self`.

        `reduce` is 'sum', 'prod', 'mean', 'amax' or 'amin'; `index` says where, as in `scatter`.

        >>> import tinygrad_edu as tg
        >>> src = tg.tensor([1.0, 5.0, 2.0])
        >>> tg.zeros(2).scatter_reduce(0, tg.tensor([0, 0, 1]), src, "mean", include_self=False)
        tensor([3., 2.])
        """
        places = gather_places("scatter_reduce", self, dim, index)
        source = scattered_part("scatter", self, places, src)
        return scatter_reduced(self, places, source, reduce, include_self)

    def scatter_reduce_(
        self: Any, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """`scatter_reduce` in place."""
        return self.copy_(self.scatter_reduce(dim, index, src, reduce, include_self=include_self))

    def put(self: Any, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
        """A copy of self in which the elements `index` of the flattened self are those of `source` (or added)."""
        return modified(self, *put_places(self, index, source), accumulate, "PutBackward0")

    def put_(self: Any, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
        """`put` in place."""
        return modify(self, *put_places(self, index, source), accumulate, "put", "PutBackward0")

    def masked_scatter(self: Any, mask: Tensor, source: Tensor) -> Tensor:
        """A copy of self in which the elements where the mask is True are the first ones of `source`, in order.

        >>> import tinygrad_edu as tg
        >>> tg.zeros(3).masked_scatter(tg.tensor([True, False, True]), tg.tensor([5.0, 6.0, 7.0]))
        tensor([5., 0., 6.])
        """
        shape = broadcast_shapes(self.shape, getattr(mask, "shape", ()))
        places, source = masked_places(self, mask, source, shape)
        return modified(self.expand(shape), places, source, False, "MaskedScatterBackward0")

    def masked_scatter_(self: Any, mask: Tensor, source: Tensor) -> Tensor:
        """`masked_scatter` in place: the mask may be smaller than self, not larger."""
        return modify(
            self, *masked_places(self, mask, source, self.shape), False, "masked_scatter", "MaskedScatterBackward0"
        )

    def select_scatter(self: Any, src: Tensor, dim: int, index: int) -> Tensor:
        """A copy of self in which `self.select(dim, index)` is `src`."""
        return with_part(self, src, lambda x: x.select(dim, index))

    def slice_scatter(
        self: Any, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
    ) -> Tensor:
        """A copy of self in which the slices start:end:step along an axis are `src`."""
        return with_part(self, src, lambda x: x.transpose(0, dim)[start:end:step].transpose(0, dim))

    def diagonal_scatter(self: Any, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """A copy of self in which `self.diagonal(offset, dim1, dim2)` is `src`."""
        return with_part(self, src, lambda x: x.diagonal(offset, dim1, dim2))


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements are among the test elements (or, `invert`, are not)? bool, of the shape of `elements`.

    One of the two may be a number. Sorted once, then searched: n log m steps.

    >>> import tinygrad_edu as tg
    >>> tg.isin(tg.tensor([1, 2, 3]), tg.tensor([2, 5]))
    tensor([False,  True, False])
    """
    from ..creation import full, tensor

    if not (isinstance(elements, Tensor) or isinstance(test_elements, Tensor)):
        raise TypeError("isin() takes at least one Tensor: elements, or test_elements")
    x, among = (y.detach() if isinstance(y, Tensor) else tensor(y) for y in (elements, test_elements))
    dtype = promote(x.dtype, among.dtype)
    x, ordered = x.to(dtype), among.to(dtype).reshape(-1).sort()[0]
    if not ordered.numel():
        return full(x.shape, invert, dtype=bool_)
    at = searchsorted(ordered, x).clamp(max=ordered.numel() - 1)
    return ordered[at] != x if invert else ordered[at] == x
