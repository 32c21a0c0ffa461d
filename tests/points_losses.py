"""Where the losses of the calculus are tested, and what they must give there: rows as in points.py."""

from __future__ import annotations

import math
from typing import Any

import mpmath
from points import EDGE_PAIRS, PLANE, Row

inf, nan = math.inf, math.nan

NEAR = [(x, y) for x in (0.3, -1.7, 100.0, 1e-3) for y in (0.875, -2.9, 40.0)]
PROBABILITIES = [(p, t) for p in (0.3, 0.875, 1e-3, 0.999) for t in (0.0, 1.0, 0.25)]
LOGITS = [(x, t) for x in (0.3, -1.7, 30.0, -30.0, 100.0, -100.0, 1e4, -1e4, 0.0) for t in (0.0, 1.0, 0.25)]
LOGARITHMS = [(x, y) for x in (-0.3, -5.0, -1e-3) for y in (-0.4, -7.0, -1e-2)]
EDGES = [(1.0, 1.0), (0.0, 0.0), (-0.0, 0.0), (inf, 0.0), (-inf, 1.0), (0.0, inf), (nan, 1.0), (1.0, nan)]


def cross_entropy(x: Any, y: Any) -> Any:
    return -(y * mpmath.log(x) + (1 - y) * mpmath.log(1 - x))


def logistic(x: Any, y: Any, weight: Any) -> Any:
    return weight * y * mpmath.log(1 + mpmath.exp(-x)) + (1 - y) * mpmath.log(1 + mpmath.exp(x))


def smooth_l1(x: Any, y: Any, beta: Any) -> Any:
    d = abs(x - y)
    return d**2 / (2 * beta) if d < beta else d - beta / 2


def functional(name: str, **options: Any) -> Any:
    """PyTorch's loss of that name, element by element."""
    return lambda torch, x, y: getattr(torch.nn.functional, name)(x, y, reduction="none", **options)


def with_pos_weight(torch: Any, x: Any, y: Any) -> Any:
    three = torch.tensor(3.0, dtype=x.dtype)
    return torch.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none", pos_weight=three)


LOSSES: dict[str, Row] = {
    "squarederror": Row(lambda x, y: (x - y) ** 2, PLANE, EDGE_PAIRS, lambda t, x, y: (x - y) * (x - y)),
    "absolute_error": Row(lambda x, y: abs(x - y), NEAR, EDGES, functional("l1_loss")),
    "smooth_l1": Row(smooth_l1, NEAR, EDGES, functional("smooth_l1_loss", beta=0.75), parameters=(0.75,)),
    "huber": Row(lambda x, y, delta: delta * smooth_l1(x, y, delta), NEAR, EDGES,
                 functional("huber_loss", delta=1.5), parameters=(1.5,)),
    "binarycrossentropy": Row(cross_entropy, PROBABILITIES,
                              [(p, y) for p in (0.0, 1.0, 1e-45, 1e-20) for y in (0.0, 1.0, 0.25)],
                              functional("binary_cross_entropy"), cancels=True),
    "logistic_loss": Row(logistic, LOGITS, [(nan, 1.0), (inf, 0.0), (0.0, 1.0)], with_pos_weight,
                         cancels=True, parameters=(3.0,)),
    "divergence": Row(lambda x, y: y * (mpmath.log(y) - x), [(x, y) for x in (-0.3, -5.0, -1e-3)
                                                             for y in (0.3, 0.9, 1e-3)],
                      [(-1.0, 1.0), (nan, 0.5)], functional("kl_div"), cancels=True),
    "log_divergence": Row(lambda x, y: mpmath.exp(y) * (y - x), LOGARITHMS, [(-1.0, -1.0), (nan, -0.5)],
                          functional("kl_div", log_target=True), cancels=True),
    "poisson_loss": Row(lambda x, y: mpmath.exp(x) - y * x, [(x, y) for x in (0.3, -5.0, 3.0, 0.0)
                                                             for y in (0.0, 1.0, 7.0)],
                        [(-inf, 1.0), (nan, 1.0)], functional("poisson_nll_loss"), cancels=True),
    "gaussian_loss": Row(lambda x, y, v, eps: (mpmath.log(v) + (x - y) ** 2 / v) / 2,
                         [(*p, v) for p in NEAR for v in (0.5, 3.0)], [(1.0, 1.0, 2.0), (nan, 1.0, 2.0)],
                         lambda t, x, y, v: t.nn.functional.gaussian_nll_loss(x, y, v, reduction="none"),
                         cancels=True, parameters=(1e-6,)),
}  # fmt: skip
