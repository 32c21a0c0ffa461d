"""Exercise 07.2: products of transposed operands, without a copy.

A *layout* is (offset, row stride, column stride): element (i, j) of a matrix lies at offset + i · row stride +
j · column stride of its flat list.

    multiply(a, a_layout, b, b_layout, m, n, k)   C = A B as a new flat list of m · n numbers, row after row
    transposed(layout)                            the layout of the transpose, on the same list
    backward(m, n, k)                             the two products of the backward pass of C = A B

`backward` is for operands that lie row after row in lists of their own: A (m, k), B (k, n), and G (m, n), the gradient
of C. It returns two tuples, for dL/dA and for dL/dB, which are the arguments of `multiply` without the lists:

    (layout of the left operand, layout of the right operand, m, n, k)

with the m, n, k of *that* product. dL/dA multiplies the lists of G and B, dL/dB those of A and G, in that order.
"""

from collections.abc import Sequence

Layout = tuple[int, int, int]
Product = tuple[Layout, Layout, int, int, int]


def multiply(
    a: Sequence[float], a_layout: Layout, b: Sequence[float], b_layout: Layout, m: int, n: int, k: int
) -> list[float]:
    """C = A B as a new list."""
    ...  # your work


def transposed(layout: Layout) -> Layout:
    """The layout of the transpose."""
    ...  # your work


def backward(m: int, n: int, k: int) -> tuple[Product, Product]:
    """The products that give dL/dA and dL/dB."""
    ...  # your work
