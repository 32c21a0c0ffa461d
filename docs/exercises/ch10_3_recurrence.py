"""Exercise 10.3: a chain in which each step needs the one before, in five shuffles.

s[i] = a[i] s[i - 1] + b[i], with s[-1] = 0: an exponential average, a filter, the derivative of a running product. It
looks as if one thread had to walk along. But each step is a map, s -> a s + b; two maps, one after the other, are a
map again, and it does not matter which two of a chain are joined first. So this is a scan: lane i wants the map of
all steps up to i, and s[i] is what that map makes of 0.

What is missing: `then`, and the rounds of the scan. Which of the two operands comes first? Here it matters.
"""

from tinygrad_kernels.cuda.simulator import cuda

WARP, ALL = 32, 0xFFFFFFFF


def then(a, b, c, d):
    """The map s -> a s + b, and after it s -> c s + d: as a pair (factor, added)."""
    ...  # your work


def recurrence(s, x, y) -> None:
    """s[i] = x[i] s[i - 1] + y[i] for up to 32 elements; one warp."""
    lane = cuda.threadIdx.x
    a, b = (x[lane], y[lane]) if lane < s.size else (1.0, 0.0)
    ...  # your work: (a, b) becomes the map of all steps up to mine; all lanes take part in a shuffle
    if lane < s.size:
        s[lane] = b
