"""Exercise 04.3: print a traced formula, with nothing computed twice.

`statements(output)` is to return lines of Python that compute an expression, one operation a line, operands first,
each operation once. Names are t0, t1, ... in that order; inputs keep their own, constants are written as they are.
For the expression exp(-x) * exp(-x) that is

    t0 = -x
    t1 = exp(t0)
    t2 = t1 * t1

`walk((output,))` gives every part of the expression once, operands before the operations that use them. Each part `e`
has `e.op` ('input', 'const', or the name of an operation), `e.args`, and `e.value` (the name or the number).
`text(op, operands)` writes one operation. An Expr cannot be compared with ==, which builds an expression; ask `is`,
or use id(e) as a key.
"""

from tinygrad_kernels.expr import INFIX, Expr, walk  # noqa: F401


def text(op: str, operands: list[str]) -> str:
    """One operation as Python: text('add', ['x', 't0']) is 'x + t0'."""
    if op == "neg":
        return f"-{operands[0]}"
    if op in INFIX:
        return f"{operands[0]} {INFIX[op]} {operands[1]}"
    return f"{op}({', '.join(operands)})"


def statements(output: Expr) -> list[str]:
    """The lines of Python that compute `output`."""
    ...  # your work
