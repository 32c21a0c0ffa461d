"""Exercise 9.2: a moving average, with one line too few.

out[i] is the mean of x[i - 1], x[i] and x[i + 1] (at the ends, of those that exist; here as zeros outside). Each
element is wanted by three threads, so a block reads its elements once, into shared memory, with one more on each side.

The kernel is complete but for one line. Without it, it gives the right result on some days. Which line, and where?
"""

import numpy as np
from tinygrad_kernels.cuda.simulator import cuda

BLOCK = 8  # threads in a block


def average(out, x) -> None:
    """out[i] = (x[i - 1] + x[i] + x[i + 1]) / 3, with zeros outside."""
    box = cuda.shared.array(BLOCK + 2, np.float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    box[t + 1] = x[i] if i < x.size else 0.0
    if t == 0:
        box[0] = x[i - 1] if i > 0 else 0.0
        after = i + BLOCK
        box[BLOCK + 1] = x[after] if after < x.size else 0.0
    ...  # your work
    if i < x.size:
        out[i] = (box[t] + box[t + 1] + box[t + 2]) / 3
