"""The largest and the smallest: max, min, amax, amin, argmax, argmin, and what a tie means backward.

A maximum changes only if the element that it is changes. Where several are equal there is no derivative, and PyTorch
has two conventions, which are ours:

    x = [3., 5., 5.]          value     g for x
    x.max(), x.amax(0)        5.        [0., 0.5, 0.5]     every one of the equals gets its share
    x.max(0)                  5., 1     [0., 1., 0.]       the first one: it is known by its index

So `amax` saves its result, asks backward which elements equal it, and divides g by their number; while max(dim) is
argmax, followed by taking the elements at those indices (places.py), which has a derivative already.

nan is larger than everything, and smaller than everything: it always comes out.

Source: J.-B. Hiriart-Urruty, C. Lemaréchal, Fundamentals of Convex Analysis, 2001, section D.4.4 (the subdifferential
of a maximum: any way of sharing out g among the equals is in it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_kernels.calculus import where
from tinygrad_kernels.expr import trace

from ..dtypes import BOOL, int64, kind_of
from .gathering import gather_places
from .launch import compute
from .places import take
from .reduction import NODES, Reduction, SavingNode, normalize_axes, numpy_names, reduce
from .sorting import result_type
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor

EQUAL = trace("equal", lambda x, y: where(x == y, 1.0, 0.0), ("x", "y"))
EQUAL_OR_NAN = trace(
    "equal_or_nan", lambda x, y: where(x == y, 1.0, where(x == x, 0.0, where(y == y, 0.0, 1.0))), ("x", "y")
)
Max, Min = map(result_type, ("max", "min"))
Aminmax = result_type("aminmax", "min", "max")


class ExtremumBackward(SavingNode):
    """The largest (or smallest) elements of x over axes: g is shared out among those that equal the result.

    nan equals nothing, not even itself, so amax gives 0 / 0 everywhere, while max() of everything looks for the nan:
    both are PyTorch's answers.
    """

    __slots__ = ("plan",)

    def __init__(self, x: Tensor, out: Tensor, plan: Reduction) -> None:
        super().__init__((x.node,), x, out.detach())
        self.plan = plan

    def name(self) -> str:
        return self.plan.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (x, out), plan = self.saved(), self.plan
        formula = EQUAL if plan.label.startswith("Am") else EQUAL_OR_NAN
        equal = compute(formula, (x, out.reshape(plan.kept)), x.kind, x.kind)
        return (equal * (g.reshape(plan.kept) / equal.sum(plan.axes, keepdim=True)),)


NODES.update(amax=ExtremumBackward, amin=ExtremumBackward, max=ExtremumBackward, min=ExtremumBackward)


def check_not_empty(name: str, x: Tensor, dim: Any, error: type[Exception] = RuntimeError) -> None:
    """Nothing has no largest element: PyTorch's errors for reducing an axis of size 0."""
    if x.numel():
        return
    if dim is None or dim == ():
        raise error(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for axis in normalize_axes(dim, len(x.shape)):
        if x.shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")


def check_axis(name: str, dim: Any) -> None:
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{name}(): argument 'dim' (position 1) must be int, not {type(dim).__name__}")


def place_of(x: Tensor, op: str, dim: int | None, keepdim: bool) -> Tensor:
    """argmax or argmin: int64."""
    return reduce(x, op, dim, keepdim, kind_of(int64, x.kind.device))


def extremum(x: Tensor, op: str, dim: Any, keepdim: bool, other: Any) -> Any:
    """The three things that `max` (and `min`) may mean."""
    if isinstance(dim, Tensor):
        dim, other = None, dim
    if other is not None:
        return x.maximum(other) if op == "max" else x.minimum(other)
    if dim is None:
        if keepdim:
            raise TypeError(f"{op}(): keepdim needs a dim; a{op}(keepdim=True) reduces all axes and keeps them")
        check_not_empty(op, x, dim)
        return reduce(x, op, None, False, x.kind)
    check_axis(op, dim)
    check_not_empty(op, x, dim)
    indices = place_of(x, f"arg{op}", dim, True)
    places = gather_places(op, x, dim, indices)
    if not keepdim and x.shape:
        (axis,) = normalize_axes(dim, len(x.shape))
        rest = Size(x.shape[:axis] + x.shape[axis + 1 :])
        places, indices = places._replace(result=rest), Tensor(indices.flat, rest, indices.kind)
    return (Max if op == "max" else Min)(take(x, places, f"{op.capitalize()}Backward0"), indices)


@numpy_names
class ExtremaMethods:
    """The methods of Tensor that look for the largest and the smallest."""

    __slots__ = ()

    def max(self: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        """The largest element; along an axis, the pair (values, indices); with a tensor, `maximum`.

        Of equal elements the first has the index, and gets the gradient; without an axis they share it. RuntimeError
        or IndexError where there is no element.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([[1.0, 3.0], [4.0, 4.0]])
        >>> x.max()
        tensor(4.)
        >>> x.max(1).indices
        tensor([1, 0])
        """
        return extremum(self, "max", dim, keepdim, other)

    def min(self: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        """The smallest element; along an axis, the pair (values, indices); with a tensor, `minimum`."""
        return extremum(self, "min", dim, keepdim, other)

    def amax(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """The largest elements over axes `dim` (an int or several; None: all). Equal ones share the gradient.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1, 3], [4, 2]]).amax(0)
        tensor([4, 3])
        """
        check_not_empty("amax", self, dim)
        return reduce(self, "amax", dim, keepdim, self.kind)

    def amin(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """The smallest elements over axes `dim` (an int or several; None: all). Equal ones share the gradient."""
        check_not_empty("amin", self, dim)
        return reduce(self, "amin", dim, keepdim, self.kind)

    def aminmax(self: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
        """The pair (amin, amax), over one axis or all."""
        if dim is not None:
            check_axis("aminmax", dim)
        return Aminmax(self.amin(dim, keepdim), self.amax(dim, keepdim))

    def argmax(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """The index of the largest element, the first of several: int64. Without an axis, in the flattened tensor.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1, 3], [4, 4]]).argmax(), tg.tensor([[1, 3], [4, 4]]).argmax(1)
        (tensor(2), tensor([1, 0]))
        """
        return argument(self, "argmax", dim, keepdim)

    def argmin(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """The index of the smallest element, the first of several: int64. Without an axis, in the flattened tensor."""
        return argument(self, "argmin", dim, keepdim)


def argument(x: Tensor, name: str, dim: Any, keepdim: bool) -> Tensor:
    """argmax or argmin, with PyTorch's errors."""
    if dim is not None:
        check_axis(name, dim)
    if x.kind.dtype.category == BOOL:
        raise RuntimeError(f"{name}(): does not support bool input. Use x.int()")
    check_not_empty(name, x, dim, IndexError)
    return place_of(x, name, dim, keepdim)
