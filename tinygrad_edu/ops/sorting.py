"""Sorting: what stands where once a row is in order, and what follows from that.

The kernel (tinygrad_kernels/cpu/sorting.py) gives only the *indices*: for each row the numbers of its elements, in
order. The sorted values are taken at those indices, by the `take` of places.py. So sort needs no derivative of its own:
the cotangent of each value goes to the element that it is.

    x          3. 1. 2.        g of the values    a b c
    indices    1  2  0         gx                 c a b

`topk` and `kthvalue` are parts of a sorted row. The median of an even number of elements is the lower one of the two in
the middle, as in PyTorch. nan counts as greater than everything, and a row with nan in it has nan as its median.

Source: D. Knuth, The Art of Computer Programming 3, Sorting and Searching, 2nd edition, 1998.
"""

from __future__ import annotations

import operator
from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..dtypes import BOOL, float32, float64, int32, int64, kind_of, uint8
from ..graph import Node, mode
from .gathering import axis_of, gather_places
from .places import Places, new_places, scalar, spread, take
from .reduction import numpy_names
from .strides import Shape, Size

if TYPE_CHECKING:
    from ..tensors import Tensor


def result_type(name: str, *fields: str) -> Any:
    """A named tuple, of values and indices if nothing else is said, printed as PyTorch prints it.

    >>> result_type("sort")(1, 2)
    torch.return_types.sort(
    values=1,
    indices=2)
    """

    def show(self: Any) -> str:
        parts = (f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{name}(\n" + ",\n".join(parts) + ")"

    base = namedtuple(name, fields or ("values", "indices"))  # type: ignore[misc]
    return type(name, (base,), {"__slots__": (), "__repr__": show})


Sort, Topk, Kthvalue, Median = map(result_type, ("sort", "topk", "kthvalue", "median"))


def order_of(x: Tensor, axis: int, descending: bool) -> Tensor:
    """The indices that sort x along an axis: int64, of x's shape."""
    source = rows_along(x, axis)
    width = source.shape[-1] if source.shape else 1
    kind = kind_of(int64, x.kind.device)
    out = Tensor(kind.empty(x.numel()), source.shape, kind)
    if x.numel():
        kind.backend.sort_rows(out.flat, source.flat, x.numel() // width, width, descending)
    return back_along(out, axis)


FEW = 64  # up to this many are picked one by one, if the rows are a few times as long


def first_of(x: Tensor, axis: int, k: int, descending: bool) -> Tensor:
    """The first k of the indices that sort x along an axis."""
    width = x.shape[axis] if x.shape else 1
    if k > FEW or k * 4 > width or not x.numel():
        order = order_of(x, axis, descending)
        return order.narrow(axis, 0, k).contiguous() if order.shape else order
    source, kind = rows_along(x, axis), kind_of(int64, x.kind.device)
    out = Tensor(kind.empty(x.numel() // width * k), Size((*source.shape[:-1], k)), kind)
    kind.backend.first_of_rows(out.flat, source.flat, x.numel() // width, width, k, descending)
    return back_along(out, axis)


def rows_along(x: Tensor, axis: int) -> Tensor:
    """x outside of the graph, contiguous, with an axis exchanged with the last one."""
    outside = x.detach()
    return (outside if axis >= len(x.shape) - 1 else outside.transpose(axis, -1)).contiguous()


def back_along(x: Tensor, axis: int) -> Tensor:
    """The reverse."""
    return x if axis >= len(x.shape) - 1 else x.transpose(axis, -1).contiguous()


def picked(result: Any, x: Tensor, axis: int, indices: Tensor, label: str) -> Any:
    """The pair (the elements of x at `indices` along an axis, indices)."""
    return result(take(x, gather_places("sort", x, axis, indices), label), indices)


class MedianBackward(Node):
    """The median of all elements: those equal to it share the cotangent."""

    __slots__ = ("same",)

    def __init__(self, parent: Node, same: Tensor) -> None:
        self.walk = None
        self.parents, self.same = (parent,), same

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return ((g / self.same.sum()).expand(self.same.shape).masked_fill(~self.same, 0.0),)


def median_of_all(x: Tensor, index: Callable[[Tensor, int], Tensor]) -> Tensor:
    """The median of the flattened x, without axes; `index` is `median_index` or `nanmedian_index`."""
    if not x.numel():
        lowest = 0 if x.kind.dtype is uint8 else -(2 ** (8 * x.kind.dtype.itemsize - 1))
        return scalar(x.kind, float("nan") if x.kind.dtype.is_floating_point else lowest)
    row = x.detach().reshape(-1)
    value = row.gather(0, index(row, 0)).reshape(())
    if x.node is not None and mode.grad:
        y = x.detach()
        value.node = MedianBackward(x.node, (y == value).logical_or((y != y).logical_and(value != value)))
    return value


def median_index(x: Tensor, axis: int) -> Tensor:
    """The number of the median along an axis, which stays with size 1. NotImplementedError for bool."""
    if x.kind.dtype.category == BOOL:
        raise NotImplementedError("\"median_cpu\" not implemented for 'Bool'")
    source, order = rows_along(x, axis), rows_along(order_of(x, axis, False), axis)
    width = source.shape[-1] if source.shape else 1
    shape = Size((*source.shape[:-1], 1)) if source.shape else Size(())
    out = Tensor(order.kind.empty(x.numel() // width), shape, order.kind)
    order.kind.backend.median_rows(out.flat, source.flat, order.flat, width)
    return back_along(out, axis)


def nanmedian_index(x: Tensor, axis: int) -> Tensor:
    """The same for the median of what is not nan."""
    order = order_of(x, axis, False)
    count = x.shape[axis] - x.detach().isnan().sum(axis, keepdim=True)
    return order.gather(axis, (count - 1).clamp_min(0).floor_divide(2))


def without(pair: Any, axis: int, keepdim: bool) -> Any:
    """A pair of tensors without the axis of size 1 along which they were reduced."""
    if keepdim or not pair[0].shape:
        return pair
    return type(pair)(*(x.squeeze(axis) for x in pair))


def check_size(name: str, x: Tensor, axis: int) -> int:
    n = (x.shape or (1,))[axis]
    if not n:
        raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
    return n


@numpy_names
class SortingMethods:
    """The methods of Tensor that ask for an order."""

    __slots__ = ()

    def sort(self: Any, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Any:
        """The pair (values, indices) of self sorted along an axis; nan is the greatest.

        Equal elements keep their order, with `stable` or without.

        >>> import tinygrad_edu as tg
        >>> values, indices = tg.tensor([3.0, 1.0, 2.0]).sort()
        >>> values, indices
        (tensor([1., 2., 3.]), tensor([1, 2, 0]))
        """
        axis = axis_of(self, dim)
        return picked(Sort, self, axis, order_of(self, axis, descending), "SortBackward0")

    def argsort(self: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
        """The indices that sort self along an axis: int64, of self's shape."""
        return order_of(self, axis_of(self, dim), descending)

    def topk(self: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
        """The pair (values, indices) of the k largest (or smallest) elements along an axis, in order."""
        axis = axis_of(self, dim)
        if not 0 <= k <= (self.shape or (1,))[axis]:
            raise RuntimeError("selected index k out of range")
        return picked(Topk, self, axis, first_of(self, axis, k, largest), "TopkBackward0")

    def kthvalue(self: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
        """The pair (value, index) of the k-th smallest element along an axis, counted from 1."""
        axis = axis_of(self, dim)
        if not 1 <= k <= check_size("kthvalue", self, axis):
            raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
        order = order_of(self, axis, False)
        indices = order.narrow(axis, k - 1, 1).contiguous() if order.shape else order
        return without(picked(Kthvalue, self, axis, indices, "KthvalueBackward0"), axis, keepdim)

    def median(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """The median of all elements, or the pair (values, indices) of those along an axis; of two the lower one.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([4.0, 1.0, 3.0, 2.0]).median()
        tensor(2.)
        """
        if dim is None:
            return median_of_all(self, median_index)
        axis = axis_of(self, dim)
        check_size("median", self, axis)
        return without(picked(Median, self, axis, median_index(self, axis), "MedianBackward1"), axis, keepdim)

    def unique(
        self: Any,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Any:
        """The different elements, sorted, 1-d. Every nan is one of its own.

        Along an axis `dim`, the different slices instead, in lexicographic order.
        With `return_inverse` also, for each element of self, which of them it is; with `return_counts` also how often
        each occurs. Not differentiable.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([3, 1, 3]).unique(return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
        """
        if dim is not None:
            from .ranks import unique_slices

            return unique_slices(self, dim, return_inverse, return_counts)
        flat = self.detach().contiguous().reshape(-1)
        order = order_of(flat, 0, False)
        kind, backend = order.kind, order.kind.backend
        run = kind.empty(flat.numel())
        n = backend.mark_runs(run, flat.flat, order.flat)
        first, inverse, counts = kind.empty(n), kind.empty(flat.numel()), kind.empty(n)
        backend.runs(first, inverse, counts, run, order.flat)
        values = take(flat, Places(first, 1, flat.numel(), 1, flat.shape, (n,)), "UniqueBackward0")
        wanted = [values]
        if return_inverse:
            wanted.append(Tensor(inverse, Size(self.shape), kind))
        if return_counts:
            wanted.append(Tensor(counts, Size((n,)), kind))
        return tuple(wanted) if len(wanted) > 1 else values

    def bincount(self: Any, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
        """How often each number occurs in a vector of integers, none of them negative: (max + 1,), or `minlength`.

        With `weights` their sums instead, in float32 if they are, else in float64. Not differentiable.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 1, 3]).bincount()
        tensor([0, 2, 0, 1])
        """
        from ..creation import ones

        if self.kind.dtype.is_floating_point or self.kind.dtype.category == BOOL:
            name = "Bool" if self.kind.dtype.category == BOOL else "Float" if self.kind.dtype is float32 else "Double"
            raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{name}'")
        if minlength < 0:
            raise RuntimeError("minlength should be >= 0")
        numbers = self.detach().contiguous().flat
        backend = self.kind.backend
        low, high = backend.smallest_and_largest(numbers)
        if len(self.shape) != 1 or low < 0:
            raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
        n, count = numbers.size, max(high + 1, minlength)
        at = new_places(n, self.kind.device)
        backend.fold_index(at, numbers, count, True)
        if weights is None:
            values = ones(n, dtype=int64, device=self.kind.device)
        elif weights.shape != self.shape:
            raise RuntimeError("weights should be 1-d and have the same length as input")
        else:
            values = weights.detach().to(float32 if weights.kind.dtype is float32 else float64)
        return spread(values, Places(at, 1, count, 1, (count,), (n,)))


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each value would have to be inserted for the last axis of `sorted_sequence` to stay sorted.

    Before elements equal to it; after them with `right` (or side='right'). A vector serves all values; else both have
    the same sizes but for the last. `sorter` has the indices that sort the sequence. int64, of the shape of `input`.

    >>> import tinygrad_edu as tg
    >>> tg.searchsorted(tg.tensor([1, 3, 5]), tg.tensor([3, 4]))
    tensor([1, 2])
    """
    name = "torch.searchsorted()"
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{name}: side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(f"{name}: side and right can't be set to opposites, got side of left while right was True")
    if not sorted_sequence.shape:
        raise RuntimeError(f"{name}: boundaries tensor should have positive dimension, but got 0 dimension")
    values = input if isinstance(input, Tensor) else scalar(sorted_sequence.kind, input)
    boundaries: Shape = sorted_sequence.shape
    if len(boundaries) > 1 and (len(boundaries) != len(values.shape) or boundaries[:-1] != values.shape[:-1]):
        raise RuntimeError(
            f"{name}: boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and "
            f"input value tensor must match, but we got boundaries tensor {list(boundaries)} and input value tensor "
            f"{list(values.shape)}"
        )
    width = boundaries[-1]
    rows = 1 if len(boundaries) == 1 else sorted_sequence.numel() // max(width, 1)
    order = sort_order(sorted_sequence, sorter)
    kind = kind_of(int32 if out_int32 else int64, values.kind.device)
    out = Tensor(kind.empty(values.numel()), Size(values.shape), kind)
    if out.flat.size and width:
        kind.backend.search_rows(
            out.flat, sorted_sequence.detach().contiguous().flat, order, values.detach().contiguous().flat, rows, width,
            out.flat.size // rows, right or side == "right",
        )  # fmt: skip
    return out if width else out.zero_()


def sort_order(sorted_sequence: Tensor, sorter: Tensor | None) -> Any:
    """The buffer of the sorter, checked; an empty one for None."""
    if sorter is None:
        return new_places(0, sorted_sequence.kind.device)
    if sorter.shape != sorted_sequence.shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(sorted_sequence.shape)} and got sorter tensor {list(sorter.shape)}"
        )
    at, numbers = new_places(sorter.numel(), sorter.kind.device), sorter.detach().long().contiguous().flat
    n = operator.index(sorter.shape[-1])
    if sorter.kind.backend.gather_places(at, numbers, (numbers.size,), (1,), 0, n) >= 0:
        raise RuntimeError("torch.searchsorted(): sorter index out of range")
    return at
