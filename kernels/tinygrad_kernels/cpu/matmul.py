"""Matrix multiplication: C[i, j] = sum over p of A[i, p] * B[p, j].

**Shapes.** A is (m, k), B is (k, n), C is (m, n). Each operand is a flat array and a layout
`(offset, row stride, column stride)` in elements, so that a transposed or sliced matrix is multiplied where it
lies: `x @ W.T` of `nn.Linear` reads W, of shape (n, k), with the layout (0, 1, k).

**The naive form** is `naive` below: three loops, 2 m n k operations, right for every dtype. It reaches about
1 GFLOP/s on a core that can do 100. Two things are wrong with it:
1. each multiply-add needs two loads, and the sum waits for the multiply-add before it (4 cycles);
2. B is read m times. Once it does not fit into a cache, every read comes from memory.

**The real form** answers both. A *tile* of C (8 x 48 floats with AVX-512) is kept in registers, so that a load
feeds many multiply-adds (`matmul_blocks.tile`). And the loops around it go over *blocks*, so that what is used
again soon lies in a near cache:

    for a block of k (256 floats)            B's part is copied panel by panel, A's strip by strip   (packing)
      for a cell of C (128 rows)             its strips of A stay in the second-level cache
        for a panel of B (48 columns)        stays in the first- or second-level cache
          for a strip of A (8 rows)          tile

A panel is laid out in the order in which the tile reads it, so the packed copy is read in one straight line: no
cache set is hit by all rows at once (rows 4096 bytes apart share one) and few pages are touched. Packing costs
m k + k n moves against m n k multiply-adds, so it pays when the matrices are large; small ones stay in place, and
only what cannot be read as vectors (a transposed B, a ragged last panel) is packed.

**Vectors** (m = 1 or n = 1) use each element of the matrix once; there is nothing to keep, so two plain loops do.

**Threads.** Cells of C are shared out. Neither the cut into cells nor the order of a sum depends on their number:
the result has the same bits for 1 and N threads. Each C[i, j] is a sum over p in order within blocks of k, then
over the blocks, which is more accurate than one long sum.

Sources: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34, 2008;
G. Golub and C. Van Loan, "Matrix Computations", 4th edition, 2013, chapter 1.
"""

from __future__ import annotations

import numba
import numpy as np

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.matmul_blocks import ROWS, VECTOR_BYTES, VECTORS, move, tile, transpose

K_BLOCK_BYTES = 1024  # a block of the reduction axis: 256 float32
CELL_ROWS, CELL_COLUMNS = 512, 768
PACK_A_COLUMNS = 48
PACK_B_ROWS = 9
PARALLEL_WORK = 2**21  # multiply-adds from which threads pay

Layout = tuple[int, int, int]


@jit
def naive(out, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k):
    """The definition. Serves the integers, whose sums wrap around as PyTorch's do."""
    for i in range(m):
        for j in range(n):
            total = out.dtype.type(0)
            for p in range(k):
                total += a[a_at + i * a_row + p * a_col] * b[b_at + p * b_row + j * b_col]
            out[i * n + j] = total


@jit(accumulate=True)
def _matrix_vector(out, x, x_at, x_row, x_col, vector, v_at, v_step, m, k):
    """out[i] = sum over p of X[i, p] * vector[p]: k scaled columns added up, or m dot products."""
    v = np.empty(k, out.dtype)
    for p in range(k):
        v[p] = vector[v_at + p * v_step]
    if x_row == 1:
        out[:m] = 0
        fours = k // 4 * 4  # four columns each time that `out` is read and written
        for p in range(0, fours, 4):
            v0, v1, v2, v3 = v[p], v[p + 1], v[p + 2], v[p + 3]
            at = x_at + p * x_col
            x0, at = x[at : at + m], at + x_col
            x1, at = x[at : at + m], at + x_col
            x2, at = x[at : at + m], at + x_col
            x3 = x[at : at + m]
            for i in range(m):
                out[i] += v0 * x0[i] + v1 * x1[i] + v2 * x2[i] + v3 * x3[i]
        for p in range(fours, k):
            column = x[x_at + p * x_col :]
            for i in range(m):
                out[i] += v[p] * column[i]
        return
    row = np.empty(0 if x_col == 1 else k, out.dtype)
    for i in range(m):
        at = x_at + i * x_row
        if x_col == 1:
            row = x[at : at + k]
        else:
            for p in range(k):
                row[p] = x[at + p * x_col]
        total = out.dtype.type(0)
        for p in range(k):
            total += row[p] * v[p]
        out[i] = total


