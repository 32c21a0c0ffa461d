"""Batch normalisation on the GPU: each channel of a batch, over all examples and places, forward and backward.

The formulas are those of ../cpu/batch_norm.py, for the n elements of one channel:

    x̂_j = (x_j - μ) r,   r = 1 / √(σ² + ε),   y_j = w x̂_j + b
    gx_j = w r (g_j - mean(g) - x̂_j mean(g x̂)),   gw = Σ g_j x̂_j,   gb = Σ g_j

The problem. A network has 64 channels or 2048, and a GPU wants a thousand blocks; a channel of 64 has more elements
than the registers of a block can hold.

The idea. Channels are lines, cut into pieces (variance.py), and each direction is three launches:

    forward     moments of each piece  ──▶  a channel's joined: μ, r, running statistics  ──▶  y
    backward    Σ g and Σ g x̂ of each  ──▶  a channel's joined: gb, gw                    ──▶  gx

The first and the last read x (and g) from memory: twice in all, which is the least, as no y can be written before the
last x was read. Both have the same threads on the same elements, so the constants of a channel are loaded once per
thread.

float64 is in two numbers per channel, μ and r, as the backward pass gets them.

Source: S. Ioffe, C. Szegedy, Batch normalization, 2015 (arXiv:1502.03167), algorithms 1 and 2.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
from numba import float64, int64

from . import math, memory
from .device import cuda
from .jit import Kernel, kernel
from .norm import arithmetic
from .teams import add, meeting, reader, team
from .variance import EACH, LINES, Lines, first_of, joiner, lines_of, moments, moments_of, split, walker

# What a channel needs.


@cache
def _statistics(dtype: str, kind: str) -> Kernel:
    """Training: mean and 1 / √(variance + eps) of each channel; the running statistics follow, if they are there."""
    T, sqrt = getattr(numba, dtype), getattr(math, f"sqrt_{dtype}")
    place, join_pieces = team(kind).place, joiner(dtype, kind, moments(dtype, EACH)[0])

    @kernel(f"float64*, float64*, {', '.join([f'{dtype}*'] * 4)}, int64, {dtype}, {dtype}, {LINES}")
    def statistics(
        means, rstds, parts, x, running_mean, running_var, tracked, momentum, eps, count, n, inner, size, pieces,
        length, far, near,
    ):  # fmt: skip
        channel, member = place()
        total, m, squares = join_pieces(parts, channel, member, count, pieces)
        if member == 0 and channel < count:
            origin, variance = x[first_of(channel, n, inner, size)], squares / total
            means[channel], rstds[channel] = float64(origin) + float64(m), float64(T(1) / sqrt(variance + eps))
            if tracked:
                kept, unbiased = T(1) - momentum, squares / (total - T(1))
                running_mean[channel] = kept * running_mean[channel] + momentum * (origin + m)
                running_var[channel] = kept * running_var[channel] + momentum * unbiased

    return statistics


@cache
def _recalled(dtype: str, kind: str) -> Kernel:
    """After training: the running statistics, as `statistics` would write them."""
    T, sqrt, place = getattr(numba, dtype), getattr(math, f"sqrt_{dtype}"), team(kind).place

    @kernel(f"float64*, float64*, {dtype}*, {dtype}*, {dtype}, {LINES}")
    def recalled(means, rstds, running_mean, running_var, eps, count, n, inner, size, pieces, length, far, near):
        channel, member = place()
        if member == 0 and channel < count:
            means[channel] = float64(running_mean[channel])
            rstds[channel] = float64(T(1) / sqrt(running_var[channel] + eps))

    return recalled


@cache
def _sums(dtype: str, kind: str) -> Kernel:
    """Σ g and Σ g x̂ of each piece of each channel, side by side in `parts`, whose third part is 0."""
    T, members, (valid, _) = getattr(numba, dtype), team(kind).size, reader(dtype, (kind, EACH))
    (begin, walk, read), (parts_of, _, centred) = walker(dtype, kind), arithmetic(dtype)
    meet = meeting(kind, dtype, add)

    @kernel(f"{', '.join([f'{dtype}*'] * 3)}, float64*, float64*, {LINES}")
    def sums_of_pieces(parts, g, x, means, rstds, count, n, inner, size, pieces, length, far, near):
        kept_g, kept_x = cuda.local.array(EACH, T), cuda.local.array(EACH, T)
        places = cuda.local.array(EACH, int64)
        channel, piece, member, at, stop = begin(count, n * size, length)
        start = first_of(channel, n, inner, size)
        high, low, r = parts_of(means[channel], rstds[channel]) if stop > 0 else (T(0), T(0), T(0))
        g_total, gx_total = T(0), T(0)
        i, j = split(at, size)
        while at < stop:
            left = valid(at, stop)
            i, j = walk(places, start, i, j, far, near, inner, size)
            read(kept_g, g, places, left)
            read(kept_x, x, places, left)
            g_part, gx_part = T(0), T(0)
            for k in range(EACH):
                if k < left:
                    g_part += kept_g[k]
                    gx_part += kept_g[k] * centred(kept_x[k], high, low, r)
            g_total, gx_total = g_total + g_part, gx_total + gx_part
            at += EACH * members
        g_total, gx_total, _ = meet(g_total, gx_total, T(0))
        if member == 0 and channel < count:
            here, all_pieces = channel * pieces + piece, count * pieces
            parts[here], parts[all_pieces + here], parts[2 * all_pieces + here] = g_total, gx_total, T(0)

    return sums_of_pieces


@cache
def _joined(dtype: str, kind: str) -> Kernel:
    """gb and gw."""
    place, join_pieces = team(kind).place, joiner(dtype, kind, add)

    @kernel(f"{', '.join([f'{dtype}*'] * 3)}, {LINES}")
    def joined(gw, gb, parts, count, n, inner, size, pieces, length, far, near):
        channel, member = place()
        g_total, gx_total, _ = join_pieces(parts, channel, member, count, pieces)
        if member == 0 and channel < count:
            gb[channel], gw[channel] = g_total, gx_total

    return joined


# What an element needs.


@cache
def _normalised(dtype: str, kind: str) -> Kernel:
    """out = x̂ w + b"""
    T, members, (valid, _) = getattr(numba, dtype), team(kind).size, reader(dtype, (kind, EACH))
    (begin, walk, read), (parts_of, _, centred) = walker(dtype, kind), arithmetic(dtype)

    @kernel(f"{dtype}*, float64*, float64*, {', '.join([f'{dtype}*'] * 3)}, {LINES}")
    def normalised(out, means, rstds, x, weight, bias, count, n, inner, size, pieces, length, far, near):
        kept, places = cuda.local.array(EACH, T), cuda.local.array(EACH, int64)
        channel, _, _, at, stop = begin(count, n * size, length)
        if at >= stop:
            return
        start = first_of(channel, n, inner, size)
        high, low, r = parts_of(means[channel], rstds[channel])
        w, b = weight[channel], bias[channel]
        i, j = split(at, size)
        while at < stop:
            left = valid(at, stop)
            i, j = walk(places, start, i, j, far, near, inner, size)
            read(kept, x, places, left)
            for k in range(EACH):
                if k < left:
                    out[places[k]] = centred(kept[k], high, low, r) * w + b
            at += EACH * members

    return normalised


@cache
def _backward(dtype: str, kind: str) -> Kernel:
    """gx; without training the statistics are constants, and it is g w r."""
    T, members, (valid, _) = getattr(numba, dtype), team(kind).size, reader(dtype, (kind, EACH))
    (begin, walk, read), (parts_of, _, centred) = walker(dtype, kind), arithmetic(dtype)

    @kernel(f"{', '.join([f'{dtype}*'] * 6)}, float64*, float64*, int64, {LINES}")
    def batch_norm_backward(
        gx, gw, gb, g, x, weight, means, rstds, training, count, n, inner, size, pieces, length, far, near
    ):
        kept_g, kept_x = cuda.local.array(EACH, T), cuda.local.array(EACH, T)
        places = cuda.local.array(EACH, int64)
        channel, _, _, at, stop = begin(count, n * size, length)
        if at >= stop:
            return
        start = first_of(channel, n, inner, size)
        high, low, r = parts_of(means[channel], rstds[channel])
        scale, total = weight[channel] * r, T(n * size)
        g_mean, gx_mean = (gb[channel] / total, gw[channel] / total) if training else (T(0), T(0))
        i, j = split(at, size)
        while at < stop:
            left = valid(at, stop)
            i, j = walk(places, start, i, j, far, near, inner, size)
            read(kept_g, g, places, left)
            read(kept_x, x, places, left)
            for k in range(EACH):
                if k < left:
                    rest = centred(kept_x[k], high, low, r) * gx_mean if training else T(0)
                    gx[places[k]] = scale * ((kept_g[k] - g_mean) - rest)
            at += EACH * members

    return batch_norm_backward


# The interface: ../cpu/batch_norm.py.


def channels_of(x: Any, channels: int, size: int) -> Lines:
    """x as (examples, channels, size)."""
    return lines_of(1, x.size // (channels * size), channels, size)


def batch_norm(
    out: Any, means: Any, rstds: Any, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, size: int,
    training: bool, momentum: float, eps: float,
) -> None:  # fmt: skip
    """out = (x - mean) / √(variance + eps) · weight + bias, with the mean and the variance of each channel.

    x and out are (examples * channels * size,), weight and bias (channels,), all of one dtype; means and rstds (what
    was used, for the backward) (channels,) of float64. running_mean and running_var are (channels,), or empty; they
    are updated in training, else used.
    """
    lines, dtype, running = channels_of(x, means.size, size), x.dtype.name, (running_mean, running_var)
    if training:
        tracked = int(running_mean.size > 0)
        lines.launch_end(_statistics, dtype, means, rstds, moments_of(x, lines), x, *running, tracked, momentum, eps)
    else:
        lines.launch_end(_recalled, dtype, means, rstds, *running, eps)
    lines.launch(_normalised, dtype, out, means, rstds, x, weight, bias)


def batch_norm_backward(
    gx: Any, gw: Any, gb: Any, g: Any, x: Any, weight: Any, means: Any, rstds: Any, size: int, training: bool
) -> None:
    """The gradients of x, weight and bias; means, rstds and the other arguments as `batch_norm` had and wrote them."""
    lines, dtype = channels_of(x, means.size, size), x.dtype.name
    parts = memory.empty(3 * lines.count * lines.pieces, x.dtype)
    lines.launch(_sums, dtype, parts, g, x, means, rstds)
    lines.launch_end(_joined, dtype, gw, gb, parts)
    lines.launch(_backward, dtype, gx, gw, gb, g, x, weight, means, rstds, int(training))
