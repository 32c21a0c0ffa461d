"""Running sums and products, and one recurrence behind all their derivatives; products, whose gradient is made of them.

*Running sum.* y_i = x_0 + ... + x_i. Element i is in y_i and in every later one, so its gradient is the running sum of
g from the other end.

*Running product.* y_i = y_{i-1} x_i. The textbook gradient divides by x_i, and is nan where x_i is 0. Follow the
chain instead. A change of x_i reaches y_i, from there y_{i+1} by the factor x_{i+1}, and so on. So what arrives at y_i
in the end, counting all ways, is a *recurrence* from the end, and no division is needed:

    l_i = g_i + x_{i+1} l_{i+1}           gx_i = l_i y_{i-1}

*The recurrence* s_i = a_i s_{i-1} + b_i has, by the same argument, itself as its derivative, in the other direction:

    l_i = g_i + a_{i+1} l_{i+1}           gb_i = l_i           ga_i = l_i s_{i-1}

Nothing else appears, so derivatives of all orders are these two lines (with the roles exchanged for the one that runs
from the end).

*Product.* The last element of the running product, so: b is 0 but for the last, which is g. In other words
gx_i = g (x_0 ... x_{i-1}) (x_{i+1} ... x_{n-1}), the product of the others, with zeros among them or not:

    x = [2., 0., 3.]      prod 0      gx = [0., 6., 0.]

*Running extremes* and *logarithms of running sums of exponentials* are scans too, with other steps.

Source: G. Blelloch, Prefix sums and their applications, 1990; for the adjoint of a recurrence, A. Griewank, A. Walther,
Evaluating Derivatives, 2nd edition, 2008, section 3.2.
"""

from __future__ import annotations

import math
from math import prod
from typing import TYPE_CHECKING, Any

from ..dtypes import bool_, int64, kind_of
from ..graph import Node, mode
from .elementwise import where
from .extrema import check_axis
from .joining import joined
from .reduction import NODES, Reduction, SavingNode, normalize_axes, numpy_names, reduce, total_kind
from .sorting import picked, result_type
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


def layout(x: Tensor, axis: int) -> tuple[int, int]:
    """The length of the axis, and the number of elements behind each place on it."""
    return (x.shape[axis], prod(x.shape[axis + 1 :])) if x.shape else (1, 1)


def shifted(x: Tensor, axis: int, back: bool, first: float) -> Tensor:
    """x moved one place along an axis; `first` comes in where one falls out. Towards the end, unless `back`."""
    n = x.shape[axis]
    edge = Tensor(x.kind.empty(1), (1,) * len(x.shape), x.kind)
    edge.flat[0] = first
    edge = edge.expand(*(1 if k == axis else m for k, m in enumerate(x.shape)))
    rest = x.narrow(axis, 1 if back else 0, n - 1)
    return joined([rest, edge] if back else [edge, rest], axis, "CatBackward0")


# Running sums -------------------------------------------------------------------------------------------------
class CumsumBackward(Node):
    """The running sum of g, from the other end."""

    __slots__ = ("axis", "reverse")

    def __init__(self, x: Tensor, axis: int, reverse: bool) -> None:
        self.walk = None
        self.parents, self.axis, self.reverse = (x.node,), axis, reverse

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (running_sum(g, self.axis, not self.reverse),)


def running_sum(x: Tensor, axis: int, reverse: bool) -> Tensor:
    """y_i = x_0 + ... + x_i along an axis (x_i + ... + x_{n-1}, if `reverse`), in x's kind."""
    out = Tensor(x.kind.empty(x.numel()), x.shape, x.kind)
    if x.numel():
        x.kind.backend.cumsum(out.flat, x.contiguous().flat, *layout(x, axis), reverse)
    if x.node is not None and mode.grad:
        out.node = CumsumBackward(x, axis, reverse)
    return out


# The recurrence -----------------------------------------------------------------------------------------------
class RecurrenceBackward(SavingNode):
    """The same recurrence over g, in the other direction; see the top of the file."""

    __slots__ = ("axis", "reverse")

    def __init__(self, a: Tensor, b: Tensor, out: Tensor, axis: int, reverse: bool) -> None:
        super().__init__((a.node, b.node), a, out.detach())
        self.axis, self.reverse = axis, reverse

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, Tensor]:
        a, out = self.saved()
        arrived = recurrence(a, g, self.axis, not self.reverse)
        if self.parents[0] is None:
            return None, arrived
        s = self.result(out)
        if self.reverse:
            return shifted(arrived, self.axis, False, 0.0) * s, arrived
        return arrived * shifted(s, self.axis, False, 0.0), arrived


