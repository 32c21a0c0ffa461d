"""Cutting tensors up, and moving their axes: all that is a part of the memory that is there, and therefore a view.

    split of (6,) by 4            (4,) and (2,)        starts 0 and 4
    chunk of (6,) into 4          three of (2,)        at most so many, all of one size but the last
    tensor_split of (6,) into 4   2, 2, 1, 1           exactly so many, of sizes that differ by one at most
    movedim of (2, 3, 4), 0 to 2  (3, 4, 2)            a permutation

Backward, each part puts its cotangent at its place among zeros (indexing.py).

Source: K. Iverson, A Programming Language, 1962 (take, drop, transposition); NumPy documentation, `array_split`.
"""

from __future__ import annotations

import operator
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

from .indexing import part_of, slice_of
from .views import check_axes, normalized, shape_arguments

if TYPE_CHECKING:
    from ..tensors import Tensor


def existing_axis(x: Tensor, dim: int, error: Exception) -> int:
    """A dim that may be negative as the number of an axis; `error` where there are no axes."""
    if not x.shape:
        raise error
    check_axes(len(x.shape), dim)
    return dim % len(x.shape)


def equal_split(x: Tensor, name: str, least: int, axis: int, wanted: Any) -> tuple[Tensor, ...]:
    """hsplit, vsplit, dsplit: a number of parts must divide the size of the axis."""
    if len(x.shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {len(x.shape)} "
            "dimensions!"
        )
    if isinstance(wanted, int) and (wanted <= 0 or x.shape[axis] % wanted):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {x.shape[axis]} is "
            f"not divisible by the split_size {wanted}!"
        )
    return x.tensor_split(wanted, axis)


class CuttingMethods:
    """The methods of Tensor that give parts of it, or its axes in another order. Views."""

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
        if isinstance(start, Tensor) and (start.shape or start.kind.dtype.is_floating_point):
            raise RuntimeError("start must be an 0-dim integral Tensor.")
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

    def split_with_sizes(self: Any, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of parts along an axis, of these sizes."""
        return self.split(shape_arguments((split_sizes,)), dim)

    def tensor_split(
        self: Any, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None
    ) -> tuple[Tensor, ...]:
        """Views of so many parts, of sizes that differ by one at most; or of parts that begin at given indices.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2, 3, 4, 5]).tensor_split(2), tg.tensor([1, 2, 3]).tensor_split((1,))
        ((tensor([1, 2, 3]), tensor([4, 5])), (tensor([1]), tensor([2, 3])))
        """
        if not self.shape:
            raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
        wanted = next(w for w in (indices_or_sections, indices, sections, ()) if w is not None)
        axis = existing_axis(self, dim, RuntimeError())
        n, cuts = self.shape[axis], wanted.tolist() if isinstance(wanted, Tensor) else wanted
        if isinstance(cuts, int):
            if cuts <= 0:
                raise RuntimeError(f"number of sections must be larger than 0, got {cuts}")
            starts = [k * (n // cuts) + min(k, n % cuts) for k in range(cuts)]
        else:
            starts = [0, *cuts]
        parts = [slice(*pair).indices(n) for pair in zip(starts, [*starts[1:], n], strict=True)]
        return tuple(part_of(self, axis, a, max(b - a, 0), "SliceBackward0") for a, b, _ in parts)

    def hsplit(self: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Parts along the second axis (of a vector, along its only one): so many, or beginning at given indices."""
        return equal_split(self, "hsplit", 1, 0 if len(self.shape) == 1 else 1, indices_or_sections)

    def vsplit(self: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Parts along the first axis of a tensor with at least two."""
        return equal_split(self, "vsplit", 2, 0, indices_or_sections)

    def dsplit(self: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Parts along the third axis."""
        return equal_split(self, "dsplit", 3, 2, indices_or_sections)

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
        of, to = list(normalized(tuple(of), n)), list(normalized(tuple(to), n))
        moved = dict(zip(to, of, strict=True))
        rest = iter(a for a in range(n) if a not in of)
        return self.permute(*(moved[a] if a in moved else next(rest) for a in range(n)))

    def moveaxis(self: Any, source: Any, destination: Any) -> Tensor:
        """NumPy's name of `movedim`."""
        return self.movedim(source, destination)

    def swapaxes(self: Any, axis0: int, axis1: int) -> Tensor:
        """Two axes exchanged: NumPy's name of `transpose`."""
        return self.transpose(axis0, axis1)

    def swapdims(self: Any, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged: `transpose`."""
        return self.transpose(dim0, dim1)

    def swapaxes_(self: Any, axis0: int, axis1: int) -> Tensor:
        """`swapaxes` in place."""
        return self.transpose_(axis0, axis1)

    def swapdims_(self: Any, dim0: int, dim1: int) -> Tensor:
        """`swapdims` in place."""
        return self.transpose_(dim0, dim1)

    def broadcast_to(self: Any, size: Any) -> Tensor:
        """Axes of size 1 (and new ones in front) repeated to the given sizes, without copying: `expand`."""
        return self.expand(size)

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
