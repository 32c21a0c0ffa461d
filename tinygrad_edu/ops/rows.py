"""Softmax, log-sum-exp and cross-entropy: operations on whole rows, with kernels of their own.

    softmax          y = eˣ / Σ eˣ                gx = y (g - Σ g y)
    log softmax      y = x - log Σ eˣ             gx = g - eʸ Σ g
    log-sum-exp      y = log Σ eˣ                 gx = g eˣ⁻ʸ
    cross-entropy    loss = -log softmax(x)[t]    gx = g (softmax(x) - onehot(t))

In each the rows are the last axis; another axis is moved there and back. The kernels (tinygrad_kernels/cpu/rows.py)
subtract the row's maximum first, so that no eˣ overflows.

Source: J. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from .. import dtypes
from ..dtypes import float64, int64, kind_of
from ..graph import mode
from .reduction import SavingNode, normalize_axes, numpy_names
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class RowBackward(SavingNode):
    """Softmax or log softmax in the graph: keeps its result."""

    __slots__ = ("label",)

    def __init__(self, x: Tensor, out: Tensor, label: str) -> None:
        super().__init__((x.node,), out.detach())
        self.label = label

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (y,) = self.saved()
        log = self.label.startswith("Log")
        if graph:
            y = self.result(y)
            if log:
                return (g - y.exp() * g.sum(-1, keepdim=True),)
            return (y * (g - (g * y).sum(-1, keepdim=True)),)
        rows, columns = rows_of(y.shape)
        gx = Tensor(y.kind.empty(rows * columns), y.shape, y.kind)
        kernel = y.kind.backend.log_softmax_backward if log else y.kind.backend.softmax_backward
        kernel(gx.flat, g.contiguous().flat, y.flat, rows, columns)
        return (gx,)


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many rows, and how long; a 0-d tensor is one row of one."""
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def along_rows(x: Tensor, dim: int | None, log: bool) -> Tensor:
    """softmax or log softmax of x along an axis."""
    if dim is None:
        raise TypeError(f"{'log_' * log}softmax() needs the axis along which to normalise: dim=-1 for the last")
    if not x.kind.dtype.is_floating_point:
        raise NotImplementedError(f"softmax of {x.kind.dtype.name} is not implemented: convert with .float() first")
    if not hasattr(dim, "__index__"):
        raise TypeError(f"{'log_' * log}softmax(): argument 'dim' must be int, not {type(dim).__name__}")
    (axis,) = normalize_axes(dim, len(x.shape)) or (0,)
    last = max(len(x.shape) - 1, 0)
    if axis != last:
        return along_rows(x.transpose(axis, last), last, log).transpose(axis, last)
    source = x.contiguous()
    rows, columns = rows_of(x.shape)
    out = Tensor(x.kind.empty(rows * columns), x.shape, x.kind)
    kernel = x.kind.backend.log_softmax if log else x.kind.backend.softmax
    kernel(out.flat, source.flat, rows, columns)
    if source.node is not None and mode.grad:
        out.node = RowBackward(source, out, "LogSoftmaxBackward0" if log else "SoftmaxBackward0")
    return out


class LogsumexpBackward(SavingNode):
    """log Σ eˣ of the rows of x; `sums` has it in float64, for in float32 large numbers would lose digits."""

    __slots__ = ("sums",)

    def __init__(self, x: Tensor, sums: Any) -> None:
        super().__init__((x.node,), x)
        self.sums = sums

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (x,) = self.saved()
        if graph:
            return (g.unsqueeze(-1) * along_rows(x, -1, log=False),)
        rows, columns = rows_of(x.shape)
        gx = Tensor(x.kind.empty(rows * columns), x.shape, x.kind)
        x.kind.backend.logsumexp_backward(gx.flat, g.contiguous().flat, x.flat, self.sums, rows, columns)
        return (gx,)


