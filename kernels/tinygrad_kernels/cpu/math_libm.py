"""The primitives that are not vectorised, from the C library: one element at a time, right everywhere.

The problem. Some functions are in no loop that anybody waits for (who takes the arc cosine of a million numbers a
thousand times?), and a good implementation of each is a page. C's library has one of each, accurate to an ulp, with
all the special cases of IEEE 754.

The idea. Call it. A call is opaque to the compiler, so the loop around it takes one element at a time, at 8 to 40 ns
an element instead of the 0.3 of the functions in math_exp.py and its neighbours. In float32 the call is made in
float64 and its result is rounded: one rounding, where the library's own float32 functions have an error besides.

Rounding to whole numbers is a different matter: floor, ceil, trunc and rint are one instruction each, for scalars as
for vectors, and so are abs and copysign. `rint` rounds halves to the even neighbour, 0.5 to 0, 1.5 and 2.5 to 2.

Source: ISO/IEC 9899:2018 (C17), section 7.12 and annex F, mathematics; IEEE 754-2019, section 9.2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy import float32, float64

from tinygrad_kernels.cpu.jit import jit


@jit(inline=True)
def log2_float32(x):
    """log x / log 2; -inf at 0, nan below."""
    return float32(math.log2(float64(x)))


@jit(inline=True)
def log2_float64(x):
    """log x / log 2; -inf at 0, nan below."""
    return math.log2(x)


@jit(inline=True)
def log10_float32(x):
    """log x / log 10; -inf at 0, nan below."""
    return float32(math.log10(float64(x)))


@jit(inline=True)
def log10_float64(x):
    """log x / log 10; -inf at 0, nan below."""
    return math.log10(x)


@jit(inline=True)
def tan_float32(x):
    """sin x / cos x; nan at ±inf."""
    return float32(math.tan(float64(x)))


@jit(inline=True)
def tan_float64(x):
    """sin x / cos x; nan at ±inf."""
    return math.tan(x)


@jit(inline=True)
def asin_float32(x):
    """The angle in [-π/2, π/2] whose sine is x; nan for |x| > 1."""
    return float32(math.asin(float64(x)))


@jit(inline=True)
def asin_float64(x):
    """The angle in [-π/2, π/2] whose sine is x; nan for |x| > 1."""
    return math.asin(x)


@jit(inline=True)
def acos_float32(x):
    """The angle in [0, π] whose cosine is x; nan for |x| > 1."""
    return float32(math.acos(float64(x)))


@jit(inline=True)
def acos_float64(x):
    """The angle in [0, π] whose cosine is x; nan for |x| > 1."""
    return math.acos(x)


@jit(inline=True)
def asinh_float32(x):
    """log(x + √(x² + 1))."""
    return float32(math.asinh(float64(x)))


@jit(inline=True)
def asinh_float64(x):
    """log(x + √(x² + 1))."""
    return math.asinh(x)


@jit(inline=True)
def acosh_float32(x):
    """log(x + √(x² - 1)); nan below 1."""
    return float32(math.acosh(float64(x)))


@jit(inline=True)
def acosh_float64(x):
    """log(x + √(x² - 1)); nan below 1."""
    return math.acosh(x)


@jit(inline=True)
def atanh_float32(x):
    """½ log((1 + x) / (1 - x)); ±inf at ±1, nan beyond."""
    return float32(math.atanh(float64(x)))


@jit(inline=True)
def atanh_float64(x):
    """½ log((1 + x) / (1 - x)); ±inf at ±1, nan beyond."""
    return math.atanh(x)


@jit(inline=True)
def atan2_float32(y, x):
    """The angle in [-π, π] of the point (x, y), seen from the origin."""
    return float32(math.atan2(float64(y), float64(x)))


@jit(inline=True)
def atan2_float64(y, x):
    """The angle in [-π, π] of the point (x, y), seen from the origin."""
    return math.atan2(y, x)


@jit(inline=True)
def fmod_float32(x, y):
    """x - n y with the whole n that lies next to x / y towards 0: exact, of the sign of x; nan for y = 0."""
    return float32(np.fmod(float64(x), float64(y)))


@jit(inline=True)
def fmod_float64(x, y):
    """x - n y with the whole n that lies next to x / y towards 0: exact, of the sign of x; nan for y = 0."""
    return np.fmod(x, y)


# One instruction each: these do vectorise.


@jit(inline=True)
def floor_float32(x):
    """The largest whole number that is not above x."""
    return np.floor(x)


@jit(inline=True)
def floor_float64(x):
    """The largest whole number that is not above x."""
    return np.floor(x)


@jit(inline=True)
def ceil_float32(x):
    """The smallest whole number that is not below x."""
    return np.ceil(x)


@jit(inline=True)
def ceil_float64(x):
    """The smallest whole number that is not below x."""
    return np.ceil(x)


@jit(inline=True)
def trunc_float32(x):
    """x without its fractional part."""
    return np.trunc(x)


@jit(inline=True)
def trunc_float64(x):
    """x without its fractional part."""
    return np.trunc(x)


@jit(inline=True)
def rint_float32(x):
    """The nearest whole number; of two, the even one."""
    return np.rint(x)


@jit(inline=True)
def rint_float64(x):
    """The nearest whole number; of two, the even one."""
    return np.rint(x)


@jit(inline=True)
def abs_float32(x):
    """|x|."""
    return abs(x)


@jit(inline=True)
def abs_float64(x):
    """|x|."""
    return abs(x)


@jit(inline=True)
def copysign_float32(x, y):
    """|x| with the sign of y (-0.0 and nan have one too)."""
    return math.copysign(x, y)


@jit(inline=True)
def copysign_float64(x, y):
    """|x| with the sign of y (-0.0 and nan have one too)."""
    return math.copysign(x, y)
