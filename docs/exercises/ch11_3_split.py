"""Exercise 11.3: split-K. The sum over p is cut into pieces, and a second launch adds them up.

Where c has few elements and k is long, few threads have much to do. So `partial` is launched with a third dimension:
block (x, 0, z) computes piece z of the sums over p, of `pieces`, and writes them into parts[z], an array like c. Then
`join` adds up the pieces of each element in order, first to last: the same bits every time.

What is missing: the steps of p that belong to piece z, `begin` up to but not including `end`. Pieces have the same
length but for the last ones, which may be shorter, or have nothing at all (k = 5 in 4 pieces: 2, 2, 1, 0). And the
line in `join`.
"""

from tinygrad_kernels.cuda.simulator import cuda


def partial(parts, a, b, m, n, k, pieces) -> None:
    """parts[z, i, j] = sum of a[i, p] b[p, j] over the steps p of piece z; a thread to an element of c."""
    at, z = cuda.grid(1), cuda.blockIdx.z
    begin, end = 0, k
    ...  # your work: begin and end of piece z
    if at < m * n:
        i, j = at // n, at % n
        total = 0.0
        for p in range(begin, end):
            total += a[i * k + p] * b[p * n + j]
        parts[z * m * n + at] = total


def join(c, parts, size, pieces) -> None:
    """c[at] = parts[0, at] + parts[1, at] + ...; c has `size` elements."""
    at = cuda.grid(1)
    if at < size:
        total = 0.0
        ...  # your work
        c[at] = total