@numpy_names
class RowMethods:
    """The methods of Tensor that work on whole rows."""

    __slots__ = ()

    def softmax(self: Any, dim: int, dtype: Any = None) -> Tensor:
        """eˣ / Σ eˣ along an axis: positive numbers that add up to 1. `dtype`: convert first.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([0.0, 0.0]).softmax(0)
        tensor([0.5000, 0.5000])
        """
        return along_rows(self if dtype is None else self.to(dtypes.as_dtype(dtype)), dim, log=False)

    def log_softmax(self: Any, dim: int, dtype: Any = None) -> Tensor:
        """log softmax(x), without the detour through numbers that may round to 0."""
        return along_rows(self if dtype is None else self.to(dtypes.as_dtype(dtype)), dim, log=True)

    def logsumexp(self: Any, dim: Any, keepdim: bool = False) -> Tensor:
        """log Σ eˣ over axes `dim` (an int or several), without overflow. Integers are converted to the default float.

        -inf where all elements are (or there are none), inf where one is.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1000.0, 1000.0], [0.0, 0.0]]).logsumexp(1)
        tensor([1.0007e+03, 6.9315e-01])
        """
        x = self if self.kind.dtype.is_floating_point else self.to(dtypes.default_float)
        axes = normalize_axes(dim, len(x.shape))
        rest = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        shape = tuple(x.shape[axis] for axis in rest)
        if axes != tuple(range(len(rest), len(x.shape))):
            x = x.permute(*rest, *axes)
        source = x.reshape(*shape, prod(self.shape[axis] for axis in axes)).contiguous()
        rows, columns = rows_of(source.shape)
        out, sums = Tensor(x.kind.empty(rows), Size(shape), x.kind), kind_of(float64, x.kind.device).empty(rows)
        x.kind.backend.logsumexp(out.flat, sums, source.flat, rows, columns)
        if source.node is not None and mode.grad:
            out.node = LogsumexpBackward(source, sums)
        return out.reshape(kept) if keepdim else out


class CrossEntropyBackward(SavingNode):
    """The losses of the rows of x against class numbers."""

    __slots__ = ("targets", "logsum", "ignore")

    def __init__(self, x: Tensor, targets: Any, logsum: Any, ignore: int) -> None:
        super().__init__((x.node,), x)
        self.targets, self.logsum, self.ignore = targets, logsum, ignore

    def name(self) -> str:
        return "NllLossBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        (x,) = self.saved()
        rows, columns = x.shape
        if graph:
            from ..ranges import arange

            targets = Tensor(self.targets, Size((rows, 1)), arange(0).kind)
            chosen, counted = arange(columns) == targets, targets != self.ignore
            weights = g.unsqueeze(1) * counted.to_kind(x.kind)
            return ((along_rows(x, 1, log=False) - chosen.to_kind(x.kind)) * weights,)
        gx = Tensor(x.kind.empty(rows * columns), x.shape, x.kind)
        if g.flat is None and not any(g.region[2]):  # the cotangent of a mean: one number that all rows share
            buffer, offset = g.region[:2]
            shared_g = buffer[offset : offset + 1]
        else:
            shared_g = g.contiguous().flat
        x.kind.backend.cross_entropy_backward(
            gx.flat, shared_g, x.flat, self.logsum, self.targets, rows, columns, self.ignore
        )
        return (gx,)


def cross_entropy_rows(x: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """-log softmax(x)[target] for each row: (n, classes) and int64 (n,) -> (n,).

    RuntimeError or ValueError where shapes or dtypes do not fit, IndexError for a target that is not a class.
    """
    if len(x.shape) != 2 or target.shape != x.shape[:1]:
        raise ValueError(f"Expected input (n, classes) and target (n,), got {list(x.shape)} and {list(target.shape)}")
    if target.kind.dtype is not int64:
        raise RuntimeError(
            f"expected scalar type Long but found {target.kind.dtype.name}: targets are class numbers; use .long()"
        )
    source = x.contiguous()
    rows, columns = x.shape
    targets = target.contiguous().clone().flat  # the derivative needs them as they are now
    out = Tensor(x.kind.empty(rows), Size((rows,)), x.kind)
    logsum = kind_of(float64, x.kind.device).empty(rows)  # in float32 large logits would lose digits
    bad = x.kind.backend.cross_entropy(out.flat, logsum, source.flat, targets, rows, columns, ignore_index)
    if bad >= 0:
        raise IndexError(f"Target {target[bad].item()} is out of bounds: row {bad}, with classes 0 to {columns - 1}.")
    if source.node is not None and mode.grad:
        out.node = CrossEntropyBackward(source, targets, logsum, ignore_index)
    return out
