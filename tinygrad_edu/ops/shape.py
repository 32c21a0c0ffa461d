"""Views: reshape, transpose, expand. The data stays where it is; only shape, strides and offset change.

Backward, a view puts the cotangent back where it came from:

    transpose    the inverse transpose
    reshape      the old shape
    expand       the sum over the repeated axes

Source: for strides as the whole of a view, K. Iverson's APL; P. Dubois et al., Numerical Python, 1996.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import trace

from ..dtypes import OF_PYTHON, Kind, MissingDtype, as_dtype, device, dtype, kind_of
from ..graph import Node, mode, share
from .strides import (
    Shape,
    Size,
    broadcast_strides,
    collapse,
    contiguous_strides,
    is_contiguous,
)

if TYPE_CHECKING:
    from ..tensors import Tensor

COPY = trace("copy", lambda x: x, ("x",))


class ViewBackward(Node):
    """A view in the graph. `undo` is the name of a function below, `how` its argument."""

    __slots__ = ("undo", "how", "label")
    fresh = False  # a view of g

    def __init__(self, x: Tensor, label: str, undo: Any, how: Any) -> None:
        self.walk = None
        self.parents = (x.node,)
        self.label, self.undo, self.how = label, undo, how

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (self.undo(g, self.how),)


def view_of(x: Tensor, shape: Shape, strides: Shape, offset: int, label: str, undo: Any, how: Any) -> Tensor:
    """A tensor on x's memory; strides and offset count from the start of x's buffer. With its node in the graph."""
    if type(shape) is not Size:
        shape = Size(shape)
    of = x.region
    if x.flat is not None:
        buffer, root, at = x.flat, x.flat if of is None else of[0], offset if of is None else of[1] + offset
    else:
        buffer, at = of[0], offset
        root = buffer
    y = Tensor(None, shape, x.kind)
    if is_contiguous(shape, strides):
        y.flat = buffer[offset : offset + prod(shape)]
    y.region = (root, at, strides, x if of is None or of[3] is None else of[3])
    shared = y.shared = x.shared or share(x)
    shared.add(y)
    if x.node is not None and mode.grad:
        y.node = ViewBackward(x, label, undo, how)
    return y


def start(x: Tensor) -> int:
    return 0 if x.flat is not None else x.region[1]


def copy_into(target: Tensor, source: Tensor) -> None:
    """Write source, broadcast, into the memory of target, converting the dtype. No graph."""
    buffer, offset = (target.flat, 0) if target.flat is not None else target.region[:2]
    strides = broadcast_strides(source.shape, source.stride(), target.shape)
    dims, (to, of) = collapse(target.shape, [target.stride(), strides])
    inner = [{1: "unit", 0: "fixed"}.get(s[-1], "strided") for s in (of, to)]
    key = (source.kind, target.kind, len(dims), *inner)
    kernel = _copies.get(key)
    if kernel is None:
        inner[1] = "unit" if inner[1] == "unit" else "strided"
        signature = Signature([source.kind.dtype.name], inner, target.kind.dtype.name)
        kernel = _copies[key] = target.kind.backend.strided(COPY, signature, len(dims), False)
    kernel(
        dims, buffer, (offset, *to), source.flat if source.flat is not None else source.region[0], (start(source), *of)
    )


_copies: dict[tuple, Any] = {}


class CopyBackward(Node):
    """A copy, perhaps into another dtype: the cotangent goes back in the operand's kind."""

    __slots__ = ("kind", "label")
    fresh = False

    def __init__(self, x: Tensor, label: str) -> None:
        self.walk = None
        self.parents, self.kind, self.label = (x.node,), x.kind, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (g.to_kind(self.kind),)


def copy(x: Tensor, kind: Kind, label: str) -> Tensor:
    """A contiguous copy of x in a kind."""
    out = Tensor(kind.empty(prod(x.shape)), x.shape, kind)
    copy_into(out, x)
    if x.node is not None and mode.grad and kind.dtype.is_floating_point:
        out.node = CopyBackward(x, label)
    return out


def undo_reshape(g: Tensor, shape: Shape) -> Tensor:
    return g.reshape(shape)


def undo_permute(g: Tensor, order: Shape) -> Tensor:
    return g.permute(*sorted(range(len(order)), key=order.__getitem__))


def undo_t(g: Tensor, how: None) -> Tensor:
    return g.t()


def undo_expand(g: Tensor, shape: Shape) -> Tensor:
    return g.sum_to(shape)


def shape_arguments(sizes: tuple) -> Shape:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    for n in sizes:
        if not hasattr(n, "__index__"):
            raise TypeError(f"a shape is made of ints, got {type(n).__name__} in {tuple(sizes)}")
    return tuple(operator.index(n) for n in sizes)


