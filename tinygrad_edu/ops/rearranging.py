"""Copies in another order: parts of a tensor repeated, reversed, moved on, or left out.

    repeat of (2, 3) by (2, 1)       (4, 3)    (1, 2, 1, 3) expanded to (2, 2, 1, 3), then copied; backward, the sum
                                               over what was repeated
    repeat_interleave of (3,) by 2   (6,)      the same with the new axis behind: (3, 2)
    flip, roll                       written into a copy with reversed strides; two parts joined the other way round
    tril, triu                       zeros outside of a triangle, in g too

Source: K. Iverson, A Programming Language, 1962 (rotation, reversal, replication).
"""

from __future__ import annotations

import operator
from math import prod
from typing import TYPE_CHECKING, Any

from ..dtypes import int32, int64
from ..graph import Node, mode
from .joining import joined
from .reduction import normalize_axes
from .shape import copy_into
from .strides import Shape, Size, contiguous_strides
from .views import check_axes, keyword, shape_arguments

if TYPE_CHECKING:
    from ..tensors import Tensor


class FlipBackward(Node):
    """Elements in reverse order along some axes: so is g."""

    __slots__ = ("axes",)

    def __init__(self, parent: Node, axes: Shape) -> None:
        self.walk = None
        self.parents, self.axes = (parent,), axes

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (g.flip(self.axes),)


class TriangleBackward(Node):
    """Zeros outside of a triangle: in g too."""

    __slots__ = ("diagonal", "lower")

    def __init__(self, parent: Node, diagonal: int, lower: bool) -> None:
        self.walk = None
        self.parents, self.diagonal, self.lower = (parent,), diagonal, lower

    def name(self) -> str:
        return "TrilBackward0" if self.lower else "TriuBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (triangle(g, self.diagonal, self.lower),)


def triangle(x: Tensor, diagonal: int, lower: bool) -> Tensor:
    """tril or triu."""
    if len(x.shape) < 2:
        raise RuntimeError(f"{'tril' if lower else 'triu'}: input tensor must have at least 2 dimensions")
    out = Tensor(x.kind.empty(prod(x.shape)), Size(x.shape), x.kind)
    x.kind.backend.triangle(out.flat, x.detach().contiguous().flat, *x.shape[-2:], operator.index(diagonal), lower)
    if x.node is not None and mode.grad:
        out.node = TriangleBackward(x.node, diagonal, lower)
    return out


