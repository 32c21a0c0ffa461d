"""eˣ and its relatives: exp, exp2, expm1, sinh, cosh, tanh, all of them from one reduction.

The problem. In a sigmoid, a softmax or a softplus nearly all the time goes into an exponential, and so it must run on
vector instructions. And e^x - 1 by subtraction loses everything for a small x: in float32, e^1e-8 is 1.

The idea. With k the whole number nearest to x / log 2, x = k log 2 + r with |r| <= (log 2)/2, and

    eˣ      = 2ᵏ (1 + e),     e = eʳ - 1 from a polynomial, 2ᵏ from its bits
    eˣ - 1  = 2ᵏ e + (2ᵏ - 1)                        for k = 0 it is e itself
    sinh x  = (2ᵏ⁻¹ - 2⁻ᵏ⁻¹) + (2ᵏ⁻¹ + 2⁻ᵏ⁻¹) e - 2⁻ᵏ⁻¹ e² / (1 + e)
    cosh x  = 2ᵏ⁻¹ (1 + e) + 2⁻ᵏ⁻¹ / (1 + e)
    tanh x  = 1 - 2q / (1 + q),  q = e⁻²ˣ

All build on e, not on 1 + e: e keeps its digits however small r is. exp2 needs no reduction in parts, since x - k is
exact. Where two terms nearly cancel (expm1 at x = ⅓ is 2 e + 1 with e = -0.3), half an ulp that the reduction rounded
away would show as two, so the reduction returns it too, as `lost`.

The other tricks (reduction in parts, rounding by adding, no branch) are explained in math.py.

Source: W. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; J.-M. Muller, Elementary Functions:
Algorithms and Implementation, 3rd edition, 2016; Sun Microsystems, fdlibm, 1993 (the lost part in expm1).
"""

from __future__ import annotations

import math

from numpy import float32, float64, int32, int64

from tinygrad_kernels.cpu.jit import jit

ROUND_32 = float32(1.5 * 2.0**23)  # y + ROUND_32 - ROUND_32 is y rounded to a whole number, |y| < 2²²
ROUND_64 = 1.5 * 2.0**52
ROUND_64_BITS = 0x4338000000000000  # the bits of ROUND_64: an integer added to them is added to the number

# log 2 in two parts: a short one, whose product with k is exact, and the rest
LOG2_A_32, LOG2_B_32 = float32(0.693145751953125), float32(1.4286068203094173e-06)
LOG2_A_64, LOG2_B_64 = 0.6931471803691238, 1.9082149292705877e-10

# Where x is so small that the functions that are odd at 0 round to x itself
TINY_32, TINY_64 = float32(1e-10), 1e-20


# The reduction


@jit(inline=True)
def _exp_tail_float32(r):
    """(eʳ - 1 - r) / r² for |r| <= (log 2)/2."""
    p = float32(0.00139262508314976117)
    p = p * r + float32(0.0083632328836826182)
    p = p * r + float32(0.0416665542129841503)
    p = p * r + float32(0.166665766661199283)
    p = p * r + float32(0.5)
    return p


@jit(inline=True)
def _exp_tail_float64(r):
    """(eʳ - 1 - r) / r² for |r| <= (log 2)/2."""
    p = 2.5100472505694996e-8
    p = p * r + 2.76202015910315488e-7
    p = p * r + 2.75572682769056962e-6
    p = p * r + 0.0000248015210578682052
    p = p * r + 0.00019841269863171556
    p = p * r + 0.00138888889173670806
    p = p * r + 0.0083333333333300382
    p = p * r + 0.0416666666666238205
    p = p * r + 0.166666666666666675
    p = p * r + 0.5
    return p


@jit(inline=True)
def _exp_core_float32(x):
    """k and eʳ - 1 for x = k log 2 + r. Adding r last keeps eʳ - 1 exact to an ulp where r is small."""
    t = float32(x * float32(1.4426950408889634) + ROUND_32)
    k = t - ROUND_32
    r = (x - k * LOG2_A_32) - k * LOG2_B_32
    return int32(t.view(int32)) - int32(0x4B400000), r + r * r * _exp_tail_float32(r)


@jit(inline=True)
def _exp_core_float64(x):
    t = float64(x * 1.4426950408889634 + ROUND_64)
    k = t - ROUND_64
    r = (x - k * LOG2_A_64) - k * LOG2_B_64
    return t.view(int64) - ROUND_64_BITS, r + r * r * _exp_tail_float64(r)


