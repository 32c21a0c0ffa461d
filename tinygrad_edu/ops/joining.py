"""Joining tensors, and bringing them to one shape before.

    cat of (2, 3) and (4, 3) along 0      (6, 3)        backward, g is cut where the parts met
    stack of two (2, 3) along 0           (2, 2, 3)     a cat along a new axis of size 1

Source: P. Dubois, K. Hinsen, J. Hugunin, Numerical Python, 1996 (concatenate).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import wraps
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

from ..dtypes import kind_of, promote
from ..graph import Node, mode
from .in_place import store
from .strides import Shape, Size
from .strides import broadcast_shapes as common_shape
from .views import check_axes, shape_arguments

if TYPE_CHECKING:
    from ..tensors import Tensor


# Joining ------------------------------------------------------------------------------------------------------
class CatBackward(Node):
    """Tensors side by side along an axis: each gets its part of g."""

    __slots__ = ("axis", "sizes", "kinds", "label")
    fresh = False  # parts of g

    def __init__(self, tensors: list[Tensor], axis: int, label: str) -> None:
        self.walk = None
        self.parents, self.label = tuple(x.node for x in tensors), label
        self.axis, self.sizes = axis, [x.shape[axis] for x in tensors]
        self.kinds = [x.kind for x in tensors]

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> list[Tensor | None]:
        starts = accumulate(self.sizes, initial=0)
        parts = zip(self.parents, starts, self.sizes, self.kinds, strict=False)
        return [None if p is None else g.narrow(self.axis, at, n).to_kind(kind) for p, at, n, kind in parts]


def into_out(join: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function with PyTorch's keyword `out`: a tensor that receives the result."""

    @wraps(join)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Tensor:
        result = join(*args, **kwargs)
        return result if out is None else store(out, result)

    return call


