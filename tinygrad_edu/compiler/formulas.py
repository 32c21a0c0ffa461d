"""Putting formulas into one another: exact arithmetic on expressions.

When `y = x * 2` is followed by `z = y + 1`, the second formula can have the first in place of its `y`. The result is
the same, bit by bit, as long as a number that was stored in between would not have been rounded: both must
be computed in the dtype in which y was stored. A constant that is folded is rounded as the loop would have rounded it.

Source: none needed beyond ../../kernels/tinygrad_kernels/expr.py, which says what is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tinygrad_kernels.expr import Expr, build, walk

PREDICATES = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


def rounded(e: Expr, compute: str) -> Expr:
    """A constant as a loop in this dtype has it."""
    if e.op == "const" and compute == "float32" and type(e.value) is float:
        with np.errstate(over="ignore"):
            return Expr.of(float(np.float32(e.value)))
    return e


def rebuilt(outputs: Sequence[Expr], given: Mapping[str, Expr], compute: str) -> list[Expr]:
    """The expressions with others in place of their inputs, folded where a loop in `compute` would give the same.

    >>> x, y = Expr.input("x"), Expr.input("y")
    >>> rebuilt([y + 1.0, y * y], {"y": x * 2.0}, "float64")
    [x * 2.0 + 1.0, x * 2.0 * (x * 2.0)]
    """
    done: dict[int, Expr] = {}
    for e in walk(tuple(outputs)):
        if e.op == "input":
            done[id(e)] = rounded(given.get(e.value, e), compute)
        elif e.op == "const":
            done[id(e)] = rounded(e, compute)
        elif e.op == "where":
            condition, x, y = (done[id(a)] for a in e.args)
            done[id(e)] = build("where", condition, as_number(x), as_number(y))
        elif e.op.startswith("bitwise") or e.op in ("eq", "ne"):
            done[id(e)] = build(e.op, *(done[id(a)] for a in e.args))
        else:
            done[id(e)] = rounded(build(e.op, *(as_number(done[id(a)]) for a in e.args)), compute)
    return [done[id(e)] for e in outputs]


def renamed(outputs: Sequence[Expr], names: Mapping[str, str]) -> list[Expr]:
    """The same expressions over inputs of other names."""
    done: dict[int, Expr] = {}
    for e in walk(tuple(outputs)):
        if e.op == "input":
            done[id(e)] = Expr.input(names[e.value])
        else:
            done[id(e)] = Expr(e.op, tuple(done[id(a)] for a in e.args), e.value)
    return [done[id(e)] for e in outputs]


def as_number(e: Expr) -> Expr:
    """A yes or no that is calculated with: 1 or 0."""
    return build("where", e, 1.0, 0.0) if e.op in PREDICATES else e


SIMPLE = PREDICATES | {"add", "sub", "mul", "neg", "where", "abs", "max", "min", "minimum", "maximum"}
COSTS = {"input": 0, "const": 0, **dict.fromkeys(SIMPLE, 1), "div": 5, "sqrt": 5, "erf": 20, "tanh": 20}


def cost(*outputs: Expr) -> int:
    """How many operations expressions take together; an exp counts for ten."""
    return sum(COSTS.get(e.op, 10) for e in walk(outputs))
