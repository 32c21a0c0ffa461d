"""Exercise 11.2: two buffers, and one barrier in each round.

The kernel of chapter 11 waits twice in a round: until both tiles are complete, and until nobody reads them any more.
With two buffers of each, the next tiles can be fetched while the last ones are multiplied; nobody writes what others
still read, and one barrier in a round is enough.

`fetch(buffer, begin)` puts this thread's numbers of the steps begin, begin + 1, ... of p into a buffer (0 or 1);
beyond k it puts zeros. What is missing: two lines in the loop. The test counts the barriers: one before the loop, one
in a round.
"""

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
    for begin in range(0, k, SIDE):  # noqa: B007
        other = 1 - now
        ...  # your work: one line here, one after the loop over p
        for p in range(SIDE):
            total += tiles_a[now, row, p] * tiles_b[now, p, column]
        now = other
    if i < m and j < n:
        c[i * n + j] = total
