"""Variance, standard deviation, norms: reductions of a formula, and what becomes of them where they are 0.

*Variance.* The mean of the squared distances from the mean m, with n - correction in place of n:

    var = Σ (x_i - m)² / (n - correction)            gx_i = g 2 (x_i - m) / (n - correction)

The short formula Σx²/n - m² is one pass shorter, and subtracts two large numbers that are nearly equal: for numbers
near 10,000 with a spread of 1, float32 has no digit left. So first the mean, then the squares, chunk by chunk
(tinygrad_kernels/cpu/variance.py). `correction=1` makes up for m being the mean of these very numbers, which are a
little nearer to it than to the true one (F. Bessel).

The variance of equal numbers is 0, not 1e-18, whose root has a slope of a billion.

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

from ..dtypes import as_dtype, default_float
from ..graph import mode, no_grad
from .conversion import says_wrong
from .elementwise import where
from .launch import compute, split_axes
from .linalg import matmul
from .reduction import SavingNode, normalize_axes, numpy_names
from .strides import Shape, Size

if TYPE_CHECKING:
    from ..tensors import Tensor

SCALED_DISTANCE = trace("scaled_distance", lambda x, y, g: (x - y) * g, ("x", "y", "g"))
SQUARE = trace("square", lambda x: x * x, ("x",))


def kept_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape with the reduced axes as 1."""
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


# Variance -----------------------------------------------------------------------------------------------------
class VarBackward(SavingNode):
    """The variance over axes: twice the distance from the mean. Its root: g / (2 std) goes on, 0 where std is 0."""

    __slots__ = ("axes", "freedom", "label")

    def __init__(self, x: Tensor, mean: Tensor, out: Tensor, axes: Shape, freedom: float, label: str) -> None:
        super().__init__((x.node,), x, mean, out.detach())
        self.axes, self.freedom, self.label = axes, freedom, label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        x, mean, out = self.saved()
        kept = mean.shape
        g = g.reshape(kept)
        if self.label.startswith("Std"):
            std = self.result(out).reshape(kept)
            zero = std == 0
            g = where(zero, 0.0, g / (2.0 * where(zero, 1.0, std)))
        if self.freedom <= 0:
            return (g * where(x == mean, math.nan, math.inf),)
        g = g * (2.0 / self.freedom)
        if not graph:
            return (compute(SCALED_DISTANCE, (x, mean, g), x.kind, x.kind),)
        return ((x - (x.mean(self.axes, keepdim=True) if x.shape else x)) * g,)


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
    count = math.prod(x.shape[axis] for axis in axes)
    if count - correction <= 0 and x.numel():
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            UserWarning,
            stacklevel=3,
        )
    rest = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
    kept, shape = kept_shape(x.shape, axes), Size(x.shape[axis] for axis in rest)
    source, (before, n, after) = x.detach(), split_axes(x.shape, axes)
    if before is None:  # the axes do not lie together: bring them to the end
        source, n, after = source.permute(*rest, *axes), count, 1
    kind, root = x.kind, name.startswith("std")
    out, mean = (Tensor(kind.empty(math.prod(shape)), Size(kept if keepdim else shape), kind) for _ in range(2))
    kind.backend.variance(
        out.flat, mean.flat, source.contiguous().flat, n, after, max(0.0, float(count - correction)), root
    )
    if x.node is not None and mode.grad:
        label = name.title().replace("_", "") + "Backward0"
        out.node = VarBackward(x, Tensor(mean.flat, kept, kind), out, axes, count - correction, label)
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


def vector_norm(x: Tensor, p: float, axes: Shape, keepdim: bool, dtype: Any = None) -> Tensor:
    """The p-norm over axes. RuntimeError for integers."""
    if not x.kind.dtype.is_floating_point:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. "
            f"Got {x.kind.dtype.name}. Use x.float()"
        )
    x = x if dtype is None else x.to(as_dtype(dtype))
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


