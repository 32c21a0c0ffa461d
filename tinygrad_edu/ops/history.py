"""Views changed in place: how a change of the part becomes part of the history of the whole.

The problem. `v = y[1:]; v *= w` changes y too. The gradient of y's elements from 1 on must now go to w and to the *old*
elements, that of element 0 to the old y alone. And a third view of the same memory, made before, must know as well.

The idea. A family of tensors on one memory has one history, that of its base. A recorded change of a member x is
cut in two:

    the change itself       new elements of x from old ones, an ordinary operation with a node R
    CopySlices              the base, with x's part replaced by what R made: its parents are (the base's old node, R)

      g of the base ──┬── g with x's part set to 0 ──▶ the base's old node
                      └── x's part of g            ──▶ R ──▶ old x (a view of the old base), w

Then every other member is taken out of the new base again, by shape, strides and offset (AsStrided): how it was
once made no longer matters, only where it lies.

Source: PyTorch, "Tensor views" and "Inplace semantics" in the documentation; A. Paszke et al., 2017 (see graph.py).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..graph import Node, base_of, mode, no_grad, share
from ..hooks import retain
from .shape import copy_into, view_of
from .strides import Shape, Size, contiguous_strides

if TYPE_CHECKING:
    from ..tensors import Tensor


class Place(NamedTuple):
    """Where a member lies in its base: shape, strides, and offset from the base's first element; `whole` is the
    base's shape, `steps` its strides."""

    shape: Shape
    strides: Shape
    offset: int
    whole: Shape
    steps: Shape


def place_of(x: Tensor, base: Tensor) -> Place:
    start = 0 if base.region is None else base.region[1]
    return Place(x.shape, x.stride(), x.region[1] - start, base.shape, base.stride())


def take(whole: Tensor, place: Place) -> Tensor:
    """The part of a tensor at a place: a view of it, in the graph."""
    whole = like_base(whole, place)
    at = 0 if whole.flat is not None else whole.region[1]
    return view_of(whole, place.shape, place.strides, at + place.offset, "AsStridedBackward0", put, place)


def put(part: Tensor, place: Place) -> Tensor:
    """The reverse: zeros, with a tensor written to a place. Elements that lie there more than once are added up."""
    from ..creation import zeros

    if 0 in place.strides:  # expanded axes
        once = tuple(n if s else 1 for n, s in zip(place.shape, place.strides, strict=True))
        part = part.sum_to(once)
        place = place._replace(shape=once)
    out = like_base(zeros(place.whole, dtype=part.kind.dtype, device=part.kind.device), place)
    add_into(take(out, place), part.detach())
    if part.node is not None and mode.grad:
        out.node = PutBackward(part.node, place)
    return out


def add_into(zeros: Tensor, part: Tensor) -> None:
    """zeros += part, where elements may share a place (those of overlapping windows): one slice after the other."""
    axis = shared_axis(zeros.shape, zeros.stride())
    if axis is None:
        copy_into(zeros, part)
        return
    with no_grad():
        for k in range(zeros.shape[axis]):
            zeros.select(axis, k).add_(part.select(axis, k))


@lru_cache(maxsize=4096)
def shared_axis(shape: Shape, strides: Shape) -> int | None:
    """An axis along which elements may share a place with others; None if all have their own.

    >>> shared_axis((3, 4), (4, 1)), shared_axis((3, 4), (0, 1)), shared_axis((3, 4), (2, 1))
    (None, 0, 0)
    """
    reach = 0
    for step, n, axis in sorted(zip(strides, shape, range(len(shape)), strict=True)):
        if n > 1:
            if step <= reach:
                return axis
            reach += (n - 1) * step
    return None


def like_base(x: Tensor, place: Place) -> Tensor:
    """x with the strides of the base: contiguous in nearly every case."""
    if x.stride() == place.steps:
        return x
    if place.steps == contiguous_strides(place.whole):
        return x.contiguous()
    reach = 1 + sum((n - 1) * s for n, s in zip(place.whole, place.steps, strict=True))
    laid_out = Tensor(None, Size(place.whole), x.kind)
    laid_out.region = (x.kind.empty(max(reach, 1)), 0, place.steps, None)
    copy_into(laid_out, x)
    laid_out.node = x.node
    return laid_out


class PutBackward(Node):
    """The derivative of `put`: what is at the place comes back."""

    __slots__ = ("at",)
    fresh = False

    def __init__(self, parent: Node, place: Place) -> None:
        self.walk = None
        self.parents, self.at = (parent,), place

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (take(g, self.at),)


class AsStrided(Node):
    """A member of a family, as a part of its base."""

    __slots__ = ("at",)

    def __init__(self, base: Node, place: Place) -> None:
        self.walk = None
        self.parents, self.at = (base,), place

    def name(self) -> str:
        return "AsStridedBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (put(g, self.at),)


class CopySlices(Node):
    """A base, one part of which was replaced: parents are (the base before, what the part is now)."""

    __slots__ = ("at",)

    def __init__(self, parents: tuple[Node | None, Node | None], place: Place) -> None:
        self.walk = None
        self.parents, self.at = parents, place

    def name(self) -> str:
        return "CopySlices"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, Tensor | None]:
        rest = part = None
        if self.parents[1] is not None:
            part = take(g, self.at).clone()
        if self.parents[0] is not None:
            rest = like_base(g.clone(), self.at)
            take(rest, self.at).fill_(0.0)
        return rest, part


def record_change(x: Tensor, node: Node | None) -> None:
    """x has been changed in place, and its elements now come from `node`: give the whole family its new history."""
    shared = share(x)
    shared.version += 1
    base = base_of(x)
    kept = x.node is not None and x.node.watched and x.node.extras.retains
    if base is x:
        x.node = node
    else:
        base.node = CopySlices((base.node, node), place_of(x, base))
    for reference in shared.views:
        y = reference()
        if y is not None:
            y.node = None if base.node is None else AsStrided(base.node, place_of(y, base))
    if kept and x.node is not None:  # who asked for x's gradient wants that of x as it is now
        retain(x.node)


def begin_change(x: Tensor, name: str, *sources: Any, same: bool = False) -> bool:
    """Checks before x is changed in place (by what `sources` have); must the change be recorded?

    `same`: all elements become the same number, so it does not matter whether some share a place.
    """
    if x.flat is None and not same and shared_axis(x.shape, x.region[2]) is not None:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            f"location. Please clone() the tensor before {name}_"
        )
    if not mode.grad:
        return False
    base = base_of(x)
    if x.node is None and not any(isinstance(y, Tensor) and y.node is not None for y in sources):
        if base.node is not None:
            raise RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Change it "
                "in no_grad mode too, or make the view outside"
            )
        return False
    for y, what in ((x, "a leaf"), (base, "a view of a leaf")):
        if y.node is not None and y.node.leaf:
            raise RuntimeError(
                f"{what} Variable that requires grad is being used in an in-place operation ({name}_). "
                "Wrap an update of parameters in `with no_grad():`, or work on a clone()"
            )
    return True
