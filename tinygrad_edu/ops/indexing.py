"""Indexing: `x[1]`, `x[2:5]`, `x[..., None]`, and assignment to such a part.

A basic index (ints, slices, None, ...) is a view: each int moves the offset, each slice moves it and multiplies a
stride.

    x of shape (3, 4), strides (4, 1)      x[1]     offset 4, shape (4,),   strides (1,)
                                           x[:, ::2]          shape (3, 2), strides (4, 2)

Backward, what was taken out goes back where it came from, and zeros everywhere else. An assignment `x[i] = v` cuts the
other way: the cotangent of x is zero at i, since the old elements are gone, and what is there belongs to v.

Source: S. van der Walt, S. C. Colbert, G. Varoquaux, The NumPy array, Computing in Science & Engineering 13(2), 2011.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ..dtypes import Kind
from ..graph import Node
from .in_place import begin_change, end_change
from .shape import copy_into, start, view_of
from .strides import Shape

if TYPE_CHECKING:
    from ..tensors import Tensor


class AssignBackward(Node):
    """x with x[index] = value: the rest of g belongs to x, g[index] to the value."""

    __slots__ = ("index", "value_shape", "value_kind")

    def __init__(self, parents: tuple, index: Any, value: Any) -> None:
        self.walk = None
        self.parents, self.index = parents, index
        self.value_shape = value.shape if isinstance(value, Tensor) else ()
        self.value_kind: Any = value.kind if isinstance(value, Tensor) else None

    def name(self) -> str:
        return "CopySlices"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, Tensor | None]:
        gx = gv = None
        if self.parents[0] is not None:
            gx = g.clone()
            gx[self.index] = 0
        if self.parents[1] is not None:
            gv = g[self.index].clone().sum_to(self.value_shape).to_kind(self.value_kind)
        return gx, gv


def parse_index(x: Tensor, index: Any) -> tuple[Shape, Shape, int]:
    """Basic indexing (ints, slices, None, ...): the shape, strides and offset of x[index]."""
    items = list(index) if isinstance(index, tuple) else [index]
    for item in items:
        if not (item is None or item is Ellipsis or isinstance(item, slice) or hasattr(item, "__index__")):
            raise TypeError(
                f"tensor indices must be integers, slices, None or ..., not {type(item).__name__}; "
                "indexing with lists and tensors comes with a later version"
            )
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > len(x.shape):
        raise IndexError(f"too many indices for tensor of dimension {len(x.shape)}")
    if items.count(Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    rest = [slice(None)] * (len(x.shape) - used)
    at = items.index(Ellipsis) if Ellipsis in items else len(items)
    items[at : at + 1] = rest
    shape: list[int] = []
    strides: list[int] = []
    offset, axis, old = start(x), 0, x.stride()
    for item in items:
        if item is None:
            shape.append(1)
            strides.append(0)
            continue
        n, s = x.shape[axis], old[axis]
        if isinstance(item, slice):
            if item.step is not None and operator.index(item.step) <= 0:
                raise ValueError("step must be greater than zero")
            first, stop, step = item.indices(n)
            length = len(range(first, stop, step))
            offset += first * s if length else 0
            shape.append(length)
            strides.append(s * step)
        else:
            i = operator.index(item)
            if not -n <= i < n:
                raise IndexError(f"index {i} is out of bounds for dimension {axis} with size {n}")
            offset += (i % n) * s
        axis += 1
    return tuple(shape), tuple(strides), offset


def undo_index(g: Tensor, how: tuple[Shape, Any]) -> Tensor:
    from ..creation import zeros

    shape, index = how
    whole = zeros(shape, dtype=g.kind.dtype, device=g.kind.device)
    whole[index] = g
    return whole


class IndexingMethods:
    """The methods of Tensor behind square brackets."""

    __slots__ = ()

    def __getitem__(self: Any, index: Any) -> Tensor:
        shape, strides, offset = parse_index(self, index)
        return view_of(self, shape, strides, offset, "SliceBackward0", undo_index, (self.shape, index))

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        if not isinstance(value, Tensor) and not isinstance(value, bool | int | float):
            raise TypeError(f"can't assign a {type(value).__name__} to a {self.kind.dtype.name} tensor")
        changing = begin_change(self, "copy", value)
        before = self.node
        part = self.detach()[index]
        source = value.detach() if isinstance(value, Tensor) else full_like_number(value, self.kind)
        while len(source.shape) > len(part.shape) and source.shape[0] == 1:
            source = source.reshape(source.shape[1:])
        if not broadcasts_to(source.shape, part.shape):
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(source.shape)} cannot be broadcast to indexing result "
                f"of shape {list(part.shape)}"
            )
        copy_into(part, source.clone() if source.shared is part.shared else source)
        end_change(self, "copy", changing)
        if changing:
            self.node = AssignBackward((before, value.node if isinstance(value, Tensor) else None), index, value)


def broadcasts_to(shape: Shape, target: Shape) -> bool:
    """May a tensor of `shape` be repeated to fill `target`?"""
    if len(shape) > len(target):
        return False
    return all(n in (1, m) for n, m in zip(reversed(shape), reversed(target), strict=False))


def full_like_number(value: float, kind: Kind) -> Tensor:
    """A 0-d tensor of a kind."""
    from ..creation import tensor

    return tensor(value, dtype=kind.dtype, device=kind.device)
