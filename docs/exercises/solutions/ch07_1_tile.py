"""Solution 07.1."""

from collections.abc import MutableSequence, Sequence

TILE = 4


def multiply(
    out: MutableSequence[float], a: Sequence[float], b: Sequence[float], m: int, n: int, k: int
) -> MutableSequence[float]:
    """C = A B in tiles of 4 x 4; returns out."""
    for top in range(0, m, TILE):
        for left in range(0, n, TILE):
            rows, columns = range(top, min(top + TILE, m)), range(left, min(left + TILE, n))
            sums = [[0.0] * len(columns) for _ in rows]
            for p in range(k):
                from_a = [a[i * k + p] for i in rows]
                from_b = [b[p * n + j] for j in columns]
                for x, sums_i in zip(from_a, sums, strict=True):
                    for j, y in enumerate(from_b):
                        sums_i[j] += x * y
            for i, sums_i in zip(rows, sums, strict=True):
                for j, total in zip(columns, sums_i, strict=True):
                    out[i * n + j] = total
    return out
