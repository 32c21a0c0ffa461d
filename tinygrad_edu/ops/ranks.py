"""What follows from an order: quantiles, the most frequent element, runs, histograms.

The problem. Half of the numbers lie below the median, a tenth below the first decile; between two of them anything may
be called the quantile, and a rule must say what.

The idea. Sorted, the smallest has rank 0 and the largest rank n - 1. The quantile q has the rank r = q (n - 1), and
where that is no whole number it is interpolated between its neighbours:

    sorted     1. 2. 4. 8.        q = 0.5: r = 1.5        linear 3.   lower 2.   higher 4.   midpoint 3.   nearest 4.

So it is a sort, followed by taking elements (sorting.py), and the gradients are those of that.

*Runs.* Where an element differs from the one before, a new run begins. The running sum of that is the number of the
run that each element is in; `unique` of slices is the runs of sorted slices.

Source: R. Hyndman, Y. Fan, Sample quantiles in statistical packages, The American Statistician 50(4), 1996 (type 7).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..dtypes import int64
from .conversion import says_wrong
from .elementwise import where
from .gathering import axis_of
from .joining import joined
from .places import scalar
from .reduction import numpy_names
from .sorting import (
    check_size,
    median_index,
    median_of_all,
    nanmedian_index,
    order_of,
    picked,
    result_type,
    searchsorted,
    without,
)

if TYPE_CHECKING:
    from ..tensors import Tensor

Mode, Nanmedian = map(result_type, ("mode", "nanmedian"))
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(x: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, name: str) -> Tensor:
    """quantile, or nanquantile, which leaves out nan."""
    if not x.kind.dtype.is_floating_point:
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype; use x.float()")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not x.numel():
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = scalar(x.kind, q)
    if len(q.shape) > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.kind is not x.kind:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if says_wrong((~(q >= 0).logical_and(q <= 1)).any()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    axis = None if dim is None else axis_of(x, dim)
    lines = x.reshape(-1) if axis is None or not x.shape else x.movedim(axis, -1)
    order = order_of(lines, len(lines.shape) - 1, False)
    missing = lines.detach().isnan().sum(-1, keepdim=True)
    last = lines.shape[-1] - 1
    if name == "quantile":  # one nan makes the whole line nan: it is the last
        rank = where(missing > 0, float(last), q.reshape(-1) * last)
    else:
        rank = (q.reshape(-1) * (last - missing)).clamp_min(0.0)
    if interpolation in ("lower", "higher", "nearest"):
        rank = {"lower": rank.floor, "higher": rank.ceil, "nearest": rank.round}[interpolation]()
    low, high = (lines.gather(-1, order.gather(-1, r.long())) for r in (rank.floor(), rank.ceil()))
    weight = where(rank > rank.floor(), 0.5, 0.0) if interpolation == "midpoint" else rank - rank.floor()
    out = low.lerp(high, weight.to_kind(x.kind)).movedim(-1, 0)
    if keepdim:
        out = out.unsqueeze(axis + 1) if axis is not None and x.shape else out.reshape(-1, *[1] * len(x.shape))
    return out if q.shape else out.squeeze(0)


def runs(changes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(where each run begins, in which run each element is, how long each is); `changes`: does one begin here?"""
    inside = changes.cumsum(0) - 1
    return changes.nonzero().reshape(-1), inside, inside.bincount()


def as_rows(x: Tensor, axis: int) -> Tensor:
    """The slices of x along an axis, each as a row. RuntimeError where they are empty, and nothing tells them apart."""
    moved = x.movedim(axis, 0)
    if x.shape[axis] and not x.numel():
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    return moved.flatten(1) if len(x.shape) > 1 else moved.unsqueeze(1)


def changes_along(rows: Tensor) -> Tensor:
    """Does each row of a matrix differ from the one before? The first does."""
    n = rows.shape[0]
    differs = (rows.narrow(0, 1, n - 1) != rows.narrow(0, 0, n - 1)).any(1) if n else rows.any(1)
    return joined([differs.narrow(0, 0, 0).new_ones(min(n, 1)), differs], 0, "CatBackward0")


def chosen(found: Tensor, inverse: Tensor | None, counts: Tensor | None) -> Any:
    """One tensor, or the tuple of those that were asked for."""
    wanted = [x for x in (found, inverse, counts) if x is not None]
    return tuple(wanted) if len(wanted) > 1 else found