def recurrence(a: Tensor, b: Tensor, axis: int, reverse: bool) -> Tensor:
    """s_i = a_i s_{i-1} + b_i along an axis; with `reverse`, s_i = a_{i+1} s_{i+1} + b_i. Floats of one shape."""
    out = Tensor(b.kind.empty(b.numel()), b.shape, b.kind)
    if b.numel():
        b.kind.backend.recurrence(out.flat, a.contiguous().flat, b.contiguous().flat, *layout(b, axis), reverse)
    if mode.grad and (a.node is not None or b.node is not None):
        out.node = RecurrenceBackward(a, b, out, axis, reverse)
    return out


# Products -----------------------------------------------------------------------------------------------------
class CumprodBackward(SavingNode):
    """The recurrence of the factors over g, from the end, times the products so far."""

    __slots__ = ("axis",)

    def __init__(self, x: Tensor, out: Tensor, axis: int) -> None:
        super().__init__((x.node,), x, out.detach())
        self.axis = axis

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        x, out = self.saved()
        if not x.shape or not x.numel():
            return (g,)
        return (recurrence(x, g, self.axis, True) * shifted(self.result(out), self.axis, False, 1.0),)


def running_product(x: Tensor, axis: int) -> Tensor:
    """y_i = x_0 x_1 ... x_i along an axis, in x's kind."""
    out = Tensor(x.kind.empty(x.numel()), x.shape, x.kind)
    if x.numel():
        x.kind.backend.cumprod(out.flat, x.contiguous().flat, *layout(x, axis))
    if x.node is not None and mode.grad:
        out.node = CumprodBackward(x, out, axis)
    return out


class ProdBackward(SavingNode):
    """The product of the others, for every element: those before it times those behind it."""

    __slots__ = ("plan",)

    def __init__(self, x: Tensor, out: Tensor, plan: Reduction) -> None:
        super().__init__((x.node,), x)
        self.plan = plan

    def name(self) -> str:
        return self.plan.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (x,), plan = self.saved(), self.plan
        if not x.shape or not x.numel():
            return (g.reshape(plan.kept).expand(plan.shape),)
        axis, lines, kept = plan.axes[0], x, plan.kept
        if plan.label == "ProdBackward0":  # of everything
            axis, lines, kept = 0, x.reshape(-1), (1,)
        before = shifted(running_product(lines, axis), axis, False, 1.0)
        last = g.reshape(kept)
        if lines.shape[axis] > 1:
            zeros = Tensor(x.kind.empty(1), (1,) * len(kept), x.kind)
            zeros.flat[0] = 0.0
            zeros = zeros.expand(*(n - 1 if k == axis else n for k, n in enumerate(lines.shape)))
            last = joined([zeros, last], axis, "CatBackward0")
        return ((before * recurrence(lines, last, axis, True)).reshape(plan.shape),)


NODES["prod"] = ProdBackward


# Running extremes and logarithms of sums ----------------------------------------------------------------------
Cummax, Cummin = map(result_type, ("cummax", "cummin"))


def running_extreme(x: Tensor, dim: int, largest: bool) -> Any:
    """The pair (the largest or smallest so far, where it is). Its gradient goes to the element that it is."""
    axis = scanned_axis("cummax" if largest else "cummin", x, dim)
    kind = kind_of(int64, x.kind.device)
    at = Tensor(kind.empty(x.numel()), Size(x.shape), kind)
    if x.numel():
        kind.backend.cumextreme(at.flat, x.detach().contiguous().flat, *layout(x, axis), largest)
    return picked(Cummax if largest else Cummin, x, axis, at, "CummaxBackward0" if largest else "CumminBackward0")


class LogcumsumexpBackward(SavingNode):
    """gx_i = Σ over j ≥ i of g_j e^(x_i - y_j): again sums of exponentials, of g's positive and negative parts."""

    __slots__ = ("axis",)

    def __init__(self, x: Tensor, out: Tensor, axis: int) -> None:
        super().__init__((x.node,), x, out.detach())
        self.axis = axis

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        x, out = self.saved()
        if not x.shape:
            return (g,)
        y, parts = self.result(out), []
        for sign in (1.0, -1.0):
            there = g * sign > 0
            logarithm = where(there, where(there, g * sign, 1.0).log() - y, -math.inf)
            parts.append((log_running_sum(logarithm.flip(self.axis), self.axis).flip(self.axis) + x).exp())
        return (parts[0] - parts[1],)


def log_running_sum(x: Tensor, axis: int) -> Tensor:
    out = Tensor(x.kind.empty(x.numel()), Size(x.shape), x.kind)
    if x.numel():
        x.kind.backend.logcumsumexp(out.flat, x.detach().contiguous().flat, *layout(x, axis))
    if x.node is not None and mode.grad:
        out.node = LogcumsumexpBackward(x, out, axis)
    return out


