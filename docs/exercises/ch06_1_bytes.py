"""Exercise 06.1: count the bytes of a formula.

An elementwise formula over arrays of `itemsize` bytes an element, as an expression (chapter 04). How many bytes are
moved for one element of the result?

    unfused(output, itemsize)   one loop for each operation: it reads its operands and writes its result
    fused(output, itemsize)     one loop for all: it reads each input and writes the result, once

An operand that stands twice in one operation (x * x) is read once. A constant is not read from memory. An operation
that is used in several places is the same object, and is done once. For 1 / (1 + exp(-x)) in float32 that is 32 bytes
unfused (four operations, each reads 4 bytes and writes 4) and 8 bytes fused.

`walk((output,))` gives every part of the expression once, operands first. Each part `e` has `e.op` ('input', 'const',
or the name of an operation) and `e.args`. An Expr cannot be compared with ==; use `is`, or id(e) as a key.
"""

from tinygrad_kernels.expr import Expr, walk  # noqa: F401


def unfused(output: Expr, itemsize: int) -> int:
    """Bytes for one element, one loop for each operation."""
    ...  # your work


def fused(output: Expr, itemsize: int) -> int:
    """Bytes for one element, one loop for the whole formula."""
    ...  # your work
