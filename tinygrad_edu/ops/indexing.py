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
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .advanced import assign, get, is_advanced
from .history import Place, put, take
from .in_place import broadcasts_to, overwrite
from .shape import ViewBackward, copy_into, seen, steps_of
from .strides import Shape, contiguous_strides
from .views import View, make_view, without_ellipsis

if TYPE_CHECKING:
    from ..tensors import Tensor

ALL = (None, None, None)
LARGE = 4096  # elements of a sum from which it is worth while not to make another


def key_of(index: Any) -> tuple:
    """A basic index as a tuple that can be looked up: slices are (start, stop, step), numbers ints."""
    kind = type(index)
    if kind is int or index is None or index is Ellipsis:
        return (index,)
    if kind is not tuple:
        index = (index,)
    key: list[Any] = []
    for item in index:
        kind = type(item)
        if kind is int or item is None or item is Ellipsis:
            key.append(item)
        elif kind is slice:
            key.append((bound(item.start), bound(item.stop), bound(item.step)))
        elif hasattr(item, "__index__"):
            key.append(operator.index(item))
        else:
            raise (TypeError if kind is str else IndexError)(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(item).__name__})"
            )
    return tuple(key)


def bound(item: Any) -> int | None:
    return item if item is None or type(item) is int else operator.index(item)


@lru_cache(maxsize=4096)
def indexed(shape: Shape, strides: Shape | None, key: tuple) -> tuple[View, str]:
    """The view that a basic index picks, and the name of its node: that of the last thing done."""
    used = sum(item is not None and item is not Ellipsis for item in key)
    if used > len(shape):
        if not shape:
            raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a number")
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    old = contiguous_strides(shape) if strides is None else strides
    sizes: list[int] = []
    steps: list[int] = []
    offset, axis, label = 0, 0, "AliasBackward0"
    for item in without_ellipsis(list(key), len(shape) - used, ALL):
        if item is None:
            sizes.append(1)
            steps.append(shape[axis] * old[axis] if axis < len(shape) else 1)
            label = "UnsqueezeBackward0"
            continue
        n, s = shape[axis], old[axis]
        if type(item) is tuple:
            if item[2] is not None and item[2] <= 0:
                raise ValueError("step must be greater than zero")
            first, stop, step = slice(*item).indices(n)
            length = len(range(first, stop, step))
            offset += first * s if length else 0
            sizes.append(length)
            steps.append(s * step)
            if item != ALL:
                label = "SliceBackward0"
        else:
            if not -n <= item < n:
                raise IndexError(f"index {item} is out of bounds for dimension {axis} with size {n}")
            offset += (item % n) * s
            label = "SelectBackward0"
        axis += 1
    return make_view(tuple(sizes), tuple(steps), offset), label


@lru_cache(maxsize=4096)
def place_of(shape: Shape, key: tuple) -> Place:
    """Where a basic index picks from a tensor whose elements lie in order."""
    view, _ = indexed(shape, None, key)
    return Place(view.shape, view.strides, view.offset, shape, contiguous_strides(shape))


def undo_index(g: Tensor, how: tuple[Shape, tuple]) -> Tensor:
    return put(g, place_of(*how))


class IndexBackward(ViewBackward):
    """The part of a tensor. Its cotangent is zeros with g at a place; but where the cotangents of other parts have
    arrived already, and are large, g is added to them, at its place. (`split` makes many parts of one tensor.)"""

    __slots__ = ()
    fresh = True

    def pull(self, g: Tensor, graph: bool) -> Any:
        (whole,) = self.parents
        if not graph and whole is not None and whole.parents and whole.arrived is not None and whole.owned:
            total = whole.arrived
            if total.flat is not None and total.flat.size >= LARGE and total.kind is g.kind:
                copy_into(take(total, place_of(*self.how)), g, add=True)
                return (None,)
        return (undo_index(g, self.how),)


def part(x: Tensor, key: tuple, label: str = "") -> Tensor:
    """The view of x that a key picks."""
    view, usual = indexed(x.shape, steps_of(x), key)
    return seen(x, view, label or usual, undo_index, (x.shape, key), IndexBackward)


def part_of(x: Tensor, axis: int, first: int, length: int, label: str) -> Tensor:
    """`length` slices along an axis: a view."""
    return part(x, (*[ALL] * axis, (first, first + length, None)), label)


def slice_of(x: Tensor, axis: int, number: int, label: str) -> Tensor:
    """One slice along an axis, without that axis: a view."""
    return part(x, (*[ALL] * axis, number), label)


class IndexingMethods:
    """The methods of Tensor behind square brackets."""

    __slots__ = ()

    def __getitem__(self: Any, index: Any) -> Tensor:
        if type(index) is not int and is_advanced(index):
            return get(self, index)
        return part(self, key_of(index))

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        number = isinstance(value, (bool, int, float, np.number, np.bool_))
        if not (number or isinstance(value, Tensor)):
            raise TypeError(f"can't assign a {type(value).__name__} to a {self.kind.dtype.name} tensor")
        if type(index) is not int and is_advanced(index):
            assign(self, index, value)
            return
        target = part(self, key_of(index))
        if number:
            overwrite(target, value, "fill")
            return
        while len(value.shape) > len(target.shape) and value.shape[0] == 1:
            value = value.squeeze(0)
        if not broadcasts_to(value.shape, target.shape):
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result "
                f"of shape {list(target.shape)}"
            )
        overwrite(target, value, "copy")
