"""Indexing by tensors: `x[rows]`, `x[rows, columns]`, `x[mask]`, mixed with ints, slices and None.

The index tensors are broadcast together, and pick one element (or what lies behind it) for each of *their* elements:

    x (5, 7)    x[tensor([3, 0, 3])]                     (3, 7)    rows 3, 0 and 3
                x[tensor([3, 0]), tensor([1, 6])]        (2,)      x[3, 1] and x[0, 6]
                x[tensor([[3], [0]]), tensor([1, 6])]    (2, 2)    every combination
                x[x > 0]                                 (n,)      a mask counts as the numbers of its True elements

The rest of the index is basic: it is applied first and gives a view. Then the axes of the index tensors are replaced by
the axes of their common shape, in place if they lie side by side, else at the front:

    x (2, 3, 4, 5)    x[:, i, j] -> (2, *shape, 5)        x[i, :, j] -> (*shape, 3, 5)

The result is a copy. Where an index repeats, the gradients of all its copies are added up.

A list of lists is read as a tuple of indices, as PyTorch 2.13 does it still: x[[[0, 1], [1, 0]]] is x[[0, 1], [1, 0]].

Source: C. Harris et al., Array programming with NumPy, Nature 585, 2020; NumPy documentation, "Advanced indexing". How
ints count, PyTorch's way: they are part of the basic index.
"""

from __future__ import annotations

import operator
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..dtypes import BOOL, INTEGER, int32, int64, kind_of, uint8
from .launch import on_one_device, same_device
from .places import Places, modified, modify, numbers_of, places_in, scalar, take
from .strides import Shape, Size, broadcast_shapes
from .views import without_ellipsis

if TYPE_CHECKING:
    from ..tensors import Tensor

BASIC = frozenset({int, slice, type(None), type(Ellipsis)})
ARRAYS = (bool, np.bool_, list, tuple, range)  # what is made a tensor
PARTS = (slice, type(None), type(Ellipsis), list, tuple)  # with one of these in it, or a tensor, a list is a tuple


class Part(NamedTuple):
    """One index tensor: `numbers` into `axes` axes of the view from `axis` on, as one; or a mask of them."""

    axis: int
    axes: int
    numbers: Tensor


def is_advanced(index: Any) -> bool:
    """Does the index hold more than ints, slices, None and `...`?"""
    if type(index) is not tuple:
        return type(index) not in BASIC and _is_array(index)
    return any(type(item) not in BASIC and _is_array(item) for item in index)


def _is_array(item: Any) -> bool:
    """Is it a mask, or numbers? A single int in a tensor or an array is an int."""
    if isinstance(item, Tensor):
        return bool(item.shape) or item.kind.dtype.category != INTEGER or item.kind.dtype is uint8
    if isinstance(item, np.ndarray):
        return bool(item.shape) or item.dtype == np.bool_
    return isinstance(item, ARRAYS)


def as_items(index: Any) -> list[Any]:
    """The index as a list with an item for each axis or group of axes; arrays are tensors."""
    several = isinstance(index, tuple) or (
        isinstance(index, list) and len(index) < 32 and any(isinstance(i, (Tensor, *PARTS)) for i in index)
    )
    return [as_index(item) if _is_array(item) else item for item in (index if several else (index,))]


def as_index(item: Any) -> Tensor:
    """Numbers or a mask as a tensor. IndexError for dtypes that say nothing about places."""
    if not isinstance(item, Tensor):
        from ..creation import tensor

        item = tensor(list(item) if isinstance(item, range) else item)
        if not item.numel() and item.kind.dtype.is_floating_point:
            item = item.long()  # [] picks nothing
    if not (is_mask(item) or item.kind.dtype in (int64, int32)):
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return item


def is_mask(index: Tensor) -> bool:
    return index.kind.dtype.category == BOOL or index.kind.dtype is uint8


