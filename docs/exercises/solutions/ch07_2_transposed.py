"""Solution 07.2."""

from collections.abc import Sequence

Layout = tuple[int, int, int]
Product = tuple[Layout, Layout, int, int, int]


def multiply(
    a: Sequence[float], a_layout: Layout, b: Sequence[float], b_layout: Layout, m: int, n: int, k: int
) -> list[float]:
    """C = A B as a new list."""
    a_at, a_row, a_col = a_layout
    b_at, b_row, b_col = b_layout
    return [
        sum(a[a_at + i * a_row + p * a_col] * b[b_at + p * b_row + j * b_col] for p in range(k))
        for i in range(m)
        for j in range(n)
    ]


def transposed(layout: Layout) -> Layout:
    """The layout of the transpose."""
    offset, row, column = layout
    return offset, column, row


def backward(m: int, n: int, k: int) -> tuple[Product, Product]:
    """The products that give dL/dA and dL/dB."""
    a, b, g = (0, k, 1), (0, n, 1), (0, n, 1)
    return (g, transposed(b), m, k, n), (transposed(a), g, k, n, m)
