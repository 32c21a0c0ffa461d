"""Convolution on the GPU: once as it is defined, and once as a matrix product whose matrix is never made.

    y[n, o, i, j] = b[o] + sum over c, p, q of  w[o, c, p, q] x[n, c, i s + p d - pad, j s + q d - pad]

1. `direct`    a thread to an element of y does what the formula says: two reads for each multiplication.
2. `tiled`     the sum over k = (c, p, q) is a matrix product, Y = W X, and so matmul.py's tiles will do it:

                       columns: places (n, i, j)
                     ┌─────────────┐
                   k │      X      │     X[(c, p, q), (n, i, j)] = x[n, c, i s + p d - pad, j s + q d - pad]
        k            └─────────────┘
      ┌─────┐        ┌─────────────┐
    o │  W  │      o │      Y      │
      └─────┘        └─────────────┘

   X has each pixel P Q times. Made in memory (`im2col`), it would be nine times the image; here a tile of it is
   made in shared memory only, from the image, when its turn comes: an *implicit* product.

From step to step k grows by 8. A thread that would divide each time to find (c, p, q) turns an *odometer* (places.py).

**The gradient of the image** is the same operation. It is a sum over (o, p, q) of w[o, c, p, q] times y at row
(u + pad - p d) / s, where that divides; all u with one remainder of u + pad by s have the same taps p, which are p_0,
p_0 + step, ... So each remainder is a *phase*: a correlation in which places and taps go in steps. `Axis` says how,
along one axis:

    position  first + t * step     tap  number r of `taps`     source  source + t * by_place + r * by_tap

                                                first  step   taps             source  by_place  by_tap
    convolution                                 0      1      P, all           -pad    s         d
    phase of the gradient, for instance s = 2   0, 1   2      0, 2, .. 1, 3 .. ...     1         -d step / s

The gradient of the weights is a product of another shape: convolution_weights.py.

Sources: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016 (arXiv:1603.07285);
S. Chetlur et al., cuDNN: Efficient primitives for deep learning, 2014 (arXiv:1410.0759), for the implicit product.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import gcd
from typing import Any, NamedTuple

import numba

from ..cpu.convolution import Geometry
from .convolution_weights import OUTSIDE, TILED_FROM, weights
from .device import cuda
from .jit import THREADS, Kernel, blocks_for, index_for, kernel
from .places import place, turn
from .tiles import (
    ACROSS,
    ALIGNED,
    DEPTH,
    EACH,
    LINE,
    PARTS,
    SHARED,
    SIDE,
    TILE,
    bounds,
    lane_across,
    lane_along,
    products,
)  # fmt: skip


class Axis(NamedTuple):
    """The places of a correlation along one axis, and what is read for each."""

    places: int
    first: int
    step: int
    taps: int
    source: int
    by_place: int
    by_tap: int
    tap: int = 0  # in the kernel: the first tap, and the step to the next
    tap_step: int = 1


def forward_axis(n: int, out: int, taps: int, stride: int, pad: int, dilation: int) -> list[Axis]:
    return [Axis(out, 0, 1, taps, -pad, stride, dilation)]


def backward_axis(n: int, out: int, taps: int, stride: int, pad: int, dilation: int) -> list[Axis]:
    """A phase for each remainder of u + pad by the stride."""
    phases, step = [], stride // gcd(stride, dilation)
    for remainder in range(min(stride, n + pad)):
        first = (remainder - pad) % stride
        fitting = [p for p in range(min(step, taps)) if p * dilation % stride == remainder]
        tap = fitting[0] if fitting else taps
        source = (first + pad - tap * dilation) // stride
        count = max(0, -(-(taps - tap) // step))
        places, by_tap = max(0, -(-(n - first) // stride)), -step * dilation // stride
        phases.append(Axis(places, first, stride, count, source, 1, by_tap, tap, step))
    return phases


@lru_cache(1024)
def correlations(g: Geometry, backward: bool) -> list[tuple[Axis, Axis, tuple[int, ...]]]:
    """The phases of y (or of x, `backward`): both axes, and in w: the first tap, the steps to the next group, row,
    channel, tap below, tap beside it."""
    axis = backward_axis if backward else forward_axis
    of_axis = zip(g.image, g.result, g.kernel, g.stride, g.padding, g.dilation, strict=True)
    downs, acrosses = (axis(*sizes) for sizes in of_axis)
    wide, window = g.kernel[1], g.kernel[0] * g.kernel[1]
    row, channel = (window, g.channels * window) if backward else (g.channels * window, window)
    group = g.features * g.channels * window
    return [
        (y, x, (y.tap * wide + x.tap, group, row, channel, y.tap_step * wide, x.tap_step))
        for y in downs
        for x in acrosses
        if y.places * x.places
    ]


# Results: y, or the gradient of x. What the kernels are told: is there a bias; images, groups, rows (of the result) and
# channels (of the source) in a group; along y, then along x: places, first, step, taps, source, by_place, by_tap; lines
# and columns of a plane of the result, of the source; the steps of `correlations`.

CORRELATION = ", int64" * (5 + 7 + 7 + 4 + 6)


@cache
def direct(dtype: str, index: str) -> Kernel:
    """A thread to a place."""
    T, find = getattr(numba, dtype), place(index)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*, {dtype}*" + CORRELATION)
    def direct(
        out, w, x, bias, biased, images, groups, rows, channels,
        height, top, down, y_taps, y_source, y_place, y_tap, width, left, across, x_taps, x_source, x_place, x_tap,
        out_lines, out_columns, lines, columns, w_at, w_group, w_row, w_channel, w_down, w_across,
    ):  # fmt: skip
        at = cuda.grid(1)
        if at < images * groups * rows * height * width:
            plane, i, j = find(at, height, width)
            image, group, row = find(plane, groups, rows)
            weight, size = w_at + group * w_group + row * w_row, lines * columns
            source, total = (image * groups + group) * channels * size, T(0)
            for c in range(channels):
                for p in range(y_taps):
                    u = y_source + i * y_place + p * y_tap
                    if u >= 0 and u < lines:
                        for q in range(x_taps):
                            v = x_source + j * x_place + q * x_tap
                            if v >= 0 and v < columns:
                                tap = w[weight + c * w_channel + p * w_down + q * w_across]
                                total += T(x[source + c * size + u * columns + v] * tap)
            if biased > 0:
                total += bias[group * rows + row]
            out[(plane * out_lines + top + i * down) * out_columns + left + j * across] = total

    return direct


@cache
def tiled(dtype: str, index: str) -> Kernel:
    """A block to 64 rows by 64 places."""
    T, find = getattr(numba, dtype), place(index)
    clear, fold = products(dtype)
    zero = T(0)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*, {dtype}*" + CORRELATION, bounds=bounds(dtype))
    def tiled(
        out, w, x, bias, biased, images, groups, rows, channels,
        height, top, down, y_taps, y_source, y_place, y_tap, width, left, across, x_taps, x_source, x_place, x_tap,
        out_lines, out_columns, lines, columns, w_at, w_group, w_row, w_channel, w_down, w_across,
    ):  # fmt: skip
        tile_w = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        tile_x = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        total, brings = cuda.local.array((EACH, EACH), T), cuda.local.array((2, PARTS), T)
        begin = cuda.local.array(PARTS, numba.int64)
        us, vs = cuda.local.array(PARTS, numba.int64), cuda.local.array(PARTS, numba.int64)
        column, row, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        strips = (rows + TILE - 1) // TILE
        first_row, first_place = cuda.blockIdx.x % strips * TILE, cuda.blockIdx.x // strips * TILE
        thread, size, places = row * SIDE + column, lines * columns, images * height * width
        k_w, m_w = lane_along(thread)
        k_x, n_x = lane_across(thread)
        for part in range(PARTS):  # the places whose pixels this thread brings
            at = first_place + n_x + part * ACROSS
            image, i, j = find(at, height, width)
            begin[part] = (image * groups + group) * channels * size
            us[part] = y_source + i * y_place if at < places else OUTSIDE
            vs[part] = x_source + j * x_place
        by_c, by_p, by_q = find(DEPTH, y_taps, x_taps)
        c_w, p_w, q_w = find(k_w, y_taps, x_taps)
        c_x, p_x, q_x = find(k_x, y_taps, x_taps)
        from_w = w_at + group * w_group + (first_row + m_w) * w_row
        clear(total)
        for k in range(0, channels * y_taps * x_taps + DEPTH, DEPTH):
            for part in range(PARTS):
                over = part * ACROSS
                inside = c_w < channels and first_row + m_w + over < rows
                place = from_w + over * w_row + c_w * w_channel + p_w * w_down + q_w * w_across
                brings[0, part] = w[place] if inside else zero
                u, v = us[part] + p_x * y_tap, vs[part] + q_x * x_tap
                inside = c_x < channels and u >= 0 and u < lines and v >= 0 and v < columns
                place = begin[part] + c_x * size + u * columns + v
                brings[1, part] = x[place] if inside else zero
            c_w, p_w, q_w = turn(c_w, p_w, q_w, by_c, by_p, by_q, y_taps, x_taps)
            c_x, p_x, q_x = turn(c_x, p_x, q_x, by_c, by_p, by_q, y_taps, x_taps)
            if k > 0:
                fold(total, tile_w, tile_x, row, column)
            cuda.syncthreads()
            for part in range(PARTS):
                tile_w[k_w * LINE + m_w + part * ACROSS] = brings[0, part]
                tile_x[k_x * LINE + n_x + part * ACROSS] = brings[1, part]
            cuda.syncthreads()
        for b in range(EACH):
            at = first_place + column * EACH + b
            image, i, j = find(at, height, width)
            to = (top + i * down) * out_columns + left + j * across
            for a in range(EACH):
                m = first_row + row * EACH + a
                if m < rows and at < places:
                    feature = group * rows + m
                    value = total[a, b] + bias[feature] if biased > 0 else total[a, b]
                    out[(image * groups * rows + feature) * out_lines * out_columns + to] = value

    return tiled


# The interface.


def convolution(slot: int, x: Any, w: Any, y: Any, bias: Any, geometry: Geometry) -> None:
    """Fill operand number `slot` of (x, w, y) from the two others: 2 is the convolution, 0 the transposed one.

    x is (batch, groups * channels, *image), w (groups * features, channels, *kernel), y (batch, groups * features,
    *result), all flat and of one dtype. `bias`, one number for each channel of the result, or None, is added to x or y.
    """
    if not (x, w, y)[slot].size:
        return
    if slot == 1:
        weights(w, x, y, geometry)
    else:
        results(x if slot == 0 else y, w, y if slot == 0 else x, bias, geometry, slot == 0)


def results(out: Any, w: Any, source: Any, bias: Any, g: Geometry, backward: bool) -> None:
    """One launch for each phase."""
    (planes, from_planes) = (g.image, g.result) if backward else (g.result, g.image)
    rows, channels = (g.channels, g.features) if backward else (g.features, g.channels)
    sizes = int(bias is not None), g.batch, g.groups, rows, channels
    operands = out, w, source, out if bias is None else bias
    dtype = out.dtype.name
    for y, x, steps in correlations(g, backward):
        numbers = *sizes, *y[:7], *x[:7], *planes, *from_planes, *steps
        places = g.batch * y.places * x.places
        if "float" in dtype and rows >= TILED_FROM and channels * y.taps * x.taps >= DEPTH:
            tiles = blocks_for(rows, TILE) * blocks_for(places, TILE)
            tiled(dtype, index_for(places + TILE))((tiles, 1, g.groups), (SIDE, SIDE), *operands, *numbers)
        else:
            n = places * g.groups * rows
            direct(dtype, index_for(n))(blocks_for(n, THREADS), THREADS, *operands, *numbers)
