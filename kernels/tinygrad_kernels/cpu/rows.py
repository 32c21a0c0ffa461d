"""Softmax, log-softmax and cross-entropy over the rows of a matrix, forward and backward.

The problem. A classifier answers with one number per class, a row of *logits* x. Softmax turns a row into
probabilities, log-softmax into their logarithms, and cross-entropy compares those with the right class t:

    y_j = e^{x_j} / Σ_k e^{x_k}          log y_j = x_j - log Σ_k e^{x_k}          loss = -log y_t

As written, e^{x_j} is inf from x_j = 89 on (float32), and inf / inf is nan.

The idea. Subtracting a constant m from the whole row changes nothing, since e^{-m} cancels. With m the row's
maximum the largest term is e⁰ = 1: no overflow, and a sum of at least 1. So a forward pass is three loops
over a row that stays in the cache: the maximum, the sum of e^{x_j - m}, the result. An entry of -inf gets
probability 0; a row of nothing but -inf has m = -inf, and -inf - (-inf) makes it nan, as it is in PyTorch.

The vector-Jacobian products, for one row, with g the cotangent of the result:

    softmax           gx_j = y_j (g_j - Σ_k g_k y_k)
    log-softmax       gx_j = g_j - e^{y_j} Σ_k g_k             here y is the logarithm
    cross-entropy     gx_j = g (e^{x_j - logsum} - [j = t])    logsum = log Σ_k e^{x_k}, loss = logsum - x_t

Cross-entropy therefore saves one number per row and no probabilities.

Matrices are flat, contiguous arrays of rows · cols elements, float32 or float64; every function writes into
arrays that it is given. Sums are accumulated in float64, block by block, in an order that depends on `cols`
alone. From PARALLEL_FROM elements on, the rows are divided among the threads; a row is always the work of one
thread, so their number does not show in the result.

Source: J. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990; P.
Blanchard, D. Higham and N. Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of
Numerical Analysis 41(4), 2021.
"""

from __future__ import annotations

import math
from typing import Any

import numba
from numba import prange
from numba.extending import overload
from numpy import float32, float64, int32, int64, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math import exp_float32, exp_float64, log_float64
from tinygrad_kernels.cpu.threads import PARALLEL_FROM, parallel

BLOCK = 1024  # elements summed at once: rounding errors grow with cols / BLOCK, not with cols


@jit
def naive_softmax(out, x, rows, cols):
    """Softmax as one would write it first, one element after the other: right, and slow.

    >>> import numpy as np
    >>> out = np.empty(3)
    >>> naive_softmax(out, np.log(np.array([1.0, 2.0, 5.0])), 1, 3)
    >>> out.round(6).tolist()
    [0.125, 0.25, 0.625]
    """
    for i in range(rows):
        m = -math.inf
        for j in range(cols):
            m = max(m, x[i * cols + j])
        total = 0.0
        for j in range(cols):
            total += math.exp(x[i * cols + j] - m)
        for j in range(cols):
            out[i * cols + j] = math.exp(x[i * cols + j] - m) / total


# What a row needs. `_exp` and `_maximum` choose by dtype, Numba at compile time (@overload); what they choose
# is a function with flags of its own, so calling it from a loop that accumulates does no harm to it.


def _exp(x: Any) -> Any:
    """eˣ, in the dtype of x."""
    return exp_float32(x) if x.dtype == float32 else exp_float64(x)


@overload(_exp)
def _choose_exp(x):
    return (lambda x: exp_float32(x)) if x == numba.float32 else (lambda x: exp_float64(x))


@jit
def _maximum_float32(x):
    """The largest element; nan if there is one.

    A maximum of floats does not vectorise (nan and -0.0 forbid another order), a maximum of integers does.
    The bits of a float order like an integer once those below the sign are flipped in negative numbers.
    """
    bits = x.view(int32)
    top = int32(-2139095041)  # -inf in this order
    for j in range(bits.size):
        b = bits[j]
        top = max(top, int32(b ^ ((b >> int32(31)) & int32(0x7FFFFFFF))))
    return int32(top ^ ((top >> int32(31)) & int32(0x7FFFFFFF))).view(float32)


