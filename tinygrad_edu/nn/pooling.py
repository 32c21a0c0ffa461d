"""Pooling, padding, interpolation and windows as modules: they keep the arguments of the functions that they call.

    nn.MaxPool2d(2)(x)    is    F.max_pool2d(x, 2)

None of them has parameters. The functions, and what they mean, are in ops/pooling.py, ops/padding.py,
ops/interpolation.py and ops/windows.py; how an option comes from there to here is said in nn/kept.py.

Source: PyTorch documentation, torch.nn, "Pooling Layers", "Padding Layers", "Vision Layers".
"""

from __future__ import annotations

from typing import Any

from ..tensors import Tensor
from . import functional as F
from .kept import Kept
from .module import Module


# Pooling ------------------------------------------------------------------------------------------------------
class Sliding(Kept):
    """Windows that slide, by their own size if no stride is given."""

    shown: tuple[str, ...] = ("kernel_size", "stride", "padding")

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        return options | {"stride": options["kernel_size"] if options["stride"] is None else options["stride"]}


class MaxPool1d(Sliding):
    """The maximum of each window: (*, channels, length) -> (*, channels, windows)."""

    function, last = staticmethod(F.max_pool1d), ("ceil_mode",)
    shown = (*Sliding.shown, "dilation", "ceil_mode")


class MaxPool2d(MaxPool1d):
    """The maximum of each window: (*, channels, height, width) -> (*, channels, rows, columns).

    >>> import tinygrad_edu as tg
    >>> tg.nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    function = staticmethod(F.max_pool2d)


class AvgPool1d(Sliding):
    """The mean of each window: (*, channels, length) -> (*, channels, windows)."""

    function = staticmethod(F.avg_pool1d)

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        options = super().settled(options)
        return options | {k: n if isinstance(n, tuple) else (n,) for k, n in options.items() if k in self.shown}


class AvgPool2d(Sliding):
    """The mean of each window: (*, channels, height, width) -> (*, channels, rows, columns)."""

    function = staticmethod(F.avg_pool2d)


class AdaptiveAvgPool1d(Kept):
    """Means of `output_size` windows: (*, channels, length) -> (*, channels, output_size)."""

    function, shown = staticmethod(F.adaptive_avg_pool1d), ("output_size",)


class AdaptiveAvgPool2d(AdaptiveAvgPool1d):
    """Means of as many windows as asked for: (*, channels, height, width) -> (*, channels, *output_size)."""

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveMaxPool1d(AdaptiveAvgPool1d):
    """Maxima of `output_size` windows: (*, channels, length) -> (*, channels, output_size)."""

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptiveAvgPool1d):
    """Maxima of as many windows as asked for: (*, channels, height, width) -> (*, channels, *output_size)."""

    function = staticmethod(F.adaptive_max_pool2d)


# Padding ------------------------------------------------------------------------------------------------------
class Pad(Module):
    """`padding` is an int for all sides, or (left, right, top, bottom, ...)."""

    axes: int
    mode = "constant"
    value: float | None = None

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * (2 * self.axes)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad(Pad):
    """The same, with the value that stands around."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


def pads(base: type, name: str, first: str, **attributes: Any) -> tuple[Any, ...]:
    """The classes of one kind of padding, for 1, 2 and 3 axes."""
    text = f"{first} the last {{}} of (*, channels, ...). The function is F.pad."
    return tuple(
        type(f"{name}{axes}d", (base,), {
            "__module__": __name__, "__doc__": text.format(what), "axes": axes, **attributes
        })
        for axes, what in ((1, "axis"), (2, "two axes"), (3, "three axes"))
    )  # fmt: skip


ConstantPad1d, ConstantPad2d, ConstantPad3d = pads(ConstantPad, "ConstantPad", "A border of one value around")
ZeroPad1d, ZeroPad2d, ZeroPad3d = pads(Pad, "ZeroPad", "A border of zeros around", value=0.0)
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = pads(Pad, "ReflectionPad", "Mirrors around", mode="reflect")
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = pads(Pad, "ReplicationPad", "Edges go on, of", mode="replicate")
CircularPad1d, CircularPad2d, CircularPad3d = pads(Pad, "CircularPad", "Ends and beginnings meet, of", mode="circular")


# Interpolation, windows ---------------------------------------------------------------------------------------
class Upsample(Kept):
    """Images in another size: see F.interpolate.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Upsample(scale_factor=2)
    Upsample(scale_factor=2.0, mode='nearest')
    """

    function: Any = staticmethod(F.interpolate)
    missing: tuple[str, ...] = ("antialias",)

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        factor = options["scale_factor"]
        made = tuple(map(float, factor)) if isinstance(factor, tuple) else None if factor is None else float(factor)
        return options | {"scale_factor": made}

    def extra_repr(self) -> str:
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with mode='nearest'."""

    function, missing = staticmethod(F.interpolate), ("mode", "align_corners", "recompute_scale_factor", "antialias")
    fixed: dict[str, Any] = {"mode": "nearest"}

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        return super().settled(options) | self.fixed


class UpsamplingBilinear2d(UpsamplingNearest2d):
    """Upsample with mode='bilinear' and align_corners=True."""

    fixed = {"mode": "bilinear", "align_corners": True}


class Unfold(Kept):
    """The windows of images as columns: (n, channels, height, width) -> (n, channels · kernel, places)."""

    function = staticmethod(F.unfold)


class Fold(Kept):
    """The transpose of Unfold: columns added up in images of `output_size`."""

    function = staticmethod(F.fold)


class PixelShuffle(Kept):
    """Channels as pixels: (*, channels · r², height, width) -> (*, channels, height · r, width · r)."""

    function = staticmethod(F.pixel_shuffle)


class PixelUnshuffle(Kept):
    """Pixels as channels: (*, channels, height · r, width · r) -> (*, channels · r², height, width)."""

    function = staticmethod(F.pixel_unshuffle)
