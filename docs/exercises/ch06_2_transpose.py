"""Exercise 06.2: a transpose in blocks.

`transpose(out, x, rows, cols)` is to write the transpose of a matrix: `x` is flat and has rows · cols elements, row
after row; out[j * rows + i] becomes x[i * cols + j]. It returns `out`.

Two plain loops read x in a straight line and write `out` down a column (or the other way round). A line of the cache
has 16 float32, and the writes fetch one for each element; before the line's next element is due, a long column has
thrown the line out again. So each line is fetched 16 times.

Go through the matrix in blocks of 16 x 16 instead: 16 lines of x and 16 of `out`, all used up before the next block.
Rows and columns need not be multiples of 16. The test watches which elements you touch, and counts the lines that a
small cache (64 lines) would fetch.
"""

from collections.abc import MutableSequence, Sequence

BLOCK = 16  # the float32 of one line of 64 bytes


def transpose(out: MutableSequence[float], x: Sequence[float], rows: int, cols: int) -> MutableSequence[float]:
    """out[j * rows + i] = x[i * cols + j] for all i < rows, j < cols; returns out."""
    ...  # your work
