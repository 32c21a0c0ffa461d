"""Gather, scatter and their relatives: elements picked by an index tensor along one axis.

    index_select(dim, index)    whole slices: out[..., k, ...] = x[..., index[k], ...]
    gather(dim, index)          single elements, each with its own index: along dim 0 of a matrix
                                out[i, j] = x[index[i, j], j]
    scatter(dim, index, src)    the reverse: out[index[i, j], j] = src[i, j] (in scattering.py, with its relatives)
    take(index)                 single elements of the flattened x
    masked_select(mask)         those where the mask is True

What they share is in places.py: each finds its places, the rest is `take`, `modified` or (in place) `modify`. So
gather's gradient is a scatter with addition, and scatter's is a gather.

Source: for the names and rules, PyTorch documentation, `torch.gather`, `torch.scatter_`, `torch.index_add_`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..dtypes import NUMBERS, bool_, int32, int64
from .advanced import repeated, true_places
from .places import Places, modified, modify, new_places, numbers_of, places_in, scalar, take
from .strides import Size, broadcast_shapes, contiguous_strides
from .views import check_axes

if TYPE_CHECKING:
    from ..tensors import Tensor


def check_index(name: str, index: Any, error: str) -> None:
    """TypeError for what is no tensor, RuntimeError for a tensor that is not of integers."""
    if not isinstance(index, Tensor):
        raise TypeError(f"{name}(): argument 'index' (position 2) must be Tensor, not {type(index).__name__}")
    if index.kind.dtype not in (int32, int64):
        raise RuntimeError(f"{name}(): Expected dtype {error} for index")


def axis_of(x: Tensor, dim: int) -> int:
    """A dim that may be negative as the number of an axis; 0-d counts as 1-d."""
    check_axes(len(x.shape), dim)
    return dim % max(len(x.shape), 1)


def gather_places(name: str, x: Tensor, dim: int, index: Tensor) -> Places:
    """The places in x (all of its elements numbered) that `index` picks along an axis."""
    axis = axis_of(x, dim)
    check_index(name, index, "int32/int64")
    whole, shape = x.shape or (1,), index.shape or (1,)
    at = new_places(index.numel(), x.kind.device)
    places = Places(at, 1, x.numel(), 1, x.shape, Size(index.shape))
    if not index.numel():
        return places
    if len(whole) != len(shape):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for k, (n, m) in enumerate(zip(shape, whole, strict=True)):
        if k != axis and n > m:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(shape)} to be no larger than self "
                f"{list(whole)} apart from dimension {axis}"
            )
    numbers = numbers_of(index, index.shape)
    kernel = x.kind.backend.gather_places
    check_found(
        numbers, kernel(at, numbers, shape, contiguous_strides(whole), axis, whole[axis]), x, axis, RuntimeError
    )
    return places


def check_found(numbers: Any, bad: int, x: Tensor, axis: int, error: type[Exception], message: str = "") -> None:
    """Raise for the index that a kernel found to be out of range (-1: none)."""
    if bad >= 0:
        size = (x.shape or (1,))[axis]
        found = x.kind.backend.to_numpy(numbers)[bad]
        raise error(message or f"index {found} is out of bounds for dimension {axis} with size {size}")


def slice_places(
    name: str, x: Tensor, dim: int, index: Tensor, error: type[Exception], message: str = "", negative: bool = False
) -> Places:
    """The places of whole slices of x along an axis. `index` is a vector or one number."""
    axis = axis_of(x, dim)
    check_index(name, index, "int32 or int64")
    if len(index.shape) > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector")
    numbers, shape = numbers_of(index, index.shape), x.shape or (1,)
    at = new_places(numbers.size, x.kind.device)
    if negative:
        bad = x.kind.backend.fold_index(at, numbers, shape[axis], True)
    else:
        bad = x.kind.backend.gather_places(at, numbers, (numbers.size,), (1,), 0, shape[axis])
    check_found(numbers, bad, x, axis, error, message)
    places = places_in(shape, (axis,), at, (numbers.size,))
    return places if x.shape else places._replace(shape=Size(()), result=Size(()))


def scattered_part(name: str, x: Tensor, places: Places, source: Any) -> Tensor:
    """What scatter puts: the part of a tensor that is as large as the index."""
    if not isinstance(source, Tensor):
        raise TypeError(f"{name}(): argument 'src' (position 3) must be Tensor, not {type(source).__name__}")
    if source.kind is not x.kind:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if source.shape == places.result:
        return source
    shape = places.result
    if not prod(shape):  # nothing is put
        return source.reshape(-1)[:0].reshape(shape)
    if len(shape) != len(source.shape) or any(n > m for n, m in zip(shape, source.shape, strict=True)):
        raise RuntimeError(f"Expected index {list(shape)} to be no larger size than src {list(source.shape)}")
    return source[tuple(slice(n) for n in shape)]


def source_of(x: Tensor, places: Places, source: Any, value: Any) -> Tensor:
    """The same, or a number everywhere: given as either argument."""
    for given in (source, value):
        if type(given) in NUMBERS:
            return scalar(x.kind, given)
    return scattered_part("scatter", x, places, source)


def flat_places(name: str, x: Tensor, index: Any) -> Places:
    """The places of elements of the flattened x, negative numbers counted from the end."""
    if not isinstance(index, Tensor) or index.kind.dtype is not int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index")
    numbers, n = numbers_of(index, index.shape), x.numel()
    at = new_places(numbers.size, x.kind.device)
    bad = x.kind.backend.fold_index(at, numbers, n, True)
    if bad >= 0:
        found = x.kind.backend.to_numpy(numbers)[bad]
        raise IndexError(f"out of range: tried to access index {found} on a tensor of {n} elements.")
    return Places(at, 1, n, 1, x.shape, index.shape)


class GatheringMethods:
    """The methods of Tensor that pick and put elements by index tensors."""

    __slots__ = ()

    # Single elements along an axis.
    def gather(self: Any, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
        """For a matrix and dim 0: out[i, j] = self[index[i, j], j]; along any axis alike.

        `index` (int64 or int32) has as many axes as self and may be smaller along the others; the result has its shape.
        RuntimeError for a number out of range (negative ones are).

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1, 2], [3, 4]]).gather(1, tg.tensor([[0, 0], [1, 0]]))
        tensor([[1, 1],
                [4, 3]])
        """
        if sparse_grad:
            raise NotImplementedError("gather(sparse_grad=True): gradients are dense here")
        return take(self, gather_places("gather", self, dim, index), "GatherBackward0")

    def scatter_add(self: Any, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """A copy of self with (for a matrix and dim 0) out[index[i, j], j] += src[i, j], all repeats counted."""
        places = gather_places("scatter_add", self, dim, index)
        return modified(self, places, scattered_part("scatter_add", self, places, src), True, "ScatterAddBackward0")

    def scatter_add_(self: Any, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """`scatter_add` in place."""
        places = gather_places("scatter_add", self, dim, index)
        source = scattered_part("scatter_add", self, places, src)
        return modify(self, places, source, True, "scatter_add", "ScatterAddBackward0")

    def take_along_dim(self: Any, indices: Tensor, dim: int | None = None) -> Tensor:
        """`gather` with self and indices broadcast along the other axes; without dim, of the flattened self."""
        if not isinstance(indices, Tensor) or indices.kind.dtype is not int64:
            raise RuntimeError("torch.take_along_dim(): dtype of indices should be Long")
        if dim is None:
            return self.reshape(-1).gather(0, indices.reshape(-1))
        if len(self.shape) != len(indices.shape):
            raise RuntimeError(
                "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
                f"{len(self.shape)} dimensions for input, and {len(indices.shape)} dimensions for indices"
            )
        axis = axis_of(self, dim)
        a, b = list(self.shape), list(indices.shape)
        a[axis : axis + 1] = b[axis : axis + 1] = [1] * bool(a)
        common = list(broadcast_shapes(tuple(a), tuple(b)))
        x = self.expand(*common[:axis], *self.shape[axis : axis + 1], *common[axis + 1 :])
        return x.gather(axis, indices.expand(*common[:axis], *indices.shape[axis : axis + 1], *common[axis + 1 :]))

    def take(self: Any, index: Tensor) -> Tensor:
        """The elements of the flattened self at `index` (int64, negative ones from the end), of the index's shape."""
        return take(self, flat_places("take", self, index), "TakeBackward0")

    # Whole slices.
    def index_select(self: Any, dim: int, index: Tensor) -> Tensor:
        """The slices of self along an axis whose numbers are in the vector `index`, which may not be negative."""
        places = slice_places("index_select", self, dim, index, IndexError, "index out of range in self")
        return take(self, places, "IndexSelectBackward0")

    def index_add(self: Any, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
        """A copy of self with alpha times the slices of `source` added to its slices with the numbers in `index`."""
        places, source = self._index_source("index_add", dim, index, source, RuntimeError)
        return modified(self, places, source if alpha == 1 else source * alpha, True, "IndexAddBackward0")

    def index_add_(self: Any, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
        """`index_add` in place."""
        places, source = self._index_source("index_add", dim, index, source, RuntimeError)
        return modify(self, places, source if alpha == 1 else source * alpha, True, "index_add", "IndexAddBackward0")

    def index_copy(self: Any, dim: int, index: Tensor, source: Tensor) -> Tensor:
        """A copy of self with the slices of `source` in place of its slices with the numbers in `index`."""
        places, source = self._index_source("index_copy", dim, index, source, IndexError)
        return modified(self, places, source, False, "IndexCopyBackward0")

    def index_copy_(self: Any, dim: int, index: Tensor, source: Tensor) -> Tensor:
        """`index_copy` in place."""
        places, source = self._index_source("index_copy", dim, index, source, IndexError)
        return modify(self, places, source, False, "index_copy", "IndexCopyBackward0")

    def index_fill(self: Any, dim: int, index: Tensor, value: Any) -> Tensor:
        """A copy of self with a number (or a 0-d tensor) in its slices with the numbers in `index`."""
        places = slice_places("index_fill", self, dim, index, IndexError, negative=True)
        return modified(self, places, filling(self, value, places), False, "IndexFillBackward0")

    def index_fill_(self: Any, dim: int, index: Tensor, value: Any) -> Tensor:
        """`index_fill` in place."""
        places = slice_places("index_fill", self, dim, index, IndexError, negative=True)
        return modify(self, places, filling(self, value, places), False, "index_fill", "IndexFillBackward0")

    def _index_source(
        self: Any, name: str, dim: int, index: Tensor, source: Tensor, error: type[Exception]
    ) -> tuple[Places, Tensor]:
        """The places of index_add and index_copy, and the source, checked."""
        if not isinstance(source, Tensor):
            raise TypeError(f"{name}(): argument 'source' (position 3) must be Tensor, not {type(source).__name__}")
        places = slice_places(name, self, dim, index, error)
        if source.kind is not self.kind:
            raise RuntimeError(
                f"{name}_(): self ({self.kind.dtype.name}) and source ({source.kind.dtype.name}) must have the same "
                "scalar type"
            )
        axis = axis_of(self, dim)
        if (source.shape or (1,))[axis : axis + 1] != (index.numel(),):
            raise error(f"{name}_(): Number of indices ({index.numel()}) should be equal to source.size({axis})")
        if prod(source.shape) != prod(places.result) or len(source.shape) != len(self.shape):
            raise RuntimeError(
                "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                f"self.shape = {list(self.shape)} source.shape = {list(source.shape)}"
            )
        return places, repeated(source, places.result)

    # By condition.
    def masked_select(self: Any, mask: Tensor) -> Tensor:
        """The elements where the mask, broadcast with self, is True; 1-d."""
        if not isinstance(mask, Tensor) or mask.kind.dtype is not bool_:
            raise RuntimeError("masked_select: expected BoolTensor for mask")
        shape = broadcast_shapes(self.shape, mask.shape)
        found = true_places(mask.expand(shape))
        places = Places(found.flat, 1, prod(shape), 1, Size(shape), found.shape)
        return take(self if self.shape == shape else self.expand(shape), places, "MaskedSelectBackward0")

    def nonzero(self: Any, *, as_tuple: bool = False) -> Any:
        """The indices of all elements that are not 0: int64 (n, dimensions), or with `as_tuple` one vector per axis.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[0, 5], [7, 0]]).nonzero()
        tensor([[0, 1],
                [1, 0]])
        """
        at = true_places(self)
        shape = (self.shape or (1,)) if as_tuple else self.shape
        count, axes = at.shape[0], len(shape)
        out = Tensor(at.kind.empty(count * axes), Size((count, axes)), at.kind)
        if axes:
            at.kind.backend.coordinates(out.flat, at.flat, shape)
        return out.unbind(1) if as_tuple else out

    def argwhere(self: Any) -> Tensor:
        """`nonzero()`: the indices of all elements that are not 0."""
        return self.nonzero()


def filling(x: Tensor, value: Any, places: Places) -> Tensor:
    """The value of index_fill: a number, or a 0-d tensor repeated."""
    if not isinstance(value, Tensor):
        return scalar(x.kind, value)
    if value.shape:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value.shape)} dimension(s)."
        )
    return value.to_kind(x.kind).expand(places.result)
