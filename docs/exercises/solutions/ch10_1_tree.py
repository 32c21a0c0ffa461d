"""Solution 10.1. The barrier stands in the loop, but in no `if`: threads without a row go round as often."""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

ACROSS, DOWN = 8, 4


def row_sums(out, x, rows, width) -> None:
    """out[row] = the sum of row `row` of x."""
    box = cuda.shared.array((DOWN, ACROSS), np.float64)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    row = cuda.blockIdx.x * DOWN + down
    total = 0.0
    if row < rows:
        for j in range(across, width, ACROSS):
            total += x[row * width + j]
    box[down, across] = total
    distance = ACROSS // 2
    while distance > 0:
        cuda.syncthreads()
        if across < distance:
            box[down, across] += box[down, across + distance]
        distance //= 2
    if row < rows and across == 0:
        out[row] = box[down, 0]
