"""Exercise 07.3: three counts that decide how a product is built.

    flops_per_byte(m, n, k, itemsize)   operations a byte of C = A B, each matrix moved once; a multiply-add is two
    loads(m, n, k, rows, columns)       numbers of A and B that are loaded if C is computed in tiles of rows x columns
    best_tile(registers)                (rows, vectors): the tile with the most multiply-adds a load that fits

For `loads`, m and n are multiples of rows and columns: each step of p in each tile loads `rows` numbers of A and
`columns` of B. For `best_tile`, a tile needs rows · vectors registers for its sums, `vectors` for a row of B and one
for a number of A; each step makes rows · vectors multiply-adds out of rows + vectors loads. Where two tiles are equally
good, take the one with more rows.
"""


def flops_per_byte(m: int, n: int, k: int, itemsize: int) -> float:
    """The arithmetic intensity of a product."""
    ...  # your work


def loads(m: int, n: int, k: int, rows: int, columns: int) -> int:
    """Numbers loaded from A and B."""
    ...  # your work


def best_tile(registers: int) -> tuple[int, int]:
    """The rows and vectors of the best tile."""
    ...  # your work
