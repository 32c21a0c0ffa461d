"""Solution 06.2."""

from collections.abc import MutableSequence, Sequence

BLOCK = 16  # the float32 of one line of 64 bytes


def transpose(out: MutableSequence[float], x: Sequence[float], rows: int, cols: int) -> MutableSequence[float]:
    """out[j * rows + i] = x[i * cols + j] for all i < rows, j < cols; returns out."""
    for top in range(0, rows, BLOCK):
        for left in range(0, cols, BLOCK):
            for i in range(top, min(top + BLOCK, rows)):
                for j in range(left, min(left + BLOCK, cols)):
                    out[j * rows + i] = x[i * cols + j]
    return out
