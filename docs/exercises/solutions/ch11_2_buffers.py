"""Solution 11.2. The barrier says two things at once: the other buffer is full, and nobody reads this one any more."""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

SIDE = 4


def product(c, a, b, m, n, k) -> None:
    """c (m, n) = a (m, k) b (k, n), flat; a block of SIDE x SIDE threads to a tile of c."""
    tiles_a = cuda.shared.array((2, SIDE, SIDE), np.float64)
    tiles_b = cuda.shared.array((2, SIDE, SIDE), np.float64)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    i, j = cuda.blockIdx.y * SIDE + row, cuda.blockIdx.x * SIDE + column

    def fetch(buffer, begin):
        p, q = begin + column, begin + row
        tiles_a[buffer, row, column] = a[i * k + p] if i < m and p < k else 0.0
        tiles_b[buffer, row, column] = b[q * n + j] if q < k and j < n else 0.0

    total, now = 0.0, 0
    fetch(now, 0)
    cuda.syncthreads()
    for begin in range(0, k, SIDE):
        other = 1 - now
        fetch(other, begin + SIDE)
        for p in range(SIDE):
            total += tiles_a[now, row, p] * tiles_b[now, p, column]
        cuda.syncthreads()
        now = other
    if i < m and j < n:
        c[i * n + j] = total
