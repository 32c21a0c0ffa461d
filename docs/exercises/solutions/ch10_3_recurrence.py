"""Solution 10.3. What a lower lane has comes earlier in the chain: it is the left operand."""

from tinygrad_kernels.cuda.simulator import cuda

WARP, ALL = 32, 0xFFFFFFFF


def then(a, b, c, d):
    """The map s -> a s + b, and after it s -> c s + d: as a pair (factor, added)."""
    return a * c, b * c + d


def recurrence(s, x, y) -> None:
    """s[i] = x[i] s[i - 1] + y[i] for up to 32 elements; one warp."""
    lane = cuda.threadIdx.x
    a, b = (x[lane], y[lane]) if lane < s.size else (1.0, 0.0)
    distance = 1
    while distance < WARP:
        before, added = cuda.shfl_up_sync(ALL, a, distance), cuda.shfl_up_sync(ALL, b, distance)
        if lane >= distance:
            a, b = then(before, added, a, b)
        distance *= 2
    if lane < s.size:
        s[lane] = b
