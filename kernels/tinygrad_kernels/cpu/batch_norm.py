"""Batch normalisation: each channel of a batch, over all examples and places, forward and backward.

The problem. Layer norm (norm.py) looks at one example at a time. For images one rather asks of a *channel*, the output
of one filter, that it has mean 0 and variance 1 over the whole batch. In memory, x (examples, channels, size), the
elements of a channel are not neighbours:

    example 0   | channel 0 | channel 1 | channel 2 |          channel 1 is every third piece of `size` elements
    example 1   | channel 0 | channel 1 | channel 2 |

The idea. Copy the pieces of one channel into a row. The row fits in a cache, and what remains is what layer norm does:

    x̂_j = (x_j - μ) r,   r = 1 / √(σ² + ε),   y_j = w x̂_j + b          one w and one b for the whole row
    gx_j = w r (g_j - mean(g) - x̂_j mean(g x̂)),   gw = Σ g_j x̂_j,   gb = Σ g_j

μ and σ² are of the batch in training; the *running* ones, which forward updates, stand in for them afterwards, when an
example must not depend on what else is in its batch. Then they are constants, and gx_j = w r g_j.

    running ← (1 - momentum) running + momentum batch        with the variance divided by n - 1: the unbiased one

A channel is the work of one thread, so the number of threads does not show.

Source: S. Ioffe, C. Szegedy, Batch normalization, 2015 (arXiv:1502.03167), algorithms 1 and 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy import float64, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.norm import centred, mean_and_variance, parts
from tinygrad_kernels.cpu.rows import over_rows


@jit
def _gather(row, x, channel, channels, size):
    """The pieces of one channel, side by side."""
    if size == 1:
        for n in range(row.size):
            row[n] = x[n * channels + channel]
        return
    for n in range(row.size // size):
        at = (n * channels + channel) * size
        source, target = x[at : at + size], row[n * size : (n + 1) * size]
        for j in range(size):
            target[j] = source[j]


@jit
def _scatter(x, row, channel, channels, size):
    """The row back to its places."""
    if size == 1:
        for n in range(row.size):
            x[n * channels + channel] = row[n]
        return
    for n in range(row.size // size):
        at = (n * channels + channel) * size
        target, source = x[at : at + size], row[n * size : (n + 1) * size]
        for j in range(size):
            target[j] = source[j]


@jit
def _update(running, channel, momentum, value):
    if running.size > 0:
        running[channel] = (1.0 - momentum) * running[channel] + momentum * value


@jit
def _batch_norm_channel(
    c, n, out, means, rstds, x, weight, bias, running_mean, running_var, size, training, momentum, eps
):
    row = np.empty(n, x.dtype)
    _gather(row, x, c, means.size, size)
    if training:
        means[c], variance = mean_and_variance(row)
        _update(running_mean, c, momentum, means[c])
        _update(running_var, c, momentum, variance * n / (n - 1.0))
    else:
        means[c], variance = running_mean[c], float64(running_var[c])
    rstds[c] = 1.0 / math.sqrt(variance + eps)
    high, low, r = parts(means[c], rstds[c], x)
    w, b = weight[c], bias[c]
    for j in range(n):
        row[j] = centred(row[j], high, low, r) * w + b
    _scatter(out, row, c, means.size, size)


@jit(accumulate=True)
def _sums(g, x, high, low, r):
    """Σ g and Σ g x̂."""
    g_total, gx_total = 0.0, 0.0
    for j in range(x.size):
        g_total += float64(g[j])
        gx_total += float64(g[j] * centred(x[j], high, low, r))
    return g_total, gx_total


@jit
def _backward_channel(c, n, gx, gw, gb, g, x, weight, means, rstds, size, training):
    row, g_row = np.empty(n, x.dtype), np.empty(n, x.dtype)
    _gather(row, x, c, means.size, size)
    _gather(g_row, g, c, means.size, size)
    high, low, r = parts(means[c], rstds[c], x)
    g_total, gx_total = _sums(g_row, row, high, low, r)
    gb[c], gw[c] = g_total, gx_total
    scale, g_mean, gx_mean = weight[c] * r, x.dtype.type(g_total / n), x.dtype.type(gx_total / n)
    if training:
        for j in range(n):
            row[j] = scale * ((g_row[j] - g_mean) - centred(row[j], high, low, r) * gx_mean)
    else:
        for j in range(n):
            row[j] = scale * g_row[j]
    _scatter(gx, row, c, means.size, size)


_batch_norm, _backward = over_rows(_batch_norm_channel), over_rows(_backward_channel)


def batch_norm(
    out: ndarray,
    means: ndarray,
    rstds: ndarray,
    x: ndarray,
    weight: ndarray,
    bias: ndarray,
    running_mean: ndarray,
    running_var: ndarray,
    size: int,
    training: bool,
    momentum: float,
    eps: float,
) -> None:
    """out = (x - mean) / √(variance + eps) · weight + bias, with the mean and the variance of each channel.

    x and out are (examples * channels * size,), weight and bias (channels,), all of one dtype; means and rstds (what
    was used, for the backward) (channels,) of float64. running_mean and running_var are (channels,), or empty; they
    are updated in training, else used.

    >>> x, out, (means, rstds) = np.array([1.0, 10.0, 3.0, 30.0]), np.empty(4), np.empty((2, 2))
    >>> one, zero, none = np.ones(2), np.zeros(2), np.empty(0)
    >>> batch_norm(out, means, rstds, x, one, zero, none, none, 1, True, 0.1, 0.0)
    >>> out.tolist(), means.tolist()
    ([-1.0, -1.0, 1.0, 1.0], [2.0, 20.0])
    """
    running, rest = (running_mean, running_var), (size, training, momentum, eps)
    _batch_norm(means.size, x.size // means.size, out, means, rstds, x, weight, bias, *running, *rest)


def batch_norm_backward(
    gx: ndarray,
    gw: ndarray,
    gb: ndarray,
    g: ndarray,
    x: ndarray,
    weight: ndarray,
    means: ndarray,
    rstds: ndarray,
    size: int,
    training: bool,
) -> None:
    """The gradients of x, weight and bias; means, rstds and the other arguments as `batch_norm` had and wrote them."""
    _backward(means.size, x.size // means.size, gx, gw, gb, g, x, weight, means, rstds, size, training)
