"""The mathematics of a loop: functions written so that a loop over them runs on vector instructions.

The problem. A loop that calls the C library's `exp` runs one element at a time: the call is opaque, so the
compiler cannot turn eight of them into one instruction. A loop over *these* functions is eight (or sixteen)
elements wide, because after inlining there is nothing left in it but additions, multiplications, shifts and
selections:

    for i in range(n):
        out[i] = exp(x[i])            # several elements per instruction

The idea, the same for every function: *reduce* the argument to a small interval by an identity, *approximate*
there with a polynomial, *reconstruct* by the same identity.

    exp   x = k log 2 + r,   |r| <= (log 2)/2        eˣ = 2ᵏ eʳ           2ᵏ is put together from its bits
    log   x = 2ᵏ m,          √½ <= m < √2            log x = k log 2 + log m     k is read off the bits
    sin   x = k π/2 + r,     |r| <= π/4              ±sin r or ±cos r     the last two bits of k say which
    cos   sin(x + π/2)                               the same for k + 1
    tanh  q = e⁻²ˣ,          x >= 0                  1 - 2q / (1 + q)     near 0 a polynomial of its own
    atan  t = -1/x,          x > 1                   π/2 + atan t

This file has sin, cos and atan, and gathers the rest, under the names that printed kernels import (NAME_float32,
NAME_float64): math_exp.py has exp, exp2, expm1, sinh, cosh and tanh; math_log.py log and log1p; math_erf.py erf and
erfc; math_libm.py those of the C library, one element at a time, for what no hot loop needs (the sine of a large number
among it).

Four tricks keep the error below two units in the last place (ulp):

- *Reduction in parts* (Cody and Waite). `x - k * half_pi` is useless: the rounding of the constant is
  multiplied by k, and what is left of x may be tiny. But if π/2 = A + B + C + D, where A, B and C have so few
  bits that k * A, k * B and k * C are exact, then ((x - k A) - k B) - ... loses almost nothing. It also
  explains a flag: 'reassoc' would let the compiler add the parts up again, so these functions are compiled
  with 'contract' alone, whoever calls them.
- *Rounding by adding*. In float32 the numbers near 1.5 · 2²³ are whole: t = y + 1.5 · 2²³ rounds y to the
  nearest whole number k, found both as the float t - 1.5 · 2²³ and as an integer in the low bits of t. No
  conversion, so nan passes through unharmed (converting nan to an integer is undefined).
- *The small part last*. r + r³ p(r²), not r (1 + r² p(r²)): the big term is added once, exactly as it is.
- *No branch*. A special case is a selection between two values that have both been computed.

The polynomials are Chebyshev or minimax fits of what is left when the leading terms are taken away: (eʳ - 1 - r) / r²,
(sin r - r) / r³, (cos r - 1 + r²/2) / r⁴, (atan t - t) / t³.

sin and cos take their argument below SIN_LIMIT[dtype]; from there on k has too many bits for the parts of
π/2. A loop goes block by block and chooses: the loop over `sin_float32` where every argument of the block is
below the limit, else the loop over its twin `sin_float32_any`, which has the same bits there, asks the C library
about the others, and goes one element at a time.

Source: W. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; J.-M. Muller, Elementary
Functions: Algorithms and Implementation, 3rd edition, 2016.
"""

# ruff: noqa: F403  (printed kernels import everything from here)
from __future__ import annotations

import math
from typing import Any

from numpy import float32, float64, int32, int64

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math_erf import *
from tinygrad_kernels.cpu.math_exp import *
from tinygrad_kernels.cpu.math_exp import ROUND_32, ROUND_64
from tinygrad_kernels.cpu.math_libm import *
from tinygrad_kernels.cpu.math_libm import far_cos_float32, far_cos_float64, far_sin_float32, far_sin_float64
from tinygrad_kernels.cpu.math_log import *

SIN_LIMIT = {"float32": 8192.0, "float64": 1048576.0}  # sin_* and cos_* need |x| below this; sin_*_any do not

# pi/2 in parts: short ones, whose product with k is exact, and the rest
HALF_PI_A_32, HALF_PI_B_32 = float32(1.5703125), float32(0.0004837512969970703)
HALF_PI_C_32, HALF_PI_D_32 = float32(7.549533620476723e-08), float32(2.563344151594519e-12)
HALF_PI_A_64, HALF_PI_B_64 = 1.5707963267341256, 6.077100506303966e-11
HALF_PI_C_64, HALF_PI_D_64 = 2.0222662487111665e-21, 8.4784276603689e-32


# sin and cos


@jit(inline=True)
def _sin_core_float32(a, shift):
    """The bits of sin(a + shift pi/2) for a >= 0. An odd k wants cos r; the second bit of k is the sign."""
    t = float32(a * float32(0.6366197723675814) + ROUND_32)
    k = t - ROUND_32
    r = ((a - k * HALF_PI_A_32) - k * HALF_PI_B_32) - k * HALF_PI_C_32 - k * HALF_PI_D_32
    z = r * r
    p = float32(-0.000195873870684644565)
    p = p * z + float32(0.00833274593638042232)
    p = p * z + float32(-0.16666664650292082)
    sine = r + r * (z * p)
    q = float32(0.0000245474372101931988)
    q = q * z + float32(-0.00138883006969038989)
    q = q * z + float32(0.0416666646474573772)
    cosine = float32(1.0) - (float32(0.5) * z - z * z * q)
    k_bits = int32(t.view(int32) + shift)
    y = cosine if k_bits & int32(1) else sine
    return int32(float32(y).view(int32) ^ ((k_bits & int32(2)) << int32(30)))