# Differences, and areas ---------------------------------------------------------------------------------------
def between(y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    """The areas of the trapezoids between neighbours along an axis."""
    axis = scanned_axis("trapezoid", y, dim)
    if not y.shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if x is not None and dx is not None:
        raise TypeError("trapezoid() takes x (places) or dx (one distance), not both")
    n = y.shape[axis]
    if x is None:
        width = 1 if dx is None else dx
    elif len(x.shape) == 1:
        width = x.diff().reshape(-1, *[1] * (len(y.shape) - axis - 1))
    else:
        width = x.diff(dim=dim)
    pairs = max(n - 1, 0)
    return (y.narrow(axis, 0, pairs) + y.narrow(axis, n - pairs, pairs)) * width / 2.0


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The area below a line through points: Σ (x_{i+1} - x_i) (y_i + y_{i+1}) / 2 along an axis; `dx` apart, or 1.

    >>> import tinygrad_edu as tg
    >>> tg.trapezoid(tg.tensor([1.0, 2.0, 3.0]), dx=2)
    tensor(8.)
    """
    return between(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The areas up to each point but the first."""
    return between(y, x, dx, dim).cumsum(dim)


def scanned_axis(name: str, x: Tensor, dim: Any) -> int:
    check_axis(name, dim)
    return (normalize_axes(dim, len(x.shape)) or (0,))[0]


@numpy_names
class ScanMethods:
    """The methods of Tensor that multiply elements, and those that keep every total on the way."""

    __slots__ = ()

    def prod(self: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The product over an axis (None: of all). Integers are multiplied in int64. The gradient is right at zeros.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([2.0, 0.0, 3.0], requires_grad=True)
        >>> x.prod().backward()
        >>> x.grad
        tensor([0., 6., 0.])
        """
        if dim is not None:
            check_axis("prod", dim)
        x = self.to_kind(total_kind(self, dtype))
        return reduce(x, "prod", dim, keepdim, x.kind)

    def cumsum(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        """The sums of the elements up to each along an axis. Integers are added in int64.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0, 3.0]).cumsum(0)
        tensor([1., 3., 6.])
        """
        axis = scanned_axis("cumsum", self, dim)
        return running_sum(self.to_kind(total_kind(self, dtype)), axis, False)

    def cumprod(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        """The products of the elements up to each along an axis. Integers are multiplied in int64.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0, 3.0]).cumprod(0)
        tensor([1., 2., 6.])
        """
        axis = scanned_axis("cumprod", self, dim)
        return running_product(self.to_kind(total_kind(self, dtype)), axis)

    def cumsum_(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        """`cumsum`, stored in self"""
        return self.copy_(self.cumsum(dim, dtype=dtype))

    def cumprod_(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        """`cumprod`, stored in self"""
        return self.copy_(self.clone().cumprod(dim, dtype=dtype))  # whose node keeps its operand

    def cummax(self: Any, dim: int) -> Any:
        """The pair (values, indices) of the largest element so far along an axis, the last of several.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([2, 1, 3]).cummax(0).values
        tensor([2, 2, 3])
        """
        return running_extreme(self, dim, True)

    def cummin(self: Any, dim: int) -> Any:
        """The pair (values, indices) of the smallest element so far along an axis, the last of several."""
        return running_extreme(self, dim, False)

    def logcumsumexp(self: Any, dim: int) -> Tensor:
        """log(e^x_0 + ... + e^x_i) along an axis, without overflow."""
        if not self.kind.dtype.is_floating_point:
            raise NotImplementedError(
                f"\"logcumsumexp_out_cpu\" not implemented for '{self.kind.dtype.name}': use x.float()"
            )
        return log_running_sum(self, scanned_axis("logcumsumexp", self, dim))

    def diff(self: Any, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Any:
        """The differences of neighbours along an axis, n times over. `prepend` and `append` are joined to self before.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 4, 9]).diff(), tg.tensor([1, 4, 9]).diff(n=2)
        (tensor([3, 5]), tensor([2]))
        """
        if not self.shape:
            raise RuntimeError("diff expects input to be at least one-dimensional")
        if n < 0:
            raise RuntimeError(f"order must be non-negative but got {n}")
        axis, ends = scanned_axis("diff", self, dim), [x for x in (prepend, append) if x is not None]
        if any(len(x.shape) != len(self.shape) for x in ends):
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        x = joined([x for x in (prepend, self, append) if x is not None], axis, "CatBackward0") if ends else self
        for _ in range(n):
            pairs = max(x.shape[axis] - 1, 0)
            left, right = x.narrow(axis, 0, pairs), x.narrow(axis, x.shape[axis] - pairs, pairs)
            x = right != left if x.kind.dtype is bool_ else right - left
        return x
