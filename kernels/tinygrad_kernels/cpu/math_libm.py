"""The primitives that are not vectorised, from the C library: one element at a time, right everywhere.

The problem. Some functions are in no loop that anybody waits for (who takes the arc cosine of a million numbers a
thousand times?), and a good implementation of each is a page. C's library has one of each, accurate to an ulp, with
all the special cases of IEEE 754.

The idea. Call it. A call is opaque to the compiler, so the loop around it takes one element at a time, at 8 to 40 ns
an element instead of the 0.3 of the functions in math_exp.py and its neighbours. In float32 the call is made in
float64 and its result is rounded: one rounding, where the library's own float32 functions have an error besides.

    log2, log10     -inf at 0, nan below         asinh    log(x + √(x² + 1))
    tan             nan at ±inf                  acosh    log(x + √(x² - 1)); nan below 1
    asin, acos      nan for |x| > 1              atanh    ½ log((1 + x) / (1 - x)); ±inf at ±1, nan beyond
    atan2(y, x)     the angle in [-π, π] of the point (x, y), seen from the origin
    fmod(x, y)      x - n y with the whole n that lies next to x / y towards 0: exact, of the sign of x; nan for y = 0
    pow(x, y)       whose many special cases (0 to a negative power, negative to a whole one) are IEEE 754's

Rounding to whole numbers is a different matter: floor, ceil, trunc and rint are one instruction each, for scalars as
for vectors and in any dtype, and so are abs and copysign. `rint` rounds halves to the even neighbour, 0.5 to 0, 1.5 and
2.5 to 2; copysign sees the sign of -0.0 and of nan too.

Source: ISO/IEC 9899:2018 (C17), section 7.12 and annex F, mathematics; IEEE 754-2019, section 9.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import float32, float64

from tinygrad_kernels.cpu.jit import jit


def twins(f: Callable[[float], float]) -> tuple[Any, Any]:
    """A function of `math` for float32, computed in float64 and rounded, and for float64."""

    @jit(inline=True)
    def in_float32(x):
        return float32(f(float64(x)))

    @jit(inline=True)
    def in_float64(x):
        return f(x)

    return in_float32, in_float64


log2_float32, log2_float64 = twins(math.log2)
log10_float32, log10_float64 = twins(math.log10)
tan_float32, tan_float64 = twins(math.tan)
asin_float32, asin_float64 = twins(math.asin)
acos_float32, acos_float64 = twins(math.acos)
asinh_float32, asinh_float64 = twins(math.asinh)
acosh_float32, acosh_float64 = twins(math.acosh)
atanh_float32, atanh_float64 = twins(math.atanh)
far_sin_float32, far_sin_float64 = twins(math.sin)  # for arguments that math.py cannot reduce
far_cos_float32, far_cos_float64 = twins(math.cos)


@jit(inline=True)
def atan2_float32(y, x):
    return float32(math.atan2(float64(y), float64(x)))


@jit(inline=True)
def atan2_float64(y, x):
    return math.atan2(y, x)


@jit(inline=True)
def fmod_float32(x, y):
    return float32(np.fmod(float64(x), float64(y)))


@jit(inline=True)
def fmod_float64(x, y):
    return np.fmod(x, y)


@jit(inline=True)
def pow_float32(x, y):
    return float32(math.pow(float64(x), float64(y)))


@jit(inline=True)
def pow_float64(x, y):
    return math.pow(x, y)


# One instruction each: these do vectorise.


@jit(inline=True)
def _floor(x):
    return np.floor(x)


@jit(inline=True)
def _ceil(x):
    return np.ceil(x)


@jit(inline=True)
def _trunc(x):
    return np.trunc(x)


@jit(inline=True)
def _rint(x):
    return np.rint(x)


@jit(inline=True)
def _abs(x):
    return abs(x)


@jit(inline=True)
def _copysign(x, y):
    return math.copysign(x, y)


floor_float32 = floor_float64 = _floor
ceil_float32 = ceil_float64 = _ceil
trunc_float32 = trunc_float64 = _trunc
rint_float32 = rint_float64 = _rint
abs_float32 = abs_float64 = _abs
copysign_float32 = copysign_float64 = _copysign
