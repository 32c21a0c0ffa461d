"""Where each elementwise operation is tested, and what it must give there by a formula that is not ours.

`TABLE` has one row per operation of the calculus. `reference` computes the operation in mpmath, with fifty digits,
from its definition; mpmath's numerical differentiation of it gives the derivatives. `smooth` are operands
where the operation is differentiable twice; `edges` are kinks, poles, infinities and nan, where the only sensible
definition is what PyTorch does: `in_torch` says how to compute it there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath

mpmath.mp.dps = 50
inf, nan = math.inf, math.nan

FAR = (1e-30, -1e-30, 100.0, -100.0, 1e4, -1e4)
NEAR = (0.3, -0.3, 1.7, -2.9, 0.875)
LINE = (*NEAR, *FAR, 0.0, -0.0)
POSITIVE = (0.3, 1.7, 2.9, 1e-30, 100.0, 1e4)
EDGES = (0.0, -0.0, inf, -inf, nan, -1.0, 1.0)
PLANE = [(x, y) for x in (0.3, -2.9, 1e-30, -100.0, 1e4) for y in (1.7, -0.3, 1e-30, 100.0, -1e4, 0.0, -0.0)]
EDGE_PAIRS = [(x, y) for x in (0.0, -0.0, 1.0, -2.0, inf, -inf, nan) for y in (0.0, -0.0, 1.0, -3.0, inf, nan)]


class Row(NamedTuple):
    """One operation. `cancels`: a derivative subtracts nearly equal numbers, so its error is absolute.

    `parameters` are operands that are numbers in every test: the last ones, not in the points.
    """

    reference: Callable[..., Any]
    smooth: list[tuple]
    edges: list[tuple]
    in_torch: Callable[..., Any]
    cancels: bool = False
    parameters: tuple = ()


def one(*points: float) -> list[tuple]:
    return [(x,) for x in points]


def compare(sign: str) -> Callable[..., bool]:
    return {"lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y,
            "ge": lambda x, y: x >= y, "eq": lambda x, y: x == y, "ne": lambda x, y: x != y}[sign]  # fmt: skip


POWERS = [(x, y) for x in (0.3, 1.7, 2.9, 100.0, 1e-30) for y in (1.7, -0.3, 3.0, 0.5, -2.0, 1.0)]

TABLE: dict[str, Row] = {
    "add": Row(lambda x, y: x + y, PLANE, EDGE_PAIRS, lambda t, x, y: x + y),
    "sub": Row(lambda x, y: x - y, PLANE, EDGE_PAIRS, lambda t, x, y: x - y),
    "mul": Row(lambda x, y: x * y, PLANE, EDGE_PAIRS, lambda t, x, y: x * y),
    "div": Row(lambda x, y: x / y, [p for p in PLANE if p[1] != 0 and abs(p[1]) > 1e-20], EDGE_PAIRS,
               lambda t, x, y: x / y),
    "pow": Row(mpmath.power, POWERS, EDGE_PAIRS, lambda t, x, y: x**y),
    "neg": Row(lambda x: 0 - x, one(*LINE), one(*EDGES), lambda t, x: -x),
    "square": Row(lambda x: x**2, one(*LINE), one(*EDGES), lambda t, x: x.square()),
    "cube": Row(lambda x: x**3, one(*LINE), one(*EDGES), lambda t, x: x**3),
    "sqrt": Row(mpmath.sqrt, one(*POSITIVE), one(*EDGES), lambda t, x: x.sqrt()),
    "exp": Row(mpmath.exp, one(*LINE), one(*EDGES), lambda t, x: x.exp()),
    "log": Row(mpmath.log, one(*POSITIVE), one(*EDGES), lambda t, x: x.log()),
    "sin": Row(mpmath.sin, one(*LINE), one(*EDGES), lambda t, x: x.sin()),
    "cos": Row(mpmath.cos, one(*LINE), one(*EDGES), lambda t, x: x.cos()),
    "tanh": Row(mpmath.tanh, one(*LINE), one(*EDGES), lambda t, x: x.tanh(), cancels=True),
    "sigmoid": Row(lambda x: mpmath.exp(x) / (mpmath.exp(x) + 1), one(*LINE), one(*EDGES),
                   lambda t, x: x.sigmoid(), cancels=True),
    "relu": Row(lambda x: (x + abs(x)) / 2, one(*NEAR, 100.0, -100.0, 1e4, -1e4), one(*EDGES),
                lambda t, x: t.relu(x)),
    "where": Row(lambda c, x, y: x if c else y, [(c, *p) for c in (True, False) for p in PLANE[:9]],
                 [(c, *p) for c in (True, False) for p in EDGE_PAIRS], lambda t, c, x, y: t.where(c, x, y)),
    **{name: Row(compare(name), [], [*PLANE, *EDGE_PAIRS], lambda t, x, y, name=name: compare(name)(x, y))
       for name in ("lt", "le", "gt", "ge", "eq", "ne")},
}  # fmt: skip


def derivative(row: Row, point: tuple, orders: tuple) -> float:
    """The partial derivative of the reference at a point: `orders[i]` times in operand i, numerically."""
    numbers = tuple(i for i, x in enumerate(point) if not isinstance(x, bool))

    def function(*given: Any) -> Any:
        operands = list(point)
        for i, x in zip(numbers, given, strict=True):
            operands[i] = x
        return row.reference(*operands, *row.parameters)

    at = tuple(mpmath.mpf(point[i]) for i in numbers)
    n = tuple(orders[i] for i in numbers)
    # The step is small beside every operand; at 0, what it leaves out must be below the least float
    digits = 330 if 0 in at else 30
    smallest = min((abs(x) for x in at if x != 0), default=mpmath.mpf(1))
    with mpmath.workdps(2 * digits + 100):
        step = min(smallest, mpmath.mpf(1)) * mpmath.mpf(10) ** -digits
        if len(at) == 1:
            return float(mpmath.diff(function, at[0], n[0], h=step))
        return float(mpmath.diff(function, at, n, h=step))


def unit(i: int, arity: int, j: int | None = None) -> tuple:
    """The orders of the derivative in operand i (and j)."""
    return tuple((k == i) + (k == j) for k in range(arity))


from points_functions import FUNCTIONS  # noqa: E402  (they need what stands above)
from points_losses import LOSSES  # noqa: E402

TABLE |= FUNCTIONS | LOSSES
