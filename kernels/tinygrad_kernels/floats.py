"""Python's `math`, made total: every function here answers for every float, as IEEE 754 says.

The problem. A formula of the calculus is read in several ways, and one of them is on plain Python floats. But
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

import builtins
import math
from collections.abc import Callable

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


# Total as they are
erf, erfc, atan, atan2, asinh = math.erf, math.erfc, math.atan, math.atan2, math.asinh
copysign, abs = math.copysign, builtins.abs


def expm1(x: float) -> float:
    """eˣ - 1, with all its digits near 0; inf where it is too large for a float."""
    try:
        return math.expm1(x)
    except OverflowError:
        return inf


def exp2(x: float) -> float:
    """2ˣ."""
    return pow(2.0, x)


def log1p(x: float) -> float:
    """log(1 + x), with all its digits near 0; -inf at -1, nan below."""
    if x > -1.0:
        return math.log1p(x)
    return -inf if x == -1.0 else nan


def log2(x: float) -> float:
    """The logarithm to base 2; -inf at 0, nan below."""
    if x > 0.0:
        return math.log2(x)
    return -inf if x == 0.0 else nan


def log10(x: float) -> float:
    """The logarithm to base 10; -inf at 0, nan below."""
    if x > 0.0:
        return math.log10(x)
    return -inf if x == 0.0 else nan


def tan(x: float) -> float:
    """The tangent of x radians; nan at ±inf."""
    return math.tan(x) if math.isfinite(x) else nan


def asin(x: float) -> float:
    """The angle in [-π/2, π/2] whose sine is x; nan for |x| > 1."""
    return math.asin(x) if -1.0 <= x <= 1.0 else nan


def acos(x: float) -> float:
    """The angle in [0, π] whose cosine is x; nan for |x| > 1."""
    return math.acos(x) if -1.0 <= x <= 1.0 else nan


def sinh(x: float) -> float:
    """(eˣ - e⁻ˣ) / 2; ±inf where it is too large for a float."""
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def cosh(x: float) -> float:
    """(eˣ + e⁻ˣ) / 2; inf where it is too large for a float."""
    try:
        return math.cosh(x)
    except OverflowError:
        return inf


def acosh(x: float) -> float:
    """The y >= 0 whose hyperbolic cosine is x; nan below 1."""
    return math.acosh(x) if x >= 1.0 else nan


def atanh(x: float) -> float:
    """The y whose hyperbolic tangent is x; ±inf at ±1, nan beyond."""
    if -1.0 < x < 1.0:
        return math.atanh(x)
    return math.copysign(inf, x) if abs(x) == 1.0 else nan


def fmod(x: float, y: float) -> float:
    """The rest of x / y, of the sign of x; nan for y = 0 or an infinite x.

    >>> fmod(-7.0, 3.0), fmod(1.0, inf), fmod(1.0, 0.0)
    (-1.0, 1.0, nan)
    """
    return math.fmod(x, y) if math.isfinite(x) and y != 0.0 else nan


# Python rounds to an int, which has no inf, no nan and no -0.0.


def _whole(rounding: Callable[[float], int], x: float) -> float:
    return math.copysign(float(rounding(x)), x) if math.isfinite(x) else x


def floor(x: float) -> float:
    """The largest whole number that is not above x, as a float."""
    return _whole(math.floor, x)


def ceil(x: float) -> float:
    """The smallest whole number that is not below x; of numbers in (-1, 0] it is -0.0."""
    return _whole(math.ceil, x)


def trunc(x: float) -> float:
    """x without its fractional part."""
    return _whole(math.trunc, x)


def rint(x: float) -> float:
    """The nearest whole number; of two, the even one.

    >>> rint(0.5), rint(1.5), rint(-0.2)
    (0.0, 2.0, -0.0)
    """
    return _whole(round, x)
