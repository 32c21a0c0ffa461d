"""Exercise 05.1: views are numbers.

A *layout* is a triple (shape, strides, offset) of a view on some buffer; strides and offset count elements.

    address(layout, index)     where in the buffer the element with this index lies
    transpose(layout)          the layout with all axes in reverse order
    diagonal(layout)           the layout of the diagonal of a matrix (of the shorter length, if it is not square)

No buffer is touched: each answer is made of the numbers of the layout. So the diagonal of a (3, 4) matrix with
strides (4, 1) has shape (3,), one stride and the same offset. Which stride?
"""

Layout = tuple[tuple[int, ...], tuple[int, ...], int]


def address(layout: Layout, index: tuple[int, ...]) -> int:
    """The place in the buffer of the element with this index."""
    ...  # your work


def transpose(layout: Layout) -> Layout:
    """The layout with the axes in reverse order."""
    ...  # your work


def diagonal(layout: Layout) -> Layout:
    """The layout of a matrix's diagonal."""
    ...  # your work
