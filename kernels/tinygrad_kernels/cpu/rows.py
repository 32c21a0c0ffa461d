"""Softmax, log-softmax, log-sum-exp and cross-entropy over the rows of a matrix, forward and backward.

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
    log-sum-exp       gx_j = g e^{x_j - y}                     y = log Σ_k e^{x_k}
    cross-entropy     gx_j = g (e^{x_j - logsum} - [j = t])    logsum = log Σ_k e^{x_k}, loss = logsum - x_t

Cross-entropy therefore saves one number per row and no probabilities.

Matrices are flat, contiguous arrays of rows · cols elements, float32 or float64; every function writes into arrays that
it is given. Sums are accumulated in float64, block by block, in an order that depends on `cols` alone. From
PARALLEL_FROM elements on, the rows are divided among the threads; a row is always the work of one thread.

Source: J. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990; P. Blanchard,
D. Higham and N. Higham, Accurately computing the log-sum-exp and softmax functions, IMA J. Numerical Analysis 41, 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
from numba import prange
from numba.extending import overload
from numpy import float32, float64, int32, int64, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math import exp_float32, exp_float64, log_float64
from tinygrad_kernels.cpu.reduction import flip_float32, flip_float64
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


# What a row needs. `_exp` and `maximum` choose by dtype, Numba at compile time (@overload); what they choose
# is a function with flags of its own, so calling it from a loop that accumulates does no harm to it.


def _exp(x: Any) -> Any:
    """eˣ, in the dtype of x."""
    return exp_float32(x) if x.dtype == float32 else exp_float64(x)


@overload(_exp)
def _choose_exp(x):
    return (lambda x: exp_float32(x)) if x == numba.float32 else (lambda x: exp_float64(x))


@jit
def _maximum_float32(x):
    """The largest element, by the integers that sort as floats do (reduction.py): only those vectorise.

    nan is above all, but for one with a negative sign: no matter, since it makes the sum nan anyway.
    """
    top = int32(-2139095041)  # -inf in this order
    for j in range(x.size):
        top = max(top, flip_float32(float32(x[j]).view(int32)))
    return int32(flip_float32(top)).view(float32)


@jit
def _maximum_float64(x):
    """The same for 64 bits."""
    top = -9218868437227405313
    for j in range(x.size):
        top = max(top, flip_float64(float64(x[j]).view(int64)))
    return int64(flip_float64(top)).view(float64)


def maximum(x: Any) -> Any:
    """The largest element of a row."""
    return _maximum_float32(x) if x.dtype == float32 else _maximum_float64(x)


@overload(maximum)
def _choose_maximum(x):
    return (lambda x: _maximum_float32(x)) if x.dtype == numba.float32 else (lambda x: _maximum_float64(x))


@jit(accumulate=True)
def exp_block(out, x, m):
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
def sum_block(x):
    total = 0.0
    for j in range(x.size):
        total += float64(x[j])
    return total


@jit(accumulate=True)
def dot_block(x, y):
    total = 0.0
    for j in range(x.size):
        total += float64(x[j]) * float64(y[j])
    return total


@jit
def _logsum(x):
    """log Σ e^{x_k} = m + log Σ e^{x_k - m}, as two numbers: their sum would round away a small logarithm."""
    m = maximum(x)
    total = 0.0
    for start in range(0, x.size, BLOCK):
        total += _sum_exp_block(x[start : start + BLOCK], m)
    return m, log_float64(total)


# One row of each function: row i of flat arrays with `cols` elements to a row.


@jit
def _softmax_row(i, cols, out, x):
    out, x = out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols]
    m = maximum(x)
    total = 0.0
    for start in range(0, x.size, BLOCK):
        total += exp_block(out[start : start + BLOCK], x[start : start + BLOCK], m)
    scale = out.dtype.type(1.0 / total)
    for j in range(x.size):
        out[j] *= scale


@jit
def _softmax_backward_row(i, cols, gx, g, y):
    lo, hi = i * cols, (i + 1) * cols
    gx, g, y = gx[lo:hi], g[lo:hi], y[lo:hi]
    total = 0.0
    for start in range(0, y.size, BLOCK):
        total += dot_block(g[start : start + BLOCK], y[start : start + BLOCK])
    mean = y.dtype.type(total)
    for j in range(y.size):
        gx[j] = y[j] * (g[j] - mean)


@jit
def _log_softmax_row(i, cols, out, x):
    out, x = out[i * cols : (i + 1) * cols], x[i * cols : (i + 1) * cols]
    m, log_total = _logsum(x)
    rest = out.dtype.type(log_total)
    for j in range(x.size):
        out[j] = (x[j] - m) - rest


@jit
def _log_softmax_backward_row(i, cols, gx, g, y):
    lo, hi = i * cols, (i + 1) * cols
    gx, g, y = gx[lo:hi], g[lo:hi], y[lo:hi]
    total = 0.0
    for start in range(0, y.size, BLOCK):
        total += sum_block(g[start : start + BLOCK])
    scale = y.dtype.type(total)
    for j in range(y.size):
        gx[j] = g[j] - _exp(y[j]) * scale


@jit
def _logsumexp_row(i, cols, out, logsum, x):
    x = x[i * cols : (i + 1) * cols]
    m, log_total = _logsum(x)
    logsum[i] = float64(m) + log_total
    if math.isinf(m):  # the sum is nan in any case: was there one in the row?
        logsum[i] = m
        for j in range(x.size):
            if math.isnan(x[j]):
                logsum[i] = math.nan
    out[i] = logsum[i]


@jit
def _softmax_from_logsum(out, g, x, logsum):
    """out = g e^(x - logsum). In two steps: of large float32 numbers, one would leave little."""
    high = x.dtype.type(logsum)
    low = x.dtype.type(0.0 if math.isinf(high) else logsum - float64(high))
    for j in range(x.size):
        out[j] = g * _exp((x[j] - high) - low)


@jit
def _logsumexp_backward_row(i, cols, gx, g, x, logsum):
    _softmax_from_logsum(gx[i * cols : (i + 1) * cols], g[i], x[i * cols : (i + 1) * cols], logsum[i])


@jit
def _first_bad_target(targets, cols, ignore_index):
    """The first row whose target is no column and is not to be ignored; -1 if there is none."""
    for i in range(targets.size):
        if targets[i] != ignore_index and not 0 <= targets[i] < cols:
            return i
    return -1


@jit
def _cross_entropy_row(i, cols, losses, logsum, x, targets, ignore_index):
    losses[i], logsum[i] = 0.0, 0.0
    if targets[i] != ignore_index:
        m, log_total = _logsum(x[i * cols : (i + 1) * cols])
        losses[i] = (float64(m) - float64(x[i * cols + targets[i]])) + log_total
        logsum[i] = float64(m) + log_total


@jit
def _cross_entropy_backward_row(i, cols, gx, g, x, logsum, targets, ignore_index):
    lo, hi = i * cols, (i + 1) * cols
    if targets[i] == ignore_index:
        gx[lo:hi] = 0.0
    else:
        g_i = g[0] if g.size == 1 else g[i]
        _softmax_from_logsum(gx[lo:hi], g_i, x[lo:hi], logsum[i])
        gx[lo + targets[i]] -= g_i


# All rows.


def over_rows(row: Any) -> Callable[..., None]:
    """The function (rows, cols, *arrays) that calls row(i, cols, *arrays) for each i.

    Below PARALLEL_FROM elements one row after the other, else divided among the threads. What either does to a row is
    the same, so the number of threads does not show. (A kernel made by a closure: its code is found again in the next
    process all the same, see cpu/jit.py.)
    """

    @jit
    def in_turn(rows, cols, *arrays):
        for i in range(rows):
            row(i, cols, *arrays)

    @jit(parallel=True)
    def divided(rows, cols, *arrays):
        for i in prange(rows):
            row(i, cols, *arrays)

    large = parallel(divided, in_turn)

    def call(rows: int, cols: int, *arrays: Any) -> None:
        (in_turn if rows * cols < PARALLEL_FROM else large)(rows, cols, *arrays)

    return call


_softmax, _softmax_backward = over_rows(_softmax_row), over_rows(_softmax_backward_row)
_log_softmax, _log_softmax_backward = over_rows(_log_softmax_row), over_rows(_log_softmax_backward_row)
_logsumexp, _logsumexp_backward = over_rows(_logsumexp_row), over_rows(_logsumexp_backward_row)
_cross_entropy, _cross_entropy_backward = over_rows(_cross_entropy_row), over_rows(_cross_entropy_backward_row)


# The interface.


def softmax(out: ndarray, x: ndarray, rows: int, cols: int) -> None:
    """out = softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`.

    >>> import numpy as np
    >>> x, out = np.log(np.array([1.0, 3.0, 1.0, 1.0])), np.empty(4)
    >>> softmax(out, x, 2, 2)
    >>> out.round(6).tolist()
    [0.25, 0.75, 0.5, 0.5]
    """
    _softmax(rows, cols, out, x)


def softmax_backward(gx: ndarray, g: ndarray, y: ndarray, rows: int, cols: int) -> None:
    """gx = y (g - Σ g y) in each row, y the result of `softmax`; all (rows * cols,), of one dtype."""
    _softmax_backward(rows, cols, gx, g, y)


def log_softmax(out: ndarray, x: ndarray, rows: int, cols: int) -> None:
    """out = log softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`.

    >>> import numpy as np
    >>> x, out = np.zeros(4), np.empty(4)
    >>> log_softmax(out, x, 1, 4)
    >>> out.round(4).tolist()
    [-1.3863, -1.3863, -1.3863, -1.3863]
    """
    _log_softmax(rows, cols, out, x)


def log_softmax_backward(gx: ndarray, g: ndarray, y: ndarray, rows: int, cols: int) -> None:
    """gx = g - eʸ Σ g in each row, y the result of `log_softmax`; all (rows * cols,), of one dtype."""
    _log_softmax_backward(rows, cols, gx, g, y)


def logsumexp(out: ndarray, logsum: ndarray, x: ndarray, rows: int, cols: int) -> None:
    """out[i] = log Σ e^x of row i: ±inf where the largest element is. `logsum`: the same in float64, for the backward.

    out is (rows,), x is (rows * cols,), of one dtype; logsum is (rows,) of float64.

    >>> import numpy as np
    >>> out, logsum = np.empty(2), np.empty(2)
    >>> logsumexp(out, logsum, np.array([1000.0, 1000.0, -np.inf, -np.inf]), 2, 2)
    >>> out.round(4).tolist()
    [1000.6931, -inf]
    """
    _logsumexp(rows, cols, out, logsum, x)


def logsumexp_backward(gx: ndarray, g: ndarray, x: ndarray, logsum: ndarray, rows: int, cols: int) -> None:
    """gx = g e^(x - logsum) in each row: g and logsum are (rows,), gx and x (rows * cols,)."""
    _logsumexp_backward(rows, cols, gx, g, x, logsum)


def cross_entropy(
    losses: ndarray, logsum: ndarray, x: ndarray, targets: ndarray, rows: int, cols: int, ignore_index: int = -100
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
        _cross_entropy(rows, cols, losses, logsum, x, targets, ignore_index)
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
    _cross_entropy_backward(rows, cols, gx, g, x, logsum, targets, ignore_index)
