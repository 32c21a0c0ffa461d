"""Solution 9.1. The last block may have threads to spare."""

from tinygrad_kernels.cuda.simulator import cuda


def add(out, x, y) -> None:
    """out = x + y, one element for each thread."""
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < x.size:
        out[i] = x[i] + y[i]
