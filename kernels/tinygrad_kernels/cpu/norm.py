"""Layer normalisation over the rows of a matrix, forward and backward, each in one pass over memory.

The problem. A layer learns best from inputs of mean 0 and variance 1, but what it gets drifts while the layers before
it learn. Layer norm brings each row x (one example's features) back, and lets the network scale and shift it again:

    x̂_j = (x_j - μ) r,   r = 1 / √(σ² + ε),   μ = mean of x,   σ² = mean of (x - μ)²          y_j = w_j x̂_j + b_j

The vector-Jacobian products. With h_j = g_j w_j, the cotangent of x̂, and n features in a row,

    gx_j = r (h_j - mean(h) - x̂_j mean(h x̂))              sums over a row
    gw_j = Σ g_j x̂_j,   gb_j = Σ g_j                      sums over a column

h - mean(h) - x̂ mean(h x̂) is h without its parts along (1, ..., 1) and along x̂: moving x in these two directions, by a
constant or by a factor, does not change x̂.

The idea. A row fits in the cache, so a pass over memory may use it several times: for the statistics, for the result.
Both statistics come from one loop. mean(x²) - μ² would cancel for data far from 0; with d = x - x_0 for x,

    μ = x_0 + mean(d),   σ² = mean(d²) - mean(d)²

loses little, since x_0 is one of the n data: (x_0 - μ)² is one of the squares whose sum is n σ², so mean(d²) is at most
(1 + n) σ². Backward a row is used twice, and x̂ is computed again rather than stored. While a row is there, g x̂ and g
are also added to the column sums:

    rows 0 ... 31     partial sums 0   ┐
    rows 32 ... 63    partial sums 1   ├── then added up, chunk by chunk, in float64
    ...                                ┘

Which rows form a chunk depends on the sizes alone, so the sums are the same for any number of threads; a chunk is
short, so that adding it up in the array's dtype loses little.

Root mean square norm is the same with μ = 0: it leaves the mean where it is, and subtracts no mean(h) backward.

Statistics are accumulated and kept in float64, one mean and one r per row. From a float32 x the mean is subtracted in
two parts, high and low, or of data far from 0 its rounding would be left in every x̂.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450); B. Zhang, R. Sennrich, Root mean
square layer normalization, 2019 (arXiv:1910.07467); for the variance of shifted data, T. Chan, G. Golub, R. LeVeque,
Algorithms for computing the sample variance, The American Statistician 37(3), 1983.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy import float64, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.threads import PARALLEL_FROM, parallel

CHUNK = 32  # rows that are done together, and whose column sums are added up in the array's dtype


# One row.


@jit(accumulate=True)
def _moments(x, shift):
    """The sums of x - shift and of its square."""
    total, squares = 0.0, 0.0
    for j in range(x.size):
        d = float64(x[j]) - shift
        total += d
        squares += d * d
    return total, squares


@jit
def mean_and_variance(x):
    """nan, nan of nothing."""
    shift = float64(x[0]) if x.size > 0 else math.nan
    total, squares = _moments(x, shift)
    mean = total / x.size
    return shift + mean, squares / x.size - mean * mean


@jit
def parts(mean, rstd, dtype_of):
    """The mean as high + low, and rstd, in the dtype of an array."""
    high = dtype_of.dtype.type(mean)
    return high, dtype_of.dtype.type(mean - float64(high)), dtype_of.dtype.type(rstd)


@jit(inline=True)
def centred(x, high, low, r):
    """x̂. A function of its own, so that a loop that may reorder additions does not add high and low up again."""
    return ((x - high) - low) * r


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
def _add_columns(gw, gb, g, x, high, low, r):
    """Add g x̂ and g of one row to the column sums."""
    for j in range(x.size):
        gw[j] += g[j] * centred(x[j], high, low, r)
        gb[j] += g[j]


# All rows, CHUNK of them at a time.


@jit
def _forward_chunk(lo, hi, cols, out, means, rstds, x, weight, bias, eps, rms):
    """The rows lo ... hi, in three loops: a division and a root take as long as half a row does, but not when the next
    one need not wait for them."""
    for i in range(lo, hi):
        row = x[i * cols : (i + 1) * cols]
        means[i], rstds[i] = (0.0, _moments(row, 0.0)[1] / cols) if rms else mean_and_variance(row)
    for i in range(lo, hi):
        rstds[i] = 1.0 / math.sqrt(rstds[i] + eps)
    for i in range(lo, hi):
        row, result = x[i * cols : (i + 1) * cols], out[i * cols : (i + 1) * cols]
        high, low, r = parts(means[i], rstds[i], x)
        for j in range(cols):
            result[j] = centred(row[j], high, low, r) * weight[j] + bias[j]


@jit
def _forward_serial(rows, cols, out, means, rstds, x, weight, bias, eps, rms):
    for lo in range(0, rows, CHUNK):
        _forward_chunk(lo, min(lo + CHUNK, rows), cols, out, means, rstds, x, weight, bias, eps, rms)


@jit(parallel=True)
def _forward_parallel(rows, cols, out, means, rstds, x, weight, bias, eps, rms):
    for c in prange((rows + CHUNK - 1) // CHUNK):
        _forward_chunk(c * CHUNK, min((c + 1) * CHUNK, rows), cols, out, means, rstds, x, weight, bias, eps, rms)


@jit
def _backward_chunk(lo, hi, cols, gx, sums, g, x, weight, means, rstds, rms):
    """The rows lo ... hi; `sums` holds gw, then gb, or is empty if they are not wanted."""
    sums[:] = 0.0
    for i in range(lo, hi):
        a, b = i * cols, (i + 1) * cols
        g_row, x_row, result = g[a:b], x[a:b], gx[a:b]
        high, low, r = parts(means[i], rstds[i], x)
        h_total, hx_total = _sums(g_row, x_row, weight, high, low, r)
        h_mean, hx_mean = x.dtype.type(0.0 if rms else h_total / cols), x.dtype.type(hx_total / cols)
        for j in range(cols):
            result[j] = r * ((g_row[j] * weight[j] - h_mean) - centred(x_row[j], high, low, r) * hx_mean)
        if sums.size > 0:
            _add_columns(sums[:cols], sums[cols:], g_row, x_row, high, low, r)


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


_forward_large = parallel(_forward_parallel, _forward_serial)
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
    kernel = _forward_serial if x.size < PARALLEL_FROM else _forward_large
    kernel(rows, cols, out, means, rstds, x, weight, bias, eps, rms)


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
