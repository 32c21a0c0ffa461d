"""Views: reshape, transpose, expand. The data stays where it is; only shape, strides and offset change.

Backward, a view puts the cotangent back where it came from:

    transpose    the inverse transpose          reshape    the old shape
    expand       the sum over the repeated axes

Source: for strides as the whole of a view, K. Iverson's APL; P. Dubois et al., Numerical Python, 1996.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any
from warnings import warn

from tinygrad_kernels.calculus import OPERATIONS
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import forward_formula, trace

from ..dtypes import OF_PYTHON, Kind, MissingDtype, as_dtype, device, dtype, kind_of
from ..graph import Node, changes, mode, share
from ..prepared import table
from .strides import Shape, broadcast_strides, collapse, contiguous_strides
from .views import (
    View,
    check_axes,
    check_format,
    exchanged,
    expanded,
    keyword,
    make_view,
    permuted,
    reshaped,
    shape_arguments,
    squeezed,
    unsqueezed,
)

if TYPE_CHECKING:
    from ..tensors import Tensor

COPY = trace("copy", lambda x: x, ("x",))
ADD = forward_formula(OPERATIONS["add"])


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


def seen(x: Tensor, view: View, label: str, undo: Any, how: Any, node: Any = ViewBackward) -> Tensor:
    """x as `view` says: a tensor on x's memory, with its node (of class `node`) in the graph.

    What a view looks like depends on shapes, strides and arguments only, so each is computed once and kept; here, on
    the hot path, it is put into effect.
    """
    shape, strides, offset, size = view
    y = Tensor(None, shape, x.kind)
    region = x.region
    if region is None:
        root, base = x.flat, x
    else:
        root, first, _, base = region
        offset += first
        if base is None:
            base = x
    if size >= 0:
        y.flat = root[offset : offset + size]
    y.region = (root, offset, strides, base)
    shared = y.shared = x.shared or share(x)
    shared.add(y)
    if x.node is not None and mode.grad:
        y.node = node(x, label, undo, how)
    return y


def view_of(x: Tensor, shape: Shape, strides: Shape, offset: int, label: str, undo: Any, how: Any) -> Tensor:
    """The same for strides and an offset that count from the start of x's buffer."""
    return seen(x, make_view(shape, strides, offset - start(x)), label, undo, how)


def steps_of(x: Tensor) -> Shape | None:
    """The strides of x; None where its elements lie in order. What a view is looked up by, with the shape."""
    return None if x.flat is not None else x.region[2]


def start(x: Tensor) -> int:
    return 0 if x.flat is not None else x.region[1]


def copy_into(target: Tensor, source: Tensor, add: bool = False) -> None:
    """Write source, broadcast, into the memory of target (or add it there), converting the dtype. No graph."""
    if source.kind.backend is not target.kind.backend:
        from .conversion import moved

        source = moved(source, target.kind)
    dims, to, of, (read, write) = copy_loop(target.shape, steps_of(target), source.shape, steps_of(source))
    key = (source.kind, target.kind, len(dims), read, write, add)
    kernel = _copies.get(key)
    if kernel is None:
        old, new = source.kind.dtype.name, target.kind.dtype.name
        formula, signature = COPY, Signature([old], [read, write], new)
        if add:
            formula, signature = ADD, Signature([new, old], [write, read], new, in_place=1)
        kernel = _copies[key] = target.kind.backend.strided(formula, signature, len(dims), False)
    buffer, offset = (target.flat, 0) if target.flat is not None else target.region[:2]
    values, first = (source.flat, 0) if source.flat is not None else source.region[:2]
    kernel(dims, buffer, (offset, *to), values, (first, *of))


@lru_cache(maxsize=4096)
def copy_loop(
    shape: Shape, strides: Shape | None, source: Shape, source_strides: Shape | None
) -> tuple[Shape, Shape, Shape, tuple[str, str]]:
    """How a source is copied into a target: the loop's sizes, strides of target and source, and how both end."""
    old = contiguous_strides(source) if source_strides is None else source_strides
    into = contiguous_strides(shape) if strides is None else strides
    dims, (to, of) = collapse(shape, [into, broadcast_strides(source, old, shape)])
    ends = {1: "unit", 0: "fixed"}.get(of[-1], "strided")
    return dims, to, of, (ends, "unit" if to[-1] == 1 else "strided")


