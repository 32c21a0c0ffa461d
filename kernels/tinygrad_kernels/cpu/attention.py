"""Attention: every query looks at all keys, and takes a mean of their values. Forward and backward.

The problem. For each *head*, with queries Q (n, d), keys K (m, d) and values V (m, e),

    S = scale Q Kᵀ + bias        (n, m)   how well query i and key j go together; -inf: i must not see j
    P = softmax of S's rows      (n, m)   probabilities
    O = P V                      (n, e)   means of the values

Written with operations on whole tensors, S is made, scaled, masked and normalised in passes of its own over
(batch, heads, n, m) numbers, and Q, K and V, which a network cuts out of one matrix, are copied to be multiplied.

The idea. One head fits in a cache. So a kernel does all of it for a head before it looks at the next one, with the
matrix product of matmul.py where the operands lie, and softmax's loops over rows (rows.py), of which one, the
exponential, takes all rows at once: rows are short, and a loop costs as much to begin as a hundred numbers do.

Where a query must not see later keys, half of S is never looked at. So a head is cut into *stripes* of rows, and each
computes the columns up to its last row:

    rows  0 ... 31    ▒▒▒▒
    rows 32 ... 63    ▒▒▒▒▒▒▒▒           ▒ computed, of which the last square is half for nothing
    rows 64 ... 95    ▒▒▒▒▒▒▒▒▒▒▒▒

The vector-Jacobian products, with G the cotangent of O:

    gV = Pᵀ G,   gP = G Vᵀ,   gS = P (gP - Σ_j gP P),   gQ = scale gS K,   gK = scale gSᵀ Q

Σ_j gP P is softmax's (rows.py); gS is made in the memory of gP, of which there is one head. P is kept from forward to
backward: n m numbers per head. (For sequences of many thousands one computes it again instead, block by block.)

A row that may see nothing has O = 0. A head is the work of one thread: the number of threads does not show.

Source: A. Vaswani et al., Attention is all you need, 2017 (arXiv:1706.03762); T. Dao et al., FlashAttention, 2022
(arXiv:2205.14135), for keeping S out of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.matmul import multiply
from tinygrad_kernels.cpu.rows import _exp, dot_block, maximum, over_rows, sum_block

# `sizes` holds heads, n, m, d, e; then for Q, K, V and the bias: offset, steps from batch to batch, head to head, row
# to row; then the bias's step from column to column; and backward, where the gradients of Q, K and V lie.
Q, K, V, BIAS, GQ, GK, GV = 5, 9, 13, 17, 22, 26, 30


@jit
def _start(number, sizes, operand):
    """Where head `number` of an operand lies, and the step from row to row."""
    batch, head = number // sizes[0], number % sizes[0]
    return sizes[operand] + batch * sizes[operand + 1] + head * sizes[operand + 2], sizes[operand + 3]


@jit
def _place(number, sizes, rows, width):
    """The same for what we allocate: laid out as (batch, rows, heads, width), the heads of a row side by side."""
    batch, head = number // sizes[0], number % sizes[0]
    return (batch * rows * sizes[0] + head) * width, sizes[0] * width


@jit
def _stripe(n, m, causal):
    """Rows of a stripe: eight of them make a head, if later keys are not seen; otherwise one does."""
    return max(32, (n + 7) // 8) if causal else max(n, m, 1)


@jit
def _add_bias(row, bias, at, step):
    """Is anything left to see?"""
    something = False
    for j in range(row.size):
        b = bias[at + j * step]
        row[j] += b
        something |= b != -np.inf
    return something


@jit
def _fill(x, value):
    for j in range(x.size):
        x[j] = value


@jit
def _shift(row, value, factor):
    for j in range(row.size):
        row[j] = (row[j] - value) * factor


@jit
def _times(out, row, factor):
    for j in range(row.size):
        out[j] = row[j] * factor


@jit
def _exp_all(x):
    for j in range(x.size):
        x[j] = _exp(x[j])


@jit
def _weigh(p, scores, lo, hi, width, number, sizes, bias, scale, causal):
    """Rows lo ... hi of P from those of S, of which `width` columns are there (`scores`, which is lost).

    The rows' maxima, one exponential for all of them, the rows' sums. e^-inf = 0 is what a key weighs that may not be
    seen: so all loops are over whole rows, in whole vectors.
    """
    m = sizes[2]
    at, step = _start(number, sizes, BIAS)
    first = bias.size > 0 or scale <= 0  # multiply by `scale` before the maximum is looked for, or after?
    for i in range(lo, hi):
        row = scores[(i - lo) * width : (i - lo + 1) * width]
        if first:
            _shift(row, p.dtype.type(0.0), scale)
        if causal:
            _fill(row[i + 1 :], -np.inf)
        if bias.size == 0 or _add_bias(row, bias, at + i * step, sizes[BIAS + 4]):
            _shift(row, maximum(row), p.dtype.type(1.0) if first else scale)
    _exp_all(scores[: (hi - lo) * width])
    for i in range(lo, hi):
        row, weights = scores[(i - lo) * width : (i - lo + 1) * width], p[i * m : (i + 1) * m]
        total = sum_block(row)
        _times(weights[:width], row, p.dtype.type(1.0 / total if total != 0 else 0.0))  # 0: nothing is seen
        _fill(weights[width:], 0)


@jit
def _head(number, size, sizes, out, weights, q, k, v, bias, scale, causal):
    n, m, d, e = sizes[1], sizes[2], sizes[3], sizes[4]
    p = weights[number * size : (number + 1) * size]
    q_at, q_row = _start(number, sizes, Q)
    k_at, k_row = _start(number, sizes, K)
    v_at, v_row = _start(number, sizes, V)
    o_at, o_row = _place(number, sizes, n, e)
    rows = _stripe(n, m, causal)
    scores = np.empty(min(rows, n) * m, p.dtype)
    for lo in range(0, n, rows):
        hi, width = min(lo + rows, n), min(lo + rows, m)
        multiply(scores, 0, width, q, q_at + lo * q_row, q_row, 1, k, k_at, 1, k_row, hi - lo, width, d)
        _weigh(p, scores, lo, hi, width, number, sizes, bias, p.dtype.type(scale), causal)
        multiply(out, o_at + lo * o_row, o_row, p, lo * m, m, 1, v, v_at, v_row, 1, hi - lo, e, width)


@jit
def _head_backward(number, size, sizes, gq, gk, gv, g, weights, q, k, v, scale, causal):
    n, m, d, e = sizes[1], sizes[2], sizes[3], sizes[4]
    p, gs = weights[number * size : (number + 1) * size], np.empty(size, g.dtype)
    q_at, q_row = _start(number, sizes, Q)
    k_at, k_row = _start(number, sizes, K)
    v_at, v_row = _start(number, sizes, V)
    g_at, g_row = _place(number, sizes, n, e)
    gq_at, gq_row = _start(number, sizes, GQ)
    gk_at, gk_row = _start(number, sizes, GK)
    gv_at, gv_row = _start(number, sizes, GV)
    factor, rows = g.dtype.type(scale), _stripe(n, m, causal)
    for lo in range(0, n, rows):
        hi, width = min(lo + rows, n), min(lo + rows, m)
        multiply(gs, lo * m, m, g, g_at + lo * g_row, g_row, 1, v, v_at, 1, v_row, hi - lo, width, e)
        for i in range(lo, hi):
            row, y = gs[i * m : i * m + width], p[i * m : i * m + width]
            mean = g.dtype.type(dot_block(row, y))
            for j in range(row.size):
                row[j] = y[j] * (row[j] - mean) * factor
        multiply(gq, gq_at + lo * gq_row, gq_row, gs, lo * m, m, 1, k, k_at, k_row, 1, hi - lo, d, width)
    for lo in range(0, m, rows):  # these keys are seen by the queries from the first one on
        count, first = min(rows, m - lo), min(lo, n) if causal else 0
        at, seen = first * m + lo, n - first
        multiply(gk, gk_at + lo * gk_row, gk_row, gs, at, 1, m, q, q_at + first * q_row, q_row, 1, count, d, seen)
        multiply(gv, gv_at + lo * gv_row, gv_row, p, at, 1, m, g, g_at + first * g_row, g_row, 1, count, e, seen)


_forward, _backward = over_rows(_head), over_rows(_head_backward)


def attention(
    out: ndarray,
    weights: ndarray,
    q: ndarray,
    k: ndarray,
    v: ndarray,
    bias: ndarray,
    sizes: Sequence[int],
    scale: float,
    causal: bool,
) -> None:
    """out = softmax(scale Q Kᵀ + bias) V for each head; `weights`, the softmax, is for the backward.

    `sizes` describes the operands, as the comment at the top of the file says; the last axis of q, k and v has
    stride 1. out is (batch, n, heads, e), weights (batch, heads, n, m); an empty bias is none.

    >>> q, k, v = np.zeros(2), np.zeros(2), np.array([1.0, 3.0])  # one head, two queries and two keys of one number
    >>> sizes = (1, 2, 2, 1, 1, *3 * (0, 0, 0, 1), *5 * (0,))
    >>> out, weights = np.empty(2), np.empty(4)
    >>> attention(out, weights, q, k, v, np.empty(0), sizes, 1.0, True)
    >>> out.tolist(), weights.tolist()
    ([1.0, 2.0], [1.0, 0.0, 0.5, 0.5])
    """
    size = int(sizes[1] * sizes[2])
    _forward(weights.size // size, size, np.array(sizes, np.int64), out, weights, q, k, v, bias, scale, causal)


def attention_backward(
    gq: ndarray,
    gk: ndarray,
    gv: ndarray,
    g: ndarray,
    weights: ndarray,
    q: ndarray,
    k: ndarray,
    v: ndarray,
    sizes: Sequence[int],
    scale: float,
    causal: bool,
) -> None:
    """The gradients of q, k and v, which lie as the last twelve `sizes` say; g, of the shape of out, as out does."""
    size = int(sizes[1] * sizes[2])
    _backward(weights.size // size, size, np.array(sizes, np.int64), gq, gk, gv, g, weights, q, k, v, scale, causal)
