"""Joining tensors, cutting them up, and moving their parts around.

What can be seen as a part of the memory that is there, is a view: `split`, `chunk`, `unbind`, `narrow`, `select`,
`movedim`, `unflatten`. What puts elements into a new order or repeats them, is a copy: `cat`, `stack`, `repeat`,
`flip`, `roll`, `tril`.

    cat of (2, 3) and (4, 3) along 0      (6, 3)        backward, g is cut where the parts met
    stack of two (2, 3) along 0           (2, 2, 3)     a cat along a new axis of size 1
    repeat of (2, 3) by (2, 1)            (4, 3)        (1, 2, 1, 3) expanded to (2, 2, 1, 3): backward, the sum over
                                                        what was repeated

Source: P. Dubois, K. Hinsen, J. Hugunin, Numerical Python, 1996 (concatenate, repeat); K. Iverson, A Programming
Language, 1962 (rotation, reversal).
"""

from __future__ import annotations

import operator
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

from ..dtypes import kind_of, promote
from ..graph import Node, mode
from .indexing import part_of, slice_of
from .reduction import normalize_axes
from .shape import check_axes, copy_into, shape_arguments
from .strides import Shape, Size, contiguous_strides

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


def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors joined along an axis: (2, 3) and (4, 3) along 0 make (6, 3).

    They have the same sizes along the other axes; their dtypes are promoted. A tensor of shape (0,) is left out,
    whatever the others are. ValueError for no tensors, TypeError for other things, RuntimeError for shapes that do not
    fit.

    >>> import tinygrad_edu as tg
    >>> tg.cat([tg.zeros(1, 2), tg.ones(2, 2)])
    tensor([[0., 0.],
            [1., 1.],
            [1., 1.]])
    """
    return joined(checked("cat", tensors), dim, "CatBackward0")


def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis: two of shape (3,) along 0 make (2, 3), along 1 (3, 2)."""
    parts = checked("stack", tensors)
    for k, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at entry 0 and "
                f"{list(x.shape)} at entry {k}"
            )
    return joined([x.unsqueeze(dim) for x in parts], dim, "StackBackward0")


def hstack(tensors: Any) -> Tensor:
    """Tensors joined along the second axis (1-d ones along their only axis)."""
    parts = [x.reshape(1) if not x.shape else x for x in checked("hstack", tensors)]
    return joined(parts, 0 if len(parts[0].shape) == 1 else 1, "CatBackward0")


def vstack(tensors: Any) -> Tensor:
    """Tensors joined along the first axis; those of 0 or 1 dimensions count as rows."""
    parts = [x.reshape(1, -1) if len(x.shape) < 2 else x for x in checked("vstack", tensors)]
    return joined(parts, 0, "CatBackward0")


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
        if x.shape[:axis] != before or x.shape[axis + 1 :] != after:
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


# Copies in another order --------------------------------------------------------------------------------------
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


def existing_axis(x: Tensor, dim: int, error: Exception) -> int:
    """A dim that may be negative as the number of an axis; `error` where there are no axes."""
    if not x.shape:
        raise error
    check_axes(len(x.shape), dim)
    return dim % len(x.shape)