@jit(inline=True)
def _exp_core_exact_float32(x, low):
    """The same for x - low, where low is small, with what the rounding of r loses added to the polynomial."""
    t = float32(x * float32(1.4426950408889634) + ROUND_32)
    k = t - ROUND_32
    high = x - k * LOG2_A_32
    rest = k * LOG2_B_32 + low
    r = high - rest
    lost = (high - r) - rest
    return int32(t.view(int32)) - int32(0x4B400000), r + (r * r * _exp_tail_float32(r) + lost)


@jit(inline=True)
def _exp_core_exact_float64(x, low):
    t = float64(x * 1.4426950408889634 + ROUND_64)
    k = t - ROUND_64
    high = x - k * LOG2_A_64
    rest = k * LOG2_B_64 + low
    r = high - rest
    lost = (high - r) - rest
    return t.view(int64) - ROUND_64_BITS, r + (r * r * _exp_tail_float64(r) + lost)


@jit(inline=True)
def _power_of_two_float32(k):
    """2ᵏ for -126 <= k <= 127, by writing k into the exponent's bits."""
    return int32((k + int32(127)) << int32(23)).view(float32)


@jit(inline=True)
def _power_of_two_float64(k):
    return int64((k + 1023) << 52).view(float64)


@jit(inline=True)
def _scaled_float32(k, e):
    """2ᵏ (1 + e). Where it is subnormal, 2ᵏ has no exponent's bits of its own: take 2ᵏ⁺⁶⁴ and scale down.

    Where even that is 0, as for e^-inf in a masked softmax, take 0 at once: a product that underflows takes the
    processor a hundred cycles.
    """
    small = k < int32(-124)
    scale = _power_of_two_float32(int32(k + (int32(63) if small else int32(-1))))
    scale = float32(0.0) if k < int32(-150) else scale
    y = (float32(2.0) + float32(2.0) * e) * scale  # 2 (1 + e) · 2ᵏ⁻¹, for k = 128 is one too large
    return y * float32(2.0**-64) if small else y


@jit(inline=True)
def _scaled_float64(k, e):
    small = k < -1020
    scale = _power_of_two_float64(k + (63 if small else -1))
    scale = 0.0 if k < -1075 else scale
    y = (2.0 + 2.0 * e) * scale
    return y * 2.0**-64 if small else y


# exp and exp2


@jit(inline=True)
def exp_float32(x):
    """eˣ."""
    x = float32(89.0) if x > float32(89.0) else x
    x = float32(-105.0) if x < float32(-105.0) else x
    k, e = _exp_core_float32(x)
    return _scaled_float32(k, e)


