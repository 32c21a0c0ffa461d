"""Exercise 11.1: A Bᵀ through shared memory, reading along the rows of both.

c (m, n) = a (m, k) times the transpose of b (n, k), all flat: c[i, j] = sum of a[i, p] b[j, p]. It is what a linear
layer computes. A block is SIDE x SIDE threads, (cuda.threadIdx.x, cuda.threadIdx.y), and computes a tile of c; the
grid has a block for each tile, (cuda.blockIdx.x, cuda.blockIdx.y) counting across columns and rows of c.

What is missing: how the two small tiles get into shared memory. Each thread fetches one number of a and one of b.
Threads side by side (`column`) must read side by side: along p, in both. Look at how the tiles are read below to see
what must lie where; and beyond an edge of a, b or p there are zeros.
"""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

SIDE = 4


def times_transposed(c, a, b, m, n, k) -> None:
    """c[i, j] = sum of a[i, p] b[j, p] over p < k."""
    tile_a, tile_b = cuda.shared.array((SIDE, SIDE), np.float64), cuda.shared.array((SIDE, SIDE), np.float64)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    top, left = cuda.blockIdx.y * SIDE, cuda.blockIdx.x * SIDE
    total = 0.0
    for begin in range(0, k, SIDE):  # noqa: B007
        ...  # your work: fill the tiles, and wait
        for p in range(SIDE):
            total += tile_a[row, p] * tile_b[column, p]
        cuda.syncthreads()  # nobody reads the tiles any more
    if top + row < m and left + column < n:
        c[(top + row) * n + left + column] = total
