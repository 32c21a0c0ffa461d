"""Layer normalisation as an operation with a node of its own.

    y = (x - μ) r w + b,   r = 1 / √(σ² + ε)          μ and σ² of the last axes, w and b of their shape

    x (8, 10, 64), normalized_shape (64,)     ──▶  80 rows of 64
    x (8, 10, 64), normalized_shape (10, 64)  ──▶   8 rows of 640

The kernels and the derivation are in tinygrad_kernels/cpu/norm.py. Where the gradients need a graph themselves, they
are written out below in differentiable operations, by the same formulas.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450).
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..dtypes import Kind, float64, kind_of
from ..graph import mode
from ..tensors import Tensor
from .reduction import SavingNode


class NativeLayerNormBackward(SavingNode):
    """Keeps x, w and the statistics of each row."""

    __slots__ = ("means", "rstds", "eps")

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor, means: Any, rstds: Any, eps: float) -> None:
        super().__init__((x.node, weight.node, bias.node), x, weight)
        self.means, self.rstds, self.eps = means, rstds, eps

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        x, weight = self.saved()
        if graph:
            return self.differentiable(g, x, weight)
        kind, columns = x.kind, weight.numel()
        gx, gw, gb = kind.empty(x.numel()), None, None
        if self.parents[1] is not None or self.parents[2] is not None:
            gw, gb = kind.empty(columns), kind.empty(columns)
        kind.backend.layer_norm_backward(
            gx, gw, gb, g.contiguous().flat, x.flat, weight.flat, self.means, self.rstds, len(self.means), columns
        )
        if gw is None:
            return Tensor(gx, x.shape, kind), None, None
        return Tensor(gx, x.shape, kind), Tensor(gw, weight.shape, kind), Tensor(gb, weight.shape, kind)

    def differentiable(self, g: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same in operations on tensors, for gradients of gradients."""
        lead = len(x.shape) - len(weight.shape)
        axes, before = tuple(range(lead, len(x.shape))), tuple(range(lead))
        centred = x - x.mean(axes, keepdim=True)
        rstd = ((centred * centred).mean(axes, keepdim=True) + self.eps) ** -0.5
        normal = centred * rstd
        h = g * weight
        gx = rstd * (h - h.mean(axes, keepdim=True) - normal * (h * normal).mean(axes, keepdim=True))
        if not before:
            return gx, g * normal, g
        return gx, (g * normal).sum(before), g.sum(before)


_constants: dict[tuple, tuple[Tensor, Tensor]] = {}


def ones_and_zeros(shape: tuple[int, ...], kind: Kind) -> tuple[Tensor, Tensor]:
    """The weight and the bias of a layer norm that has none; made once."""
    if (shape, kind) not in _constants:
        if len(_constants) > 64:
            _constants.clear()
        n = prod(shape)
        one, zero = (Tensor(kind.empty(n), shape, kind).fill_(value) for value in (1, 0))
        _constants[shape, kind] = (one, zero)
    return _constants[shape, kind]


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Bring the last axes of `input`, which are of `normalized_shape`, to mean 0 and variance 1; then scale and shift.

    input (*, *normalized_shape), weight and bias of normalized_shape -> as input. The variance is that of a population
    (divided by n); eps is added to it. TypeError for a normalized_shape that is no sequence of ints, RuntimeError where
    shapes or dtypes do not fit.

    >>> import tinygrad_edu as tg
    >>> layer_norm(tg.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    if not isinstance(normalized_shape, tuple | list):
        raise TypeError(
            "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of ints, "
            f"not {type(normalized_shape).__name__}"
        )
    shape = tuple(normalized_shape)
    check(input, shape, weight, bias)
    one, zero = ones_and_zeros(shape, input.kind)
    x, w = input.contiguous(), one if weight is None else weight.contiguous()
    b = zero if bias is None else bias.contiguous()
    columns = prod(shape)
    rows = prod(x.shape[: len(x.shape) - len(shape)])
    statistics = kind_of(float64, x.kind.device)
    means, rstds = statistics.empty(rows), statistics.empty(rows)
    out = Tensor(x.kind.empty(rows * columns), x.shape, x.kind)
    x.kind.backend.layer_norm(out.flat, means, rstds, x.flat, w.flat, b.flat, rows, columns, eps)
    if mode.grad and (x.node is not None or w.node is not None or b.node is not None):
        out.node = NativeLayerNormBackward(x, w, b, means, rstds, eps)
    return out


def check(x: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None) -> None:
    """Raise where the operands of layer_norm do not fit."""
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    if x.shape[max(len(x.shape) - len(shape), 0) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but "
            f"got input of size{list(x.shape)}"
        )
    if not x.kind.dtype.is_floating_point:
        raise NotImplementedError(f"layer_norm of {x.kind.dtype.name} is not implemented: convert with .float() first")
    for name, operand in (("weight", weight), ("bias", bias)):
        if operand is None:
            continue
        if operand.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(operand.shape)} and normalized_shape = {list(shape)}"
            )
        if operand.kind is not x.kind:
            raise RuntimeError(
                f"mixed dtype: expected {name} to have scalar type of {x.kind.dtype.name} but found "
                f"{operand.kind.dtype.name}"
            )
