"""Layer normalisation over the rows of a matrix, forward and backward, each in one pass over memory.

The problem. A layer learns best from inputs of mean 0 and variance 1, but what it gets drifts while the layers before
it learn. Layer norm brings each row x (one example's features) back, and lets the network scale and shift it again:

    x̂_j = (x_j - μ) r,   r = 1 / √(σ² + ε),   μ = mean of x,   σ² = mean of (x - μ)²          y_j = w_j x̂_j + b_j

The vector-Jacobian products. With h_j = g_j w_j, the cotangent of x̂, and n features in a row,

    gx_j = r (h_j - mean(h) - x̂_j mean(h x̂))              sums over a row
    gw_j = Σ g_j x̂_j,   gb_j = Σ g_j                      sums over a column

h - mean(h) - x̂ mean(h x̂) is h without its parts along (1, ..., 1) and along x̂: moving x in these two directions, by a
constant or by a factor, does not change x̂.

The idea. A row fits in the cache, so a pass over memory may use it several times: for the mean, for the variance around
that mean (accurate, where mean(x²) - μ² cancels for data far from 0), for the result. Backward a row is used twice,
and x̂ is computed again rather than stored. While a row is there, g x̂ and g are also added to the column sums:

    rows 0 ... 31     partial sums 0   ┐
    rows 32 ... 63    partial sums 1   ├── then added up, chunk by chunk, in float64
    ...                                ┘

Which rows form a chunk depends on the sizes alone, so the sums are the same for any number of threads; a chunk is
short, so that adding it up in the array's dtype loses little.

Root mean square norm is the same with μ = 0: it leaves the mean where it is, and subtracts no mean(h) backward.

Statistics are accumulated and kept in float64, one mean and one r per row. From a float32 x the mean is subtracted in
two parts, high and low, or of data far from 0 its rounding would be left in every x̂.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450); B. Zhang, R. Sennrich, Root mean
square layer normalization, 2019 (arXiv:1910.07467); for the variance in two passes, T. Chan, G. Golub, R. LeVeque,
Algorithms for computing the sample variance, The American Statistician 37(3), 1983.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy import float64, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.rows import over_rows
from tinygrad_kernels.cpu.threads import PARALLEL_FROM, parallel

CHUNK = 32  # rows whose column sums are added up in the array's dtype


# One row.


@jit(accumulate=True)
def mean_of(x):
    total = 0.0
    for j in range(x.size):
        total += float64(x[j])
    return total / x.size


@jit(accumulate=True)
def variance_of(x, mean):
    total = 0.0
    for j in range(x.size):
        d = float64(x[j]) - mean
        total += d * d
    return total / x.size


@jit
def parts(mean, rstd, dtype_of):
    """The mean as high + low, and rstd, in the dtype of an array."""
    high = dtype_of.dtype.type(mean)
    return high, dtype_of.dtype.type(mean - float64(high)), dtype_of.dtype.type(rstd)


@jit(inline=True)
def centred(x, high, low, r):
    """x̂. A function of its own, so that a loop that may reorder additions does not add high and low up again."""
    return ((x - high) - low) * r


@jit
def _layer_norm_row(i, cols, out, means, rstds, x, weight, bias, eps, rms):
    out, x = out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols]
    means[i] = 0.0 if rms else mean_of(x)
    rstds[i] = 1.0 / math.sqrt(variance_of(x, means[i]) + eps)
    high, low, r = parts(means[i], rstds[i], x)
    for j in range(x.size):
        out[j] = centred(x[j], high, low, r) * weight[j] + bias[j]


@jit(accumulate=True)
def _sums(g, x, weight, high, low, r):
    """The sums of h and of h x̂ over a row."""
    h_total, hx_total = 0.0, 0.0
    for j in range(x.size):
        h = g[j] * weight[j]
        h_total += float64(h)
        hx_total += float64(h * centred(x[j], high, low, r))
    return h_total, hx_total


@jit
def _gx_row(gx, g, x, weight, mean, rstd, rms):
    """gx of one row."""
    high, low, r = parts(mean, rstd, x)
    h_total, hx_total = _sums(g, x, weight, high, low, r)
    h_mean, hx_mean = x.dtype.type(0.0 if rms else h_total / x.size), x.dtype.type(hx_total / x.size)
    for j in range(x.size):
        gx[j] = r * ((g[j] * weight[j] - h_mean) - centred(x[j], high, low, r) * hx_mean)


@jit
def _add_columns(gw, gb, g, x, mean, rstd):
    """Add g x̂ and g of one row to the column sums."""
    high, low, r = parts(mean, rstd, x)
    for j in range(x.size):
        gw[j] += g[j] * centred(x[j], high, low, r)
        gb[j] += g[j]


# All rows.


@jit
def _backward_chunk(lo, hi, cols, gx, sums, g, x, weight, means, rstds, rms):
    """The rows lo ... hi; `sums` holds gw, then gb, or is empty if they are not wanted."""
    sums[:] = 0.0
    for i in range(lo, hi):
        a, b = i * cols, (i + 1) * cols
        _gx_row(gx[a:b], g[a:b], x[a:b], weight, means[i], rstds[i], rms)
        if sums.size > 0:
            _add_columns(sums[:cols], sums[cols:], g[a:b], x[a:b], means[i], rstds[i])


@jit
def _backward_serial(rows, cols, gx, sums, g, x, weight, means, rstds, rms):
    width = 2 * cols if sums.size > 0 else 0
    for c in range((rows + CHUNK - 1) // CHUNK):
        part = sums[c * width : (c + 1) * width]
        _backward_chunk(c * CHUNK, min((c + 1) * CHUNK, rows), cols, gx, part, g, x, weight, means, rstds, rms)


@jit(parallel=True)
def _backward_parallel(rows, cols, gx, sums, g, x, weight, means, rstds, rms):
    width = 2 * cols if sums.size > 0 else 0
    for c in prange((rows + CHUNK - 1) // CHUNK):
        part = sums[c * width : (c + 1) * width]
        _backward_chunk(c * CHUNK, min((c + 1) * CHUNK, rows), cols, gx, part, g, x, weight, means, rstds, rms)


@jit
def _join(gw, gb, total, sums, cols):
    """The chunks' sums, added up in `total` (float64), as gw and gb."""
    total[:] = 0.0
    for c in range(sums.size // (2 * cols)):
        part = sums[c * 2 * cols : (c + 1) * 2 * cols]
        for j in range(part.size):
            total[j] += float64(part[j])
    for j in range(cols):
        gw[j], gb[j] = total[j], total[cols + j]


_layer_norm = over_rows(_layer_norm_row)
_backward_large = parallel(_backward_parallel, _backward_serial)


# The interface.


def layer_norm(
    out: ndarray,
    means: ndarray,
    rstds: ndarray,
    x: ndarray,
    weight: ndarray,
    bias: ndarray,
    rows: int,
    cols: int,
    eps: float,
    rms: bool = False,
) -> None:
    """out = (x - mean) / √(variance + eps) · weight + bias, in each row.

    out and x are (rows * cols,), weight and bias (cols,), all of one dtype; means and rstds = 1 / √(variance + eps)
    are (rows,) of float64, for the backward. `rms`: the root mean square norm.

    >>> x, out, statistics = np.array([1.0, 3.0]), np.empty(2), np.empty((2, 1))
    >>> layer_norm(out, *statistics, x, np.ones(2), np.zeros(2), 1, 2, 0.0)
    >>> out.tolist()
    [-1.0, 1.0]
    """
    _layer_norm(rows, cols, out, means, rstds, x, weight, bias, eps, rms)


def layer_norm_backward(
    gx: ndarray,
    gw: ndarray | None,
    gb: ndarray | None,
    g: ndarray,
    x: ndarray,
    weight: ndarray,
    means: ndarray,
    rstds: ndarray,
    rows: int,
    cols: int,
    rms: bool = False,
) -> None:
    """The gradients of x (rows * cols,), and, unless both are None, of weight and bias (cols,)."""
    chunks = 0 if gw is None else (rows + CHUNK - 1) // CHUNK
    sums = np.empty(chunks * 2 * cols, x.dtype)
    kernel = _backward_serial if x.size < PARALLEL_FROM else _backward_large
    kernel(rows, cols, gx, sums, g, x, weight, means, rstds, rms)
    if gw is not None and cols:
        _join(gw, gb, np.empty(2 * cols), sums, cols)
