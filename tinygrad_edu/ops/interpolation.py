"""Interpolation: images in other sizes.

The problem. Pixel number i of the new image lies somewhere between pixels of the old one. With r = old size / new size,

    nearest          pixel floor(i r)
    nearest-exact    pixel floor((i + 1/2) r)                   the one whose middle is nearest
    linear           position t = (i + 1/2) r - 1/2, between the pixels floor(t) and floor(t) + 1:
                     (1 - f) x[floor(t)] + f x[floor(t) + 1],   f = t - floor(t)

    x = 0 4, to four pixels      nearest 0 0 4 4      linear 0 1 3 4      with align_corners 0 1.33 2.67 4

A pixel is a square, and its middle lies at i + 1/2; `align_corners` means instead that the middles of the first and
the last pixels stay where they are: t = i (old - 1) / (new - 1).

The idea. An image is interpolated along one axis after the other (*bilinear* is linear twice), and along one axis all
of this is one or two index_selects, weighted. So derivatives of any order come for free.

Source: PyTorch documentation, torch.nn.functional.interpolate; A. Smith, A pixel is not a little square, 1995 (against
the picture above).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..dtypes import Kind, float32, uint8
from ..graph import no_grad
from ..prepared import kept
from ..ranges import arange
from ..tensors import Tensor
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d

LINEAR = {"linear": 3, "bilinear": 4, "trilinear": 5}  # and the number of dimensions that each is for
NEAREST = ("nearest", "nearest-exact")
REFUSED = ("bicubic", "lanczos")


@kept
def weights(kind: Kind, mode: str, n: int, out: int, scale: float | None, corners: bool) -> tuple[Tensor, ...]:
    """Along an axis of length n, for `out` pixels: their numbers; or two lists of numbers, and weights for both.

    Computed in the dtype of the image, as PyTorch does it: rounding decides between two neighbours.
    """
    with no_grad():
        i = arange(out, dtype=kind.dtype if kind.dtype.is_floating_point else float32, device=kind.device)
        r = 1.0 / scale if scale else n / out
        if mode in NEAREST:
            t = ((i + 0.5) if mode == "nearest-exact" else i) * r
            return (t.floor().clamp(max=n - 1).long(),)
        if corners:
            t = i * ((n - 1) / (out - 1) if out > 1 else 0.0)
        else:
            t = ((i + 0.5) * r - 0.5).clamp(min=0.0)
        low = t.floor().clamp(max=n - 1)
        f = (t - low).clamp(max=1.0)
        return low.long(), (low + 1.0).clamp(max=n - 1).long(), 1.0 - f, f


def along(x: Tensor, axis: int, mode: str, out: int, scale: float | None, corners: bool) -> Tensor:
    """x interpolated along one axis."""
    low, *rest = weights(x.kind, mode, x.shape[axis], out, scale, corners)
    if not rest:
        return x.index_select(axis, low)
    high, a, b = rest
    shape = (out, *[1] * (len(x.shape) - axis - 1))
    return x.index_select(axis, low) * a.reshape(shape) + x.index_select(axis, high) * b.reshape(shape)


def output_sizes(x: Tensor, size: Any, scale_factor: Any) -> tuple[list[int], list[float | None]]:
    """The new length of each axis, and its scale where one was given."""
    axes = list(x.shape[2:])
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "either size or scale_factor should be defined" if size is None
            else "only one of size or scale_factor should be defined"
        )  # fmt: skip
    name, given = ("output size", size) if scale_factor is None else ("scale_factor", scale_factor)
    values = list(given) if isinstance(given, tuple | list) else [given] * len(axes)
    if len(values) != len(axes):
        raise ValueError(
            f"Input and {name} must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {axes} and {name} of {given}. The input has the shape (N, C, d1, d2, ..., dK)"
        )
    if scale_factor is not None:
        return [math.floor(float(n * s)) for n, s in zip(axes, values, strict=True)], [float(s) for s in values]
    if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in values):
        raise TypeError(f"expected size to be one of int or Tuple[int], Tuple[int, int], ..., but got size {size}")
    return values, [None] * len(axes)


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Images (n, channels, ...) with 1 to 3 more axes in another `size`, or larger by `scale_factor`.

    mode: 'nearest', 'nearest-exact', 'area' (means), or linear: 'linear', 'bilinear', 'trilinear' for 1, 2 or 3 axes.
    A size or scale is for all axes, or a sequence.
    With a scale factor the positions are computed from it, unless `recompute_scale_factor`, then from the sizes. Not
    implemented: 'bicubic', 'lanczos', antialias. ValueError for arguments that do not go together.

    >>> import tinygrad_edu as tg
    >>> interpolate(tg.tensor([[[0.0, 4.0]]]), size=4, mode="linear")
    tensor([[[0., 1., 3., 4.]]])
    """
    dims = len(input.shape)
    if mode in REFUSED:
        raise NotImplementedError(f"interpolate: mode='{mode}' is not implemented here: use mode='bilinear'")
    if dims not in (3, 4, 5) or mode not in (*LINEAR, *NEAREST, "area"):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims}D) for the modes: nearest | linear | "
            f"bilinear | trilinear | area | nearest-exact (got {mode})"
        )
    if align_corners is not None and mode not in LINEAR:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | trilinear"
        )
    if antialias:
        if mode != "bilinear" or dims != 4:
            raise ValueError("Anti-alias option is restricted to bilinear modes and requires a 4-D tensor as input")
        raise NotImplementedError("interpolate: antialias=True is not implemented: avg_pool2d first, then interpolate")
    out, scales = output_sizes(input, size, scale_factor)
    if recompute_scale_factor:
        if size is not None:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        scales = [None] * len(scales)
    if mode in LINEAR and LINEAR[mode] != dims:
        raise NotImplementedError(f"Got {dims}D input, but {mode} mode needs {LINEAR[mode]}D input")
    if mode == "area":
        if dims == 5:
            raise NotImplementedError("interpolate: mode='area' is implemented for 3D and 4D input")
        return adaptive_avg_pool1d(input, out[0]) if dims == 3 else adaptive_avg_pool2d(input, out)
    if min(*out, *input.shape[2:]) < 1 or not input.shape[1]:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(input.shape)} and output size {out}"
        )
    if not input.kind.dtype.is_floating_point and (input.kind.dtype is not uint8 or mode not in NEAREST):
        raise NotImplementedError(f"interpolate of {input.kind.dtype.name} is not implemented: use .float()")
    for axis, (n, scale) in enumerate(zip(out, scales, strict=True), 2):
        input = along(input, axis, mode, n, scale, bool(align_corners))
    return input


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """The old name of interpolate."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)
