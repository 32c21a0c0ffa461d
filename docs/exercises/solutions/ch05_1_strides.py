"""Solution 05.1. One step along the diagonal is one step down and one to the right: the strides are added."""

Layout = tuple[tuple[int, ...], tuple[int, ...], int]


def address(layout: Layout, index: tuple[int, ...]) -> int:
    _, strides, offset = layout
    return offset + sum(i * s for i, s in zip(index, strides, strict=True))


def transpose(layout: Layout) -> Layout:
    shape, strides, offset = layout
    return shape[::-1], strides[::-1], offset


def diagonal(layout: Layout) -> Layout:
    shape, strides, offset = layout
    return (min(shape),), (sum(strides),), offset
