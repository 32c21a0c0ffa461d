"""Exercise 9.3: a transpose in which neighbouring threads read neighbours, and write neighbours.

out (columns, rows) = x (rows, columns) transposed, both flat. A thread that reads x[i, j] and writes out[j, i] at once
reads along a row but writes down a column: 32 lines of memory for 32 numbers. With a tile in shared memory in between,
the block reads rows of the tile, and writes rows of the tile turned around.

The block is TILE x TILE threads, (cuda.threadIdx.x, cuda.threadIdx.y); the grid has a block for each tile of x,
(cuda.blockIdx.x, cuda.blockIdx.y) counting across columns and rows of x. What is missing: the second half.
"""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

TILE = 4


def transpose(out, x, rows, columns) -> None:
    """out[j, i] = x[i, j]; x has `rows` rows and `columns` columns."""
    box = cuda.shared.array((TILE, TILE), np.float64)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    i, j = cuda.blockIdx.y * TILE + down, cuda.blockIdx.x * TILE + across
    if i < rows and j < columns:
        box[down, across] = x[i * columns + j]
    ...  # your work: wait; then write a row of out, with `across` along it