@jit(inline=True)
def exp_float64(x):
    """eˣ."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    k, e = _exp_core_float64(x)
    return _scaled_float64(k, e)


@jit(inline=True)
def exp2_float32(x):
    """2ˣ: k is the nearest whole number, and x - k is exact."""
    x = float32(128.0) if x > float32(128.0) else x
    x = float32(-151.0) if x < float32(-151.0) else x
    t = float32(x + ROUND_32)
    r = x - (t - ROUND_32)
    p = float32(1.5310081143e-5)
    p = p * r + float32(0.00015461450224)
    p = p * r + float32(0.0013333454548)
    p = p * r + float32(0.0096180566613)
    p = p * r + float32(0.055504109288)
    p = p * r + float32(0.24022650922)
    p = p * r + float32(0.69314718055)
    return _scaled_float32(int32(t.view(int32)) - int32(0x4B400000), r * p)


@jit(inline=True)
def exp2_float64(x):
    """2ˣ."""
    x = 1024.0 if x > 1024.0 else x
    x = -1076.0 if x < -1076.0 else x
    t = float64(x + ROUND_64)
    r = x - (t - ROUND_64)
    p = 2.573781350209713277e-11
    p = p * r + 4.455818153490314625e-10
    p = p * r + 7.054891467811115686e-9
    p = p * r + 1.017805708620174395e-7
    p = p * r + 1.321548682329621634e-6
    p = p * r + 0.00001525273384156012422
    p = p * r + 0.0001540353039335477518
    p = p * r + 0.00133335581464064677
    p = p * r + 0.009618129107628486617
    p = p * r + 0.05550410866482162705
    p = p * r + 0.2402265069591007122
    p = p * r + 0.6931471805599453093
    return _scaled_float64(t.view(int64) - ROUND_64_BITS, r * p)


# eˣ - 1, and what is made of it


@jit(inline=True)
def expm1_float32(x):
    """eˣ - 1, with all its digits near 0."""
    far = float32(89.0) if x > float32(89.0) else x
    far = float32(-20.0) if far < float32(-20.0) else far  # e⁻²⁰ - 1 rounds to -1
    k, e = _exp_core_exact_float32(far, float32(-0.0))
    scale = _power_of_two_float32(int32(k - int32(1)))
    y = float32(2.0) * (scale * e + (scale - float32(0.5)))
    return x if abs(x) < TINY_32 else y


@jit(inline=True)
def expm1_float64(x):
    """eˣ - 1."""
    far = 710.0 if x > 710.0 else x
    far = -40.0 if far < -40.0 else far
    k, e = _exp_core_exact_float64(far, -0.0)
    scale = _power_of_two_float64(k - 1)
    y = 2.0 * (scale * e + (scale - 0.5))
    return x if abs(x) < TINY_64 else y


@jit(inline=True)
def sinh_float32(x):
    """(eˣ - e⁻ˣ) / 2. Half of it is computed first: 2ᵏ⁻¹ may be too large where sinh x is not."""
    a = abs(x)
    k, e = _exp_core_exact_float32(float32(89.6) if a > float32(89.6) else a, float32(-0.0))
    up = _power_of_two_float32(int32(k - int32(2)))
    down = _power_of_two_float32(int32(int32(-2) - min(k, int32(100))))
    y = float32(2.0) * ((up - down) + ((up + down) * e - down * (e * e / (float32(1.0) + e))))
    return x if a < TINY_32 else math.copysign(y, x)


@jit(inline=True)
def sinh_float64(x):
    """(eˣ - e⁻ˣ) / 2."""
    a = abs(x)
    k, e = _exp_core_exact_float64(710.7 if a > 710.7 else a, -0.0)
    up, down = _power_of_two_float64(k - 2), _power_of_two_float64(-2 - min(k, 1000))
    y = 2.0 * ((up - down) + ((up + down) * e - down * (e * e / (1.0 + e))))
    return x if a < TINY_64 else math.copysign(y, x)


@jit(inline=True)
def cosh_float32(x):
    """(eˣ + e⁻ˣ) / 2."""
    a = abs(x)
    k, e = _exp_core_float32(float32(89.6) if a > float32(89.6) else a)
    up = _power_of_two_float32(int32(k - int32(2)))
    down = _power_of_two_float32(int32(int32(-2) - min(k, int32(100))))
    return float32(2.0) * (up + (up * e + down / (float32(1.0) + e)))


@jit(inline=True)
def cosh_float64(x):
    """(eˣ + e⁻ˣ) / 2."""
    a = abs(x)
    k, e = _exp_core_float64(710.7 if a > 710.7 else a)
    up, down = _power_of_two_float64(k - 2), _power_of_two_float64(-2 - min(k, 1000))
    return 2.0 * (up + (up * e + down / (1.0 + e)))


@jit(inline=True)
def tanh_float32(x):
    """tanh x: near 0 a polynomial, from there on 1 - 2q / (1 + q): 1, corrected by less than its half."""
    a = abs(x)
    far = float32(10.0) if a > float32(10.0) else a  # tanh 10 rounds to 1
    k, e = _exp_core_float32(float32(-2.0) * far)
    scale = _power_of_two_float32(k)
    q = scale * e + scale
    z = a * a
    p = float32(0.0021431207443)
    p = p * z + float32(-0.008177601268)
    p = p * z + float32(0.021700798443)
    p = p * z + float32(-0.053946782941)
    p = p * z + float32(0.13333206184)
    p = p * z + float32(-0.33333330807)
    near = a + a * (z * p)
    y = float32(1.0) - float32(2.0) * q / (float32(1.0) + q)
    return math.copysign(near if a < float32(0.625) else y, x)


@jit(inline=True)
def tanh_float64(x):
    """tanh x."""
    a = abs(x)
    far = 20.0 if a > 20.0 else a
    k, e = _exp_core_float64(-2.0 * far)
    scale = _power_of_two_float64(k)
    q = scale * e + scale
    z = a * a
    p = 6.042323624106126223e-6
    p = p * z - 0.00003018690830384543294
    p = p * z + 0.00009155812391108852177
    p = p * z - 0.0002370115829796428437
    p = p * z + 0.0005894517539107817379
    p = p * z - 0.00145572593989589485
    p = p * z + 0.003592113999114926462
    p = p * z - 0.008863234312572254019
    p = p * z + 0.02186948846872114116
    p = p * z - 0.05396825396605941551
    p = p * z + 0.1333333333332974442
    p = p * z - 0.3333333333333331283
    near = a + a * (z * p)
    y = 1.0 - 2.0 * q / (1.0 + q)
    return math.copysign(near if a < 0.625 else y, x)
