"""Solution 11.3. Lengths are rounded up; a piece that would begin beyond k has an empty range, and its sums are 0."""

from tinygrad_kernels.cuda.simulator import cuda


def partial(parts, a, b, m, n, k, pieces) -> None:
    """parts[z, i, j] = sum of a[i, p] b[p, j] over the steps p of piece z; a thread to an element of c."""
    at, z = cuda.grid(1), cuda.blockIdx.z
    length = (k + pieces - 1) // pieces
    begin, end = z * length, min((z + 1) * length, k)
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
        for z in range(pieces):
            total += parts[z * size + at]
        c[at] = total