@jit
def _maximum_float64(x):
    """The same for 64 bits."""
    bits = x.view(int64)
    top = -9218868437227405313
    for j in range(bits.size):
        b = bits[j]
        top = max(top, b ^ ((b >> 63) & 0x7FFFFFFFFFFFFFFF))
    return int64(top ^ ((top >> 63) & 0x7FFFFFFFFFFFFFFF)).view(float64)


def _maximum(x: Any) -> Any:
    """The largest element of a row."""
    return _maximum_float32(x) if x.dtype == float32 else _maximum_float64(x)


@overload(_maximum)
def _choose_maximum(x):
    return (lambda x: _maximum_float32(x)) if x.dtype == numba.float32 else (lambda x: _maximum_float64(x))


@jit(accumulate=True)
def _exp_block(out, x, m):
    """out = e^(x - m), and its sum."""
    total = 0.0
    for j in range(x.size):
        e = _exp(x[j] - m)
        out[j] = e
        total += float64(e)
    return total


@jit(accumulate=True)
def _sum_exp_block(x, m):
    """The sum of e^(x - m)."""
    total = 0.0
    for j in range(x.size):
        total += float64(_exp(x[j] - m))
    return total


@jit(accumulate=True)
def _sum_block(x):
    total = 0.0
    for j in range(x.size):
        total += float64(x[j])
    return total


@jit(accumulate=True)
def _dot_block(x, y):
    total = 0.0
    for j in range(x.size):
        total += float64(x[j]) * float64(y[j])
    return total


@jit
def _logsum(x):
    """log Σ e^{x_k} = m + log Σ e^{x_k - m}, as two numbers: their sum would round away a small logarithm."""
    m = _maximum(x)
    total = 0.0
    for start in range(0, x.size, BLOCK):
        total += _sum_exp_block(x[start : start + BLOCK], m)
    return m, log_float64(total)


# One row of each function.


@jit
def _softmax_row(out, x):
    m = _maximum(x)
    total = 0.0
    for start in range(0, x.size, BLOCK):
        total += _exp_block(out[start : start + BLOCK], x[start : start + BLOCK], m)
    scale = out.dtype.type(1.0 / total)
    for j in range(x.size):
        out[j] *= scale


@jit
def _softmax_backward_row(gx, g, y):
    total = 0.0
    for start in range(0, y.size, BLOCK):
        total += _dot_block(g[start : start + BLOCK], y[start : start + BLOCK])
    mean = y.dtype.type(total)
    for j in range(y.size):
        gx[j] = y[j] * (g[j] - mean)


@jit
def _log_softmax_row(out, x):
    m, log_total = _logsum(x)
    rest = out.dtype.type(log_total)
    for j in range(x.size):
        out[j] = (x[j] - m) - rest


@jit
def _log_softmax_backward_row(gx, g, y):
    total = 0.0
    for start in range(0, y.size, BLOCK):
        total += _sum_block(g[start : start + BLOCK])
    scale = y.dtype.type(total)
    for j in range(y.size):
        gx[j] = g[j] - _exp(y[j]) * scale


@jit
def _cross_entropy_row(x, target):
    """The loss of one row, and log Σ e^{x_k}."""
    m, log_total = _logsum(x)
    return (float64(m) - float64(x[target])) + log_total, float64(m) + log_total


@jit
def _cross_entropy_backward_row(gx, g, x, logsum, target):
    high = x.dtype.type(logsum)  # two steps: of large float32 logits, one would leave little
    low = x.dtype.type(logsum - float64(high))
    for j in range(x.size):
        gx[j] = g * _exp((x[j] - high) - low)
    gx[target] -= g


# All rows: one after the other, or divided among the threads.


