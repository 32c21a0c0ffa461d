"""Test points of the operations that are not on the first pages of the calculus: see points.py for what a row is.

Rows of operations without a derivative have no smooth points; their edges are compared with the reference.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
from points import EDGE_PAIRS, EDGES, LINE, NEAR, PLANE, POSITIVE, Row, inf, nan, one

UNIT = one(0.3, -0.3, 0.875, -0.5, 1e-30, -1e-30, 0.0)
FLAT = one(0.3, -0.3, 1.7, -2.9, 0.875, 100.25, -100.75)
NOT_ZERO = one(*NEAR, 100.0, -100.0, 1e4, -1e4, 1e-30, -1e-30)
STEPS = one(0.5, -0.5, 1.5, 2.5, -2.5, *EDGES)
APART = [(0.3, 1.7), (-2.9, 0.3), (1e-30, -1e-30), (100.0, 1e4), (-1e4, -100.0), (0.0, 1e-30)]
TIES = [*EDGE_PAIRS, (1.0, 1.0), (-3.0, -3.0), (0.0, -0.0)]
QUOTIENTS = [(7.25, 2.0), (-7.25, 2.0), (7.25, -2.0), (-7.25, -2.0), (0.3, 1.7), (-0.3, 1.7), (1e4, 0.75)]
QUOTIENT_EDGES = [(x, y) for x in (7.0, -7.0, 0.0, -0.0, inf, nan) for y in (2.0, -2.0, 0.0, inf, -inf, nan)]
ANGLES = [(x, y) for x in (0.3, -2.9, 100.0, 1e-6) for y in (1.7, -0.3, 1e4)]
BETWEEN = [(x, low, high) for x in (0.3, -2.9, 5.0) for low, high in ((-1.0, 2.0), (-5.0, 0.5))]
BOUNDS = [
    (x, low, high) for x in (-1.0, 0.5, 2.0, 3.0, inf, nan) for low, high in ((-1.0, 2.0), (0.5, 0.5), (2.0, -1.0))
]
MIXES = [(x, y, w) for x, y in ((0.3, 1.7), (-2.9, 1e4), (100.0, 3.0)) for w in (0.25, 0.75, 2.0)]
TRIPLES = [(x, a, b) for x in (0.3, -2.9) for a, b in ((1.7, 0.3), (1e-30, 2.0), (100.0, 1e4), (0.0, 1.5))]
WHOLES = [(x, y) for x in (0, 1, 5, -7, 127, 2**40) for y in (0, 1, 3, 12, 62)]
KINK = one(*NEAR, 100.0, -100.0, 1e4, -1e4, 1e-30, -1e-30)


def sign(x: Any) -> int:
    return (x > 0) - (x < 0)


def bounded(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def floor_of_quotient(x: float, y: float) -> float:
    return math.floor(mp.mpf(x) / mp.mpf(y))


FUNCTIONS: dict[str, Row] = {
    "exp2": Row(lambda x: mp.power(2, x), one(*LINE), one(*EDGES), lambda t, x: x.exp2()),
    "expm1": Row(lambda x: mp.exp(x) - 1, one(*LINE), one(*EDGES), lambda t, x: x.expm1(), cancels=True),
    "log2": Row(lambda x: mp.log(x, 2), one(*POSITIVE), one(*EDGES), lambda t, x: x.log2()),
    "log10": Row(lambda x: mp.log(x, 10), one(*POSITIVE), one(*EDGES), lambda t, x: x.log10()),
    "log1p": Row(lambda x: mp.log(1 + x), one(*POSITIVE, -0.3, -0.875, -1e-30, 0.0), one(*EDGES),
                 lambda t, x: x.log1p()),
    "logaddexp": Row(lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
                     [(x, y) for x in (0.3, -2.9, 100.0) for y in (1.7, 1e-30, 50.0, 0.3)], TIES,
                     lambda t, x, y: t.logaddexp(x, y), cancels=True),
    "rsqrt": Row(lambda x: 1 / mp.sqrt(x), one(*POSITIVE), one(*EDGES), lambda t, x: x.rsqrt()),
    "reciprocal": Row(lambda x: 1 / x, NOT_ZERO, one(*EDGES), lambda t, x: x.reciprocal()),
    "abs": Row(lambda x: mp.sqrt(x * x), NOT_ZERO, one(*EDGES), lambda t, x: x.abs(), cancels=True),
    "sign": Row(lambda x: mp.mpf(sign(x)), NOT_ZERO, one(*EDGES), lambda t, x: x.sign()),
    "copysign": Row(lambda x, y: x * sign(x) * sign(y), [p for p in PLANE if p[1]], EDGE_PAIRS[:-6],
                    lambda t, x, y: t.copysign(x, y), cancels=True),
    "tan": Row(lambda x: mp.sin(x) / mp.cos(x), one(*LINE), one(*EDGES), lambda t, x: x.tan()),
    "asin": Row(mp.asin, UNIT, one(*EDGES, 2.0), lambda t, x: x.asin()),
    "acos": Row(lambda x: mp.pi / 2 - mp.asin(x), UNIT, one(*EDGES, 2.0), lambda t, x: x.acos()),
    "atan": Row(lambda x: mp.log((1 + mp.j * x) / (1 - mp.j * x)).imag / 2, one(*LINE), one(*EDGES),
                lambda t, x: x.atan()),
    "atan2": Row(lambda x, y: mp.arg(mp.mpc(y, x)), ANGLES, EDGE_PAIRS, lambda t, x, y: t.atan2(x, y), cancels=True),
    "sinh": Row(lambda x: (mp.exp(x) - mp.exp(-x)) / 2, one(*LINE), one(*EDGES), lambda t, x: x.sinh()),
    "cosh": Row(lambda x: (mp.exp(x) + mp.exp(-x)) / 2, one(*LINE), one(*EDGES), lambda t, x: x.cosh()),
    "asinh": Row(mp.asinh, one(*LINE), one(*EDGES), lambda t, x: x.asinh()),
    "acosh": Row(lambda x: mp.log(x + mp.sqrt(x * x - 1)), one(1.125, 1.7, 2.9, 5.5, 100.0, 1e4), one(*EDGES),
                 lambda t, x: x.acosh()),
    "atanh": Row(mp.atanh, UNIT, one(*EDGES, 2.0), lambda t, x: x.atanh()),
    "erf": Row(mp.erf, one(*LINE), one(*EDGES), lambda t, x: x.erf()),
    "erfc": Row(lambda x: 1 - mp.erf(x), one(*NEAR, 1e-30, -100.0, 5.0, 0.0), one(*EDGES), lambda t, x: x.erfc()),
    "lerp": Row(lambda x, y, w: x + (y - x) * w, MIXES, [(1.0, 2.0, 0.5), (1.0, inf, 0.25), (nan, 1.0, 0.5)],
                lambda t, x, y, w: t.lerp(x, y, w), cancels=True),
    "addscaled": Row(lambda x, y, alpha: x + alpha * y, PLANE, EDGE_PAIRS, lambda t, x, y: t.add(x, y, alpha=0.75),
                     parameters=(0.75,)),
    "addcmul": Row(lambda x, a, b, value: x + value * a * b, TRIPLES, [(1.0, inf, 0.0), (nan, 1.0, 2.0)],
                   lambda t, x, a, b: t.addcmul(x, a, b, value=2.5), parameters=(2.5,)),
    "addcdiv": Row(lambda x, a, b, value: x + value * a / b, TRIPLES, [(1.0, inf, 0.0), (1.0, 1.0, 0.0)],
                   lambda t, x, a, b: t.addcdiv(x, a, b, value=2.5), cancels=True, parameters=(2.5,)),
    # Rounding, remainders, bounds.
    "floor": Row(lambda x: mp.floor(x), FLAT, STEPS, lambda t, x: x.floor()),
    "ceil": Row(lambda x: -mp.floor(-x), FLAT, STEPS, lambda t, x: x.ceil()),
    "trunc": Row(lambda x: sign(x) * mp.floor(abs(x)), FLAT, STEPS, lambda t, x: x.trunc()),
    "rint": Row(mp.nint, FLAT, STEPS, lambda t, x: x.round()),
    "rounddecimals": Row(lambda x, scale: mp.nint(x * scale) / scale, FLAT[:4] + one(0.25, 3.125e3, -7.5), STEPS,
                         lambda t, x: x.round(decimals=2), parameters=(100.0,)),
    "roundtens": Row(lambda x, scale: mp.nint(x / scale) * scale, FLAT, STEPS,
                     lambda t, x: x.round(decimals=-2), parameters=(100.0,)),
    "frac": Row(lambda x: x - sign(x) * mp.floor(abs(x)), FLAT, STEPS, lambda t, x: x.frac(), cancels=True),
    "fmod": Row(lambda x, y: x - y * sign(x) * sign(y) * mp.floor(abs(x) / abs(y)), QUOTIENTS, QUOTIENT_EDGES,
                lambda t, x, y: t.fmod(x, y), cancels=True),
    "remainder": Row(lambda x, y: x - y * mp.floor(x / y), QUOTIENTS, QUOTIENT_EDGES,
                     lambda t, x, y: t.remainder(x, y), cancels=True),
    "floor_divide": Row(floor_of_quotient, [], QUOTIENTS, lambda t, x, y: t.floor_divide(x, y)),
    "divfloor": Row(lambda x, y: mp.floor(x / y), QUOTIENTS, QUOTIENT_EDGES,
                    lambda t, x, y: t.div(x, y, rounding_mode="floor")),
    "divtrunc": Row(lambda x, y: sign(x) * sign(y) * mp.floor(abs(x) / abs(y)), QUOTIENTS, QUOTIENT_EDGES,
                    lambda t, x, y: t.div(x, y, rounding_mode="trunc")),
    "maximum": Row(max, APART, TIES, lambda t, x, y: t.maximum(x, y)),
    "minimum": Row(min, APART, TIES, lambda t, x, y: t.minimum(x, y)),
    "clamp": Row(bounded, BETWEEN, BOUNDS, lambda t, x, low, high: t.clamp(x, low, high)),
    "clamp_min": Row(max, APART, TIES, lambda t, x, low: t.clamp(x, min=low)),
    "clamp_max": Row(min, APART, TIES, lambda t, x, high: t.clamp(x, max=high)),
    "masked_fill": Row(lambda x, mask, value: value if mask else x,
                       [(x, mask, value) for x, value in APART for mask in (True, False)],
                       [(x, mask, 2.0) for x in EDGES for mask in (True, False)],
                       lambda t, x, mask, value: t.where(mask, value, x)),
    "nan_to_num": Row(lambda x, *_: x, one(*LINE), one(*EDGES), lambda t, x: t.nan_to_num(x, 1.5, 7.0, -7.0),
                      parameters=(1.5, 7.0, -7.0)),
    # Activations.
    "logsigmoid": Row(lambda x: -mp.log(1 + mp.exp(-x)), one(*LINE), one(*EDGES),
                      lambda t, x: t.nn.functional.logsigmoid(x), cancels=True),
    "softplus": Row(lambda x, beta, _: mp.log(1 + mp.exp(beta * x)) / beta, one(*LINE), one(*EDGES, 10.0),
                    lambda t, x: t.nn.functional.softplus(x, 2.0), cancels=True, parameters=(2.0, 20.0)),
    "softsign": Row(lambda x: x / (1 + abs(x)), KINK, one(0.0, -0.0, 1.0, -1.0, nan),
                    lambda t, x: t.nn.functional.softsign(x)),
    "leaky_relu": Row(lambda x, slope: max(x, 0) + slope * min(x, 0), KINK, one(*EDGES),
                      lambda t, x: t.nn.functional.leaky_relu(x, 0.25), parameters=(0.25,)),
    "prelu": Row(lambda x, w: max(x, 0) + w * min(x, 0), [(x, w) for (x,) in KINK[:6] for w in (0.25, -1.5)],
                 EDGE_PAIRS, lambda t, x, w: t.prelu(x, w)),
    "threshold": Row(lambda x, least, value: x if x > least else mp.mpf(value), FLAT, one(*EDGES, 0.75),
                     lambda t, x: t.nn.functional.threshold(x, 0.75, -2.0), parameters=(0.75, -2.0)),
    "hardshrink": Row(lambda x, bound: x if abs(x) > bound else mp.mpf(0), FLAT, one(*EDGES, 0.75, -0.75),
                      lambda t, x: t.nn.functional.hardshrink(x, 0.75), parameters=(0.75,)),
    "softshrink": Row(lambda x, bound: sign(x) * max(abs(x) - bound, 0), FLAT, one(*EDGES, 0.75, -0.75),
                      lambda t, x: t.nn.functional.softshrink(x, 0.75), parameters=(0.75,)),
    "elu": Row(lambda x, alpha: max(x, 0) + alpha * (mp.exp(min(x, 0)) - 1), KINK, one(*EDGES),
               lambda t, x: t.nn.functional.elu(x, 1.5), parameters=(1.5,)),
    "celu": Row(lambda x, alpha: max(x, 0) + alpha * (mp.exp(min(x, 0) / alpha) - 1), KINK, one(*EDGES),
                lambda t, x: t.nn.functional.celu(x, 2.0), parameters=(2.0,)),
    "selu": Row(lambda x: mp.mpf("1.0507009873554804934193349852946") * (
                    max(x, 0) + mp.mpf("1.6732632423543772848170429916717") * (mp.exp(min(x, 0)) - 1)),
                KINK, one(*EDGES), lambda t, x: t.nn.functional.selu(x)),
    "gelu": Row(lambda x: x * mp.ncdf(x), one(*LINE), one(*EDGES), lambda t, x: t.nn.functional.gelu(x), cancels=True),
    "gelutanh": Row(lambda x: x * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3))) / 2, one(*LINE),
                    one(*EDGES), lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), cancels=True),
    "silu": Row(lambda x: x / (1 + mp.exp(-x)), one(*LINE), one(*EDGES), lambda t, x: t.nn.functional.silu(x),
                cancels=True),
    "mish": Row(lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))), one(*LINE), one(*EDGES),
                lambda t, x: t.nn.functional.mish(x), cancels=True),
    "hardtanh": Row(bounded, KINK, one(*EDGES, -1.5, 2.0), lambda t, x: t.nn.functional.hardtanh(x, -1.5, 2.0),
                    parameters=(-1.5, 2.0)),
    "relu6": Row(lambda x: bounded(x, 0, 6), KINK, one(*EDGES, 6.0), lambda t, x: t.nn.functional.relu6(x)),
    "hardsigmoid": Row(lambda x: bounded(x + 3, 0, 6) / 6, KINK, one(*EDGES, 3.0, -3.0),
                       lambda t, x: t.nn.functional.hardsigmoid(x), cancels=True),
    "hardswish": Row(lambda x: x * bounded(x + 3, 0, 6) / 6, KINK, one(*EDGES, 3.0, -3.0),
                     lambda t, x: t.nn.functional.hardswish(x), cancels=True),
    # Questions and bits: no derivatives.
    "isnan": Row(math.isnan, [], one(*EDGES), lambda t, x: x.isnan()),
    "isinf": Row(math.isinf, [], one(*EDGES), lambda t, x: x.isinf()),
    "isfinite": Row(math.isfinite, [], one(*EDGES), lambda t, x: x.isfinite()),
    "isclose": Row(lambda x, y, rtol, atol, both: math.isclose(x, y, rel_tol=0, abs_tol=atol + rtol * abs(y))
                   if math.isfinite(y) else x == y or (x != x and y != y), [],
                   [*TIES, (1.0, 1.0009), (1.0, 1.01)], lambda t, x, y: t.isclose(x, y, 1e-3, 1e-5, True),
                   parameters=(1e-3, 1e-5, 1.0)),
    "logical_and": Row(lambda x, y: bool(x) and bool(y), [], EDGE_PAIRS, lambda t, x, y: t.logical_and(x, y)),
    "logical_or": Row(lambda x, y: bool(x) or bool(y), [], EDGE_PAIRS, lambda t, x, y: t.logical_or(x, y)),
    "logical_xor": Row(lambda x, y: bool(x) != bool(y), [], EDGE_PAIRS, lambda t, x, y: t.logical_xor(x, y)),
    "logical_not": Row(lambda x: not x, [], one(*EDGES), lambda t, x: t.logical_not(x)),
    "bitwise_and": Row(lambda x, y: x & y, [], WHOLES, lambda t, x, y: x & y),
    "bitwise_or": Row(lambda x, y: x | y, [], WHOLES, lambda t, x, y: x | y),
    "bitwise_xor": Row(lambda x, y: x ^ y, [], WHOLES, lambda t, x, y: x ^ y),
    "bitwise_not": Row(lambda x: ~x, [], [(x,) for x in (0, 1, -1, 7, -128)], lambda t, x: ~x),
    "bitwise_left_shift": Row(lambda x, y: x * 2**y, [], WHOLES, lambda t, x, y: x << y),
    "bitwise_right_shift": Row(lambda x, y: x // 2**y, [], WHOLES, lambda t, x, y: x >> y),
}  # fmt: skip
