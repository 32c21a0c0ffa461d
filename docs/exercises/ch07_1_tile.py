"""Exercise 07.1: a product in tiles.

`multiply(out, a, b, m, n, k)` is to write C = A B into `out` and return it: A is (m, k), B is (k, n), C is (m, n), each
a flat list, row after row.

The definition reads 2 m n k numbers. Read half a number for each multiplication instead: take a tile of 4 x 4 of C,
keep its sums in local variables (or a local list), and in each step of p read 4 numbers of A's column p and 4 of B's
row p; these make 16 products. Write each element of C once, at the end, and never read it.

m and n need not be multiples of 4: tiles at the edge are smaller. The test counts your reads and writes.
"""

from collections.abc import MutableSequence, Sequence

TILE = 4


def multiply(
    out: MutableSequence[float], a: Sequence[float], b: Sequence[float], m: int, n: int, k: int
) -> MutableSequence[float]:
    """C = A B in tiles of 4 x 4; returns out."""
    ...  # your work