@jit
def _pack(target, at, width, x, x_at, across, along, count, depth):
    """Copy X into panels of `width`: X[i, p] goes to target[at + i // width * width * depth + p * width + i % width].

    i < count runs along a panel's row, p < depth from row to row; X has the strides `across` and `along`. What a
    last, ragged panel holds beyond `count` is never used, but is written: it must not be memory that looks like
    a signalling nan or a slow subnormal.
    """
    lanes = VECTOR_BYTES // target.itemsize
    piece = min(width, lanes)
    if across == 1:  # whole rows of X are read: long straight lines, which the processor fetches ahead
        for p in range(depth):
            for i in range(0, count, piece):
                place = at + (i - i % width) * depth + p * width + i % width
                move(target, place, x, x_at + p * along + i, min(piece, count - i), piece)
        return
    whole = depth // lanes * lanes if along == 1 else 0  # by transposes of ROWS x lanes
    for i in range(0, count, ROWS):
        place, row = at + (i - i % width) * depth + i % width, x_at + i * across
        for p in range(0, whole, lanes):
            transpose(target, place + p * width, width, x, row + p, across, count - i)
        for p in range(whole, depth):
            for r in range(min(ROWS, count - i)):
                target[place + p * width + r] = x[row + r * across + p * along]


@jit
def _multiply(out, c_at, c_row, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k):
    """C = A @ B on one thread, C[i, j] being out[c_at + i * c_row + j]. k = 0 gives zeros."""
    lanes = VECTOR_BYTES // out.itemsize
    width = VECTORS * lanes
    blocks = (k * out.itemsize + K_BLOCK_BYTES - 1) // K_BLOCK_BYTES
    step = (k + blocks - 1) // blocks if k > 0 else 1  # blocks of equal length
    pack_a, pack_b = n > PACK_A_COLUMNS, m > 32 or b_col != 1 or n % lanes != 0
    strips = np.empty((m + ROWS) * step if pack_a else 0, out.dtype)
    panels = np.empty((n + 2 * width) * step if pack_b else 0, out.dtype)
    line = -np.int64(panels.ctypes.data) % 64 // out.itemsize  # a vector should not straddle two cache lines

    for p in range(0, max(k, 1), step):
        depth = min(step, k - p)
        left, l_at, l_strip, l_row, l_col = a, a_at + p * a_col, ROWS * a_row, a_row, a_col
        if pack_a:
            _pack(strips, 0, ROWS, a, l_at, a_row, a_col, m, depth)
            left, l_at, l_strip, l_row, l_col = strips, 0, ROWS * depth, 1, ROWS
        right, r_at, r_panel, r_row = b, b_at + p * b_row, width, b_row
        if pack_b:
            _pack(panels, line, width, b, r_at, b_col, b_row, n, depth)
            right, r_at, r_panel, r_row = panels, line, width * depth, width
        for j in range(0, n, width):
            columns = n - j
            for i in range(0, m, ROWS):
                c, rows, at = c_at + i * c_row + j, m - i, l_at + i // ROWS * l_strip
                if columns > 2 * lanes:
                    tile(3, out, c, c_row, rows, columns, p == 0, left, at, l_row, l_col, right, r_at, r_row, depth)
                elif columns > lanes:
                    tile(2, out, c, c_row, rows, columns, p == 0, left, at, l_row, l_col, right, r_at, r_row, depth)
                else:
                    tile(1, out, c, c_row, rows, columns, p == 0, left, at, l_row, l_col, right, r_at, r_row, depth)
            r_at += r_panel


@jit
def _cells(out, c_step, a, a_step, a_at, a_row, a_col, b, b_step, b_at, b_row, b_col, batch, m, n, k, rows, columns):
    across, down = (n + columns - 1) // columns, (m + rows - 1) // rows
    for number in range(batch * down * across):
        q, i, j = number // (down * across), number // across % down * rows, number % across * columns
        c, left, right = q * c_step + i * n + j, a_at + q * a_step + i * a_row, b_at + q * b_step + j * b_col
        height, width = min(rows, m - i), min(columns, n - j)
        _multiply(out, c, n, a, left, a_row, a_col, b, right, b_row, b_col, height, width, k)


@jit(parallel=True)
def _cells_threads(
    out, c_step, a, a_step, a_at, a_row, a_col, b, b_step, b_at, b_row, b_col, batch, m, n, k, rows, columns
):
    across, down = (n + columns - 1) // columns, (m + rows - 1) // rows
    for number in numba.prange(batch * down * across):
        q, i, j = number // (down * across), number // across % down * rows, number % across * columns
        c, left, right = q * c_step + i * n + j, a_at + q * a_step + i * a_row, b_at + q * b_step + j * b_col
        height, width = min(rows, m - i), min(columns, n - j)
        _multiply(out, c, n, a, left, a_row, a_col, b, right, b_row, b_col, height, width, k)


def matmul(out, a, b, m, n, k, a_layout, b_layout):
    a_at, a_row, a_col = a_layout
    b_at, b_row, b_col = b_layout
    if n == 1:
        _matrix_vector(out, a, a_at, a_row, a_col, b, b_at, b_row, m, k)
    elif m == 1:
        _matrix_vector(out, b, b_at, b_col, b_row, a, a_at, a_col, n, k)
    elif m * n * k < PARALLEL_WORK:
        _multiply(out, 0, n, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k)
    else:
        rows, columns = _cell_shape(m, n)
        _cells_threads(out, 0, a, 0, a_at, a_row, a_col, b, 0, b_at, b_row, b_col, 1, m, n, k, rows, columns)

def _cell_shape(m,n):
    return min(CELL_ROWS, max(64,(m//2+ROWS-1)//ROWS*ROWS)), CELL_COLUMNS
