"""Exercise 01.2: a derivative is a sum over paths.

`path_products(result, leaf)` is to list, for every path through the graph from `result` down to `leaf`, the product
of the slopes along it. (The path from a number to itself has no slope on it: its product is 1.) For

    a, b = Number(2.0), Number(-3.0)
    c = a * b + a

there are two paths from c to a: one through the product, with 1 · b = -3, and the direct one, with 1. So
`sorted(path_products(c, a))` is [-3.0, 1.0], and the derivative is -3 + 1 = -2.
"""

from toy import Number


def path_products(result: Number, leaf: Number) -> list[float]:
    """The product of the slopes along each path from `result` down to `leaf`."""
    if result is leaf:
        return [1.0]
    return [
        slope * rest
        for parent, slope in zip(result.parents, result.slopes, strict=True)
        for rest in path_products(parent, leaf)
    ]
