"""Batch norm and instance norm: statistics of each channel, over a batch or over one example.

    y = (x - μ_c) r_c w_c + b_c,   r = 1 / √(σ² + ε)          x (examples, channels, *), the rest (channels,)

In training μ and σ² are those of the batch, and the running statistics move towards them; afterwards the running
statistics are used. Instance norm takes every example for a batch of its own: x (4, 3, 5, 5) as (1, 12, 5, 5).

The kernels and the derivation are in tinygrad_kernels/cpu/batch_norm.py.

Source: S. Ioffe, C. Szegedy, Batch normalization, 2015 (arXiv:1502.03167); D. Ulyanov, A. Vedaldi, V. Lempitsky,
Instance normalization, 2016 (arXiv:1607.08022).
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..dtypes import float64, kind_of
from ..graph import mode, no_grad, share
from ..tensors import Tensor
from .norm import gradients, ones_and_zeros
from .reduction import SavingNode
from .strides import Size


class NativeBatchNormBackward(SavingNode):
    """Keeps x, w and the statistics that were used."""

    __slots__ = ("means", "rstds", "eps", "training")

    def __init__(self, x: Tensor, w: Tensor, bias: Tensor, means: Any, rstds: Any, eps: float, training: bool) -> None:
        super().__init__((x.node, w.node, bias.node), x, w)
        self.means, self.rstds, self.eps, self.training = means, rstds, eps, training

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        x, weight = self.saved()
        channels, kind = weight.shape[0], x.kind
        if graph:
            wide = (channels, *[1] * (len(x.shape) - 2))
            w, axes = weight.reshape(wide), (0, *range(2, len(x.shape)))
            if self.training:
                gx, gw, gb = gradients(g, x, w, axes, self.eps)
            else:
                statistics = kind_of(float64, kind.device)
                mean, rstd = (Tensor(s, Size(wide), statistics).to_kind(kind) for s in (self.means, self.rstds))
                gx, gw, gb = g * w * rstd, (g * ((x - mean) * rstd)).sum_to(wide), g.sum_to(wide)
            return gx, gw.reshape(channels), gb.reshape(channels)
        gx, gw, gb = kind.empty(x.numel()), kind.empty(channels), kind.empty(channels)
        kind.backend.batch_norm_backward(
            gx, gw, gb, g.contiguous().flat, x.flat, weight.flat, self.means, self.rstds, prod(x.shape[2:]),
            self.training,
        )  # fmt: skip
        return Tensor(gx, x.shape, kind), Tensor(gw, weight.shape, kind), Tensor(gb, weight.shape, kind)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Bring each channel of a batch to mean 0 and variance 1; then scale and shift it.

    input (examples, channels, *), all others (channels,) -> as input. In `training` the running statistics, if given,
    are updated: (1 - momentum) running + momentum batch. Else they are used, and must be given.
    ValueError for a batch with one value per channel in training, RuntimeError where shapes or dtypes do not fit.

    >>> import tinygrad_edu as tg
    >>> batch_norm(tg.tensor([[1.0, 10.0], [3.0, 30.0]]), None, None, training=True)
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])
    """
    shape = input.shape
    if len(shape) < 2:
        raise RuntimeError(f"batch_norm: expected input (examples, channels, *), got {list(shape)}")
    if training and shape[0] * prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {shape}")
    check(input, training, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    one, zero = ones_and_zeros(shape[1:2], input.kind)
    w, b = one if weight is None else weight.contiguous(), zero if bias is None else bias.contiguous()
    if not input.numel():
        return input * w.reshape(-1, *[1] * (len(shape) - 2))
    x, kind = input.contiguous(), input.kind
    statistics, channels = kind_of(float64, kind.device), shape[1]
    means, rstds = statistics.empty(channels), statistics.empty(channels)
    running = [None if r is None else r.detach().contiguous() for r in (running_mean, running_var)]
    out = Tensor(kind.empty(x.numel()), shape, kind)
    kind.backend.batch_norm(
        out.flat, means, rstds, x.flat, w.flat, b.flat, *[kind.empty(0) if r is None else r.flat for r in running],
        prod(shape[2:]), training, momentum, eps,
    )  # fmt: skip
    if training:
        for given, now in zip((running_mean, running_var), running, strict=True):
            if given is not None and given.flat is not None:
                share(given).version += 1
            elif given is not None and now is not None:
                given.detach().copy_(now)
    if mode.grad and (x.node is not None or w.node is not None or b.node is not None):
        out.node = NativeBatchNormBackward(x, w, b, means, rstds, eps, training)
    return out


def check(x: Tensor, training: bool, **operands: Tensor | None) -> None:
    """Raise where an operand of batch_norm is missing or does not fit."""
    if not x.kind.dtype.is_floating_point:
        raise NotImplementedError(f"batch_norm of {x.kind.dtype.name} is not implemented: convert with .float() first")
    for name, operand in operands.items():
        if operand is None:
            if name.startswith("running") and not training:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
        elif operand.shape != x.shape[1:2]:
            raise RuntimeError(f"{name} should contain {x.shape[1]} elements not {operand.numel()}")
        elif operand.kind is not x.kind:
            raise RuntimeError(
                f"mixed dtype: expected {name} to have scalar type of {x.kind.dtype.name} but found "
                f"{operand.kind.dtype.name}"
            )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Bring each channel of each example to mean 0 and variance 1; then scale and shift it.

    input (examples, channels, *), all others (channels,) -> as input. Running statistics are updated by the mean over
    the examples; without `use_input_stats` they are used. ValueError for examples with one value per channel.

    >>> import tinygrad_edu as tg
    >>> instance_norm(tg.tensor([[[1.0, 3.0]], [[10.0, 30.0]]]))
    tensor([[[-1.0000,  1.0000]],
    <BLANKLINE>
            [[-1.0000,  1.0000]]])
    """
    shape = input.shape
    if use_input_stats and prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {shape}")
    examples = shape[0]
    given = (running_mean, running_var)
    mean, var, w, b = (None if r is None else r.repeat(examples) for r in (*given, weight, bias))
    x = input.reshape(1, examples * shape[1], *shape[2:])
    out = batch_norm(x, mean, var, w, b, use_input_stats, momentum, eps)
    if use_input_stats:
        with no_grad():
            for running, now in zip(given, (mean, var), strict=True):
                if running is not None and now is not None:
                    running.copy_(now.reshape(examples, -1).mean(0))
    return out.reshape(shape)
