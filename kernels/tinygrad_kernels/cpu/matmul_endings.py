"""Endings: what may become of the numbers of a product before they are stored.

**Problem.** `x + self.proj(h)` is a product and a sum, `relu(x @ w)` a product and a choice, and the gradient that
comes back through an activation is a product times a derivative. The second loop of each reads all that the first has
just written.

**Idea.** When a tile of the product is done, it is in registers (matmul_blocks.py): end with the sum there. p is an
element of the product, y the number at the same place of another matrix, the *side*.

There are only these four. More of them, an exp say, would gain nothing on a CPU: multiplying is what the processor is
busy with, and the loop that follows finds its numbers in the second-level cache (measured, with pieces of four sizes).
A GPU can end with any formula: ../cuda/matmul_endings.py.

Source: NVIDIA, CUTLASS: Efficient GEMM in CUDA, 2018 (epilogues).
"""

from __future__ import annotations

from tinygrad_kernels.expr import Expr, Formula, build

NONE, ADD, MULTIPLY, RELU, WHERE_POSITIVE = range(5)

_p, _y = Expr.input("p"), Expr.input("y")
_ENDINGS = [
    (_p + _y, ADD),
    (_y + _p, ADD),
    (_p * _y, MULTIPLY),
    (_y * _p, MULTIPLY),
    (build("where", _p <= 0.0, 0.0, _p), RELU),
    (build("where", _y <= 0.0, 0.0, _p), WHERE_POSITIVE),  # of relu, backward
]


def ending_of(formula: Formula) -> int:
    """The number of the ending that a formula of p and y is; NONE if it is none of them.

    >>> [ending_of(Formula("", ("p", "y"), (e,))) for e in (_p * _y, _p - _y)] == [MULTIPLY, NONE]
    True
    """
    if len(formula.outputs) > 1:
        return NONE
    return next((ending for e, ending in _ENDINGS if e is formula.outputs[0]), NONE)  # (equal expressions are one)