def merged_strides(shape: Shape, strides: Shape, target: Shape) -> Shape | None:
    """The strides with which the same memory has shape `target`; None if it takes a copy.

    Neighbouring axes that one stride walks are merged first; each merged axis must then be cut exactly into new ones.

    >>> merged_strides((2, 3, 4), (12, 4, 1), (6, 4)), merged_strides((3, 2), (1, 3), (6,))
    ((4, 1), None)
    """
    if prod(shape) == 0:
        return contiguous_strides(target)
    sizes, (steps,) = collapse(shape, [strides])
    wanted = list(target)
    found: list[int] = []
    for size, step in zip(reversed(sizes), reversed(steps), strict=True):
        taken = 1
        while taken < size:
            taken *= wanted[-1]
            if size % taken:
                return None
            found.append(step * taken // wanted.pop())
    found += [0] * len(wanted)  # what is left are axes of size 1
    return tuple(reversed(found))


def new_shape(x: Tensor, sizes: tuple) -> Shape:
    """The shape that `sizes` ask for, with -1 replaced. RuntimeError if it has another number of elements."""
    shape = shape_arguments(sizes)
    n = prod(x.shape)
    if -1 in shape:
        known = -prod(shape)
        if shape.count(-1) > 1:
            raise RuntimeError("only one dimension can be inferred")
        if known == 0 or n % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {n}")
        shape = tuple(n // known if k == -1 else k for k in shape)
    if prod(shape) != n or any(k < 0 for k in shape):
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {n}")
    return shape


@lru_cache(maxsize=4096)
def transposed(shape: Shape) -> tuple[Size, Shape]:
    """Shape and strides of the transpose of a contiguous matrix."""
    m, n = shape
    return Size((n, m)), (1, n)


class ShapeMethods:
    """The methods of Tensor that change how it is seen."""

    __slots__ = ()

    def reshape(self: Any, *sizes: Any) -> Tensor:
        """The same elements in another shape; one size may be -1. A view if possible, else a copy.

        >>> import tinygrad_edu as tg
        >>> tg.arange(6).reshape(2, -1).shape
        torch.Size([2, 3])
        """
        shape = new_shape(self, sizes)
        strides = (
            contiguous_strides(shape) if self.flat is not None else merged_strides(self.shape, self.region[2], shape)
        )
        if strides is None:
            return copy(self, self.kind, "UnsafeViewBackward0").reshape(shape)
        return view_of(self, shape, strides, start(self), "ViewBackward0", undo_reshape, self.shape)

    def view(self: Any, *sizes: Any) -> Tensor:
        """The same memory in another shape; one size may be -1. RuntimeError where that would take a copy."""
        if len(sizes) == 1 and is_dtype(sizes[0]):
            raise NotImplementedError("view(dtype), which reads the bits as another dtype, is not supported; use .to()")
        shape = new_shape(self, sizes)
        strides = (
            contiguous_strides(shape) if self.flat is not None else merged_strides(self.shape, self.region[2], shape)
        )
        if strides is None:
            raise RuntimeError(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two contiguous subspaces). Use .reshape(...) instead."
            )
        return view_of(self, shape, strides, start(self), "ViewBackward0", undo_reshape, self.shape)

    def view_as(self: Any, other: Tensor) -> Tensor:
        """This tensor, seen in the shape of another."""
        return self.view(other.shape)

    def reshape_as(self: Any, other: Tensor) -> Tensor:
        """This tensor in the shape of another."""
        return self.reshape(other.shape)

    def flatten(self: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Axes start_dim to end_dim as one."""
        n = len(self.shape)
        check_axes(n, start_dim, end_dim)
        first, last = start_dim % max(n, 1), end_dim % max(n, 1)
        if first > last:
            raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
        if n and first == last:
            return self
        middle = prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], middle, *self.shape[last + 1 :])

    def permute(self: Any, *order: Any) -> Tensor:
        """The axes in another order."""
        axes = shape_arguments(order)
        n = len(self.shape)
        if sorted(a % n if n and -n <= a < n else -1 for a in axes) != list(range(n)):
            raise RuntimeError(f"permute(dims): {list(axes)} is not an order of the {n} dimensions of the tensor")
        axes = tuple(a % n for a in axes)
        old = self.stride()
        shape, strides = tuple(self.shape[a] for a in axes), tuple(old[a] for a in axes)
        return view_of(self, shape, strides, start(self), "PermuteBackward0", undo_permute, axes)

    def transpose(self: Any, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged."""
        n = max(len(self.shape), 1)
        check_axes(n, dim0, dim1)
        order = list(range(len(self.shape)))
        if order:
            order[dim0 % n], order[dim1 % n] = order[dim1 % n], order[dim0 % n]
        view = self.permute(*order)
        if isinstance(view.node, ViewBackward):
            view.node.label = "TransposeBackward0"
        return view

    def t(self: Any) -> Tensor:
        """The transpose of a matrix; a vector stays as it is."""
        if len(self.shape) > 2:
            raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {len(self.shape)}D; use mT")
        if len(self.shape) < 2:
            return self.reshape(self.shape)
        if self.flat is not None:
            shape, strides = transposed(self.shape)
        else:
            (m, n), (row, column) = self.shape, self.region[2]
            shape, strides = Size((n, m)), (column, row)
        return view_of(self, shape, strides, start(self), "TBackward0", undo_t, None)

    @property
    def T(self: Any) -> Tensor:
        """All axes in reverse order."""
        return self.permute(*reversed(range(len(self.shape))))

    @property
    def mT(self: Any) -> Tensor:
        """The last two axes exchanged."""
        return self.t() if len(self.shape) == 2 else self.transpose(-2, -1)

    def expand(self: Any, *sizes: Any) -> Tensor:
        """Axes of size 1 (and new ones in front) repeated to the given sizes, without copying; -1 keeps a size."""
        shape = shape_arguments(sizes)
        lead = len(shape) - len(self.shape)
        if lead < 0:
            raise RuntimeError(
                f"expand: the number of sizes provided ({len(shape)}) must be greater or equal to the number of "
                f"dimensions in the tensor ({len(self.shape)})"
            )
        shape = tuple(self.shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(shape))
        for n, old in zip(shape[lead:], self.shape, strict=True):
            if old not in (1, n):
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) must match the existing size ({old}). "
                    f"Target sizes: {list(shape)}. Tensor sizes: {list(self.shape)}"
                )
        if any(n < 0 for n in shape[:lead]):
            raise RuntimeError(f"expand: -1 keeps the size of an axis, and a new one has none to keep: {list(shape)}")
        strides = broadcast_strides(self.shape, self.stride(), shape)
        return view_of(self, shape, strides, start(self), "ExpandBackward0", undo_expand, self.shape)

    def squeeze(self: Any, dim: int | tuple[int, ...] | None = None) -> Tensor:
        """Without axes of size 1 (or without this one, or these, where their size is 1)."""
        n = max(len(self.shape), 1)
        named = () if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
        check_axes(n, *named)
        going = range(n) if dim is None else [axis % n for axis in named]
        keep = [size for axis, size in enumerate(self.shape) if size != 1 or axis not in going]
        return self.reshape(*keep) if self.shape else self.reshape(())

    def unsqueeze(self: Any, dim: int) -> Tensor:
        """With a new axis of size 1 at `dim`."""
        n = len(self.shape) + 1
        check_axes(n, dim)
        return self.reshape(*self.shape[: dim % n], 1, *self.shape[dim % n :])

    def contiguous(self: Any) -> Tensor:
        """Itself if its elements lie in order, else a copy in which they do."""
        return self if self.flat is not None else copy(self, self.kind, "CloneBackward0")

    def clone(self: Any) -> Tensor:
        """A copy, in the graph."""
        return copy(self, self.kind, "CloneBackward0")

    def to_kind(self: Any, kind: Kind) -> Tensor:
        """Itself if it is of this kind, else a copy that is."""
        return self if self.kind is kind else copy(self, kind, "ToCopyBackward0")

    def to(self: Any, *targets: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """The tensor in another dtype or on another device; itself where nothing changes.

        `x.to(float64)`, `x.to('cpu')`, `x.to(other)`, `x.to(device, dtype)`.
        """
        for target in targets:
            if isinstance(target, Tensor):
                dtype, device = target.kind.dtype, target.kind.device
            elif is_dtype(target):
                dtype = target
            else:
                device = target
        kind = self.kind
        dtype = kind.dtype if dtype is None else as_dtype(dtype)
        device = kind.device if device is None else make_device(device)
        return self.to_kind(kind_of(dtype, device))


def check_axes(dimensions: int, *axes: int) -> None:
    """IndexError for an axis that a tensor of that many dimensions (0-d counts as 1) does not have."""
    n = max(dimensions, 1)
    for axis in axes:
        if not -n <= axis < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {axis})")


def is_dtype(x: Any) -> bool:
    return isinstance(x, dtype | MissingDtype) or (isinstance(x, type) and x in OF_PYTHON)


make_device = device
