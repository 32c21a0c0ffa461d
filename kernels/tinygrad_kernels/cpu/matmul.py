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

    for a cell of C (528 columns at most)
      for a block of k (256 to 512)      copy its part of B in panels (packing): they stay in the second-level cache
        for a strip of A (8 rows)        stays in the first-level cache
          for a panel of B (48 columns)
            tile

Strips and panels are laid out in the order in which the tile reads them, so a packed copy is read in one straight
line: no set of the cache is hit by all rows at once (rows 4096 bytes apart share one), and few pages are touched.
Packing costs moves, so it is left out where it gains nothing: the rows of A are read where they lie unless they are
such rows, or not contiguous; so is a small B. A transposed B cannot be (a vector needs neighbours), and is packed by
transposes in registers.

Aᵀ, whose columns are contiguous, holds a strip in pieces of 32 bytes, one in each line of memory. So 256 columns are
packed at once, out of whole lines, strip beside strip; the two inner loops change places (for a panel, for a strip of
the group), and blocks of k are so short that the panel stays in the first-level cache, in the place of the strip.
(Measured for AᵀB of (1024, 384)ᵀ and (1024, 128): 81 GFLOP/s strip by strip, 96 so.)

**Vectors** (m = 1 or n = 1) use each element of the matrix once; there is nothing to keep: matmul_vector.py.

**Threads.** Cells of C are shared out. Neither the cut into cells nor the order of a sum depends on their number:
the result has the same bits for 1 and N threads. Each C[i, j] is a sum over p in order within blocks of k, then
over the blocks, which is more accurate than one long sum.

Sources: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34, 2008;
G. Golub and C. Van Loan, "Matrix Computations", 4th edition, 2013, chapter 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.matmul_blocks import ROWS, VECTOR_BYTES, VECTORS, copy, move, tile, transpose
from tinygrad_kernels.cpu.matmul_endings import NONE, ending_of
from tinygrad_kernels.cpu.matmul_vector import add_bias, row_times, times_column
from tinygrad_kernels.cpu.threads import get_num_threads, parallel
from tinygrad_kernels.expr import Formula

K_BLOCK_BYTES = 1024  # a row of a block of k: 256 float32, or up to twice as many where C is narrow
B_BLOCK_BYTES = 2**18  # a narrow block of B: a quarter of the second-level cache
SHORT_BLOCK = 128  # the same for Aᵀ, in elements: a panel then stays in the first-level cache
GROUP = 256  # columns of Aᵀ that are packed at once
B_IN_PLACE_BYTES = 2**15  # the first-level cache: a B that fits is read where it lies, if it can be
SAME_SET_BYTES = 4096  # addresses so far apart lie in one set of the first-level cache, which has room for 8
CELL_COLUMNS = 528  # of the largest cells
THREADS_FROM = 2**22  # multiply-adds (60 us) from which threads pay

Layout = tuple[int, int, int]  # offset, row stride, column stride, in elements


@jit
def naive(out, out_at, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k):
    """The definition. Serves the integers, whose sums wrap around as PyTorch's do."""
    for i in range(m):
        for j in range(n):
            total = out.dtype.type(0)
            for p in range(k):
                total += a[a_at + i * a_row + p * a_col] * b[b_at + p * b_row + j * b_col]
            out[out_at + i * n + j] = total


