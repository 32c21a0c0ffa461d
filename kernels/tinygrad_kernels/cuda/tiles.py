"""The middle of a matrix product on the GPU, for those whose operands are no plain matrices.

The chapter on matrix products (matmul_naive.py) tells why a block computes a tile of 64 x 64 elements, and a thread
4 x 4 of them. Convolution and attention are such products too; what differs is where the numbers come from and what is
done with the results. So here is what they have in common, as functions that the compiler puts in their place:

    total (EACH, EACH)                                the sums of a thread, in registers
    clear(total)                                      before
    fold(total, tile_a, tile_b, row, column)          adds the product of what is in shared memory:

        tile_a[k * LINE + i]: A[i, k]                 tile_b[k * LINE + j]: B[k, j]

The four rows (and columns) of a thread are neighbours, so that one load of 128 bits brings all four: two loads for
16 multiplications. LINE is 68, not 64: or threads that store one below the other would want the same bank of shared
memory.

A thread brings two numbers of each tile, for one step k:

    lane_along(thread)     8 threads along k, 32 across       where k is what lies in a row in memory
    lane_across(thread)    32 threads across, 8 along k       where rows (or columns) of the tile do

Memory takes as long to answer as a tile takes to be multiplied. So a thread asks for the numbers of the next tile
before it multiplies the last one, and puts them into shared memory after that:

    for each step, and once more:   ask for the numbers of this step │ fold the last tile │ barrier │ store │ barrier

Source: S. Boehm, How to optimize a CUDA matmul kernel for cuBLAS-like performance, 2022.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba

from .device import cuda
from .jit import device
from .vectors import load4

TILE, EACH = 64, 4  # a block computes 64 x 64 elements, a thread 4 x 4 of them
SIDE = TILE // EACH  # 16 x 16 threads
DEPTH = 8  # steps k whose numbers are in shared memory at once
LINE = TILE + 4
SHARED, ALIGNED = DEPTH * LINE, 16  # numbers in shared memory; bytes: where 128 bits can be loaded at once
ACROSS = SIDE * SIDE // DEPTH  # a thread brings the numbers across + part * ACROSS, for PARTS parts
PARTS = TILE // ACROSS


def bounds(dtype: str) -> tuple[int, int]:
    """Threads of a block, and how many blocks shall fit on a multiprocessor: numbers of 64 bits take two registers."""
    return SIDE * SIDE, 2 if dtype == "float32" else 1


@device
def lane_along(thread):
    """(k, across) of a thread, where memory runs along k."""
    return thread % DEPTH, thread // DEPTH


@device
def lane_across(thread):
    """(k, across) of a thread, where memory runs across."""
    return thread // ACROSS, thread % ACROSS


@cache
def products(dtype: str) -> tuple[Any, Any]:
    """clear(total) and fold(total, tile_a, tile_b, row, column) for a dtype."""
    T = getattr(numba, dtype)
    zero = T(0)
    if dtype == "float32":
        four = load4
    else:

        @device
        def four(x, i):
            return x[i], x[i + 1], x[i + 2], x[i + 3]

    @device
    def clear(total):
        for i in range(EACH):
            for j in range(EACH):
                total[i, j] = zero

    @device
    def fold(total, tile_a, tile_b, row, column):
        some_a, some_b = cuda.local.array(EACH, T), cuda.local.array(EACH, T)
        for k in range(DEPTH):
            some_a[0], some_a[1], some_a[2], some_a[3] = four(tile_a, k * LINE + row * EACH)
            some_b[0], some_b[1], some_b[2], some_b[3] = four(tile_b, k * LINE + column * EACH)
            for i in range(EACH):
                for j in range(EACH):
                    total[i, j] += some_a[i] * some_b[j]

    return clear, fold