class RearrangingMethods:
    """The methods of Tensor that repeat its parts, or put them into another order."""

    __slots__ = ()

    def repeat(self: Any, *repeats: Any, **named: Any) -> Tensor:
        """The whole tensor repeated along each axis. More numbers than axes add axes in front.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
        """
        times = shape_arguments(keyword(repeats, named, "repeats"))
        if len(times) < len(self.shape):
            raise RuntimeError(
                "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
            )
        shape = (1,) * (len(times) - len(self.shape)) + self.shape
        sizes = tuple(t * n for t, n in zip(times, shape, strict=True))
        if any(n < 0 for n in times):
            raise RuntimeError(f"Trying to create tensor with negative dimension {min(sizes)}: {list(sizes)}")
        apart = self.reshape([m for n in shape for m in (1, n)])
        return apart.expand([m for pair in zip(times, shape, strict=True) for m in pair]).clone().reshape(sizes)

    def tile(self: Any, *dims: Any, **named: Any) -> Tensor:
        """`repeat`, with fewer numbers than axes allowed: they count for the last axes."""
        times = shape_arguments(keyword(dims, named, "dims"))
        return self.repeat((1,) * (len(self.shape) - len(times)) + times)

    def repeat_interleave(
        self: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Tensor:
        """Each slice along an axis (without `dim`: each element) repeated: a number for all, or a vector with one each.

        `x.repeat_interleave()` of a vector of counts gives 0 as often as x[0] says, 1 as often as x[1] says, ...

        >>> import tinygrad_edu as tg
        >>> tg.tensor([5, 6]).repeat_interleave(tg.tensor([1, 3]))
        tensor([5, 6, 6, 6])
        """
        if repeats is None:
            return numbers_of_repeats(self, output_size)
        x, axis = (self.reshape(-1), 0) if dim is None else (self, dim)
        check_axes(len(x.shape), axis)
        axis %= max(len(x.shape), 1)
        n = x.shape[axis] if x.shape else 1
        if isinstance(repeats, Tensor) and repeats.numel() != 1:
            if len(repeats.shape) != 1 or repeats.shape[0] != n:
                raise RuntimeError(
                    "repeats must have the same size as input along dim, but got repeats.size = "
                    f"{list(repeats.shape)} and input.size({axis}) = {n}"
                )
            return x.index_select(axis, numbers_of_repeats(repeats, output_size))
        if not isinstance(repeats, int | Tensor):
            raise TypeError(f"repeat_interleave(): repeats must be an int or a Tensor, not {type(repeats).__name__}")
        times = int(repeats)
        if times < 0:
            raise RuntimeError("Repeats must be non-negative")
        check_output_size(n * times, output_size)
        if not x.shape:
            return x.reshape(1).expand(times).clone()
        shape = (*x.shape[: axis + 1], times, *x.shape[axis + 1 :])
        return x.unsqueeze(axis + 1).expand(shape).clone().flatten(axis, axis + 1)

    def flip(self: Any, *dims: Any, **named: Any) -> Tensor:
        """The elements in reverse order along the given axes."""
        dims = keyword(dims, named, "dims")
        if not dims:
            raise TypeError('flip() missing 1 required positional arguments: "dims"')
        given = shape_arguments(dims)
        axes = normalize_axes(given, len(self.shape)) if given else ()
        out = Tensor(self.kind.empty(self.numel()), Size(self.shape), self.kind)
        strides, at = list(contiguous_strides(self.shape)), 0
        for axis in axes:  # written backwards: from the last slice on, with the stride reversed
            at += strides[axis] * (self.shape[axis] - 1)
            strides[axis] = -strides[axis]
        mirrored = Tensor(None, self.shape, self.kind)
        mirrored.region = (out.flat, at, tuple(strides), None)
        if self.numel():
            copy_into(mirrored, self)
        if self.node is not None and mode.grad:
            out.node = FlipBackward(self.node, axes)
        return out

    def fliplr(self: Any) -> Tensor:
        """The columns (the second axis) in reverse order."""
        if len(self.shape) < 2:
            raise RuntimeError("Input must be >= 2-d.")
        return self.flip(1)

    def flipud(self: Any) -> Tensor:
        """The rows (the first axis) in reverse order."""
        if not self.shape:
            raise RuntimeError("Input must be >= 1-d.")
        return self.flip(0)

    def rot90(self: Any, k: int = 1, dims: Any = (0, 1)) -> Tensor:
        """A rotation by k times 90 degrees, from the first towards the second of two axes."""
        plane, n = shape_arguments((dims,)), len(self.shape)
        if len(plane) != 2:
            raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(plane)}")
        if n < 2:
            raise RuntimeError(f"expected total dims >= 2, but got total dims = {n}")
        if plane[0] == plane[1] or abs(plane[0] - plane[1]) == n:
            raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {plane[0]}, dim1 = {plane[1]}")
        check_axes(n, *plane)
        turned = (self.clone, lambda: self.flip(plane[1]).transpose(*plane), lambda: self.flip(plane),
                  lambda: self.flip(plane[0]).transpose(*plane))  # fmt: skip
        return turned[k % 4]()

    def roll(self: Any, shifts: Any, dims: Any = None) -> Tensor:
        """The elements moved on by `shifts` places along axes `dims`; those that leave at the end enter at the front.

        Without `dims` the flattened tensor is rolled.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2, 3, 4]).roll(1)
        tensor([4, 1, 2, 3])
        """
        steps = shape_arguments((shifts,))
        axes = () if dims is None else shape_arguments((dims,))
        if not axes and len(steps) == 1:
            return self.reshape(-1).roll(steps, (0,)).reshape(self.shape)
        if len(steps) != len(axes):
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}")
        out = self
        for step, axis in zip(steps, axes, strict=True):
            check_axes(len(self.shape), axis)
            n = self.shape[axis] if self.shape else 0
            if n:
                cut = -step % n
                out = joined([out.narrow(axis, cut, n - cut), out.narrow(axis, 0, cut)], axis, "RollBackward0")
        return out.clone() if out is self else out

    def tril(self: Any, diagonal: int = 0) -> Tensor:
        """Zeros above a diagonal (0: the main one, 1: the one above it) of a matrix, or of each in a stack."""
        return triangle(self, diagonal, lower=True)

    def triu(self: Any, diagonal: int = 0) -> Tensor:
        """Zeros below a diagonal of a matrix, or of each in a stack."""
        return triangle(self, diagonal, lower=False)

    def tril_(self: Any, diagonal: int = 0) -> Tensor:
        """`tril` in place."""
        return self.copy_(self.tril(diagonal))

    def triu_(self: Any, diagonal: int = 0) -> Tensor:
        """`triu` in place."""
        return self.copy_(self.triu(diagonal))


def numbers_of_repeats(repeats: Tensor, output_size: int | None) -> Tensor:
    """0 as often as the first count says, 1 as often as the second, ...: where each place falls among the totals."""
    from ..ranges import arange
    from .sorting import searchsorted

    if len(repeats.shape) != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.kind.dtype not in (int64, int32):
        raise NotImplementedError(
            f"repeat_interleave is not implemented for {repeats.kind.dtype.name}: counts are ints"
        )
    if repeats.numel() and repeats.min().item() < 0:
        raise RuntimeError("repeats can not be negative")
    ends = repeats.long().cumsum(0)
    total = int(ends[-1].item()) if ends.numel() else 0
    check_output_size(total, output_size)
    return searchsorted(ends, arange(total), right=True).to_kind(repeats.kind)


def check_output_size(found: int, expected: int | None) -> None:
    if expected is not None and found != expected:
        raise RuntimeError(f"allocated size does not match required size: output_size={expected}, needed {found}")
