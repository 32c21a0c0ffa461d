"""Layer norm, and what is made of it: root mean square norm, group norm.

    y = (x - μ) r w + b,   r = 1 / √(σ² + ε)          μ and σ² of the last axes, w and b of their shape

    x (8, 10, 64), normalized_shape (64,)     ──▶  80 rows of 64
    x (8, 10, 64), normalized_shape (10, 64)  ──▶   8 rows of 640

RMS norm takes μ as 0, so that r is 1 over the root of the mean square. Group norm takes the channels of an image in
groups, x (8, 6, 5, 5) with 3 groups as 24 rows of 50, and has a w and a b for each channel.

The kernels and the derivation are in tinygrad_kernels/cpu/norm.py. Where the gradients need a graph themselves, they
are written out below in differentiable operations, by the same formulas.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450); B. Zhang, R. Sennrich, Root mean
square layer normalization, 2019 (arXiv:1910.07467); Y. Wu, K. He, Group normalization, 2018 (arXiv:1803.08494).
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..dtypes import Kind, float64, kind_of
from ..graph import mode
from ..hints import not_a_tensor
from ..prepared import kept
from ..tensors import Tensor
from .reduction import SavingNode


class NativeLayerNormBackward(SavingNode):
    """Keeps x, w and the statistics of each row."""

    __slots__ = ("means", "rstds", "eps", "rms")

    def __init__(self, x: Tensor, w: Tensor, bias: Tensor, means: Any, rstds: Any, eps: float, rms: bool) -> None:
        super().__init__((x.node, w.node, bias.node), x, w)
        self.means, self.rstds, self.eps, self.rms = means, rstds, eps, rms

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        x, weight = self.saved()
        if graph:
            return gradients(g, x, weight, tuple(range(-len(weight.shape), 0)), self.eps, self.rms)
        kind, columns = x.kind, weight.numel()
        gx, gw, gb = kind.empty(x.numel()), None, None
        if self.parents[1] is not None or self.parents[2] is not None:
            gw, gb = kind.empty(columns), kind.empty(columns)
        kind.backend.layer_norm_backward(
            gx, gw, gb, g.contiguous().flat, x.flat, weight.flat, self.means, self.rstds, len(self.means), columns,
            self.rms,
        )  # fmt: skip
        if gw is None:
            return Tensor(gx, x.shape, kind), None, None
        return Tensor(gx, x.shape, kind), Tensor(gw, weight.shape, kind), Tensor(gb, weight.shape, kind)


def gradients(
    g: Tensor, x: Tensor, weight: Tensor, axes: tuple[int, ...], eps: float, rms: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, w and b in operations on tensors, for gradients of gradients; `weight` is broadcast to x."""
    centred = x if rms else x - x.mean(axes, keepdim=True)
    rstd = ((centred * centred).mean(axes, keepdim=True) + eps) ** -0.5
    normal = centred * rstd
    h = g * weight
    rest = h if rms else h - h.mean(axes, keepdim=True)
    gx = rstd * (rest - normal * (h * normal).mean(axes, keepdim=True))
    return gx, (g * normal).sum_to(weight.shape), g.sum_to(weight.shape)


@kept
def ones_and_zeros(shape: tuple[int, ...], kind: Kind) -> tuple[Tensor, Tensor]:
    """The weight and the bias of a layer norm that has none; made once."""
    n = prod(shape)
    one, zero = (Tensor(kind.empty(n), shape, kind).fill_(value) for value in (1, 0))
    return one, zero


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
    return over_last_axes("layer_norm", input, normalized_shape, weight, bias, eps)


def over_last_axes(
    name: str, input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """layer_norm or rms_norm."""
    if not isinstance(input, Tensor):
        raise not_a_tensor(name, "input", 1, input)
    if not isinstance(normalized_shape, tuple | list):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, "
            f"not {type(normalized_shape).__name__}"
        )
    shape, rms = tuple(normalized_shape), name == "rms_norm"
    check(name, input, shape, weight, bias)
    one, zero = ones_and_zeros(shape, input.kind)
    x, w = input.contiguous(), one if weight is None else weight.contiguous()
    b = zero if bias is None else bias.contiguous()
    columns = prod(shape)
    rows = prod(x.shape[: len(x.shape) - len(shape)])
    statistics = kind_of(float64, x.kind.device)
    means, rstds = statistics.empty(rows), statistics.empty(rows)
    out = Tensor(x.kind.empty(rows * columns), x.shape, x.kind)
    x.kind.backend.layer_norm(out.flat, means, rstds, x.flat, w.flat, b.flat, rows, columns, eps, rms)
    if mode.grad and (x.node is not None or w.node is not None or b.node is not None):
        out.node = NativeLayerNormBackward(x, w, b, means, rstds, eps, rms)
    return out


def check(name: str, x: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None) -> None:
    """Raise where the operands do not fit."""
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
        raise NotImplementedError(f"{name} of {x.kind.dtype.name} is not implemented: convert with .float() first")
    for label, operand in (("weight", weight), ("bias", bias)):
        if operand is None:
            continue
        if operand.shape != shape:
            raise RuntimeError(
                f"Expected {label} to be of same shape as normalized_shape, but got {label} of shape "
                f"{list(operand.shape)} and normalized_shape = {list(shape)}"
            )
        if operand.kind is not x.kind:
            raise RuntimeError(
                f"mixed dtype: expected {label} to have scalar type of {x.kind.dtype.name} but found "
                f"{operand.kind.dtype.name}"
            )


EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """Divide the last axes of `input`, which are of `normalized_shape`, by their root mean square; then scale.

    As layer_norm, but for what it does not do: the mean stays. eps: by default the distance from 1 to the next number.

    >>> import tinygrad_edu as tg
    >>> rms_norm(tg.tensor([[1.0, 7.0], [-5.0, 5.0]]), (2,))
    tensor([[ 0.2000,  1.4000],
            [-1.0000,  1.0000]])
    """
    eps = EPSILON.get(input.kind.dtype.name, 0.0) if eps is None else eps
    return over_last_axes("rms_norm", input, normalized_shape, weight, None, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Bring the channels of each example, in `num_groups` groups, to mean 0 and variance 1; then scale and shift each.

    input (examples, channels, *), weight and bias (channels,) -> as input. RuntimeError where channels do not fit.

    >>> import tinygrad_edu as tg
    >>> group_norm(tg.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    shape = input.shape
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if shape[1] % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} "
            f"and num_groups={num_groups}"
        )
    columns = shape[1] // num_groups * prod(shape[2:])
    if shape[0] * columns == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    out = over_last_axes("group_norm", input.reshape(-1, columns) if columns else input, (columns,), None, None, eps)
    return per_channel(out.reshape(shape), weight, bias)


def per_channel(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """x (examples, channels, *) w + b, with one w and one b for each channel."""
    for name, operand in (("weight", weight), ("bias", bias)):
        if operand is None:
            continue
        if operand.shape != x.shape[1:2]:
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(operand.shape)} and input of shape {list(x.shape)}"
            )
        operand = operand.reshape(-1, *[1] * (len(x.shape) - 2))
        x = x * operand if name == "weight" else x + operand
    return x