def split_index(x: Tensor, index: Any) -> tuple[Tensor, list[Part]]:
    """The view of x by the basic part of the index, and where the tensors in it apply to that view."""
    if isinstance(index, Tensor) and x.shape and index.shape and index.kind.dtype is int64:  # the most common one
        return x, [Part(0, 1, beside(x, index))]
    items = as_items(index)
    used = sum(axes_of(item) for item in items)
    if used > len(x.shape):
        raise IndexError(f"too many indices for tensor of dimension {len(x.shape)}")
    items = without_ellipsis(items, len(x.shape) - used, slice(None))
    basic: list[Any] = []
    parts: list[Part] = []
    old = new = 0  # the axes of x, and of the view, that are done
    for item in items:
        if not isinstance(item, Tensor) or not (item.shape or is_mask(item)):
            basic.append(operator.index(item) if isinstance(item, Tensor) else item)
            new += item is None or isinstance(item, slice)
            old += item is not None
            continue
        if is_mask(item):
            parts.append(mask_part(x, beside(x, item), old, new))
        else:
            parts.append(Part(new, 1, beside(x, item)))
        n = axes_of(item)
        basic += [slice(None)] * n if n else [None]  # a 0-d mask indexes a new axis of size 1
        old, new = old + n, new + max(n, 1)
    whole = all(type(item) is slice and item == slice(None) for item in basic)
    return (x if whole else x[tuple(basic)]), parts


def beside(x: Tensor, index: Tensor) -> Tensor:
    """The index on the device of x. RuntimeError for one on a GPU, where x is not."""
    if index.kind.backend is x.kind.backend:
        return index
    if index.kind.device.type != "cpu":
        raise RuntimeError(
            f"indices should be either on cpu or on the same device as the indexed tensor ({x.kind.device}): use .cpu()"
        )
    return index.to(x.kind.device)


def axes_of(item: Any) -> int:
    """How many axes of x an item of an index stands for."""
    if item is None or item is Ellipsis:
        return 0
    return len(item.shape) if isinstance(item, Tensor) and is_mask(item) else 1


def mask_part(x: Tensor, mask: Tensor, old: int, new: int) -> Part:
    """A mask of the axes of x from `old` on, which are those of the view from `new` on."""
    for k, n in enumerate(mask.shape):
        if x.shape[old + k] != n:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {k} does not match the shape of the indexed tensor "
                f"{list(x.shape)} at index {old + k}"
            )
    return Part(new, max(len(mask.shape), 1), mask)


def true_places(mask: Tensor) -> Tensor:
    """The places of the elements that are not 0, counted in order: int64, (n,)."""
    source, kind = mask.detach().contiguous().flat, kind_of(int64, mask.kind.device)
    out = Tensor(kind.empty(kind.backend.count_true(source)), Size(()), kind)
    out.shape = Size((out.flat.size,))
    kind.backend.find_true(out.flat, source)
    return out


def find_places(view: Tensor, parts: list[Part]) -> Places:
    """The places of a view that its parts pick. IndexError for a number out of range."""
    parts = [part._replace(numbers=true_places(part.numbers)) if is_mask(part.numbers) else part for part in parts]
    shapes = [part.numbers.shape for part in parts]
    try:
        common = shapes[0] if len(parts) == 1 else broadcast_shapes(*shapes)
    except RuntimeError:
        listed = ", ".join(str(list(s)) for s in shapes)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
        ) from None
    first = parts[0].numbers.kind
    kind = first if first.dtype is int64 else kind_of(int64, view.kind.device)
    at = kind.empty(prod(common))
    for k, part in enumerate(parts):
        size = prod(view.shape[part.axis : part.axis + part.axes])
        numbers = numbers_of(part.numbers, common)
        bad = kind.backend.fold_index(at, numbers, size, k == 0)
        if bad >= 0:
            if not size:
                raise IndexError("index is out of bounds for dimension with size 0")
            raise IndexError(
                f"index {kind.backend.to_numpy(numbers)[bad]} is out of bounds for dimension {part.axis} with size "
                f"{size}"
            )
    if len(parts) == 1 and parts[0].axes == 1:
        axes: Shape = (parts[0].axis,)
    else:
        axes = tuple(axis for part in parts for axis in range(part.axis, part.axis + part.axes))
    return places_in(view.shape, axes, at, common)


