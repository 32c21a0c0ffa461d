"""The gradient of a convolution's weights on the GPU.

    gw[o, c, p, q] = sum over n, i, j of  gy[n, o, i, j] x[n, c, i s + p d - pad, j s + q d - pad]

1. `direct_weights`  a block to a weight: its threads share out the places (n, i, j), and meet at the end (monoids.py).
2. `tiled_weights`   again an implicit product, as in convolution.py, of Y (o, k) and X^T (k, (c, p, q)), k = (n, i, j):

                       columns: (c, p, q)
                     ┌─────────────┐
                     │             │
                   k │     X^T     │     there are few weights, a block or ten; but k is long, all places of all images
                     │             │
            k        └─────────────┘     so k is cut into pieces, a block to each tile and piece:
      ┌───────────┐  ┌─────────────┐
    o │     Y     │  │     gw      │         parts[piece] = product over the piece,     gw = Σ parts, in order
      └───────────┘  └─────────────┘

How many pieces depends on the sizes only, and parts are added in order, without atomics: always the same bits.

Source: S. Chetlur et al., cuDNN: Efficient primitives for deep learning, 2014 (arXiv:1410.0759); M. Harris, Optimizing
Parallel Reduction in CUDA, 2007.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from ..cpu.convolution import Geometry
from . import memory
from .device import cuda
from .jit import THREADS, Kernel, blocks_for, index_for, kernel
from .monoids import meetings, monoid
from .places import place, turn
from .reduction import pieces_for
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
    lane_along,
    products,
)  # fmt: skip

TILED_FROM = 16  # rows and columns of the product from which a tile pays
OUTSIDE = -(1 << 40)  # where no image reaches

# What the kernels are told: images, groups, features, channels; lines and columns of y, of
# x, of the kernel; the stride, padding and dilation, each along y and x.

WEIGHTS = ", int64" * (4 + 2 + 2 + 2 + 6)


@cache
def direct_weights(dtype: str, index: str) -> Kernel:
    """A block to a weight: its threads share out the places of all images."""
    T, find = getattr(numba, dtype), place(index)
    compute = dtype if "float" in dtype else "int64"
    sums = monoid("sum", compute)
    identity, lift, join, finish = sums[1:]
    _, join_block = meetings("sum", compute)
    one = getattr(numba, compute)(1)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*" + WEIGHTS)
    def direct_weights(
        w, x, y, images, groups, features, channels, y_lines, y_columns, lines, columns, y_taps, x_taps,
        y_stride, x_stride, y_pad, x_pad, y_dilation, x_dilation,
    ):  # fmt: skip
        weight = cuda.blockIdx.x
        plane, p, q = find(weight, y_taps, x_taps)
        feature, c = plane // channels, plane % channels
        group = feature // features
        a, b = identity()
        for k in range(cuda.threadIdx.x, images * y_lines * y_columns, THREADS):
            image, i, j = find(k, y_lines, y_columns)
            u, v = i * y_stride + p * y_dilation - y_pad, j * x_stride + q * x_dilation - x_pad
            if u >= 0 and u < lines and v >= 0 and v < columns:
                pixel = x[(((image * groups + group) * channels + c) * lines + u) * columns + v]
                other = y[((image * groups * features + feature) * y_lines + i) * y_columns + j]
                e, f = lift(T(pixel * other), k)
                a, b = join(a, b, e, f)
        a, b = join_block(a, b)
        if cuda.threadIdx.x == 0:
            w[weight] = finish(a, b, one)

    return direct_weights


@cache
def tiled_weights(dtype: str, index: str) -> Kernel:
    """A block to 64 features by 64 of (c, p, q), over one piece of all places: parts (piece, weight)."""
    T, find = getattr(numba, dtype), place(index)
    clear, fold = products(dtype)
    zero = T(0)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*" + WEIGHTS, bounds=bounds(dtype))
    def tiled_weights(
        parts, x, y, images, groups, features, channels, y_lines, y_columns, lines, columns, y_taps, x_taps,
        y_stride, x_stride, y_pad, x_pad, y_dilation, x_dilation,
    ):  # fmt: skip
        tile_y = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        tile_x = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        total, brings = cuda.local.array((EACH, EACH), T), cuda.local.array((2, PARTS), T)
        begin = cuda.local.array(PARTS, numba.int64)
        us, vs = cuda.local.array(PARTS, numba.int64), cuda.local.array(PARTS, numba.int64)
        column, row, piece, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.y, cuda.blockIdx.z
        strips = (features + TILE - 1) // TILE
        top, left = cuda.blockIdx.x % strips * TILE, cuda.blockIdx.x // strips * TILE
        taps, size, y_size = channels * y_taps * x_taps, lines * columns, y_lines * y_columns
        length = (images * y_size + cuda.gridDim.y - 1) // cuda.gridDim.y
        start = piece * length
        stop = min(start + length, images * y_size)
        along, across = lane_along(row * SIDE + column)
        for part in range(PARTS):  # the columns of X^T that this thread brings
            at = left + across + part * ACROSS
            c, p, q = find(at, y_taps, x_taps)
            begin[part] = (group * channels + c) * size
            us[part] = p * y_dilation - y_pad if at < taps else OUTSIDE
            vs[part] = q * x_dilation - x_pad
        by_n, by_i, by_j = find(DEPTH, y_lines, y_columns)
        n, i, j = find(start + along, y_lines, y_columns)
        clear(total)
        for k in range(start, stop + DEPTH, DEPTH):
            within = k + along < stop
            for part in range(PARTS):
                over = part * ACROSS
                feature = top + across + over
                place = (n * groups * features + group * features + feature) * y_size + i * y_columns + j
                brings[0, part] = y[place] if within and feature < features else zero
                u, v = us[part] + i * y_stride, vs[part] + j * x_stride
                inside = within and u >= 0 and u < lines and v >= 0 and v < columns
                place = n * groups * channels * size + begin[part] + u * columns + v
                brings[1, part] = x[place] if inside else zero
            n, i, j = turn(n, i, j, by_n, by_i, by_j, y_lines, y_columns)
            if k > start:
                fold(total, tile_y, tile_x, row, column)
            cuda.syncthreads()
            for part in range(PARTS):
                tile_y[along * LINE + across + part * ACROSS] = brings[0, part]
                tile_x[along * LINE + across + part * ACROSS] = brings[1, part]
            cuda.syncthreads()
        for a in range(EACH):
            for b in range(EACH):
                m, at = top + row * EACH + a, left + column * EACH + b
                if m < features and at < taps:
                    parts[((piece * groups + group) * features + m) * taps + at] = total[a, b]

    return tiled_weights


@cache
def add_parts(dtype: str) -> Kernel:
    """The sum of the parts, in order."""
    T = getattr(numba, dtype)

    @kernel(f"{dtype}*, {dtype}*, int64, int64")
    def add_parts(out, parts, n, pieces):
        i = cuda.grid(1)
        if i < n:
            total = T(0)
            for piece in range(pieces):
                total += parts[piece * n + i]
            out[i] = total

    return add_parts


def weights(w: Any, x: Any, y: Any, g: Geometry) -> None:
    """Fill w."""
    pairs = *g.result, *g.image, *g.kernel, *g.stride, *g.padding, *g.dilation
    numbers = g.batch, g.groups, g.features, g.channels, *pairs
    places, taps = g.batch * g.result[0] * g.result[1], g.channels * g.kernel[0] * g.kernel[1]
    dtype = w.dtype.name
    if "float" not in dtype or min(g.features, taps) < TILED_FROM:
        direct_weights(dtype, index_for(max(places, w.size)))(w.size, THREADS, w, x, y, *numbers)
        return
    tiles = blocks_for(g.features, TILE) * blocks_for(taps, TILE)
    pieces = pieces_for(tiles * g.groups, places, 32 * DEPTH)
    parts = w if pieces == 1 else memory.empty(pieces * w.size, np.dtype(dtype))
    tiled_weights(dtype, index_for(places + DEPTH))((tiles, pieces, g.groups), (SIDE, SIDE), parts, x, y, *numbers)
    if pieces > 1:
        add_parts(dtype)(blocks_for(w.size, THREADS), THREADS, w, parts, w.size, pieces)
