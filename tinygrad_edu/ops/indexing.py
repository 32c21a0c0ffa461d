"""Indexing: `x[1]`, `x[2:5]`, `x[..., None]`, and assignment to such a part.

A basic index (ints, slices, None, ...) is a view: each int moves the offset, each slice moves it and multiplies a
stride.

    x of shape (3, 4), strides (4, 1)      x[1]     offset 4, shape (4,),   strides (1,)
                                           x[:, ::2]          shape (3, 2), strides (4, 2)

Backward, what was taken out goes back where it came from, and zeros everywhere else. An assignment `x[i] = v` changes
the view `x[i]` in place (history.py).

Source: S. van der Walt, S. C. Colbert, G. Varoquaux, The NumPy array, Computing in Science & Engineering 13(2), 2011.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from .advanced import assign, get, is_advanced
from .in_place import broadcasts_to
from .shape import start, view_of
from .strides import Shape

if TYPE_CHECKING:
    from ..tensors import Tensor


def parse_index(x: Tensor, index: Any) -> tuple[Shape, Shape, int]:
    """Basic indexing (ints, slices, None, ...): the shape, strides and offset of x[index]."""
    items = list(index) if isinstance(index, tuple) else [index]
    for item in items:
        if not (item is None or item is Ellipsis or isinstance(item, slice) or hasattr(item, "__index__")):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(item).__name__})"
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


def part_of(x: Tensor, axis: int, first: int, length: int, label: str) -> Tensor:
    """`length` slices along an axis: a view."""
    strides = x.stride()
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    index = (*[slice(None)] * axis, slice(first, first + length))
    offset = start(x) + (first * strides[axis] if length else 0)
    return view_of(x, shape, strides, offset, label, undo_index, (x.shape, index))


def slice_of(x: Tensor, axis: int, number: int, label: str) -> Tensor:
    """One slice along an axis, without that axis: a view."""
    strides = x.stride()
    shape, rest = x.shape[:axis] + x.shape[axis + 1 :], strides[:axis] + strides[axis + 1 :]
    index = (*[slice(None)] * axis, number)
    return view_of(x, shape, rest, start(x) + number * strides[axis], label, undo_index, (x.shape, index))


class IndexingMethods:
    """The methods of Tensor behind square brackets."""

    __slots__ = ()

    def __getitem__(self: Any, index: Any) -> Tensor:
        if type(index) is int and self.shape and -self.shape[0] <= index < self.shape[0]:
            return slice_of(self, 0, index % self.shape[0], "SelectBackward0")
        if is_advanced(index):
            return get(self, index)
        shape, strides, offset = parse_index(self, index)
        return view_of(self, shape, strides, offset, "SliceBackward0", undo_index, (self.shape, index))

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        if not isinstance(value, (Tensor, bool, int, float)):
            raise TypeError(f"can't assign a {type(value).__name__} to a {self.kind.dtype.name} tensor")
        if is_advanced(index):
            assign(self, index, value)
            return
        part = self[index]
        if isinstance(value, Tensor):
            while len(value.shape) > len(part.shape) and value.shape[0] == 1:
                value = value.squeeze(0)
            if not broadcasts_to(value.shape, part.shape):
                raise RuntimeError(
                    f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result "
                    f"of shape {list(part.shape)}"
                )
            part.copy_(value)
        else:
            part.fill_(value)
