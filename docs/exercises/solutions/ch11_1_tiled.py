"""Solution 11.1. A thread fetches row `row` of either tile: of b it is not the row whose sum it computes."""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

SIDE = 4


def times_transposed(c, a, b, m, n, k) -> None:
    """c[i, j] = sum of a[i, p] b[j, p] over p < k."""
    tile_a, tile_b = cuda.shared.array((SIDE, SIDE), np.float64), cuda.shared.array((SIDE, SIDE), np.float64)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    top, left = cuda.blockIdx.y * SIDE, cuda.blockIdx.x * SIDE
    total = 0.0
    for begin in range(0, k, SIDE):
        p, i, j = begin + column, top + row, left + row
        tile_a[row, column] = a[i * k + p] if i < m and p < k else 0.0
        tile_b[row, column] = b[j * k + p] if j < n and p < k else 0.0
        cuda.syncthreads()
        for p in range(SIDE):
            total += tile_a[row, p] * tile_b[column, p]
        cuda.syncthreads()  # nobody reads the tiles any more
    if top + row < m and left + column < n:
        c[(top + row) * n + left + column] = total
