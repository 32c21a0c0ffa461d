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
from tinygrad_kernels.cpu.rows import dot_block, exp_block, maximum, over_rows, sum_block

# `sizes` holds heads, n, m, d, e; then for Q, K, V and the bias: offset, steps from batch to batch, head to head, row
# to row; last the bias's step from column to column.
Q, K, V, BIAS = 5, 9, 13, 17


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
def _scale(row, factor):
    for j in range(row.size):
        row[j] *= factor


@jit
def _subtract(row, value):
    for j in range(row.size):
        row[j] -= value


@jit
def _weigh(p, scores, number, sizes, bias, scale, causal):
    """P from S (`scores`, which is lost): the rows' maxima, one exponential for the whole head, the rows' sums.

    e^-inf = 0 is what a key weighs that may not be seen: so all loops are over whole rows, in whole vectors.
    """
    n, m = sizes[1], sizes[2]
    at, step = _start(number, sizes, BIAS)
    for i in range(n):
        row = scores[i * m : (i + 1) * m]
        _scale(row, scale)
        if causal:
            _fill(row[i + 1 :], -np.inf)
        if bias.size == 0 or _add_bias(row, bias, at + i * step, sizes[BIAS + 4]):
            _subtract(row, maximum(row))
    exp_block(p, scores, scale * 0)
    for i in range(n):
        row = p[i * m : (i + 1) * m]
        total = sum_block(row)
        if total != 0:  # 0: nothing is seen
            _scale(row, p.dtype.type(1.0 / total))


@jit
def _head(number, size, sizes, out, weights, q, k, v, bias, scale, causal):
    n, m, d, e = sizes[1], sizes[2], sizes[3], sizes[4]
    p = weights[number * size : (number + 1) * size]
    q_at, q_row = _start(number, sizes, Q)
    k_at, k_row = _start(number, sizes, K)
    v_at, v_row = _start(number, sizes, V)
    o_at, o_row = _place(number, sizes, n, e)
    scores = np.empty(size, p.dtype)
    multiply(scores, 0, m, q, q_at, q_row, 1, k, k_at, 1, k_row, n, m, d)
    _weigh(p, scores, number, sizes, bias, p.dtype.type(scale), causal)
    multiply(out, o_at, o_row, p, 0, m, 1, v, v_at, v_row, 1, n, e, m)


@jit
def _head_backward(number, size, sizes, gq, gk, gv, g, weights, q, k, v, scale):
    n, m, d, e = sizes[1], sizes[2], sizes[3], sizes[4]
    p, gs = weights[number * size : (number + 1) * size], np.empty(size, g.dtype)
    q_at, q_row = _start(number, sizes, Q)
    k_at, k_row = _start(number, sizes, K)
    v_at, v_row = _start(number, sizes, V)
    g_at, g_row = _place(number, sizes, n, e)
    multiply(gs, 0, m, g, g_at, g_row, 1, v, v_at, 1, v_row, n, m, e)
    factor = g.dtype.type(scale)
    for i in range(n):
        row, y = gs[i * m : (i + 1) * m], p[i * m : (i + 1) * m]
        mean = g.dtype.type(dot_block(row, y))
        for j in range(row.size):
            row[j] = y[j] * (row[j] - mean) * factor
    gq_at, gq_row = _place(number, sizes, n, d)
    gk_at, gk_row = _place(number, sizes, m, d)
    gv_at, gv_row = _place(number, sizes, m, e)
    multiply(gq, gq_at, gq_row, gs, 0, m, 1, k, k_at, k_row, 1, n, d, m)
    multiply(gk, gk_at, gk_row, gs, 0, 1, m, q, q_at, q_row, 1, m, d, n)
    multiply(gv, gv_at, gv_row, p, 0, 1, m, g, g_at, g_row, 1, m, e, n)


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
) -> None:
    """The gradients of q (batch, n, heads, d), k (batch, m, heads, d) and v (batch, m, heads, e); g is laid as out."""
    size = int(sizes[1] * sizes[2])
    _backward(weights.size // size, size, np.array(sizes, np.int64), gq, gk, gv, g, weights, q, k, v, scale)