@into_out
def cat(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors joined along an axis: (2, 3) and (4, 3) along 0 make (6, 3).

    They have the same sizes along the other axes (`axis` is NumPy's name of `dim`); their dtypes are promoted. A tensor
    of shape (0,) is left out, whatever the others are. ValueError for no tensors, TypeError for other things,
    RuntimeError for shapes that do not fit.

    >>> import tinygrad_edu as tg
    >>> tg.cat([tg.zeros(1, 2), tg.ones(2, 2)])
    tensor([[0., 0.],
            [1., 1.],
            [1., 1.]])
    """
    return joined(checked("cat", tensors), dim if axis is None else axis, "CatBackward0")


@into_out
def stack(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape joined along a new axis: two of shape (3,) along 0 make (2, 3), along 1 (3, 2)."""
    parts, at = checked("stack", tensors), dim if axis is None else axis
    for k, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at entry 0 and "
                f"{list(x.shape)} at entry {k}"
            )
    return joined([x.unsqueeze(at) for x in parts], at, "StackBackward0")


@into_out
def hstack(tensors: Any) -> Tensor:
    """Tensors joined along the second axis (1-d ones along their only axis)."""
    parts = atleast_1d(checked("hstack", tensors))
    return joined(list(parts), 0 if len(parts[0].shape) == 1 else 1, "CatBackward0")


@into_out
def vstack(tensors: Any) -> Tensor:
    """Tensors joined along the first axis; those of 0 or 1 dimensions count as rows."""
    return joined(list(atleast_2d(checked("vstack", tensors))), 0, "CatBackward0")


@into_out
def dstack(tensors: Any) -> Tensor:
    """Tensors joined along the third axis, after `atleast_3d`."""
    return joined(list(atleast_3d(checked("dstack", tensors))), 2, "CatBackward0")


@into_out
def column_stack(tensors: Any) -> Tensor:
    """Tensors joined along the second axis; those of 0 or 1 dimensions count as columns."""
    parts = [x.reshape(-1, 1) if len(x.shape) < 2 else x for x in checked("column_stack", tensors)]
    return joined(parts, 1, "CatBackward0")


def atleast_1d(*tensors: Any) -> Any:
    """0-d tensors with one axis. One tensor, or several (or a list of them), which give a tuple."""
    return each(tensors, lambda x: x if x.shape else x.reshape(1))


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two axes: those of fewer become rows.

    >>> import tinygrad_edu as tg
    >>> tg.atleast_2d(tg.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return each(tensors, lambda x: x if len(x.shape) > 1 else x.reshape(1, -1))


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three axes: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1)."""
    return each(tensors, lambda x: x if len(x.shape) > 2 else atleast_2d(x).unsqueeze(-1))


def each(tensors: tuple, change: Callable[[Tensor], Tensor]) -> Any:
    """What becomes of one tensor, or a tuple for several, given one by one or in a list."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return change(tensors[0])
    given = tensors[0] if len(tensors) == 1 else tensors
    return tuple(change(x) for x in checked("atleast", given))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape. RuntimeError where there is none."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    shape = broadcast_shapes(*(x.shape for x in checked("broadcast_tensors", given)))
    return tuple(x.expand(shape) for x in given)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes (tuples, or ints for one axis) are broadcast to.

    >>> broadcast_shapes((2, 1), 3)
    torch.Size([2, 3])
    """
    return Size(common_shape(*(shape_arguments((shape,)) for shape in shapes)))


def cartesian_prod(*tensors: Any) -> Tensor:
    """All combinations of an element of each of n vectors: (all combinations, n). Of one vector: itself.

    >>> import tinygrad_edu as tg
    >>> tg.cartesian_prod(tg.tensor([1, 2]), tg.tensor([5, 6])).tolist()
    [[1, 5], [1, 6], [2, 5], [2, 6]]
    """
    parts = checked("cartesian_prod", tensors)
    for x in parts:
        if len(x.shape) != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    n = len(parts)
    if n == 1:
        return parts[0]
    seen = (x.reshape([-1 if a == k else 1 for a in range(n)]) for k, x in enumerate(parts))
    return stack([x.reshape(-1) for x in broadcast_tensors(*seen)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, in order: (number of choices, r)."""
    (x,) = checked("combinations", [input])
    if len(x.shape) != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = [k for chosen in choose(range(x.shape[0]), r) for k in chosen]
    if not r:
        return x[:0]
    return x[rows].reshape(-1, r)


def block_diag(*tensors: Any) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros around them. 0-d and 1-d tensors count as (1, n).

    >>> import tinygrad_edu as tg
    >>> tg.block_diag(tg.tensor([[1, 2]]), tg.tensor(3)).tolist()
    [[1, 2, 0], [0, 0, 3]]
    """
    from ..creation import zeros

    parts = atleast_2d(checked("block_diag", tensors)) if tensors else (zeros(1, 0),)
    for k, x in enumerate(parts):
        if len(x.shape) > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {k} has {len(x.shape)}"
            )
    width, at, rows = sum(x.shape[1] for x in parts), 0, []
    for x in parts:
        m, n = x.shape
        before, after = (zeros((m, w), dtype=x.dtype, device=x.device) for w in (at, width - at - n))
        rows.append(joined([before, x, after], 1, "CatBackward0"))
        at += n
    return joined(rows, 0, "CatBackward0")


def checked(name: str, tensors: Any) -> list[Tensor]:
    """The list of tensors to be joined."""
    if not isinstance(tensors, list | tuple):
        what = type(tensors).__name__
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {what}")
    for k, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {k} in argument 0, but got {type(x).__name__}")
    if not tensors:
        error = ValueError if name == "cat" else RuntimeError
        raise error(f"{name}(): expected a non-empty list of Tensors")
    return list(tensors)


def joined(tensors: list[Tensor], dim: int, label: str) -> Tensor:
    """The tensors side by side along an axis, in their common dtype. `label` names the node."""
    dtype = tensors[0].kind.dtype
    for k, x in enumerate(tensors):
        if not x.shape:
            raise RuntimeError(f"zero-dimensional tensor (at position {k}) cannot be concatenated")
        dtype = promote(dtype, x.kind.dtype)
    kind = kind_of(dtype, tensors[0].kind.device)
    parts = [x for x in tensors if x.shape != (0,)] or tensors[:1]
    shape = list(parts[0].shape)
    check_axes(len(shape), dim)
    axis = dim % len(shape)
    before, after = tuple(shape[:axis]), tuple(shape[axis + 1 :])
    for k, x in enumerate(parts):
        if len(x.shape) != len(shape) or x.shape[:axis] != before or x.shape[axis + 1 :] != after:
            raise does_not_fit(k, x.shape, parts[0].shape, axis)
    shape[axis] = sum(x.shape[axis] for x in parts)
    whole = Size(shape)
    out = Tensor(kind.empty(prod(whole)), whole, kind)
    rows, inner, at = prod(before), prod(after), 0
    pitch = shape[axis] * inner
    for x in parts:
        width = x.shape[axis] * inner
        if width and rows:
            source = x if x.flat is not None and x.kind is kind else x.detach().to_kind(kind).contiguous()
            kind.backend.paste(out.flat, source.flat, rows, width, pitch, at)
        at += width
    if mode.grad and kind.dtype.is_floating_point and any(x.node is not None for x in parts):
        out.node = CatBackward(parts, axis, label)
    return out


def does_not_fit(number: int, shape: Shape, first: Shape, axis: int) -> RuntimeError:
    """The error for a tensor that cannot stand beside the first one."""
    if len(shape) != len(first):
        return RuntimeError(
            f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)} (tensor {number})"
        )
    n, m = next((n, m) for k, (n, m) in enumerate(zip(first, shape, strict=True)) if k != axis and n != m)
    return RuntimeError(
        f"Sizes of tensors must match except in dimension {axis}. Expected size {n} but got size {m} for tensor number "
        f"{number} in the list."
    )
