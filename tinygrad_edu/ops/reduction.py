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
from .strides import Shape, Size, broadcast_strides, contiguous_strides, reduced_axes

if TYPE_CHECKING:
    from ..tensors import Tensor

SUM = trace("sum", lambda x: x, ("x",))


class SumBackward(Node):
    """The sum of x over axes, or its mean: g is repeated along them."""

    __slots__ = ("plan",)
    fresh = False  # the gradient is a view of g

    def __init__(self, parent: Node, plan: Total) -> None:
        self.walk = None
        self.parents, self.plan = (parent,), plan

    def name(self) -> str:
        return self.plan.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        plan = self.plan
        if plan.mean:
            g = g / plan.count
        if graph or g.flat is None or g.kind is not plan.source:
            return (g.to_kind(plan.source).reshape(plan.kept).expand(plan.shape),)
        repeated = Tensor(None, plan.shape, g.kind)
        repeated.view = (g.flat, 0, plan.repeat)
        return (repeated,)


class Total:
    """A sum (or mean) prepared: for tensors of one kind and shape, over certain axes, into one kind.

    `kept` is the shape with the summed axes as 1; `repeat` the strides that repeat a sum along them again.
    """

    __slots__ = ("source", "shape", "kept", "repeat", "result", "out_shape", "size", "order", "count", "mean", "label",
                 "kernel", "sizes")  # fmt: skip

    def __init__(self, x: Tensor, dim: Any, keepdim: bool, result: Kind, mean: bool) -> None:
        axes = normalize_axes(dim, len(x.shape))
        rest = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
        self.source, self.shape, self.result, self.mean = x.kind, x.shape, result, mean
        self.kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        self.repeat = broadcast_strides(self.kept, contiguous_strides(self.kept), x.shape)
        self.out_shape = Size(self.kept if keepdim else tuple(x.shape[axis] for axis in rest))
        self.size, self.count = prod(self.out_shape), prod(x.shape[axis] for axis in axes)
        self.label = ("Mean" if mean else "Sum") + f"Backward{0 if dim is None else 1}"
        self.order: tuple[int, ...] | None = None
        before, summed, after = split_axes(x.shape, axes)
        if before is None:  # the axes do not lie together: bring them to the end
            self.order, summed, after = (*rest, *axes), self.count, 1
        signature = Signature([x.kind.dtype.name], ["flat"], result.dtype.name)
        big = prod(x.shape) >= result.backend.PARALLEL_FROM
        divisor = float(self.count) if mean else 1.0
        self.sizes: tuple[float, ...]
        if after > 1:
            self.kernel, self.sizes = result.backend.columns(SUM, signature, big), (summed, after, divisor)
        else:
            self.kernel, self.sizes = result.backend.rows(SUM, signature, big), (summed, divisor)


_totals: dict[tuple, Total] = {}


def total(x: Tensor, dim: Any, keepdim: bool, result: Kind, mean: bool) -> Tensor:
    """The sum (or mean) of x over axes, in a tensor of kind `result`."""
    if isinstance(dim, list):
        dim = tuple(dim)
    key = (x.kind, x.shape, type(dim), dim, keepdim, result, mean)  # the type: 1.0 == 1, and is no axis
    plan = _totals.get(key)
    if plan is None:
        if len(_totals) > 2048:
            _totals.clear()
        plan = _totals[key] = Total(x, dim, keepdim, result, mean)
    buffer = x.flat
    if buffer is None or plan.order is not None:
        source = x.detach() if plan.order is None else x.detach().permute(*plan.order)
        buffer = source.contiguous().flat
    out = Tensor(result.empty(plan.size), plan.out_shape, result)
    plan.kernel(out.flat, *plan.sizes, buffer)
    if x.node is not None and mode.grad and result.dtype.is_floating_point:
        out.node = SumBackward(x.node, plan)
    return out


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