@jit
def _softmax_serial(out, x, rows, cols):
    for i in range(rows):
        _softmax_row(out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols])


@jit(parallel=True)
def _softmax_parallel(out, x, rows, cols):
    for i in prange(rows):
        _softmax_row(out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols])


@jit
def _softmax_backward_serial(gx, g, y, rows, cols):
    for i in range(rows):
        lo, hi = i * cols, (i + 1) * cols
        _softmax_backward_row(gx[lo:hi], g[lo:hi], y[lo:hi])


@jit(parallel=True)
def _softmax_backward_parallel(gx, g, y, rows, cols):
    for i in prange(rows):
        lo, hi = i * cols, (i + 1) * cols
        _softmax_backward_row(gx[lo:hi], g[lo:hi], y[lo:hi])


@jit
def _log_softmax_serial(out, x, rows, cols):
    for i in range(rows):
        _log_softmax_row(out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols])


@jit(parallel=True)
def _log_softmax_parallel(out, x, rows, cols):
    for i in prange(rows):
        _log_softmax_row(out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols])


@jit
def _log_softmax_backward_serial(gx, g, y, rows, cols):
    for i in range(rows):
        lo, hi = i * cols, (i + 1) * cols
        _log_softmax_backward_row(gx[lo:hi], g[lo:hi], y[lo:hi])


@jit(parallel=True)
def _log_softmax_backward_parallel(gx, g, y, rows, cols):
    for i in prange(rows):
        lo, hi = i * cols, (i + 1) * cols
        _log_softmax_backward_row(gx[lo:hi], g[lo:hi], y[lo:hi])


@jit
def _first_bad_target(targets, cols, ignore_index):
    """The first row whose target is no column and is not to be ignored; -1 if there is none."""
    for i in range(targets.size):
        if targets[i] != ignore_index and not 0 <= targets[i] < cols:
            return i
    return -1


@jit
def _cross_entropy_serial(losses, logsum, x, targets, rows, cols, ignore_index):
    for i in range(rows):
        losses[i], logsum[i] = 0.0, 0.0
        if targets[i] != ignore_index:
            losses[i], logsum[i] = _cross_entropy_row(x[i * cols : (i + 1) * cols], targets[i])


@jit(parallel=True)
def _cross_entropy_parallel(losses, logsum, x, targets, rows, cols, ignore_index):
    for i in prange(rows):
        losses[i], logsum[i] = 0.0, 0.0
        if targets[i] != ignore_index:
            losses[i], logsum[i] = _cross_entropy_row(x[i * cols : (i + 1) * cols], targets[i])


@jit
def _cross_entropy_backward_serial(gx, g, x, logsum, targets, rows, cols, ignore_index):
    step = 0 if g.size == 1 else 1
    for i in range(rows):
        lo, hi = i * cols, (i + 1) * cols
        if targets[i] == ignore_index:
            gx[lo:hi] = 0.0
        else:
            _cross_entropy_backward_row(gx[lo:hi], g[i * step], x[lo:hi], logsum[i], targets[i])


@jit(parallel=True)
def _cross_entropy_backward_parallel(gx, g, x, logsum, targets, rows, cols, ignore_index):
    step = 0 if g.size == 1 else 1
    for i in prange(rows):
        lo, hi = i * cols, (i + 1) * cols
        if targets[i] == ignore_index:
            gx[lo:hi] = 0.0
        else:
            _cross_entropy_backward_row(gx[lo:hi], g[i * step], x[lo:hi], logsum[i], targets[i])


_softmax_large = parallel(_softmax_parallel, _softmax_serial)
_softmax_backward_large = parallel(_softmax_backward_parallel, _softmax_backward_serial)
_log_softmax_large = parallel(_log_softmax_parallel, _log_softmax_serial)
_log_softmax_backward_large = parallel(_log_softmax_backward_parallel, _log_softmax_backward_serial)
_cross_entropy_large = parallel(_cross_entropy_parallel, _cross_entropy_serial)
_cross_entropy_backward_large = parallel(_cross_entropy_backward_parallel, _cross_entropy_backward_serial)