class JoiningMethods:
    """The methods of Tensor that cut it up, or put its parts into another order."""

    __slots__ = ()

    # Parts: views.
    def narrow(self: Any, dim: int, start: Any, length: int) -> Tensor:
        """`length` slices along an axis, from `start` on. A view.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2, 3, 4]).narrow(0, 1, 2)
        tensor([2, 3])
        """
        axis = existing_axis(self, dim, RuntimeError("narrow() cannot be applied to a 0-dim tensor."))
        if length < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
        n, first = self.shape[axis], operator.index(start)
        if not -n <= first <= n:
            raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {first})")
        first += n if first < 0 else 0
        if first + length > n:
            raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({n}).")
        return part_of(self, axis, first, length, "SliceBackward0")

    def select(self: Any, dim: int, index: int) -> Tensor:
        """The slice with this number along an axis, without that axis. A view."""
        axis = existing_axis(self, dim, IndexError("select() cannot be applied to a 0-dim tensor."))
        if not -self.shape[axis] <= index < self.shape[axis]:
            raise IndexError(
                f"select(): index {index} out of range for tensor of size {list(self.shape)} at dimension {axis}"
            )
        return slice_of(self, axis, operator.index(index) % self.shape[axis], "SelectBackward0")

    def split(self: Any, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of parts along an axis: each of `split_size` (the last may be smaller), or of the sizes in a list.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2, 3, 4, 5]).split(2)
        (tensor([1, 2]), tensor([3, 4]), tensor([5]))
        """
        axis = existing_axis(self, dim, RuntimeError("split expects at least a 1-dimensional tensor"))
        n = self.shape[axis]
        if isinstance(split_size, list | tuple):
            if sum(split_size) != n or any(size < 0 for size in split_size):
                raise RuntimeError(
                    f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension "
                    f"{dim}), but got split_sizes={list(split_size)}"
                )
            starts = accumulate(split_size, initial=0)
            parts = zip(starts, split_size, strict=False)
            return tuple(part_of(self, axis, at, size, "SplitWithSizesBackward0") for at, size in parts)
        if split_size < 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={split_size}")
        if split_size == 0 and n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        firsts = range(0, n, split_size) if n else range(1)
        return tuple(part_of(self, axis, at, min(split_size, n - at), "SplitBackward0") for at in firsts)

    def chunk(self: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of at most `chunks` parts along an axis, of one size, except for the last."""
        axis = existing_axis(self, dim, RuntimeError("chunk expects at least a 1-dimensional tensor"))
        if chunks <= 0:
            raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
        n = self.shape[axis]
        return self.split(-(-n // chunks), dim) if n else tuple(self.narrow(dim, 0, 0) for _ in range(chunks))

    def unbind(self: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """All slices along an axis, without it. Views."""
        axis = existing_axis(self, dim, IndexError("Dimension specified as 0 but tensor has no dimensions"))
        return tuple(slice_of(self, axis, k, "UnbindBackward0") for k in range(self.shape[axis]))

    # Axes.
    def movedim(self: Any, source: Any, destination: Any) -> Tensor:
        """The axes in `source` moved to the positions in `destination`; the others keep their order. A view."""
        n = len(self.shape)
        of, to = list(shape_arguments((source,))), list(shape_arguments((destination,)))
        if len(of) != len(to):
            raise RuntimeError(
                f"movedim: Invalid source or destination dims: source ({of}) should have the same number of dims "
                f"as destination ({to})"
            )
        check_axes(n, *of, *to)
        of, to = [a % max(n, 1) for a in of], [a % max(n, 1) for a in to]
        for name, axes in (("source", of), ("destination", to)):
            if len(set(axes)) < len(axes):
                raise RuntimeError(f"movedim: repeated dim in `{name}` ({axes})")
        moved = dict(zip(to, of, strict=True))
        rest = iter(a for a in range(n) if a not in of)
        return self.permute(*(moved[a] if a in moved else next(rest) for a in range(n)))

    def swapaxes(self: Any, axis0: int, axis1: int) -> Tensor:
        """Two axes exchanged: NumPy's name of `transpose`."""
        return self.transpose(axis0, axis1)

    def broadcast_to(self: Any, *size: Any) -> Tensor:
        """Axes of size 1 (and new ones in front) repeated to the given sizes, without copying: `expand`."""
        return self.expand(*size)

    def unflatten(self: Any, dim: int, sizes: Any) -> Tensor:
        """One axis as several, of the given sizes, one of which may be -1."""
        check_axes(len(self.shape), dim)
        axis, sizes = dim % max(len(self.shape), 1), shape_arguments((sizes,))
        if not sizes:
            raise RuntimeError("unflatten: sizes must be non-empty")
        n, known = self.shape[axis], prod(s for s in sizes if s != -1)
        if -1 in sizes and sizes.count(-1) == 1 and known and n % known == 0:
            sizes = tuple(n // known if s == -1 else s for s in sizes)
        if prod(sizes) != n or -1 in sizes:
            raise RuntimeError(
                f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {axis} ({n}) in the "
                "input tensor"
            )
        return self.reshape(*self.shape[:axis], *sizes, *self.shape[axis + 1 :])

    def ravel(self: Any) -> Tensor:
        """All elements along one axis: a view where they lie in order, else a copy."""
        return self.reshape(-1)

    # Copies.
    def repeat(self: Any, *repeats: Any) -> Tensor:
        """The whole tensor repeated along each axis. More numbers than axes add axes in front.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
        """
        times = shape_arguments(repeats)
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

    def tile(self: Any, *dims: Any) -> Tensor:
        """`repeat`, with fewer numbers than axes allowed: they count for the last axes."""
        times = shape_arguments(dims)
        return self.repeat((1,) * (len(self.shape) - len(times)) + times)

    def flip(self: Any, *dims: Any) -> Tensor:
        """The elements in reverse order along the given axes."""
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
