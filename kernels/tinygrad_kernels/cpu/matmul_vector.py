"""A matrix times a vector: out[i] = sum over p of X[i, p] * vector[p].

**Problem.** Each element of X is read once and multiplied once. There is nothing to keep in registers or caches, so the
tiles of matmul.py gain nothing: the product takes as long as X takes to come from memory, and all that can be done is
to read X in the order in which it lies.

**Idea.** Two plain loops, one for each order. If the columns of X lie in a row, four scaled columns are added to the
result at a time; if its rows do, each is a dot product. Both sum blocks of 1024 first and then the blocks: one running
sum of many numbers loses digits.

Source: G. Golub and C. Van Loan, "Matrix Computations", 4th edition, 2013, section 1.1 (gaxpy and dot product forms).
"""

from __future__ import annotations

import numpy as np

from tinygrad_kernels.cpu.jit import jit


@jit(accumulate=True)
def _matrix_vector(out, x, x_at, x_row, x_col, vector, v_at, v_step, m, k):
    """out[i] = sum over p of X[i, p] * vector[p], X[i, p] being x[x_at + i * x_row + p * x_col]: see above."""
    out[:m] = 0
    if k < 16 and x_row > 0:  # short rows: column by column, however far apart a column's elements lie
        for p in range(k):
            start, factor = x_at + p * x_col, vector[v_at + p * v_step]
            column = x[start : start + (m - 1) * x_row + 1 : x_row]
            for i in range(m):
                out[i] += factor * column[i]
        return
    v = np.empty(1024, out.dtype)
    part = np.empty(m if x_row == 1 else 1024, out.dtype)
    for start in range(0, k, 1024):
        depth = min(1024, k - start)
        for p in range(depth):
            v[p] = vector[v_at + (start + p) * v_step]
        at = x_at + start * x_col
        if x_row == 1:
            part[:] = 0
            fours = depth // 4 * 4  # four columns each time that `part` is read and written
            for p in range(0, fours, 4):
                v0, v1, v2, v3 = v[p], v[p + 1], v[p + 2], v[p + 3]
                x0, at = x[at : at + m], at + x_col
                x1, at = x[at : at + m], at + x_col
                x2, at = x[at : at + m], at + x_col
                x3, at = x[at : at + m], at + x_col
                for i in range(m):
                    part[i] += v0 * x0[i] + v1 * x1[i] + v2 * x2[i] + v3 * x3[i]
            for p in range(fours, depth):
                x0, at = x[at : at + m], at + x_col
                for i in range(m):
                    part[i] += v[p] * x0[i]
            for i in range(m):
                out[i] += part[i]
        else:
            for i in range(m):
                row = x[at : at + depth]
                if x_col != 1:  # neither rows nor columns are contiguous: copy the row
                    row = part
                    for p in range(depth):
                        row[p] = x[at + p * x_col]
                total = out.dtype.type(0)
                for p in range(depth):
                    total += row[p] * v[p]
                out[i] += total
                at += x_row


@jit
def add_bias(out, bias, j):
    """Add bias[j : j + out.size] to a row of C."""
    part = bias[j : j + out.size]
    for q in range(out.size):
        out[q] += part[q]


@jit
def times_column(out, a, b, sizes, bias=None):
    _matrix_vector(out, a, sizes[3], sizes[4], sizes[5], b, sizes[6], sizes[7], sizes[0], sizes[2])
    if bias is not None:
        for i in range(out.size):
            out[i] += bias[0]


@jit
def row_times(out, a, b, sizes, bias=None):
    _matrix_vector(out, b, sizes[6], sizes[8], sizes[7], a, sizes[3], sizes[5], sizes[1], sizes[2])
    if bias is not None:
        add_bias(out, bias, 0)
