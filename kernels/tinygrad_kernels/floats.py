"""Python's `math`, made total: every function here answers for every float, as IEEE 754 says.

The problem. A formula of calculus.py is read in several ways, and one of them is on plain Python floats. But
Python's own arithmetic is partial: `1.0 / 0.0`, `math.exp(1000.0)` and `math.log(0.0)` raise, and
`(-8.0) ** (1/3)` is a complex number. A loop over an array does none of that: it writes inf or nan and goes on.

The idea. Catch the few places where `math` refuses, and give what the floating-point standard gives there.

    x          exp(x)   log(x)   div(1, x)   sin(x)
    0.0        1        -inf     inf         0
    1000.0     inf      6.9      0.001       0.83
    inf        inf      inf      0           nan
    -1.0       0.37     nan      -1          -0.84

Source: IEEE Standard for Floating-Point Arithmetic, IEEE 754-2019, sections 7 and 9.
"""

from __future__ import annotations

import math

inf, nan = math.inf, math.nan


def exp(x: float) -> float:
    """eˣ; inf where the true value is too large for a float.

    >>> exp(1000.0)
    inf
    """
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def log(x: float) -> float:
    """The natural logarithm; -inf at 0, nan below.

    >>> log(0.0), log(-1.0)
    (-inf, nan)
    """
    if x > 0.0:
        return math.log(x)
    return -inf if x == 0.0 else nan


def sin(x: float) -> float:
    """The sine of x radians; nan at ±inf."""
    return math.sin(x) if math.isfinite(x) else nan


def cos(x: float) -> float:
    """The cosine of x radians; nan at ±inf."""
    return math.cos(x) if math.isfinite(x) else nan


def sqrt(x: float) -> float:
    """The square root; nan below 0."""
    return nan if x < 0.0 else math.sqrt(x)


tanh = math.tanh  # total as it is


def div(x: float, y: float) -> float:
    """x / y; a signed inf where only y is 0, nan for 0 / 0.

    >>> div(1.0, 0.0), div(1.0, -0.0), div(0.0, 0.0)
    (inf, -inf, nan)
    """
    if y != 0.0:
        return x / y
    if x == 0.0 or x != x:
        return nan
    return math.copysign(inf, x) * math.copysign(1.0, y)


def pow(x: float, y: float) -> float:
    """x to the power y, as C's `pow`: nan for a negative x with a fractional y, inf for 0 to a negative y.

    >>> pow(-8.0, 1 / 3), pow(0.0, -1.0), pow(0.0, 0.0), pow(10.0, 1000.0)
    (nan, inf, 1.0, inf)
    """
    try:
        return math.pow(x, y)
    except OverflowError:
        negative = x < 0.0 and math.fmod(y, 2.0) != 0.0
        return -inf if negative else inf
    except ValueError:
        if x != 0.0:
            return nan
        odd = math.fmod(y, 2.0) in (1.0, -1.0)  # 0 to a negative power: a pole, signed where y is odd
        return math.copysign(inf, x) if odd else inf