_copies: dict[tuple, Any] = table()


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


def undo_expand(g: Tensor, shape: Shape) -> Tensor:
    return g.sum_to(shape)


def become(x: Tensor, y: Tensor, name: str) -> Tensor:
    """x itself becomes y, a view of it: the forms in place, such as t_()."""
    if mode.grad and x.node is not None and x.node.leaf:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({name}_). Use {name}()"
        )
    node = y.node if mode.grad else x.node
    base = None if x.region is None else x.region[3]
    x.flat, x.shape, x.region, x.node = y.flat, y.shape, (*y.region[:3], base), node
    share(x).version += 1
    changes.count += 1
    return x


class ShapeMethods:
    """The methods of Tensor that change how it is seen."""

    __slots__ = ()

    def reshape(self: Any, *shape: Any, **named: Any) -> Tensor:
        """The same elements in another shape; one size may be -1. A view if possible, else a copy.

        >>> import tinygrad_edu as tg
        >>> tg.arange(6).reshape(2, -1).shape
        torch.Size([2, 3])
        """
        view = reshaped(self.shape, steps_of(self), shape_arguments(keyword(shape, named, "shape")))
        if not isinstance(view, View):
            return copy(self, self.kind, "UnsafeViewBackward0").reshape(view)
        return seen(self, view, "ViewBackward0", undo_reshape, self.shape)

    def view(self: Any, *size: Any, **named: Any) -> Tensor:
        """The same memory in another shape; one size may be -1. RuntimeError where that would take a copy."""
        if len(size) == 1 and is_dtype(size[0]):
            raise NotImplementedError("view(dtype), which reads the bits as another dtype, is not supported; use .to()")
        view = reshaped(self.shape, steps_of(self), shape_arguments(keyword(size, named, "size")))
        if not isinstance(view, View):
            raise RuntimeError(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two contiguous subspaces). Use .reshape(...) instead."
            )
        return seen(self, view, "ViewBackward0", undo_reshape, self.shape)

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

    def permute(self: Any, *dims: Any, **named: Any) -> Tensor:
        """The axes in another order."""
        view, axes = permuted(self.shape, steps_of(self), shape_arguments(keyword(dims, named, "dims")))
        return seen(self, view, "PermuteBackward0", undo_permute, axes)

    def transpose(self: Any, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged."""
        view, axes = exchanged(self.shape, steps_of(self), operator.index(dim0), operator.index(dim1))
        return seen(self, view, "TransposeBackward0", undo_permute, axes)

    def t(self: Any) -> Tensor:
        """The transpose of a matrix; a vector stays as it is."""
        n = len(self.shape)
        if n > 2:
            raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {n}D; use mT")
        view, axes = exchanged(self.shape, steps_of(self), 0, n - 1 if n else 0)
        return seen(self, view, "TBackward0", undo_permute, axes)

    @property
    def T(self: Any) -> Tensor:
        """The transpose of a matrix. (Of other numbers of axes, all in reverse order: PyTorch deprecates that.)"""
        if len(self.shape) not in (0, 2):
            warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated. Consider "
                "`x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))`",
                stacklevel=2,
            )
        return self.permute(tuple(range(len(self.shape) - 1, -1, -1)))

    @property
    def mT(self: Any) -> Tensor:
        """The last two axes exchanged."""
        if len(self.shape) < 2:
            raise RuntimeError(
                f"tensor.mT is only supported on matrices or batches of matrices. Got {len(self.shape)}-D tensor."
            )
        return self.transpose(-2, -1)

    def expand(self: Any, *size: Any, **named: Any) -> Tensor:
        """Axes of size 1 (and new ones in front) repeated to the given sizes, without copying; -1 keeps a size."""
        view = expanded(self.shape, steps_of(self), shape_arguments(keyword(size, named, "size")))
        return seen(self, view, "ExpandBackward0", undo_expand, self.shape)

    def expand_as(self: Any, other: Tensor) -> Tensor:
        """Expanded to the shape of another tensor."""
        return self.expand(other.shape)

    def squeeze(self: Any, dim: int | tuple[int, ...] | None = None) -> Tensor:
        """Without axes of size 1 (or without this one, or these, where their size is 1)."""
        dims = None if dim is None else shape_arguments((dim,))
        label = f"SqueezeBackward{0 if dim is None else 2 if isinstance(dim, tuple | list) else 1}"
        return seen(self, squeezed(self.shape, steps_of(self), dims), label, undo_reshape, self.shape)

    def unsqueeze(self: Any, dim: int) -> Tensor:
        """With a new axis of size 1 at `dim`."""
        view = unsqueezed(self.shape, steps_of(self), operator.index(dim))
        return seen(self, view, "UnsqueezeBackward0", undo_reshape, self.shape)

    # In place: the tensor itself is seen differently from now on.
    def squeeze_(self: Any, dim: int | tuple[int, ...] | None = None) -> Tensor:
        """`squeeze` in place."""
        return become(self, self.squeeze(dim), "squeeze")

    def unsqueeze_(self: Any, dim: int) -> Tensor:
        """`unsqueeze` in place."""
        return become(self, self.unsqueeze(dim), "unsqueeze")

    def transpose_(self: Any, dim0: int, dim1: int) -> Tensor:
        """`transpose` in place."""
        return become(self, self.transpose(dim0, dim1), "transpose")

    def t_(self: Any) -> Tensor:
        """`t` in place."""
        return become(self, self.t(), "t")

    # Where it lies.
    def stride(self: Any, dim: int | None = None) -> Any:
        """How many elements further in memory the next one along each axis (or along one) is."""
        strides = contiguous_strides(self.shape) if self.flat is not None else self.region[2]
        return strides if dim is None else strides[dim]

    def is_contiguous(self: Any, memory_format: Any = None) -> bool:
        """Do the elements lie in order in memory?"""
        return self.flat is not None and str(memory_format).rpartition(".")[2] in ("None", "contiguous_format")

    def storage_offset(self: Any) -> int:
        """Where in the buffer the first element lies."""
        return 0 if self.region is None else self.region[1]

    def data_ptr(self: Any) -> int:
        """The address of the first element."""
        buffer = self.flat if self.region is None else self.region[0]
        return self.kind.backend.address(buffer) + self.storage_offset() * self.kind.dtype.itemsize

    def element_size(self: Any) -> int:
        """The bytes of one element."""
        return self.kind.dtype.itemsize

    itemsize = property(element_size)

    @property
    def nbytes(self: Any) -> int:
        """The bytes of all elements."""
        return self.numel() * self.kind.dtype.itemsize

    def is_same_size(self: Any, other: Tensor) -> bool:
        """Have both the same shape?"""
        return self.shape == other.shape

    def contiguous(self: Any, memory_format: Any = None) -> Tensor:
        """Itself if its elements lie in order, else a copy in which they do."""
        check_format(memory_format)
        return self if self.flat is not None else copy(self, self.kind, "CloneBackward0")

    def clone(self: Any, *, memory_format: Any = None) -> Tensor:
        """A copy, in the graph. Its elements lie in order."""
        check_format(memory_format)
        return copy(self, self.kind, "CloneBackward0")

    def to_kind(self: Any, kind: Kind) -> Tensor:
        """Itself if it is of this kind, else a copy that is."""
        return self if self.kind is kind else copy(self, kind, "ToCopyBackward0")

    def to(
        self: Any,
        *targets: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: bool = False,
        copy: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        """The tensor in another dtype or on another device; itself where nothing changes, unless `copy`.

        `x.to(float64)`, `x.to('cpu')`, `x.to(other)`, `x.to(device, dtype)`, then non_blocking and copy.
        """
        check_format(memory_format)
        switches = [target for target in targets if type(target) is bool]
        copy = copy or switches[1:] == [True]
        for target in targets:
            if isinstance(target, Tensor):
                dtype, device = target.kind.dtype, target.kind.device
            elif is_dtype(target):
                dtype = target
            elif type(target) is not bool:
                device = target
        kind = self.kind
        dtype = kind.dtype if dtype is None else as_dtype(dtype)
        device = kind.device if device is None else make_device(device)
        found = self.to_kind(kind_of(dtype, device))
        return self.clone() if copy and found is self else found


def is_dtype(x: Any) -> bool:
    return isinstance(x, dtype | MissingDtype) or (isinstance(x, type) and x in OF_PYTHON)


make_device = device
