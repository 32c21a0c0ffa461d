"""What a view looks like: shape, strides and offset, from those of the tensor that it is a view of. No data, no graph.

    transpose (3, 4) with strides (4, 1)      (4, 3), strides (1, 4)
    expand    (3, 1) to (3, 5)                (3, 5), strides (1, 0)
    reshape   (3, 4) to (2, 6)                (2, 6), strides (6, 1); of the transposed one: needs a copy

The problem. A view moves no data, so all that it costs is this arithmetic, in Python; and a program makes the same view
of the same shape in every step.

The idea. Each of these functions depends on shapes, strides (None: those of elements in order) and arguments only, so
it is computed once and its result kept. `shape.py` puts the result into effect.

Source: S. van der Walt, S. C. Colbert, G. Varoquaux, The NumPy array, Computing in Science & Engineering 13(2), 2011.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from .strides import Shape, Size, broadcast_strides, collapse, contiguous_strides, is_contiguous


class View(NamedTuple):
    """How a tensor is seen: strides, and an offset from its own first element. `size` is the number of elements where
    they lie in order, -1 where they do not."""

    shape: Size
    strides: Shape
    offset: int
    size: int


def make_view(shape: Shape, strides: Shape, offset: int = 0) -> View:
    return View(Size(shape), strides, offset, prod(shape) if is_contiguous(shape, strides) else -1)


def shape_arguments(sizes: tuple) -> Shape:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    for n in sizes:
        if type(n) is not int:
            break
    else:
        return sizes
    for n in sizes:
        if not hasattr(n, "__index__"):
            raise TypeError(f"a shape is made of ints, got {type(n).__name__} in {tuple(sizes)}")
    return tuple(operator.index(n) for n in sizes)


def keyword(given: tuple, named: dict[str, Any], name: str) -> tuple:
    """Arguments that may also be one keyword: f(2, 3), f((2, 3)), f(name=(2, 3)). TypeError for other keywords."""
    if not named:
        return given
    if given or list(named) != [name]:
        wrong = next((k for k in named if k != name), name)
        raise TypeError(f"got an unexpected keyword argument '{wrong}', expected {name}=(...)")
    return (named[name],)


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


def completed(shape: Shape, n: int) -> Shape:
    """A wanted shape of n elements with -1 replaced. RuntimeError if it has another number of elements."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for k in shape:
        if k < -1:
            raise RuntimeError(f"invalid shape dimension {k} in {list(shape)}")
    if -1 in shape:
        known = -prod(shape)
        if known == 0 and n == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size "
                "-1 can be any value and is ambiguous"
            )
        if known == 0 or n % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {n}")
        shape = tuple(n // known if k == -1 else k for k in shape)
    if prod(shape) != n:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {n}")
    return shape


@lru_cache(maxsize=4096)
def reshaped(shape: Shape, strides: Shape | None, target: Shape) -> View | Shape:
    """The view of another shape; that shape itself where it takes a copy."""
    target = completed(target, prod(shape))
    found = contiguous_strides(target) if strides is None else merged_strides(shape, strides, target)
    return target if found is None else make_view(target, found)


@lru_cache(maxsize=4096)
def permuted(shape: Shape, strides: Shape | None, order: Shape) -> tuple[View, Shape]:
    """The axes in another order, and that order without negative numbers."""
    n = len(shape)
    if len(order) != n:
        raise RuntimeError(
            f"permute(dims): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions, i.e. input.dim() = {n} is not equal to len(dims) = {len(order)}"
        )
    check_axes(n, *order)
    axes = tuple(a % n for a in order)
    if len(set(axes)) < n:
        raise RuntimeError(f"permute(dims): duplicate dims are not allowed: {list(order)}")
    old = contiguous_strides(shape) if strides is None else strides
    return make_view(tuple(shape[a] for a in axes), tuple(old[a] for a in axes)), axes


@lru_cache(maxsize=4096)
def exchanged(shape: Shape, strides: Shape | None, dim0: int, dim1: int) -> tuple[View, Shape]:
    """Two axes exchanged, and the order of the axes that this is."""
    n = len(shape)
    check_axes(n, dim0, dim1)
    order = list(range(n))
    if order:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return permuted(shape, strides, tuple(a % n for a in order))


@lru_cache(maxsize=4096)
def squeezed(shape: Shape, strides: Shape | None, dims: Shape | None) -> View:
    """Without the axes of size 1 (of these)."""
    n = len(shape)
    going: Any = range(n) if dims is None else normalized(dims, n)
    old = contiguous_strides(shape) if strides is None else strides
    keep = [k for k in range(n) if shape[k] != 1 or k not in going]
    return make_view(tuple(shape[k] for k in keep), tuple(old[k] for k in keep))


@lru_cache(maxsize=4096)
def unsqueezed(shape: Shape, strides: Shape | None, dim: int) -> View:
    """With a new axis of size 1. Its stride is, as in PyTorch, that of the whole behind it."""
    n = len(shape) + 1
    check_axes(n, dim)
    at, old = dim % n, contiguous_strides(shape) if strides is None else strides
    step = shape[at] * old[at] if at < n - 1 else 1
    return make_view((*shape[:at], 1, *shape[at:]), (*old[:at], step, *old[at:]))


@lru_cache(maxsize=4096)
def expanded(shape: Shape, strides: Shape | None, sizes: Shape) -> View:
    """Axes of size 1, and new ones in front, repeated by a stride of 0."""
    lead = len(sizes) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(sizes)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(shape)})"
        )
    target = tuple(shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(sizes))
    for n, old in zip(target[lead:], shape, strict=True):
        if old not in (1, n) or n < 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}). "
                f"Target sizes: {list(target)}. Tensor sizes: {list(shape)}"
            )
    if any(n < 0 for n in target[:lead]):
        raise RuntimeError(f"expand: -1 keeps the size of an axis, and a new one has none to keep: {list(target)}")
    return make_view(
        target, broadcast_strides(shape, contiguous_strides(shape) if strides is None else strides, target)
    )


def without_ellipsis(items: list[Any], missing: int, whole: Any) -> list[Any]:
    """The items of an index with `...` (or nothing, at the end) replaced by the missing axes, each `whole`.

    A second `...` stands for no axis. PyTorch has it skip as many axes as the first, so nothing can follow it.
    """
    places = [k for k, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1 and missing and any(item is not Ellipsis for item in items[places[1] :]):
        raise IndexError("an index can only have a single ellipsis ('...') with something behind it")
    at = places[0] if places else len(items)
    return items[:at] + [whole] * missing + [item for item in items[at:] if item is not Ellipsis]


def normalized(dims: Shape, n: int) -> Shape:
    """Axes that may be negative as numbers of axes, in their order. RuntimeError for one that is named twice."""
    check_axes(n, *dims)
    axes = tuple(a % max(n, 1) for a in dims)
    for k, axis in enumerate(axes):
        if axis in axes[:k]:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
    return axes


def check_axes(dimensions: int, *axes: int) -> None:
    """IndexError for an axis that a tensor of that many dimensions (0-d counts as 1) does not have."""
    n = max(dimensions, 1)
    for axis in axes:
        if not -n <= axis < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {axis})")


def check_format(memory_format: Any) -> None:
    """The orders of memory that there are: the usual one."""
    if str(memory_format).rpartition(".")[2] not in ("contiguous_format", "preserve_format", "None"):
        raise RuntimeError(f"memory_format={memory_format} is not supported: elements lie in the order of their axes")
