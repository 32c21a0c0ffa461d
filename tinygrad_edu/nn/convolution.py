"""Convolutional layers: the same few weights at every place of an image.

A linear layer for a 28 x 28 image has 784 weights for each output, and what it learns about one corner it does not know
about the others. A convolutional layer looks at 3 x 3 pixels with 9 weights for each pair of channels, everywhere:

    Conv2d(1, 8, 3, padding=1)      (n, 1, 28, 28) -> (n, 8, 28, 28)      8 · 1 · 3 · 3 weights and 8 biases

The transposed layers go the other way, from small images to large ones. The functions, with the formulas, are in
ops/convolution.py, the kernels in tinygrad_kernels/cpu/convolution.py.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998.
"""

from __future__ import annotations

import math
from typing import Any

from ..creation import empty
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """Conv1d and Conv2d; weights are (out, in / groups, *kernel), or, transposed, (in, out / groups, *kernel)."""

    dims: int
    padding: Any  # a tuple of ints, or "same" or "valid"
    transposed = False

    @hinted
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        for which, number in (("in_channels", in_channels), ("out_channels", out_channels)):
            if number % groups:
                raise ValueError(f"{which} must be divisible by groups")
        if isinstance(padding, str) and padding not in ("valid", "same"):
            raise ValueError(f"Invalid padding string '{padding}', should be one of 'valid', 'same'")
        if padding_mode not in MODES:
            raise ValueError(f"padding_mode must be one of {', '.join(MODES)}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.dilation = map(self.each, (kernel_size, stride, dilation))
        self.padding = padding if isinstance(padding, str) else self.each(padding)
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        self.output_padding, self.groups, self.padding_mode = self.each(0), groups, padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, **options))
        self.register_parameter("bias", Parameter(empty(out_channels, **options)) if bias else None)
        self.reset_parameters()

    def each(self, value: Any) -> tuple[int, ...]:
        """One number for each axis."""
        return (value,) * self.dims if isinstance(value, int) else tuple(value)

    def reset_parameters(self) -> None:
        """Draw new initial weights; PyTorch's own for the same seed."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        usual = {"padding": (0,) * len(self.padding), "dilation": (1,) * self.dims, "output_padding": (0,) * self.dims,
                 "groups": 1}  # fmt: skip
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        text += "" if self.bias is not None else ", bias=False"
        return text + ("" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}")

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self.around(), mode=self.padding_mode), 0
        function = F.conv1d if self.dims == 1 else F.conv2d
        return function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def around(self) -> list[int]:
        """The padding as F.pad takes it: before and after, the last axis first."""
        if self.padding == "valid":
            return [0] * 2 * self.dims
        if self.padding == "same":
            both = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [n for total in reversed(both) for n in (total // 2, total - total // 2)]
        return [n for n in reversed(self.padding) for _ in range(2)]


class Conv1d(Convolution):
    """A kernel at each place of a line: (N, in, L) or (in, L) -> (N, out, M) or (out, M). See F.conv1d.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Conv1d(2, 3, 5, padding="same")(tg.ones(2, 10)).shape
    torch.Size([3, 10])
    """

    dims = 1


class Conv2d(Convolution):
    """A kernel at each place of an image: (N, in, H, W) or (in, H, W) -> (N, out, I, J) or (out, I, J).

    For the arguments see F.conv2d; `padding_mode` says what stands around the image: 'zeros', 'reflect', 'replicate'
    or 'circular'. ValueError for groups that do not divide the channels, or an unknown padding.

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.Conv2d(1, 8, 3, padding=1)
    >>> layer
    Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    >>> layer(tg.ones(64, 1, 28, 28)).shape
    torch.Size([64, 8, 28, 28])
    """

    dims = 2


class Transposed(Convolution):
    """ConvTranspose1d and ConvTranspose2d; their arguments come in another order."""

    transposed = True

    @hinted
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if isinstance(padding, str):
            raise TypeError(f"{name}: padding must be ints, not {padding!r}")
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {name}')
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*sizes, bias=bias, device=device, dtype=dtype)
        self.output_padding = self.each(output_padding)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        more = self.output_padding if output_size is None else self.missing(input, list(output_size))
        function = F.conv_transpose1d if self.dims == 1 else F.conv_transpose2d
        return function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def missing(self, input: Tensor, wanted: list[int]) -> list[int]:
        """The output padding that makes the result as large as `wanted`. ValueError if none does."""
        lead = len(input.shape) - self.dims
        if len(wanted) not in (self.dims, self.dims + lead):
            raise ValueError(
                f"{type(self).__name__}: for {len(input.shape)}D input, output_size must have {self.dims} or "
                f"{self.dims + lead} elements (got {len(wanted)})"
            )
        wanted = wanted[-self.dims :]
        sizes = zip(input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sizes]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if not all(low <= n <= high for low, n, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to {most} (for an input of "
                f"{list(input.shape[lead:])})"
            )
        return [n - low for n, low in zip(wanted, least, strict=True)]


class ConvTranspose1d(Transposed):
    """Each number of a line lays down a kernel: (N, in, M) -> (N, out, L). See F.conv_transpose1d.

    >>> import tinygrad_edu as tg
    >>> tg.nn.ConvTranspose1d(2, 3, 4, stride=2)(tg.ones(1, 2, 10)).shape
    torch.Size([1, 3, 22])
    """

    dims = 1


class ConvTranspose2d(Transposed):
    """Each pixel of an image lays down a kernel: (N, in, I, J) -> (N, out, H, W). See F.conv_transpose2d.

    Under a stride several sizes are possible: `output_padding` chooses, or `output_size` in the call.

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.ConvTranspose2d(2, 3, 3, stride=2)
    >>> layer
    ConvTranspose2d(2, 3, kernel_size=(3, 3), stride=(2, 2))
    >>> layer(tg.ones(1, 2, 5, 5), output_size=(12, 12)).shape
    torch.Size([1, 3, 12, 12])
    """

    dims = 2