@jit
def _pack(target, at, width, x, x_at, across, along, count, depth):
    """Copy X into panels of `width`: X[i, p] goes to target[at + i // width * width * depth + p * width + i % width].

    i < count runs along a panel's row, p < depth from row to row; X has the strides `across` and `along`. What a
    last, ragged panel holds beyond `count` reaches only columns of C that do not exist.
    """
    lanes = VECTOR_BYTES // target.itemsize
    piece = min(width, lanes)
    if across == 1:  # whole rows of X are read: long straight lines, which the processor fetches ahead
        for p in range(depth):
            row = x_at + p * along
            for panel in range(0, count, width):
                place = at + panel * depth + p * width - panel
                for i in range(panel, min(panel + width, count), piece):
                    move(target, place + i, x, row + i, min(piece, count - i), piece)
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
def _pack_strips(strips, at, stride, a, a_at, a_row, a_col, count, depth):
    """Copy rows of A into strips: A[i, p] goes to strips[at + i // ROWS * stride + p * ROWS + i % ROWS].

    Where the columns of A are contiguous (Aᵀ), whole lines of memory are read, a piece of each for every strip.
    """
    full = count // ROWS * ROWS if a_row == 1 else 0
    for p in range(depth if full else 0):
        for strip in range(full // ROWS):
            copy(strips, at + strip * stride + p * ROWS, a, a_at + p * a_col + strip * ROWS)
    for i in range(full, count, ROWS):
        to, left = at + i // ROWS * stride, min(ROWS, count - i)
        _pack(strips, to, np.int64(ROWS), a, a_at + i * a_row, a_row, a_col, left, depth)


@jit
def _longest(n, itemsize):
    """How long a block of k may be, for a C of n columns. (In cells or whole: sums must not depend on the cut.)"""
    return min(max(K_BLOCK_BYTES, B_BLOCK_BYTES // max(n, 1)), 2 * K_BLOCK_BYTES) // itemsize


@jit
def multiply(out, c_at, c_row, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k):
    """C = A @ B on one thread, C[i, j] being out[c_at + i * c_row + j]. k = 0 gives zeros."""
    multiply_to(out, c_at, c_row, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k, 0, 0, NONE, 0)


@jit
def multiply_to(out, c_at, c_row, a, a_at, a_row, a_col, b, b_at, b_row, b_col, m, n, k, bias, side, ending, longest):
    """The same, with a bias and an ending. `bias` and `side` are addresses, or 0: see `tile` in matmul_blocks.py.

    Where C is a cell, `longest` is that of the whole product.
    """
    lanes = VECTOR_BYTES // out.itemsize
    width = VECTORS * lanes
    group = GROUP if a_row == 1 and a_col != 1 else ROWS  # rows whose strips are there at a time
    most = SHORT_BLOCK if group > ROWS else longest if longest > 0 else _longest(n, out.itemsize)
    blocks = (k + most - 1) // most
    step = (k + blocks - 1) // blocks if k > 0 else 1  # blocks of equal length
    pack_a = a_col != 1 or a_row * out.itemsize % SAME_SET_BYTES == 0
    small_b = m <= ROWS or k * n * out.itemsize <= B_IN_PLACE_BYTES
    pack_b = b_col != 1 or n % lanes != 0 or not small_b
    stride = ROWS * step + lanes  # the strips of a group should not all begin in one set of the cache
    strips = np.empty((min(group, m) // ROWS + 1) * stride + 64 if pack_a else 0, out.dtype)
    panels = np.empty((n + 2 * width) * step if pack_b else 0, out.dtype)
    if n % lanes != 0:
        panels[:] = 0  # what follows the last column could be subnormal numbers, and these are slow
    # A vector should not straddle two cache lines.
    s_line = -np.int64(strips.ctypes.data) % 64 // out.itemsize
    line = -np.int64(panels.ctypes.data) % 64 // out.itemsize
    bias_step = width * out.itemsize if bias != 0 else 0

    for p in range(0, max(k, 1), step):
        depth, first, last = min(step, k - p), p == 0, p + step >= k
        right, r_start, r_panel, r_row = b, b_at + p * b_row, width, b_row
        if pack_b:
            _pack(panels, line, np.int64(width), b, r_start, b_col, b_row, n, depth)
            right, r_start, r_panel, r_row = panels, line, width * depth, width
        for g in range(0, m, group):
            rows = min(group, m - g)
            left, l_start, l_strip, l_row, l_col = a, a_at + g * a_row + p * a_col, ROWS * a_row, a_row, a_col
            if pack_a:
                _pack_strips(strips, s_line, stride, a, l_start, a_row, a_col, rows, depth)
                left, l_start, l_strip, l_row, l_col = strips, s_line, stride, 1, ROWS
            c_start, r_at, bias_j = c_at + g * c_row, r_start, bias
            for x in range(n, 0, -width):  # columns that are left
                c, l_at = c_start, l_start
                for y in range(rows, 0, -ROWS):  # rows that are left
                    if x > 2 * lanes:
                        tile(3, out, c, c_row, y, x, first, left, l_at, l_row, l_col, right, r_at, r_row, depth,
                             last, bias_j, side, ending)  # fmt: skip
                    elif x > lanes:
                        tile(2, out, c, c_row, y, x, first, left, l_at, l_row, l_col, right, r_at, r_row, depth,
                             last, bias_j, side, ending)  # fmt: skip
                    else:
                        tile(1, out, c, c_row, y, x, first, left, l_at, l_row, l_col, right, r_at, r_row, depth,
                             last, bias_j, side, ending)  # fmt: skip
                    c += ROWS * c_row
                    l_at += l_strip
                c_start += width
                r_at += r_panel
                bias_j += bias_step


@jit
def start_of(x, i):
    """The address of x[i]; 0 if x is empty."""
    return np.int64(x.ctypes.data) + i * x.itemsize if x.size else np.int64(0)


@jit
def _cells(
    out, c_step, a, a_step, a_at, a_row, a_col, b, b_step, b_at, b_row, b_col, batch, m, n, k, rows, columns,
    bias, side, ending,
):  # fmt: skip
    """A batch of products, cut into cells of C. Matrix q of an operand starts q steps after its first."""
    across, down, longest = (n + columns - 1) // columns, (m + rows - 1) // rows, _longest(n, out.itemsize)
    for number in range(batch * down * across):
        q, i, j = number // (down * across), number // across % down * rows, number % across * columns
        c, left, right = q * c_step + i * n + j, a_at + q * a_step + i * a_row, b_at + q * b_step + j * b_col
        height, width = min(rows, m - i), min(columns, n - j)
        bias_j, beside = start_of(bias, j), start_of(side, 0)
        multiply_to(out, c, n, a, left, a_row, a_col, b, right, b_row, b_col, height, width, k, bias_j, beside,
                    ending, longest)  # fmt: skip


@jit(parallel=True)
def _cells_parallel(
    out, c_step, a, a_step, a_at, a_row, a_col, b, b_step, b_at, b_row, b_col, batch, m, n, k, rows, columns,
    bias, side, ending,
):  # fmt: skip
    """The same, with the cells shared out."""
    across, down, longest = (n + columns - 1) // columns, (m + rows - 1) // rows, _longest(n, out.itemsize)
    for number in numba.prange(batch * down * across):
        q, i, j = number // (down * across), number // across % down * rows, number % across * columns
        c, left, right = q * c_step + i * n + j, a_at + q * a_step + i * a_row, b_at + q * b_step + j * b_col
        height, width = min(rows, m - i), min(columns, n - j)
        bias_j, beside = start_of(bias, j), start_of(side, 0)
        multiply_to(out, c, n, a, left, a_row, a_col, b, right, b_row, b_col, height, width, k, bias_j, beside,
                    ending, longest)  # fmt: skip


_cells_threads = parallel(_cells_parallel, _cells)


def _cell(m: int, n: int) -> tuple[int, int]:
    """Rows and columns of a cell: large, since each packs for itself, but several for each thread. (How C is cut does
    not show in it: each of its numbers is computed as it would be alone.)"""
    threads = get_num_threads()
    rows = m if threads == 1 else max(128, -(-m // (2 * threads * ROWS)) * ROWS)
    return rows, CELL_COLUMNS if m > 128 or threads == 1 else min(max(192, -(-n // 192) * 48), CELL_COLUMNS)


def matmul(
    out: np.ndarray, a: np.ndarray, b: np.ndarray, m: int, n: int, k: int, a_layout: Layout, b_layout: Layout
) -> None:
    """out = A @ B for A of shape (m, k) and B of shape (k, n); any of m, n, k may be 0 (k = 0 gives zeros).

    `out` is a 1-d array of m * n elements, C in row-major order, which must not overlap a or b; `a` and `b` are
    1-d contiguous arrays, and a layout (offset, row stride, column stride) says where A and B lie in them. All
    three have one dtype. Nothing is checked: an operand that reaches outside its array reads foreign memory.

    >>> x, w = np.arange(6, dtype=np.float32), np.ones(12, np.float32)  # (2, 3), and W of shape (4, 3)
    >>> out = np.empty(8, np.float32)
    >>> matmul(out, x, w, 2, 4, 3, (0, 3, 1), (0, 1, 3))  # x @ W.T
    >>> out.reshape(2, 4)
    array([[ 3.,  3.,  3.,  3.],
           [12., 12., 12., 12.]], dtype=float32)
    """
    kernel, sizes = matmul_kernel(out.dtype.name, m, n, k, a_layout, b_layout)
    kernel(out, a, b, sizes)


def matmul_kernel(
    dtype: str, m: int, n: int, k: int, a_layout: Layout, b_layout: Layout
) -> tuple[Callable[..., None], np.ndarray]:
    """The kernel (out, a, b, sizes) for such a product, and its last argument: for those who compute it many times.

    The eleven numbers are in one array, since each argument of a compiled function costs some 25 ns. A fifth argument
    is a bias (n,), added to each row of the product.
    """
    sizes = np.array([m, n, k, *a_layout, *b_layout], np.int64)
    if "float" not in dtype:
        return _whole, sizes
    if n == 1:
        return times_column, sizes
    if m == 1:
        return row_times, sizes
    return (_small if m * n * k < THREADS_FROM else _large), sizes


@jit
def _whole(out, a, b, sizes, bias=None):
    m, n, k = sizes[0], sizes[1], sizes[2]
    naive(out, 0, a, sizes[3], sizes[4], sizes[5], b, sizes[6], sizes[7], sizes[8], m, n, k)
    if bias is not None:
        for i in range(m):
            add_bias(out[i * n : (i + 1) * n], bias, 0)


@jit
def _small(out, a, b, sizes, bias=None):
    none = out[:0]
    _small_to(out, a, b, sizes, none if bias is None else bias, none, NONE)


def _large(out: np.ndarray, a: np.ndarray, b: np.ndarray, sizes: np.ndarray, bias: np.ndarray | None = None) -> None:
    none = out[:0]
    _large_to(out, a, b, sizes, none if bias is None else bias, none, NONE)


@jit
def _small_to(out, a, b, sizes, bias, side, ending):
    """_small with an ending; `bias` and `side` are empty where there is none."""
    m, n, k = sizes[0], sizes[1], sizes[2]
    multiply_to(
        out, 0, n, a, sizes[3], sizes[4], sizes[5], b, sizes[6], sizes[7], sizes[8], m, n, k,
        start_of(bias, 0), start_of(side, 0), ending, 0,
    )  # fmt: skip


def _large_to(
    out: np.ndarray, a: np.ndarray, b: np.ndarray, sizes: np.ndarray, bias: np.ndarray, side: np.ndarray, ending: int
) -> None:
    """_large with an ending."""
    m, n, k, *layouts = sizes.tolist()
    a_at, a_row, a_col, b_at, b_row, b_col = layouts
    cell = _cell(m, n)
    _cells_threads(out, 0, a, 0, a_at, a_row, a_col, b, 0, b_at, b_row, b_col, 1, m, n, k, *cell, bias, side, ending)


def matmul_ending(
    formula: Formula, dtype: str, m: int, n: int, k: int, a_layout: Layout, b_layout: Layout
) -> Callable[..., None] | None:
    """The kernel (out, a, b, sizes, bias, *sides) that stores, for each element p of the product (with its bias), a
    formula of p and of y, the number at the same place of a side array; None if there is none for this formula.

    >>> from tinygrad_kernels.expr import Expr
    >>> p, y = Expr.input("p"), Expr.input("y")
    >>> added = matmul_ending(Formula("added", ("p", "y"), (p + y,)), "float32", 2, 2, 2, (0, 2, 1), (0, 2, 1))
    >>> sizes = matmul_kernel("float32", 2, 2, 2, (0, 2, 1), (0, 2, 1))[1]
    >>> a, out = np.array([1, 0, 0, 2], np.float32), np.empty(4, np.float32)
    >>> added(out, a, a, sizes, None, np.full(4, 10, np.float32))
    >>> out
    array([11., 10., 10., 14.], dtype=float32)
    """
    ending, plain = ending_of(formula), matmul_kernel(dtype, m, n, k, a_layout, b_layout)[0]
    if ending == NONE or (plain is not _small and plain is not _large):
        return None
    kernel, none = _small_to if plain is _small else _large_to, np.empty(0, dtype)

    def ended(out: Any, a: Any, b: Any, sizes: Any, bias: Any, side: Any = none) -> None:
        kernel(out, a, b, sizes, none if bias is None else bias, side, ending)

    return ended


def batched_matmul(
    out: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    batch: int,
    m: int,
    n: int,
    k: int,
    a_step: int,
    a_layout: Layout,
    b_step: int,
    b_layout: Layout,
) -> None:
    """out[q] = A[q] @ B[q] for q < batch; see `matmul`. `out` has batch * m * n elements.

    A[q] starts a_step elements after A[q - 1]; a step of 0 uses one matrix for the whole batch (a broadcast).

    >>> a, b, out = np.arange(4.0), np.arange(4.0), np.empty(2)
    >>> batched_matmul(out, a, b, 2, 1, 1, 2, 2, (0, 2, 1), 0, (0, 1, 1))  # two rows, both times b[:2]
    >>> out
    array([1., 3.])
    """
    a_at, a_row, a_col = a_layout
    b_at, b_row, b_col = b_layout
    if out.dtype.char not in "fd":
        for q in range(batch):
            naive(out, q * m * n, a, a_at + q * a_step, a_row, a_col, b, b_at + q * b_step, b_row, b_col, m, n, k)
        return
    cells = _cells if batch * m * n * k < THREADS_FROM else _cells_threads
    cell = _cell(m, n)
    more = (out[:0], out[:0], NONE)
    cells(out, m * n, a, a_step, a_at, a_row, a_col, b, b_step, b_at, b_row, b_col, batch, m, n, k, *cell, *more)
