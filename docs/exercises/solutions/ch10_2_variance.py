"""Solution 10.2. Two groups of no numbers are the one case that the formula does not serve: 0 / 0."""

from tinygrad_kernels.cuda.simulator import cuda

WARP, ALL = 32, 0xFFFFFFFF


def join(n, mean, m2, k, other, rest):
    """The state of both groups, (n, mean, m2) and (k, other, rest)."""
    if n + k == 0:
        return n, mean, m2
    apart = other - mean
    return n + k, mean + apart * k / (n + k), m2 + rest + apart * apart * n * k / (n + k)


def variances(out, x, width) -> None:
    """out[row] = the mean of (x - mean)^2 over a row; a warp to a row."""
    row, lane = cuda.blockIdx.x, cuda.threadIdx.x
    n, mean, m2 = 0, 0.0, 0.0
    for j in range(lane, width, WARP):
        n, mean, m2 = join(n, mean, m2, 1, x[row * width + j], 0.0)
    distance = WARP // 2
    while distance > 0:
        k = cuda.shfl_down_sync(ALL, n, distance)
        other = cuda.shfl_down_sync(ALL, mean, distance)
        rest = cuda.shfl_down_sync(ALL, m2, distance)
        n, mean, m2 = join(n, mean, m2, k, other, rest)
        distance //= 2
    if lane == 0:
        out[row] = m2 / n