def unique_slices(x: Tensor, dim: int, inverse: bool, counts: bool) -> Any:
    """The different slices along an axis, in lexicographic order: sorted by the last column first."""
    axis = axis_of(x, dim)
    rows = as_rows(x.detach(), axis)
    order = order_of(rows.new_zeros(rows.shape[0]), 0, False)
    for column in reversed(range(rows.shape[1])):
        order = order[order_of(rows.select(1, column)[order], 0, False)]
    first, inside, lengths = runs(changes_along(rows[order]))
    where_is = inside.new_zeros(inside.shape).scatter_(0, order, inside) if inverse else None
    return chosen(x.detach().index_select(axis, order[first]), where_is, lengths if counts else None)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """In which bucket each value is, if the sorted vector `boundaries` has their borders: searchsorted, turned round.

    A value that is a border belongs to the bucket below it; to the one above with `right`.

    >>> import tinygrad_edu as tg
    >>> tg.bucketize(tg.tensor([0.5, 1.0, 9.0]), tg.tensor([1.0, 2.0]))
    tensor([0, 0, 2])
    """
    if len(boundaries.shape) != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({len(boundaries.shape)})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@numpy_names
class RankMethods:
    """The methods of Tensor that follow from an order."""

    __slots__ = ()

    def quantile(
        self: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        """The q-quantiles along an axis (None: of all elements); for a vector q, along a new first axis.

        `interpolation` is 'linear', 'lower', 'higher', 'midpoint' or 'nearest'; see the top of ops/ranks.py.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0, 4.0, 8.0]).quantile(tg.tensor([0.0, 0.5, 1.0]))
        tensor([1., 3., 8.])
        """
        return quantile(self, q, dim, keepdim, interpolation, "quantile")

    def nanquantile(
        self: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        """`quantile` of what is not nan."""
        return quantile(self, q, dim, keepdim, interpolation, "nanquantile")

    def mode(self: Any, dim: int = -1, keepdim: bool = False) -> Any:
        """The pair (values, indices) of the most frequent element along an axis, of several the smallest one.

        The index is that of its last occurrence.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([3, 1, 1, 3, 2]).mode().values
        tensor(1)
        """
        axis = axis_of(self, dim)
        check_size("mode", self, axis)
        order = order_of(self, axis, False)
        if not self.shape:
            return Mode(self.clone(), order)
        lines, order = self.detach().movedim(axis, -1).contiguous(), order.movedim(axis, -1)
        ordered = lines.gather(-1, order)
        end = searchsorted(ordered, ordered, right=True)
        best = (end - searchsorted(ordered, ordered)).argmax(-1, True)
        at = order.gather(-1, end.gather(-1, best) - 1).movedim(-1, axis).contiguous()
        return without(picked(Mode, self, axis, at, "ModeBackward0"), axis, keepdim)

    def nanmedian(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """`median` of what is not nan; nan where nothing is."""
        if dim is None:
            return median_of_all(self, nanmedian_index if self.kind.dtype.is_floating_point else median_index)
        axis = axis_of(self, dim)
        check_size("nanmedian", self, axis)
        at = nanmedian_index(self, axis) if self.shape else order_of(self, axis, False)
        return without(picked(Nanmedian, self, axis, at, "NanmedianBackward0"), axis, keepdim)

    def msort(self: Any) -> Tensor:
        """The elements sorted along the first axis."""
        return self.sort(0)[0]

    def histc(self: Any, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
        """How many elements are in each of `bins` intervals of one width from min to max, which belongs to the last.

        Where min = max, they are the extremes of self. Floats; nan and what is outside are not counted.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([0.0, 1.0, 1.5, 2.0]).histc(2)
        tensor([1., 3.])
        """
        from ..creation import zeros

        x = self.detach()
        if not x.kind.dtype.is_floating_point:
            raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{x.kind.dtype.name}': use x.float()")
        if bins <= 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
        low, high = float(min), float(max)
        if low == high and x.numel():  # a compiled function needs a range that is known: this asks for numbers
            low, high = x.min().item(), x.max().item()
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RuntimeError(f"torch.histc: range of [{low}, {high}] is not finite")
        if low > high:
            raise RuntimeError("torch.histc: max must be larger than min")
        if low == high:
            low, high = low - 1.0, high + 1.0
        inside = (x >= low).logical_and(x <= high)
        place = ((x.masked_fill(~inside, low) - low) * bins / (high - low)).long().clamp(0, bins - 1)
        counts = zeros(bins, dtype=int64, device=x.kind.device)
        return counts.index_add_(0, place.reshape(-1), inside.reshape(-1).long()).to_kind(x.kind)

    def unique_consecutive(
        self: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Any:
        """Without the elements (or slices along an axis) that equal the one before; see `unique`.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 1, 2, 1]).unique_consecutive(return_counts=True)
        (tensor([1, 2, 1]), tensor([2, 1, 1]))
        """
        x = self.detach().reshape(-1) if dim is None else self.detach()
        axis = 0 if dim is None else axis_of(x, dim)
        first, inside, lengths = runs(changes_along(as_rows(x, axis)))
        inverse = (inside.reshape(self.shape) if dim is None else inside) if return_inverse else None
        return chosen(x.index_select(axis, first), inverse, lengths if return_counts else None)
