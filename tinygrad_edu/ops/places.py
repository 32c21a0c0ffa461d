"""Places: the one form that every kind of indexing by tensors takes, and its three operations.

The problem. `x[rows, columns]`, `x[mask]`, `gather`, `index_add`, ... differ only in how they say *where*. What is done
there is one of three things, and each needs a gradient, and a gradient of that.

The idea. First find the places (numbers, checked once, kept for the way back), then

    take(x)        the elements of x at the places
    spread(v)      zeros, with v added at the places: repeated places collect a sum
    modified(x, v) x, with v in place of what is there, or (add) on top of it

    forward                    g backward, for x          for v
    take(x)                    spread(g)
    spread(v)                                             take(g)
    modified(x, v)             g with zeros there         take(g), zeros for values that were overwritten
    modified(x, v, add)        g                          take(g)

Every backward is one of the same operations again, so derivatives of any order need nothing more.

Where the indexed axes lie together, x (2, 3, 4) with axis 1 indexed by 5 numbers is (outer 2, length 3, inner 4), and
the result (2, 5, 4). Where they do not, they are moved to the front first.

Source: D. Maclaurin, D. Duvenaud, R. Adams, Autograd: effortless gradients in NumPy, 2015 (the gradient of indexing);
see tinygrad_kernels/cpu/indexing.py for the loops.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ..dtypes import Kind, device, fitting, int64, kind_of
from ..graph import Node, mode, same_memory, share
from .history import begin_change, record_change
from .shape import copy_into
from .strides import Shape, Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class Places(NamedTuple):
    """Where. `at` is an int64 buffer of numbers below `length`, of an x seen as (outer, length, inner).

    `shape` is x's, `result` that of what is taken; `order` is the order of x's axes in which those that are indexed lie
    together (None: they do).
    """

    at: Any
    outer: int
    length: int
    inner: int
    shape: Shape
    result: Shape
    order: Shape | None = None


def places_in(shape: Shape, axes: Shape, at: Any, index_shape: Shape) -> Places:
    """The places of an index of `index_shape` into the given axes (in rising order) of an x of `shape`.

    The result has the axes of the index where the indexed axes were; at the front, if those do not lie together.

    >>> places_in((2, 3, 4), (1,), None, (5, 6)).result, places_in((2, 3, 4), (0, 2), None, (5,)).result
    (torch.Size([2, 5, 6, 4]), torch.Size([5, 3]))
    """
    return Places(at, *layout(shape, axes, index_shape))


@lru_cache(maxsize=4096)
def layout(shape: Shape, axes: Shape, index_shape: Shape) -> tuple:
    """The rest of Places, which depends on shapes only."""
    first, last = axes[0], axes[-1] + 1
    length = prod(shape[a] for a in axes)
    if last - first == len(axes):
        before, after = shape[:first], shape[last:]
        return prod(before), length, prod(after), shape, Size((*before, *index_shape, *after)), None
    rest = tuple(a for a in range(len(shape)) if a not in axes)
    after = tuple(shape[a] for a in rest)
    return 1, length, prod(after), shape, Size((*index_shape, *after)), (*axes, *rest)


def new_places(count: int, where: device) -> Any:
    """A buffer for places, on a device."""
    return kind_of(int64, where).empty(count)


def numbers_of(index: Tensor, shape: Shape) -> Any:
    """An index, broadcast to a shape, as a buffer of int64."""
    if index.flat is not None and index.kind.dtype is int64 and index.shape == shape:
        return index.flat
    return index.detach().expand(shape).to_kind(kind_of(int64, index.kind.device)).contiguous().flat


def scalar(kind: Kind, value: Any) -> Tensor:
    """A number as a 0-d tensor."""
    out = Tensor(kind.empty(1), Size(()), kind)
    out.flat[0] = fitting(kind.dtype, value)
    return out


# Take, and its transpose --------------------------------------------------------------------------------------
class TakeBackward(Node):
    """What was taken goes back to its places."""

    __slots__ = ("places", "label")

    def __init__(self, parent: Node, places: Places, label: str) -> None:
        self.walk = None
        self.parents, self.places, self.label = (parent,), places, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (spread(g, self.places),)


class SpreadBackward(Node):
    """The cotangent of what was added is what stands at its place."""

    __slots__ = ("places",)

    def __init__(self, parent: Node, places: Places) -> None:
        self.walk = None
        self.parents, self.places = (parent,), places

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (take(g, self.places, "IndexBackward0"),)


def take(x: Tensor, places: Places, label: str) -> Tensor:
    """The elements of x at the places, of shape `places.result`. `label` names the node."""
    out = Tensor(x.kind.empty(prod(places.result)), places.result, x.kind)
    if out.flat.size:
        source = arranged(x, places)
        x.kind.backend.take(out.flat, source, places.at, places.outer, places.length, places.inner)
    if x.node is not None and mode.grad:
        out.node = TakeBackward(x.node, places, label)
    return out


def spread(v: Tensor, places: Places) -> Tensor:
    """Zeros of shape `places.shape`, to which v is added at the places."""
    from ..creation import zeros

    out = zeros(places.shape, dtype=v.kind.dtype, device=v.kind.device)
    change(out, places, v, add=True)
    if v.node is not None and mode.grad:
        out.node = SpreadBackward(v.node, places)
    return out


def arranged(x: Tensor, places: Places) -> Any:
    """A contiguous buffer of x with the indexed axes together: its own where it lies like that."""
    if places.order is None and x.flat is not None:
        return x.flat
    return moved(x, places).contiguous().flat


def moved(x: Tensor, places: Places) -> Tensor:
    """x outside of the graph, seen with the indexed axes together."""
    return x.detach() if places.order is None else x.detach().permute(places.order)


# Changes ------------------------------------------------------------------------------------------------------
class ModifyBackward(Node):
    """x with v at some places: parents are the nodes of x and v."""

    __slots__ = ("places", "add", "label")

    def __init__(self, parents: tuple[Node | None, Node | None], places: Places, add: bool, label: str) -> None:
        self.walk = None
        self.parents, self.places, self.add, self.label = parents, places, add, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, Tensor | None]:
        gx = gv = None
        if self.parents[0] is not None:
            gx = g if self.add else erased(g, self.places)
        if self.parents[1] is not None:
            gv = take(g, self.places, "IndexBackward0")
            gv = gv if self.add or not gv.numel() else without_overwritten(gv, self.places)
        return gx, gv


def without_overwritten(gv: Tensor, places: Places) -> Tensor:
    """The cotangent of values that were put at places: 0 for those that a later one for the same place has replaced.

    (PyTorch gives them that of the value which stayed.) Each value puts its number at its place; a value is still there
    if it finds its own.
    """
    from ..ranges import arange

    kind, n = kind_of(int64, gv.kind.device), places.at.size
    numbers, found, latest = arange(n, device=kind.device), kind.empty(n), kind.empty(places.length)
    kind.backend.put(latest, places.at, numbers.flat, 1, places.length, 1)
    kind.backend.take(found, latest, places.at, 1, places.length, 1)
    lost = (Tensor(found, Size((n,)), kind) != numbers).reshape(n, 1)
    return gv.reshape(places.outer, n, places.inner).masked_fill(lost, 0.0).reshape(places.result)


def erased(g: Tensor, places: Places) -> Tensor:
    """g with zeros at the places."""
    return modified(g, places, scalar(g.kind, 0), False, "IndexPutBackward0")


def modified(x: Tensor, places: Places, v: Tensor, add: bool, label: str) -> Tensor:
    """A copy of x with v (of x's kind) at the places, or added there.

    v has the shape `places.result`; if it is only put there, and has no graph, it may also be one number.
    """
    out = Tensor(x.kind.empty(prod(x.shape)), Size(x.shape), x.kind)
    copy_into(out, x)
    change(out, places, v, add)
    if mode.grad and (x.node is not None or v.node is not None):
        out.node = ModifyBackward((x.node, v.node), places, add, label)
    return out


def modify(x: Tensor, places: Places, v: Tensor, add: bool, name: str, label: str) -> Tensor:
    """The same in the memory of x; `name` is that of the operation, for error messages."""
    recorded = begin_change(x, name, v)
    parents = (x.node, v.node)
    change(x, places, v.clone() if same_memory(x, v) else v, add)
    if recorded:
        record_change(x, ModifyBackward(parents, places, add, label))
    else:
        share(x).version += 1
    return x


def change(x: Tensor, places: Places, v: Tensor, add: bool) -> None:
    """Put v at the places of x's memory, or add it there. No graph."""
    if not prod(places.result):
        return
    direct = places.order is None and x.flat is not None
    buffer = x.flat if direct else moved(x, places).clone().flat
    kernel = x.kind.backend.add_at if add else x.kind.backend.put
    kernel(buffer, places.at, values_of(v, add), places.outer, places.length, places.inner)
    if not direct:
        seen = moved(x, places)
        copy_into(seen, Tensor(buffer, seen.shape, x.kind))


def values_of(v: Tensor, all_of_them: bool) -> Any:
    """The buffer of v; of one element only, if v is one number repeated and that is enough."""
    if v.flat is not None:
        return v.flat
    if not all_of_them and not any(v.region[2]):
        buffer, offset = v.region[:2]
        return buffer[offset : offset + 1]
    return v.detach().contiguous().flat
