"""Variance, standard deviation, norms: reductions of a formula, and what becomes of them where they are 0.

*Variance.* The mean of the squared distances from the mean m, with n - correction in place of n:

    var = Σ (x_i - m)² / (n - correction)            gx_i = g 2 (x_i - m) / (n - correction)

The short formula Σx²/n - m² is one pass shorter, and subtracts two large numbers that are nearly equal: for numbers
near 10,000 with a spread of 1, float32 has no digit left. So first the mean, then the squares, which are computed
inside the sum (codegen_reduction.py). `correction=1` makes up for m being the mean of these very numbers, which are a
little nearer to it than to the true one (F. Bessel).

The mean is itself rounded, so what is left of the distances from it is added to it. Of equal numbers it is then that
very number, and their variance 0, not 1e-18, whose root has a slope of a billion.

*At 0.* sqrt has an infinite slope at 0, and the standard deviation of equal numbers, or the norm of zeros, has a kink
there, like |x|. PyTorch's gradient is 0, and so is ours. Where n - correction is 0 or less, the variance is inf or nan,
and so is its gradient.

*Norms.* (Σ |x|^p)^(1/p); p = 2 is the length, 1 the sum of the sizes, inf the largest. With n the norm,

    gx = g sign(x) (|x| / n)^(p - 1)                 p = inf: g sign(x), shared out among the largest

Source: T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, Am. Statistician 37(3), 1983.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.expr import trace

from ..dtypes import as_dtype
from ..graph import mode, no_grad
from .elementwise import where
from .launch import compute
from .reduction import SavingNode, normalize_axes, reduce
from .strides import Shape, Size

if TYPE_CHECKING:
    from ..tensors import Tensor

DISTANCE = trace("distance", lambda x, y: x - y, ("x", "y"))
SQUARED_DISTANCE = trace("squared_distance", lambda x, y: (x - y) * (x - y), ("x", "y"))
SQUARE = trace("square", lambda x: x * x, ("x",))


def kept_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape with the reduced axes as 1."""
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


# Variance -----------------------------------------------------------------------------------------------------
class VarBackward(SavingNode):
    """The variance over axes: twice the distance from the mean."""

    __slots__ = ("axes", "freedom", "label")

    def __init__(self, x: Tensor, axes: Shape, freedom: float, label: str, *more: Tensor) -> None:
        super().__init__((x.node,), x, *more)
        self.axes, self.freedom, self.label = axes, freedom, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (x,) = self.saved()
        return (self.through_variance(x, g.reshape(kept_shape(x.shape, self.axes))),)

    def through_variance(self, x: Tensor, g: Tensor) -> Tensor:
        mean = x.mean(self.axes, keepdim=True) if x.shape else x
        if self.freedom <= 0:
            return g * where(x == mean, math.nan, math.inf)
        return (x - mean) * (g * (2.0 / self.freedom))


class StdBackward(VarBackward):
    """The root of the variance: g / (2 std) goes on to the variance, 0 where std is 0."""

    __slots__ = ()

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        x, out = self.saved()
        kept = kept_shape(x.shape, self.axes)
        std = self.result(out).reshape(kept)
        zero = std == 0
        g = where(zero, 0.0, g.reshape(kept) / (2.0 * where(zero, 1.0, std)))
        return (self.through_variance(x, g),)


