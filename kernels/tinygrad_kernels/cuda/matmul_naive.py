"""The first three steps of the matrix product on the GPU: correct, then fewer reads of memory, then of shared memory.

1. `naive`      a thread to an element of C: reads a row of A and a column of B. Two reads for each multiplication; a
                multiprocessor can multiply 128 times while it is given 32 numbers.
2. `tiled`      a block to a tile of C, 16 x 16: its threads fetch a tile of A and one of B into shared memory together,
                and each number that was fetched is used 16 times.

                         B  ░░░▓▓▓░░░        all threads of a block read
                            ░░░▓▓▓░░░        the same ▓: fetch it once
                A  ░░░░░░   ---------
                   ▓▓▓▓▓▓   ···███···   C
                   ░░░░░░   ·········

                Now shared memory is the limit: still two reads from it for each multiplication.
3. `registers`  a thread to 4 x 4 elements of C: for 8 numbers read from shared memory, 16 multiplications.

They take any dtype (the first also bool, where * is and, + is or); integers are multiplied by the first two, float64 by
the third. What float32 gets is in
matmul_warp.py. The arguments are explained in matmul_tiles.py.

Source: CUDA C++ Programming Guide, section 3.2.4 (shared memory); V. Volkov and J. Demmel, Benchmarking GPUs to Tune
Dense Linear Algebra, 2008 (registers).
"""

from __future__ import annotations

from functools import cache

import numba

from .device import cuda
from .jit import Kernel, kernel
from .matmul_tiles import arguments_of, piece_of_block, place_of_block


@cache
def naive(dtype: str) -> Kernel:
    """The definition."""
    T = getattr(numba, "uint8" if dtype == "bool" else dtype)
    logical = dtype == "bool"

    @kernel(arguments_of(dtype))
    def naive(
        out, a, b, bias, side, second, biased, m, n, k, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col, rows,
        columns, pieces, aligned,
    ):  # fmt: skip
        at, batch = cuda.grid(1), cuda.blockIdx.z
        if at < m * n:
            i, j = at // n, at % n
            total = T(0)
            for p in range(k):
                x = a[batch * a_step + a_at + i * a_row + p * a_col]
                y = b[batch * b_step + b_at + p * b_row + j * b_col]
                total = total | (x & y) if logical else T(total + x * y)
            out[batch * m * n + at] = T(total + bias[j]) if biased > 0 else total

    return naive


SIDE = 16  # of a tile and of a block of threads


@cache
def tiled(dtype: str) -> Kernel:
    """A block to a tile of C; blocks of SIDE x SIDE threads."""
    T = getattr(numba, dtype)

    @kernel(arguments_of(dtype))
    def tiled(
        out, a, b, bias, side, second, biased, m, n, k, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col, rows,
        columns, pieces, aligned,
    ):  # fmt: skip
        tile_a, tile_b = cuda.shared.array((SIDE, SIDE), T), cuda.shared.array((SIDE, SIDE), T)
        column, row, batch = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        down, right = place_of_block(rows, columns)
        i, j = down * SIDE + row, right * SIDE + column
        a_place, b_place = batch * a_step + a_at + i * a_row, batch * b_step + b_at + j * b_col
        total = T(0)
        for begin in range(0, k, SIDE):  # each thread fetches one number of either tile
            p, q = begin + column, begin + row
            tile_a[row, column] = a[a_place + p * a_col] if i < m and p < k else T(0)
            tile_b[row, column] = b[b_place + q * b_row] if j < n and q < k else T(0)
            cuda.syncthreads()  # both tiles are complete
            for p in range(SIDE):
                total = T(total + tile_a[row, p] * tile_b[p, column])
            cuda.syncthreads()  # nobody reads them any more
        if i < m and j < n:
            out[(batch * m + i) * n + j] = T(total + bias[j]) if biased > 0 else total

    return tiled


TILE, EACH = 64, 4  # a block computes 64 x 64 elements of C, a thread 4 x 4 of them
DEPTH = 8  # steps of p whose numbers are in shared memory at once
LENGTH = TILE + 1  # of their rows: with 64, threads that store one below the other would want the same memory bank
assert TILE // EACH == SIDE


@cache
def registers(dtype: str) -> Kernel:
    """A thread to 4 x 4 elements, which lie SIDE apart, so that neighbouring threads read neighbouring numbers."""
    T = getattr(numba, dtype)

    @kernel(arguments_of(dtype), bounds=(SIDE * SIDE, 2))
    def registers(
        out, a, b, bias, side, second, biased, m, n, k, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col, rows,
        columns, pieces, aligned,
    ):  # fmt: skip
        tile_a, tile_b = cuda.shared.array((DEPTH, LENGTH), T), cuda.shared.array((DEPTH, LENGTH), T)
        total = cuda.local.array((EACH, EACH), T)
        some_a, some_b = cuda.local.array(EACH, T), cuda.local.array(EACH, T)
        column, row, batch = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z // pieces
        down, right = place_of_block(rows, columns)
        top, left = down * TILE, right * TILE
        first, end = piece_of_block(k, pieces, DEPTH)
        thread = row * SIDE + column
        for i in range(EACH):
            for j in range(EACH):
                total[i, j] = T(0)
        for begin in range(first, end, DEPTH):
            for part in range(DEPTH * TILE // (SIDE * SIDE)):
                at = part * SIDE * SIDE + thread
                if a_col == 1:  # rows of A lie in a row: threads side by side read along p
                    i, p = at // DEPTH, at % DEPTH
                else:
                    i, p = at % TILE, at // TILE
                inside = top + i < m and begin + p < end
                place = batch * a_step + a_at + (top + i) * a_row + (begin + p) * a_col
                tile_a[p, i] = a[place] if inside else T(0)
                if b_row == 1:
                    j, p = at // DEPTH, at % DEPTH
                else:
                    j, p = at % TILE, at // TILE
                inside = left + j < n and begin + p < end
                place = batch * b_step + b_at + (begin + p) * b_row + (left + j) * b_col
                tile_b[p, j] = b[place] if inside else T(0)
            cuda.syncthreads()
            for p in range(DEPTH):
                for i in range(EACH):
                    some_a[i] = tile_a[p, i * SIDE + row]
                    some_b[i] = tile_b[p, i * SIDE + column]
                for i in range(EACH):
                    for j in range(EACH):
                        total[i, j] += some_a[i] * some_b[j]
            cuda.syncthreads()
        for i in range(EACH):
            for j in range(EACH):
                y, x = top + i * SIDE + row, left + j * SIDE + column
                if y < m and x < n:
                    out[(cuda.blockIdx.z * m + y) * n + x] = total[i, j] + bias[x] if biased > 0 else total[i, j]

    return registers