@numpy_names
class StatisticsMethods:
    """The methods of Tensor that measure how far elements lie apart, or from 0; sums and means without nan."""

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

        'nuc' is the nuclear norm of matrices: the sum of their singular values.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([3.0, -4.0])
        >>> x.norm(), x.norm(1), x.norm(float("inf"))
        (tensor(5.), tensor(7.), tensor(4.))
        """
        from ..linalg import matrix_norm

        axes = normalize_axes(dim, len(self.shape))
        if isinstance(p, str) and p != "fro":
            return matrix_norm(self, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
        if p is not None and not isinstance(p, int | float | str):
            raise TypeError(f"norm(): argument 'p' must be a number, 'fro' or 'nuc', not {p!r}")
        return vector_norm(self, 2.0 if p in (None, "fro") else float(p), axes, keepdim, dtype)

    def dist(self: Any, other: Tensor, p: float = 2) -> Tensor:
        """The p-norm of self - other."""
        return (self - other).norm(p)

    def renorm(self: Any, p: float, dim: int, maxnorm: float) -> Tensor:
        """Each slice along an axis scaled down so that its p-norm is at most `maxnorm`.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[3.0, 4.0], [0.3, 0.4]]).renorm(2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
        """
        if p <= 0:
            raise RuntimeError("renorm: non-positive-norm not supported")
        if maxnorm < 0:
            raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
        if len(self.shape) < 2:
            raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {len(self.shape)} dimensions")
        (axis,) = normalize_axes(dim, len(self.shape))
        norm = vector_norm(self, float(p), tuple(k for k in range(len(self.shape)) if k != axis), True)
        return self * where(norm > maxnorm, maxnorm / (norm + 1e-7), 1.0)

    def renorm_(self: Any, p: float, dim: int, maxnorm: float) -> Tensor:
        """`renorm`, stored in self"""
        return self.copy_(self.clone().renorm(p, dim, maxnorm))  # whose nodes keep their operand

    def nansum(self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The sum of what is not nan, over axes `dim` (an int or several; None: all)."""
        x = where(self.isnan(), 0.0, self) if self.kind.dtype.is_floating_point else self
        return x.sum(dim, keepdim, dtype=dtype)

    def nanmean(self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The mean of what is not nan, over axes `dim` (an int or several; None: all).

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, float("nan"), 3.0]).nanmean()
        tensor(2.)
        """
        if dtype is not None and not as_dtype(dtype).is_floating_point:
            raise RuntimeError(
                f"nanmean(): could not infer output dtype. Got: {dtype}; it must be a floating point dtype"
            )
        if not self.kind.dtype.is_floating_point:
            raise RuntimeError(
                "nanmean(): expected input to have floating point or complex dtype but got "
                f"{self.kind.dtype.name}; use x.float()"
            )
        return self.nansum(dim, keepdim, dtype=dtype) / self.isnan().logical_not().sum(dim, keepdim)

    def cov(self: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
        """The covariances (n, n) of n variables, the rows of a matrix whose columns are observations.

        `fweights` are numbers of repetitions, `aweights` weights of the observations.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]).cov()
        tensor([[1., 2.],
                [2., 4.]])
        """
        if len(self.shape) > 2:
            raise RuntimeError(
                "cov(): expected input to have two or fewer dimensions but got an input with "
                f"{len(self.shape)} dimensions"
            )
        x = self.reshape(1, -1) if len(self.shape) < 2 else self
        x = x if x.kind.dtype.is_floating_point else x.to(default_float)
        weights = None
        for name, given in (("fweights", fweights), ("aweights", aweights)):
            if given is not None:
                if given.shape != x.shape[1:]:
                    raise RuntimeError(f"cov(): expected {name} to have the same numel as there are observations")
                if says_wrong((given < 0).any()):
                    raise RuntimeError(f"cov(): {name} cannot be negative")
                weights = given if weights is None else weights * given
        total = x.shape[1] if weights is None else weights.sum()
        mean = x.mean(1, keepdim=True) if weights is None else ((x * weights).sum(1) / total).unsqueeze(1)
        centred = x - mean
        if aweights is None or not correction:
            freedom = total - correction
        else:
            squares = (weights * aweights).sum()
            freedom = total - correction * squares / total
        if (freedom.item() if isinstance(freedom, Tensor) else freedom) <= 0:
            warnings.warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of "
                          "observations.", UserWarning, stacklevel=2)  # fmt: skip
            freedom = 0.0
        weighted = centred if weights is None else (centred * weights).to_kind(x.kind)
        out = matmul(weighted, centred.mT) / freedom
        return out if len(self.shape) == 2 and out.numel() != 1 else out.squeeze()

    def corrcoef(self: Any) -> Tensor:
        """The correlations (n, n) of n variables: covariances over the products of standard deviations.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]).corrcoef()
        tensor([[ 1., -1.],
                [-1.,  1.]])
        """
        c = self.cov()
        if not c.shape:
            return c / c
        std = c.diagonal().sqrt()
        return (c / std.unsqueeze(1) / std).clamp(-1.0, 1.0)
