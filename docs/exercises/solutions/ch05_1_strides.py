"""Solution 05.1. One step along the diagonal is one step down and one to the right: the strides are added."""

Layout = tuple[tuple[int, ...], tuple[int, ...], int]


def address(layout: Layout, index: tuple[int, ...]) -> int:
    """The place in the buffer of the element with this index."""
    _, strides, offset = layout
    return offset + sum(i * s for i, s in zip(index, strides, strict=True))


def transpose(layout: Layout) -> Layout:
    """The layout with the axes in reverse order."""
    shape, strides, offset = layout
    return shape[::-1], strides[::-1], offset


def diagonal(layout: Layout) -> Layout:
    """The layout of a matrix's diagonal."""
    shape, strides, offset = layout
    return (min(shape),), (sum(strides),), offset