def spread(x: Tensor, name: str, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> tuple[Tensor, Tensor]:
    """The pair (var or std, mean) over axes; `name` says which. Of both, the first has its node."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    elif unbiased is not None:
        raise TypeError(f"{name}() takes unbiased or correction, not both")
    if not x.kind.dtype.is_floating_point:
        raise RuntimeError("std and var only support floating point and complex dtypes. Use x.float()")
    axes = normalize_axes(dim, len(x.shape))
    kept = kept_shape(x.shape, axes)
    count = math.prod(x.shape[axis] for axis in axes)
    if count - correction <= 0 and x.numel():
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            UserWarning,
            stacklevel=3,
        )
    with no_grad():
        mean = reduce(x, "mean", axes or None, True, x.kind)
        mean = mean + compute(DISTANCE, (x.detach(), mean), x.kind, x.kind, kept) / count if count else mean
        squares = compute(SQUARED_DISTANCE, (x.detach(), mean), x.kind, x.kind, kept)
        out = squares / max(0.0, float(count - correction))
        out = out.sqrt() if name.startswith("std") else out
    rest = Size(n for axis, n in enumerate(x.shape) if axis not in axes)
    out, mean = (out, mean) if keepdim else (Tensor(out.flat, rest, x.kind), Tensor(mean.flat, rest, x.kind))
    if x.node is not None and mode.grad:
        label = name.title().replace("_", "") + "Backward0"
        if name.startswith("std"):
            out.node = StdBackward(x, axes, count - correction, label, out.detach())
        else:
            out.node = VarBackward(x, axes, count - correction, label)
    return out, mean


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean over axes `dim` (None: all), for the price of the variance where no graph is made.

    >>> import tinygrad_edu as tg
    >>> tg.var_mean(tg.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return with_mean("var_mean", input, dim, unbiased, keepdim, correction)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean over axes `dim` (None: all)."""
    return with_mean("std_mean", input, dim, unbiased, keepdim, correction)


def with_mean(name: str, x: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> tuple[Tensor, Tensor]:
    out, mean = spread(x, name, dim, unbiased, keepdim, correction)
    if out.node is not None:
        mean = x.mean(None if isinstance(dim, bool) else dim, keepdim)
    return out, mean


# Norms --------------------------------------------------------------------------------------------------------
class NormBackward(SavingNode):
    """The p-norm over axes; see the top of the file. 0 where the norm is 0."""

    __slots__ = ("axes", "p")

    def __init__(self, x: Tensor, out: Tensor, axes: Shape, p: float) -> None:
        super().__init__((x.node,), x, out.detach())
        self.axes, self.p = axes, p

    def name(self) -> str:
        return "LinalgVectorNormBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        x, out = self.saved()
        p, kept = self.p, kept_shape(x.shape, self.axes)
        g, norm = g.reshape(kept), self.result(out).reshape(kept)
        if p == 1:
            return (x.sign() * g,)
        if math.isinf(p):
            largest = (x.detach().abs() == norm.detach()).to_kind(x.kind)
            return (x.sign() * largest * (g / largest.sum(self.axes, keepdim=True)),)
        zero = norm == 0
        safe = where(zero, 1.0, norm)
        g = where(zero, 0.0, g)
        if p == 2:
            return (x * (g / safe),)
        none = x == 0
        share = (where(none, 1.0, x).abs() / safe) ** (p - 1.0)
        return (x.sign() * where(none, 0.0, share) * g,)


def vector_norm(x: Tensor, p: float, axes: Shape, keepdim: bool) -> Tensor:
    """The p-norm of a float tensor over axes."""
    if not x.numel() and math.isinf(p):
        raise RuntimeError(
            "linalg.vector_norm cannot compute the inf norm on an empty tensor because the operation does not have an "
            "identity"
        )
    with no_grad():
        if p == 2:
            out = compute(SQUARE, (x.detach(),), x.kind, x.kind, kept_shape(x.shape, axes)).sqrt()
        elif p == 0:
            out = x.count_nonzero(axes or None).to_kind(x.kind)
        elif math.isinf(p):
            out = x.abs().amax(axes) if p > 0 else x.abs().amin(axes)
        else:
            out = x.abs().sum(axes) if p == 1 else (x.abs() ** p).sum(axes) ** (1.0 / p)
    rest = kept_shape(x.shape, axes) if keepdim else tuple(n for k, n in enumerate(x.shape) if k not in axes)
    out = Tensor(out.flat, Size(rest), x.kind)
    if x.node is not None and mode.grad and p != 0:
        out.node = NormBackward(x, out, axes, p)
    return out


class StatisticsMethods:
    """The methods of Tensor that measure how far elements lie apart, or from 0."""

    __slots__ = ()

    def var(
        self: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
    ) -> Tensor:
        """The variance over axes `dim` (an int or several; None: all), divided by n - correction (1 by default).

        `unbiased=False` is `correction=0`. RuntimeError for integers.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0, 3.0]).var(), tg.tensor([1.0, 2.0, 3.0]).var(unbiased=False)
        (tensor(1.), tensor(0.6667))
        """
        return spread(self, "var", dim, unbiased, keepdim, correction)[0]

    def std(
        self: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
    ) -> Tensor:
        """The root of the variance. Its gradient at 0 is 0.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0, 3.0]).std()
        tensor(1.)
        """
        return spread(self, "std", dim, unbiased, keepdim, correction)[0]

    def norm(self: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
        """(Σ |x|^p)^(1/p) over axes `dim` (an int or several; None: all); 'fro' is p = 2. Floats.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([3.0, -4.0])
        >>> x.norm(), x.norm(1), x.norm(float("inf"))
        (tensor(5.), tensor(7.), tensor(4.))
        """
        x = self if dtype is None else self.to(as_dtype(dtype))
        if not x.kind.dtype.is_floating_point:
            raise RuntimeError(
                "linalg.vector_norm: Expected a floating point or complex tensor as input. "
                f"Got {x.kind.dtype.name}. Use x.float()"
            )
        if p is None or p == "fro":
            p = 2
        if not isinstance(p, int | float):
            raise TypeError(f"norm(): argument 'p' must be a number or 'fro', not {p!r}")
        return vector_norm(x, float(p), normalize_axes(dim, len(x.shape)), keepdim)
