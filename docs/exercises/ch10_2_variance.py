"""Exercise 10.2: mean and variance as a monoid of three numbers.

The mean of the squares minus the square of the mean loses all digits where the mean is large: 1e8 + 1 and 1e8 - 1
have squares that differ in the 17th. The sum of (x - mean)^2 does not, but wants the mean first: two passes. One pass
is enough with a state that joins: (n, mean, m2), where m2 = sum of (x - mean)^2 over the n numbers so far.

Two groups, n and k numbers, with the means `mean` and `other`: the mean of both lies between, in the proportion of n
and k, and m2 grows by what the means are apart, (other - mean)^2 n k / (n + k). A group of no numbers changes
nothing.

What is missing: `join`. The kernel is complete: a warp to each row of x (flat, `width` numbers in a row).

Source: T. Chan, G. Golub, R. LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
1979.
"""

from tinygrad_kernels.cuda.simulator import cuda

WARP, ALL = 32, 0xFFFFFFFF


def join(n, mean, m2, k, other, rest):
    """The state of both groups, (n, mean, m2) and (k, other, rest)."""
    ...  # your work


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