@jit(inline=True)
def _sin_core_float64(a, shift):
    """The same. a - k A is exact, and what the next steps lose, `lost`, is added to the polynomial."""
    t = float64(a * 0.6366197723675814 + ROUND_64)
    k = t - ROUND_64
    r = a - k * HALF_PI_A_64
    high = r - k * HALF_PI_B_64
    lost = (r - high) - k * HALF_PI_B_64
    last = (lost - k * HALF_PI_C_64) - k * HALF_PI_D_64
    r = high + last
    lost = (high - r) + last
    z = r * r
    p = 1.5917848524808261e-10
    p = p * z - 2.50511279440141876e-8
    p = p * z + 2.75573160838163586e-6
    p = p * z - 0.000198412698367224178
    p = p * z + 0.00833333333333092456
    p = p * z - 0.166666666666666646
    sine = r + (r * (z * p) + lost)
    q = -1.13824567780613058e-11
    q = q * z + 2.08761438279931325e-9
    q = q * z - 2.75573172600088382e-7
    q = q * z + 0.0000248015872987430693
    q = q * z - 0.00138888888888873823
    q = q * z + 0.0416666666666666654
    cosine = 1.0 - (0.5 * z - (z * z * q - r * lost))
    k_bits = t.view(int64) + shift
    y = cosine if k_bits & 1 else sine
    return float64(y).view(int64) ^ ((k_bits & 2) << 62)


@jit(inline=True)
def sin_float32(x):
    """sin x for |x| < SIN_LIMIT['float32']; nan at ±inf. The sign of x goes on last, so sin(-0.0) is -0.0."""
    sign = int32(float32(x).view(int32) & int32(-2147483648))
    return int32(_sin_core_float32(abs(x), int32(0)) ^ sign).view(float32)


@jit(inline=True)
def cos_float32(x):
    """cos x for |x| < SIN_LIMIT['float32']; nan at ±inf."""
    return int32(_sin_core_float32(abs(x), int32(1))).view(float32)


@jit(inline=True)
def sin_float64(x):
    """sin x for |x| < SIN_LIMIT['float64']; nan at ±inf."""
    sign = float64(x).view(int64) & -9223372036854775808
    return int64(_sin_core_float64(abs(x), 0) ^ sign).view(float64)


@jit(inline=True)
def cos_float64(x):
    """cos x for |x| < SIN_LIMIT['float64']; nan at ±inf."""
    return int64(_sin_core_float64(abs(x), 1)).view(float64)


def anywhere(near: Any, far: Any, limit: Any) -> Any:
    """The twin for any argument: the sine of a number does not depend on the numbers beside it."""

    @jit(inline=True)
    def twin(x):
        return near(x) if abs(x) < limit else far(x)

    return twin


sin_float32_any = anywhere(sin_float32, far_sin_float32, float32(SIN_LIMIT["float32"]))
cos_float32_any = anywhere(cos_float32, far_cos_float32, float32(SIN_LIMIT["float32"]))
sin_float64_any = anywhere(sin_float64, far_sin_float64, SIN_LIMIT["float64"])
cos_float64_any = anywhere(cos_float64, far_cos_float64, SIN_LIMIT["float64"])


# atan: of a > 1 it is π/2 - atan(1/a), so a polynomial on [0, 1] is enough.


@jit(inline=True)
def atan_float32(x):
    """The angle in [-π/2, π/2] whose tangent is x."""
    a = abs(x)
    steep = a > float32(1.0)
    t = (float32(-1.0) if steep else a) / (a if steep else float32(1.0))
    z = t * t
    p = float32(-0.0017932318743)
    p = p * z + float32(0.010912906274)
    p = p * z + float32(-0.031174805204)
    p = p * z + float32(0.057954727532)
    p = p * z + float32(-0.084032986255)
    p = p * z + float32(0.10952141426)
    p = p * z + float32(-0.14264235136)
    p = p * z + float32(0.19998547882)
    p = p * z + float32(-0.33333299081)
    y = t + t * (z * p)
    y = float32(math.pi / 2) + (y - float32(4.371139e-08)) if steep else y
    return math.copysign(y, x)


@jit(inline=True)
def atan_float64(x):
    """The angle in [-π/2, π/2] whose tangent is x."""
    a = abs(x)
    steep = a > 1.0
    t = (-1.0 if steep else a) / (a if steep else 1.0)
    z = t * t
    p = 0.00001322566639409618364
    p = p * z - 0.0001521664249981074211
    p = p * z + 0.0008313458741915769459
    p = p * z - 0.002884981641153851078
    p = p * z + 0.007196616114425505532
    p = p * z - 0.01390070512694118692
    p = p * z + 0.02198499130045194448
    p = p * z - 0.02990395707322690158
    p = p * z + 0.03664196393893738732
    p = p * z - 0.04219181076614468517
    p = p * z + 0.04722322826215185848
    p = p * z - 0.05253518667445268185
    p = p * z + 0.05880527823937678367
    p = p * z - 0.06666404055964010131
    p = p * z + 0.0769227983863384299
    p = p * z - 0.09090907002886791333
    p = p * z + 0.111111110070168929
    p = p * z - 0.1428571428257465932
    p = p * z + 0.1999999999995145037
    p = p * z - 0.3333333333333306801
    y = t + t * (z * p)
    y = math.pi / 2 + (y + 6.123233995736766e-17) if steep else y
    return math.copysign(y, x)
