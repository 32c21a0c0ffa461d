"""Convolution: a small kernel is laid on every place of an image, and each place gets one number.

    y[n, o, i, j] = b[o] + sum over c, p, q of  w[o, c, p, q] x[n, c, i s + p d - pad, j s + q d - pad]

    x (N, C, H, W), w (O, C, P, Q)  ──▶  y (N, O, I, J)       s: stride, d: dilation; x is 0 outside of itself

**Three in one.** The sum over everything of y[n,o,i,j] · w[o,c,p,q] · x[n,c,u,v], over all places that belong together,
is linear in each of the three. Leave one out, and what remains is the formula of the convolution (without y), of the
gradient of its input, which is the *transposed* convolution (without x), or of the gradient of its weights (without w).
`naive` is these seven loops, once for all three; it also serves the integers. With *groups*, channels and features are
cut into as many parts, and each part is a convolution by itself.

**The fast form** never copies pixels per kernel place (see convolution_tiles.py). It needs three things:

1. a *frame*: the image with its border of zeros, so that no position is a special case. With a stride s, pixels s apart
   must be neighbours: the frame has s · s planes, one for each remainder of (row, column) by s;
2. *taps*: where in the frame the pixel of (channel, p, q) lies, for position 0. From there on all positions are moves;
3. *pieces*: vectors of positions. Wide lines are cut by themselves; a narrow image would fill half of each vector, so
   its lines are taken together with the border between them, and what was computed there is dropped.

    without y    source x, rows o, taps (c, p, q)
    without x    source y, rows c, taps (o, p, q), minus: x[u] gets y[(u + pad - p d) / s] where that divides. So each
                 remainder of u + pad by s is a *phase* with the taps of its own, all over one frame
    without w    frames of x, and y laid out by the same pieces: each weight is a dot product along the positions

**Threads** share out the images. A gradient of weights is added up in at most 16 parts, which are then joined in order;
how many depends on the sizes only, so the result has the same bits for any number of threads.

Sources: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016 (arXiv:1603.07285);
M. Dukhan, The indirect convolution algorithm, 2019 (arXiv:1907.02129).
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from tinygrad_kernels.cpu.convolution_tiles import correlate, weigh
from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.matmul_blocks import ROWS, VECTOR_BYTES, move
from tinygrad_kernels.cpu.threads import parallel

THREADS_FROM = 2**21  # multiply-adds from which threads pay
NEAR_BYTES = 3 * 2**13  # of the first-level cache, for what a tile of weights reads
FULL = 0.75  # a line is cut by itself if so much of its vectors is filled

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """The sizes of a convolution; pairs are (along the height, along the width). `padding` is that before the image."""

    batch: int
    groups: int
    channels: int  # of one group
    features: int  # of one group
    image: Pair
    kernel: Pair
    result: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


@jit
def naive(slot, x, w, y, batch, groups, channels, features, image, kernel, result, stride, padding, dilation):
    """The definition: operand number `slot` of (x, w, y) += what the two others make of it."""
    for n, o, c in np.ndindex((batch, groups * features, channels)):
        plane = n * groups * channels + o // features * channels + c
        for i, j, p, q in np.ndindex((result[0], result[1], kernel[0], kernel[1])):
            u = i * stride[0] + p * dilation[0] - padding[0]
            v = j * stride[1] + q * dilation[1] - padding[1]
            if 0 <= u < image[0] and 0 <= v < image[1]:
                at = (plane * image[0] + u) * image[1] + v
                weight = ((o * channels + c) * kernel[0] + p) * kernel[1] + q
                place = ((n * groups * features + o) * result[0] + i) * result[1] + j
                if slot == 0:
                    x[at] += w[weight] * y[place]
                elif slot == 1:
                    w[weight] += x[at] * y[place]
                else:
                    y[place] += x[at] * w[weight]


# The tables.


class Plan(NamedTuple):
    """What the fast kernels need to know of a geometry."""

    sizes: np.ndarray  # groups, rows, height of a tile; the source's channels, lines, columns; what a frame is (below)
    taps: np.ndarray  # for each tap its place in the frame
    weights: np.ndarray  # and in the weights of one row
    pieces: np.ndarray  # source, destination, count; source, ...
    phases: np.ndarray  # rows (tap, taps, piece, pieces, by lines?, length, height, width, start, down, step)


def forward_axis(n: int, out: int, kernel: int, stride: int, pad: int, dilation: int) -> tuple:
    """Along one axis: phases (first result, step, count, taps (p, plane, line)); the frame's length, border, planes."""
    taps = [(p, p * dilation % stride, p * dilation // stride) for p in range(kernel)]
    return [(0, 1, out, taps)], out + (kernel - 1) * dilation // stride, pad, stride


def backward_axis(n: int, out: int, kernel: int, stride: int, pad: int, dilation: int) -> tuple:
    """The same for the gradient of the input, whose elements u with (u + pad) % stride == a are phase a."""
    first = pad // stride - (kernel - 1) * dilation // stride  # the first y that the frame holds; negative: a border
    phases = []
    for a in range(stride):
        start = -((a - pad) // stride)  # of (u + pad) // stride, for u >= 0
        count = (n - 1 + pad - a) // stride - start + 1
        taps = [(p, 0, start - p * dilation // stride - first) for p in range(kernel) if p * dilation % stride == a]
        phases.append((start * stride + a - pad, stride, count, taps))
    return phases, (n - 1 + pad) // stride - first + 1, -first, 1


@lru_cache(256)
def plan(g: Geometry, backward: bool, lanes: int) -> Plan:
    """The tables for y (forward) or x (backward) as the result, for frames of g.batch images at a time."""
    image, result = (g.result, g.image) if backward else (g.image, g.result)
    rows, channels = (g.channels, g.features) if backward else (g.features, g.channels)
    row_step, channel_step = (1, g.channels) if backward else (g.channels, 1)
    axis = backward_axis if backward else forward_axis
    of_axis = zip(g.image, g.result, g.kernel, g.stride, g.padding, g.dilation, strict=True)
    (y_phases, lines, top, y_planes), (x_phases, columns, left, x_planes) = (axis(*sizes) for sizes in of_axis)
    window, plane = g.kernel[0] * g.kernel[1], g.batch * lines * columns
    taps: list[int] = []
    weights: list[int] = []
    pieces: list[tuple[int, int, int]] = []
    phases: list[tuple[int, ...]] = []
    for y_first, y_step, height, y_taps in y_phases:
        for x_first, x_step, width, x_taps in x_phases:
            if height <= 0 or width <= 0:
                continue
            by_line = y_step == x_step == 1 and width >= FULL * lanes * -(-width // lanes)
            if by_line:
                line = -(-width // lanes) * lanes
                made = [
                    (i * columns + j, i * width + j, min(lanes, width - j))
                    for i in range(height)
                    for j in range(0, width, lanes)
                ]
            else:
                line = columns
                made = [(t, t, lanes) for t in range(0, (height - 1) * columns + width, lanes)]
            here = [
                (((a * x_planes + b) * g.groups * channels + c) * plane + i * columns + j, (c, p * g.kernel[1] + q))
                for c in range(channels)
                for p, a, i in y_taps
                for q, b, j in x_taps
            ]
            target = (y_first * result[1] + x_first, y_step * result[1], x_step)
            phases.append((len(taps), len(here), len(pieces), len(made), by_line, line, height, width, *target))
            taps += [at for at, _ in here]
            weights += [c * channel_step * window + at for _, (c, at) in here]
            pieces += made
    tile = 1 if rows == 1 else ROWS
    sizes = (g.groups, rows, tile, g.groups * channels, *image, y_planes, x_planes, lines, columns, top, left,
             prod(result), row_step * window, g.channels * g.features * window, g.batch)  # fmt: skip
    of_sizes, of_taps, of_weights, of_pieces = (
        np.array(numbers, np.int64).reshape(-1) for numbers in (sizes, taps, weights, pieces)
    )
    return Plan(of_sizes, of_taps, of_weights, of_pieces, np.array(phases, np.int64).reshape(-1, 11))


# Images, frames, lines.


@jit
def _copy(out, at, line, step, x, x_at, x_line, x_step, lines, columns):
    """out[i, j] = x[i, j], for any distances between lines and columns."""
    lanes = VECTOR_BYTES // out.itemsize
    whole = columns // lanes * lanes
    rest = columns - whole
    for i in range(lines):
        to, source = at + i * line, x_at + i * x_line
        if step == 1 and x_step == 1:
            for j in range(0, whole, lanes):
                move(out, to + j, x, source + j, lanes, lanes)
            if rest > 0:
                move(out, to + whole, x, source + whole, rest, rest)
        else:
            for j in range(columns):
                out[to + j * step] = x[source + j * x_step]


@jit
def _frame_size(sizes):
    return sizes[6] * sizes[7] * sizes[3] * sizes[8] * sizes[9] * sizes[15]


@jit
def _frame(frame, at, x, x_at, sizes):
    """Lay one image into its frame, whose border is 0 already. Frames may hold several images, channel by channel."""
    channels, height, width = sizes[3], sizes[4], sizes[5]
    y_planes, x_planes, lines, columns, top, left = sizes[6], sizes[7], sizes[8], sizes[9], sizes[10], sizes[11]
    for a, b in np.ndindex((y_planes, x_planes)):
        first, end = max(0, -((a - top) // y_planes)), min(lines, (height - 1 + top - a) // y_planes + 1)
        start, stop = max(0, -((b - left) // x_planes)), min(columns, (width - 1 + left - b) // x_planes + 1)
        source = x_at + (first * y_planes + a - top) * width + start * x_planes + b - left
        for c in range(channels):
            to = at + (((a * x_planes + b) * channels + c) * sizes[15] * lines + first) * columns + start
            place = source + c * height * width
            _copy(frame, to, columns, 1, x, place, y_planes * width, x_planes, end - first, stop - start)


@jit
def _strips(strips, w, sizes, weights, phases):
    """The weights in the order in which tiles read them: phase, group, strip of rows, tap, row."""
    groups, rows, tile, row_step, group_step = sizes[0], sizes[1], sizes[2], sizes[13], sizes[14]
    at = 0
    for phase in range(phases.shape[0]):
        tap, k = phases[phase, 0], phases[phase, 1]
        for group in range(groups):
            for row in range(0, rows, tile):
                for p in range(k):
                    for r in range(tile):
                        number = group * group_step + min(row + r, rows - 1) * row_step
                        strips[at] = w[number + weights[tap + p]]
                        at += 1


# Results: y, or the gradient of x.


@jit
def _tiles(tile, rows, phase, out, at, row, bias, bias_at, w, w_at, x, x_at, taps, pieces):
    """All rows of one group, at all pieces of a phase. (A call for each tile takes longer than a small tile.)"""
    tap, k, first, last = phase[0], phase[1], phase[2], phase[2] + phase[3]
    for j in range(first, last, 3):
        width = min(3, last - j)
        for r in range(0, rows, tile):
            to, m, b, s = at + r * row, rows - r, bias_at + r, w_at + r * k
            if tile == 1 and width == 3:
                correlate(1, 3, out, to, row, m, bias, b, w, s, x, x_at, taps, tap, k, pieces, j)
            elif tile == 1:
                for one in range(j, j + width):
                    correlate(1, 1, out, to, row, m, bias, b, w, s, x, x_at, taps, tap, k, pieces, one)
            elif width == 3:
                correlate(ROWS, 3, out, to, row, m, bias, b, w, s, x, x_at, taps, tap, k, pieces, j)
            elif width == 2:
                correlate(ROWS, 2, out, to, row, m, bias, b, w, s, x, x_at, taps, tap, k, pieces, j)
            else:
                correlate(ROWS, 1, out, to, row, m, bias, b, w, s, x, x_at, taps, tap, k, pieces, j)


@jit
def _image(n, out, strips, bias, frame, scratch, sizes, taps, pieces, phases):
    """One image of the result, from its frame."""
    groups, rows, tile, plane = sizes[0], sizes[1], sizes[2], sizes[12]
    source, packed = sizes[3] // groups * sizes[8] * sizes[9], 0
    for number in range(phases.shape[0]):
        phase = phases[number]
        long = phase[3] * (VECTOR_BYTES // out.itemsize)
        for group in range(groups):
            first, b, x = (n * groups + group) * rows, group * rows, group * source
            if phase[4] == 1:  # by lines, at once to where they belong
                _tiles(tile, rows, phase, out, first * plane, plane, bias, b, strips, packed, frame, x, taps, pieces)
            else:
                at = np.int64(0)
                _tiles(tile, rows, phase, scratch, at, long, bias, b, strips, packed, frame, x, taps, pieces)
                for r in range(rows):
                    to = (first + r) * plane + phase[8]
                    _copy(out, to, phase[9], phase[10], scratch, r * long, phase[5], 1, phase[6], phase[7])
            packed += (rows + tile - 1) // tile * tile * phase[1]


@jit
def _images(lo, hi, out, x, strips, bias, sizes, taps, pieces, phases):
    lanes = VECTOR_BYTES // out.itemsize
    frame = np.zeros(_frame_size(sizes) + lanes, out.dtype)
    longest = 0
    for phase in range(phases.shape[0]):
        longest = max(longest, phases[phase, 3] * (1 - phases[phase, 4]))
    scratch = np.empty(sizes[1] * longest * lanes, out.dtype)
    for n in range(lo, hi):
        _frame(frame, 0, x, n * sizes[3] * sizes[4] * sizes[5], sizes)
        _image(n, out, strips, bias, frame, scratch, sizes, taps, pieces, phases)


@jit
def _correlate_serial(batch, chunk, out, x, strips, bias, sizes, taps, pieces, phases):
    _images(0, batch, out, x, strips, bias, sizes, taps, pieces, phases)


@jit(parallel=True)
def _correlate_parallel(batch, chunk, out, x, strips, bias, sizes, taps, pieces, phases):
    for c in prange((batch + chunk - 1) // chunk):
        _images(c * chunk, min((c + 1) * chunk, batch), out, x, strips, bias, sizes, taps, pieces, phases)


# The gradient of the weights.


@jit
def _weigh_images(part, lo, hi, x, y, sizes, taps, pieces, phases):
    """part (group, strip of rows, tap, row) = the gradient from the images lo ... hi, a block of them at a time."""
    groups, rows, tile, result = sizes[0], sizes[1], sizes[2], sizes[12]
    k, count, line, height, width = phases[0, 1], phases[0, 3], phases[0, 5], phases[0, 6], phases[0, 7]
    size, block, lanes = sizes[8] * sizes[9], sizes[15], VECTOR_BYTES // x.itemsize
    source, long = sizes[3] // groups * size * block, count * lanes
    frames, lines = np.zeros(_frame_size(sizes) + lanes, x.dtype), np.zeros(block * groups * rows * long + 16, x.dtype)
    aligned = -np.int64(lines.ctypes.data) % 64 // x.itemsize  # a vector should not straddle two cache lines
    part[:] = 0
    for first in range(lo, hi, block):
        images = min(block, hi - first)
        for n in range(images):
            _frame(frames, n * size, x, (first + n) * sizes[3] * sizes[4] * sizes[5], sizes)
            for o in range(groups * rows):
                to, at = aligned + (o * block + n) * long, ((first + n) * groups * rows + o) * result
                _copy(lines, to, line, 1, y, at, width, 1, height, width)
        at = 0
        for group in range(groups):
            for r in range(0, rows, tile):
                y_at = aligned + (group * rows + r) * block * long
                for tap in range(0, k, 3):
                    if tile == 1:
                        weigh(1, 3, part, at + tap, lines, y_at, block * long, long, rows - r, frames,
                              group * source, size, taps, tap, k - tap, pieces, count, images)  # fmt: skip
                    else:
                        weigh(ROWS, 3, part, at + tap * ROWS, lines, y_at, block * long, long, rows - r, frames,
                              group * source, size, taps, tap, k - tap, pieces, count, images)  # fmt: skip
                at += k * tile


@jit
def _weigh_serial(batch, chunk, parts, x, y, sizes, taps, pieces, phases):
    for c in range(parts.shape[0]):
        _weigh_images(parts[c], c * chunk, min((c + 1) * chunk, batch), x, y, sizes, taps, pieces, phases)


@jit(parallel=True)
def _weigh_parallel(batch, chunk, parts, x, y, sizes, taps, pieces, phases):
    for c in prange(parts.shape[0]):
        _weigh_images(parts[c], c * chunk, min((c + 1) * chunk, batch), x, y, sizes, taps, pieces, phases)


@jit
def _join(w, parts, groups, rows, tile, k):
    """The sum of the parts, in the order of the weights: group, row, tap."""
    strips, total = (rows + tile - 1) // tile, parts[0]
    for c in range(1, parts.shape[0]):
        for i in range(total.size):
            total[i] += parts[c, i]
    for group, row, tap in np.ndindex((groups, rows, k)):
        w[(group * rows + row) * k + tap] = parts[0, ((group * strips + row // tile) * k + tap) * tile + row % tile]


_correlate_large = parallel(_correlate_parallel, _correlate_serial)
_weigh_large = parallel(_weigh_parallel, _weigh_serial)


# The interface.


def convolution(slot: int, x: Any, w: Any, y: Any, bias: Any, geometry: Geometry) -> None:
    """Fill operand number `slot` of (x, w, y) from the two others: 2 is the convolution, 0 the transposed one.

    x is (batch, groups * channels, *image), w (groups * features, channels, *kernel), y (batch, groups * features,
    *result), all flat and of one dtype. `bias`, one number for each channel of the result, or None, is added to x or y.

    >>> x, w, y = np.arange(4.0), np.array([1.0, 10.0]), np.empty(3)
    >>> line = Geometry(1, 1, 1, 1, (1, 4), (1, 2), (1, 3), (1, 1), (0, 0), (1, 1))
    >>> convolution(2, x, w, y, None, line)
    >>> y
    array([10., 21., 32.])
    """
    g, out = geometry, (x, w, y)[slot]
    if out.size == 0:
        return
    channels = g.groups * (g.channels if slot == 0 else g.features)
    if out.dtype.char not in "fd":
        table = out.reshape(g.batch, channels, -1) if slot != 1 else out
        table[:] = 0 if bias is None else bias[:, None]
        naive(slot, x, w, y, *g)
        return
    lanes = VECTOR_BYTES // out.itemsize
    p = plan(g._replace(batch=1), slot == 0, lanes)
    work = g.batch * w.size * g.result[0] * g.result[1]
    if slot != 1:
        rows, tile = int(p.sizes[1]), int(p.sizes[2])
        strips = np.empty(g.groups * -(-rows // tile) * tile * p.taps.size, out.dtype)
        _strips(strips, w, p.sizes, p.weights, p.phases)
        kernel = _correlate_serial if work < THREADS_FROM else _correlate_large
        start = np.zeros(channels, out.dtype) if bias is None else bias
        chunk = -(-g.batch // 16)
        kernel(g.batch, chunk, out, y if slot == 0 else x, strips, start, p.sizes, p.taps, p.pieces, p.phases)
        return
    tile, k = int(p.sizes[2]), p.taps.size
    strips_size = g.groups * -(-g.features // tile) * tile * k
    block = max(1, NEAR_BYTES // int(ROWS * VECTOR_BYTES * p.phases[0, 3]))
    p = plan(g._replace(batch=block), False, lanes)
    chunk = max(block, -(-g.batch // (16 if strips_size < 2**18 else 4)))
    parts = np.empty((max(1, -(-g.batch // chunk)), strips_size), out.dtype)
    kernel = _weigh_serial if work < THREADS_FROM else _weigh_large
    kernel(g.batch, chunk, parts, x, y, p.sizes, p.taps, p.pieces, p.phases)
    _join(w, parts, g.groups, g.features, tile, k)
