"""Sums and means over axes, and what they mean backward.

A sum adds a cotangent's worth of change from every element alike, so backward it only *repeats* the cotangent
along the summed axes. Nothing is written for that: the gradient is a view with stride 0 (`expand`).

    x (2, 3) ── sum over axis 1 ──▶ (2,)         g (2,) ── as (2, 1), expanded ──▶ (2, 3)

Forward, the axes are brought together and handed to one of two kernels (launch.py, codegen_reduction.py).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import trace

from ..dtypes import BOOL, Kind, as_dtype, int64, kind_of
from ..graph import Node, mode
from .launch import split_axes
from .strides import Shape, Size, reduced_axes

if TYPE_CHECKING:
    from ..tensors import Tensor

SUM = trace("sum", lambda x: x, ("x",))


class SumBackward(Node):
    """The sum of x over axes (divided by `count` for a mean): g is repeated along them."""

    __slots__ = ("shape", "kept_shape", "kind", "count", "label")
    fresh = False  # the gradient is a view of g

    def __init__(self, x: Tensor, kept_shape: Shape, count: int, label: str) -> None:
        self.parents = (x.node,)
        self.shape, self.kind = x.shape, x.kind
        self.kept_shape, self.count, self.label = kept_shape, count, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        if self.count != 1:
            g = g / self.count
        return (g.to_kind(self.kind).reshape(self.kept_shape).expand(self.shape),)


def normalize_axes(dim: Any, dimensions: int) -> Shape:
    """The axes named by an int, a sequence of ints, or None for all; sorted, not negative.

    >>> normalize_axes(-1, 3), normalize_axes(None, 2)
    ((2,), (0, 1))
    """
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(dimensions))
    found = []
    for axis in dim if isinstance(dim, tuple | list) else (dim,):
        if type(axis) is not int:
            raise TypeError(f"dim must be an int or a tuple of ints, not {type(axis).__name__}")
        reach = max(dimensions, 1)
        if not -reach <= axis < reach:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {axis})"
            )
        axis %= reach
        if axis in found:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
        found.append(axis)
    return tuple(sorted(found)) if dimensions else ()


def total(x: Tensor, dim: Any, keepdim: bool, result: Kind, mean: bool) -> Tensor:
    """The sum (or mean) of x over axes, in a tensor of kind `result`."""
    axes = normalize_axes(dim, len(x.shape))
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    shape = kept if keepdim else tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    count = prod(x.shape[axis] for axis in axes)
    before, summed, after = split_axes(x.shape, axes)
    if before is None:  # the axes do not lie together: bring them to the end
        rest = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
        source = x.detach().permute(*rest, *axes).contiguous()
        before, summed, after = prod(x.shape[axis] for axis in rest), count, 1
    else:
        source = x.contiguous()
    out = Tensor(result.empty(prod(shape)), Size(shape), result)
    run_total(source, before, summed, after, out, float(count) if mean else 1.0)
    if x.node is not None and mode.grad and result.dtype.is_floating_point:
        label = ("Mean" if mean else "Sum") + f"Backward{0 if dim is None else 1}"
        out.node = SumBackward(x, kept, count if mean else 1, label)
    return out


def run_total(x: Tensor, before: int, summed: int, after: int, out: Tensor, divisor: float) -> None:
    """Sum the middle axis of contiguous x, seen as (before, summed, after), into `out`."""
    kernel = total_kernel(x.kind, out.kind, after > 1, x.numel() >= x.kind.backend.PARALLEL_FROM)
    if after > 1:
        kernel(out.flat, summed, after, divisor, x.flat)
    else:
        kernel(out.flat, summed, divisor, x.flat)


_kernels: dict[tuple, Any] = {}


def total_kernel(source: Kind, result: Kind, columns: bool, big: bool) -> Any:
    key = (source, result, columns, big)
    if key not in _kernels:
        signature = Signature([source.dtype.name], ["flat"], result.dtype.name)
        make = result.backend.columns if columns else result.backend.rows
        _kernels[key] = make(SUM, signature, big)
    return _kernels[key]


class ReductionMethods:
    """The reducing methods of Tensor."""

    __slots__ = ()

    def sum(self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The sum over axes `dim` (an int or several; None: all). Integers are summed in int64.

        >>> import tinygrad_edu as tg
        >>> tg.ones(2, 3).sum(1)
        tensor([3., 3.])
        """
        kind = self.kind
        if dtype is not None:
            kind = kind_of(as_dtype(dtype), kind.device)
        elif not kind.dtype.is_floating_point:
            kind = kind_of(int64, kind.device)
        return total(self, dim, keepdim, kind, mean=False)

    def mean(self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The mean over axes `dim` (an int or several; None: all). Of floats only."""
        x = self if dtype is None else self.to(dtype)
        if not x.kind.dtype.is_floating_point:
            name = "Bool" if x.kind.dtype.category == BOOL else x.kind.dtype.name
            raise RuntimeError(
                f"mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: {name}. "
                "Use x.float().mean()"
            )
        return total(x, dim, keepdim, x.kind, mean=True)

    def sum_to(self: Any, shape: Shape) -> Tensor:
        """Undo a broadcast: the sum over the axes that were repeated to get from `shape` to this tensor's."""
        if self.shape == shape:
            return self
        axes = reduced_axes(self.shape, shape)
        return (self.sum(axes, keepdim=True) if axes else self).reshape(shape)
