"""Normalisation layers: keep what flows through a network at mean 0 and variance 1.

    y = (x - μ) / √(σ² + ε) · w + b        w starts as 1, b as 0

    LayerNorm, RMSNorm    μ, σ² of each example's last axes (RMSNorm: μ = 0)         the same in training and afterwards
    GroupNorm             of each example's groups of channels                       too
    InstanceNorm          of each channel of each example                            too, if it keeps no statistics
    BatchNorm             of each channel over the batch: mixes the examples         afterwards running statistics

x is (examples, channels, *) for all but the first two. The kernels are in tinygrad_kernels/cpu/norm.py, batch_norm.py.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450); S. Ioffe, C. Szegedy, Batch
normalization, 2015 (arXiv:1502.03167); Y. Wu, K. He, Group normalization, 2018 (arXiv:1803.08494).
"""

from __future__ import annotations

import warnings
from typing import Any

from ..creation import empty, ones, tensor, zeros
from ..dtypes import int64
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter


class Affine(Module):
    """A module with a weight, which starts as 1, and a bias, which starts as 0; either may be missing."""

    def make(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        """Register both, of a shape, and fill them."""
        for name, wanted in (("weight", weight), ("bias", weight and bias)):
            made = Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """w = 1, b = 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(Affine):
    """Layer norm over the last axes: (*, *normalized_shape) -> the same.

    `normalized_shape` is an int for the last axis alone. Without `elementwise_affine` there are no w and b, without
    `bias` there is no b.

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.LayerNorm(2)
    >>> layer
    LayerNorm((2,), eps=1e-05, elementwise_affine=True, bias=True)
    >>> layer(tg.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    @hinted
    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.make(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(Affine):
    """Division by the root mean square of the last axes: (*, *normalized_shape) -> the same. Without a bias.

    >>> import tinygrad_edu as tg
    >>> tg.nn.RMSNorm(2)(tg.tensor([[1.0, 7.0]])).detach()
    tensor([[0.2000, 1.4000]])
    """

    @hinted
    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.make(self.normalized_shape, elementwise_affine, False, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Affine):
    """The channels of each example in groups: (examples, channels, *) -> the same.

    >>> import tinygrad_edu as tg
    >>> tg.nn.GroupNorm(3, 6)(tg.randn(4, 6, 5, 5)).shape
    torch.Size([4, 6, 5, 5])
    """

    @hinted
    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.make((num_channels,), affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        bias = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={bias}"


class Tracking(Affine):
    """What batch norm and instance norm share: parameters, and running statistics as buffers."""

    axes: tuple[int, ...] = ()  # how many an input may have

    @hinted
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64, device=device) if track else None)
        self.make((num_features,), affine, bias, device, dtype)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """w = 1, b = 0, and the running statistics as at first."""
        self.reset_running_stats()
        super().reset_parameters()

    def check(self, input: Tensor) -> None:
        if len(input.shape) not in self.axes:
            wanted = " or ".join(f"{n}D" for n in self.axes)
            raise ValueError(f"expected {wanted} input (got {len(input.shape)}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(Tracking):
    """Statistics of the batch in training, the running ones in evaluation (if there are any).

    `momentum` is how far the running statistics move in a step; None: they are the mean over all steps.
    """

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        momentum, track = self.momentum, self.training and self.track_running_stats
        if track and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        mean, var = (self.running_mean, self.running_var) if track or not self.training else (None, None)
        training = self.training or (mean is None and var is None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, training, momentum or 0.0, self.eps)


class BatchNorm1d(BatchNorm):
    """Batch norm of (examples, channels) or (examples, channels, length).

    >>> import tinygrad_edu as tg
    >>> tg.nn.BatchNorm1d(1)(tg.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.0000],
            [ 1.0000]])
    """

    axes = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch norm of images (examples, channels, height, width)."""

    axes = (4,)


class BatchNorm3d(BatchNorm):
    """Batch norm of (examples, channels, depth, height, width)."""

    axes = (5,)


class InstanceNorm(Tracking):
    """Statistics of each example's channels: always, unless running ones were asked for and it is evaluation."""

    @hinted
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        axis, alone = len(input.shape) - self.axes[0], len(input.shape) == self.axes[0]
        if input.shape[axis] != self.num_features:
            said = f"expected input's size at dim={axis} to match num_features ({self.num_features}), but got: "
            if self.affine:
                raise ValueError(f"{said}{input.shape[axis]}.")
            warnings.warn(f"{said}{input.shape[axis]}; nothing else uses num_features with affine=False", stacklevel=3)
        out = F.instance_norm(
            input.unsqueeze(0) if alone else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return out.squeeze(0) if alone else out


class InstanceNorm1d(InstanceNorm):
    """Instance norm of (examples, channels, length) or (channels, length)."""

    axes = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Instance norm of (examples, channels, height, width) or (channels, height, width).

    >>> import tinygrad_edu as tg
    >>> tg.nn.InstanceNorm2d(3)(tg.randn(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    axes = (3, 4)