# The interface.


def softmax(out: ndarray, x: ndarray, rows: int, cols: int) -> None:
    """out = softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`.

    >>> import numpy as np
    >>> x, out = np.log(np.array([1.0, 3.0, 1.0, 1.0])), np.empty(4)
    >>> softmax(out, x, 2, 2)
    >>> out.round(6).tolist()
    [0.25, 0.75, 0.5, 0.5]
    """
    (_softmax_serial if x.size < PARALLEL_FROM else _softmax_large)(out, x, rows, cols)


def softmax_backward(gx: ndarray, g: ndarray, y: ndarray, rows: int, cols: int) -> None:
    """gx = y (g - Σ g y) in each row, y the result of `softmax`; all (rows * cols,), of one dtype."""
    (_softmax_backward_serial if y.size < PARALLEL_FROM else _softmax_backward_large)(gx, g, y, rows, cols)


def log_softmax(out: ndarray, x: ndarray, rows: int, cols: int) -> None:
    """out = log softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`.

    >>> import numpy as np
    >>> x, out = np.zeros(4), np.empty(4)
    >>> log_softmax(out, x, 1, 4)
    >>> out.round(4).tolist()
    [-1.3863, -1.3863, -1.3863, -1.3863]
    """
    (_log_softmax_serial if x.size < PARALLEL_FROM else _log_softmax_large)(out, x, rows, cols)


def log_softmax_backward(gx: ndarray, g: ndarray, y: ndarray, rows: int, cols: int) -> None:
    """gx = g - eʸ Σ g in each row, y the result of `log_softmax`; all (rows * cols,), of one dtype."""
    kernel = _log_softmax_backward_serial if y.size < PARALLEL_FROM else _log_softmax_backward_large
    kernel(gx, g, y, rows, cols)


def cross_entropy(
    losses: ndarray,
    logsum: ndarray,
    x: ndarray,
    targets: ndarray,
    rows: int,
    cols: int,
    ignore_index: int = -100,
) -> int:
    """losses[i] = -log softmax(x[i])[targets[i]], 0 where targets[i] is `ignore_index`; logsum is for the
    backward.

    losses is (rows,) and x is (rows * cols,), of one dtype; logsum is (rows,) of float64, targets (rows,) of
    int64. Returns -1. If a target is not in [0, cols), nothing is written and the first such row is returned:
    the caller raises.

    >>> import numpy as np
    >>> losses, logsum = np.empty(2), np.empty(2)
    >>> cross_entropy(losses, logsum, np.zeros(8), np.array([3, -100]), 2, 4)
    -1
    >>> losses.round(4).tolist()
    [1.3863, 0.0]
    >>> cross_entropy(losses, logsum, np.zeros(8), np.array([3, 4]), 2, 4)
    1
    """
    bad = _first_bad_target(targets, cols, ignore_index)
    if bad < 0:
        kernel = _cross_entropy_serial if x.size < PARALLEL_FROM else _cross_entropy_large
        kernel(losses, logsum, x, targets, rows, cols, ignore_index)
    return bad


def cross_entropy_backward(
    gx: ndarray,
    g: ndarray,
    x: ndarray,
    logsum: ndarray,
    targets: ndarray,
    rows: int,
    cols: int,
    ignore_index: int = -100,
) -> None:
    """gx[i] = g (softmax(x[i]) - onehot(targets[i])), 0 in ignored rows.

    g is (rows,), or (1,) for one cotangent that all rows share; the rest as `cross_entropy` took and wrote
    it.
    """
    kernel = _cross_entropy_backward_serial if x.size < PARALLEL_FROM else _cross_entropy_backward_large
    kernel(gx, g, x, logsum, targets, rows, cols, ignore_index)