def get(x: Tensor, index: Any) -> Tensor:
    """x[index], a copy."""
    view, parts = split_index(x, index)
    return take(view, find_places(view, parts), "IndexBackward0")


def assign(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, a tensor (broadcast, of x's dtype) or a number. One value for a mask needs no places."""
    view, parts = split_index(x, index)
    value = of_kind(x, value, as_items(index)) if isinstance(value, Tensor) else scalar(x.kind, value)
    if len(parts) == 1 and is_mask(parts[0].numbers) and value.numel() == 1:
        axis, axes, mask = parts[0]
        mask = mask.reshape(*mask.shape, *[1] * (len(view.shape) - axis - len(mask.shape)))
        view.masked_fill_(mask if mask.kind.dtype.category == BOOL else mask != 0, value.reshape(()))
        return
    places = find_places(view, parts)
    extra = len(value.shape) - len(places.result)
    if extra > 0 and all(n == 1 for n in value.shape[:extra]):
        value = value.reshape(value.shape[extra:])
    modify(view, places, repeated(value, places.result), False, "index_put", "IndexPutBackward0")


def of_kind(x: Tensor, value: Tensor, items: list[Any]) -> Tensor:
    """The value, which must have x's dtype; but one element for a mask is converted (it is a masked_fill)."""
    if value.kind is x.kind:
        return value
    value, _ = on_one_device((value, x))
    same_device(x, value)
    if value.kind is x.kind:
        return value
    tensors = [i for i in items if isinstance(i, Tensor) and (i.shape or is_mask(i))]
    if value.numel() != 1 or len(tensors) != 1 or not is_mask(tensors[0]):
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {x.kind.dtype.name} for the destination "
            f"and {value.kind.dtype.name} for the source: convert it with .to({x.kind.dtype.name})"
        )
    return value.to_kind(x.kind)


def repeated(value: Tensor, shape: Shape) -> Tensor:
    """A value broadcast to what it is assigned to."""
    if value.shape == shape:
        return value
    fits = len(value.shape) <= len(shape) and all(
        n in (1, m) for n, m in zip(reversed(value.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result of "
            f"shape {list(shape)}"
        )
    return value.expand(shape)


class AdvancedMethods:
    """Assignment by index as methods."""

    __slots__ = ()

    def index_put(self: Any, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
        """A copy of self in which self[indices] is `values`, or (accumulate) has them added, repeated ones too.

        `indices` is a tuple of index tensors, `values` of self's dtype, broadcast to self[indices].
        IndexError for numbers out of range, RuntimeError for other dtypes or shapes.

        >>> import tinygrad_edu as tg
        >>> tg.zeros(3).index_put((tg.tensor([1, 1]),), tg.ones(2), accumulate=True)
        tensor([0., 2., 0.])
        """
        places, values = self._put_places(indices, values, accumulate)
        return modified(self, places, values, accumulate, "IndexPutBackward0")

    def index_put_(self: Any, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
        """self[indices] = values, or (accumulate) self[indices] += values, with every repeated index counted."""
        places, values = self._put_places(indices, values, accumulate)
        return modify(self, places, values, accumulate, "index_put", "IndexPutBackward0")

    def _put_places(self: Any, indices: Any, values: Tensor, accumulate: bool) -> tuple[Places, Tensor]:
        for name, given in (("values", values), *(("indices", i) for i in indices)):
            if not isinstance(given, Tensor):
                raise TypeError(f"index_put(): argument '{name}' must be Tensor, not {type(given).__name__}")
        items = [as_index(i) for i in indices]
        values = of_kind(self, values, [] if accumulate else items)
        parts: list[Part] = []
        axis = 0
        for index in items:
            if axis + axes_of(index) > len(self.shape):
                raise IndexError(f"too many indices for tensor of dimension {len(self.shape)}")
            parts.append(mask_part(self, index, axis, axis) if is_mask(index) else Part(axis, 1, index))
            axis += axes_of(index)
        places = find_places(self, parts)
        return places, repeated(values, places.result)
