"""Solution 07.3."""


def flops_per_byte(m: int, n: int, k: int, itemsize: int) -> float:
    """The arithmetic intensity of a product."""
    return 2 * m * n * k / ((m * k + k * n + m * n) * itemsize)


def loads(m: int, n: int, k: int, rows: int, columns: int) -> int:
    """Numbers loaded from A and B."""
    return m // rows * (n // columns) * k * (rows + columns)


def best_tile(registers: int) -> tuple[int, int]:
    """The rows and vectors of the best tile."""
    sides = range(1, registers)
    tiles = [(rows, vectors) for rows in sides for vectors in sides if rows * vectors + vectors + 1 <= registers]
    return max(tiles, key=lambda tile: (tile[0] * tile[1] / (tile[0] + tile[1]), tile[0]))
