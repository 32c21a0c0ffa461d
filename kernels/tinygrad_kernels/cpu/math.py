"""exp, log, sin, cos, tanh: written so that a loop over them runs on vector instructions.

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

The polynomials are Chebyshev fits of (eʳ - 1 - r) / r², (sin r - r) / r³,
(cos r - 1 + r²/2) / r⁴, (tanh x - x) / x³ and (log m - 2s) / s³ with s = (m - 1) / (m + 1).

sin and cos take their argument below SIN_LIMIT[dtype]; from there on k has too many bits for the parts of
π/2. A loop goes block by block and chooses: the loop over `sin_float32` where every argument of the block is
below the limit, else the loop over its twin `sin_float32_any`, which asks the C library, one element at a
time, and answers for all x.

Source: W. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; J.-M. Muller, Elementary
Functions: Algorithms and Implementation, 3rd edition, 2016; Sun Microsystems, fdlibm: Freely Distributable
LIBM, 1993 (the form of log).
"""

from __future__ import annotations

import math

from numpy import float32, float64, int32, int64

from tinygrad_kernels.cpu.jit import jit

SIN_LIMIT = {"float32": 8192.0, "float64": 1048576.0}  # sin_* and cos_* need |x| below this; sin_*_any do not

ROUND_32 = float32(1.5 * 2.0**23)  # y + ROUND_32 - ROUND_32 is y rounded to a whole number, |y| < 2²²
ROUND_64 = 1.5 * 2.0**52
ROUND_64_BITS = 0x4338000000000000  # the bits of ROUND_64: an integer added to them is added to the number

# log 2 and pi/2 in parts: short ones, whose product with k is exact, and the rest.
LOG2_A_32, LOG2_B_32 = float32(0.693145751953125), float32(1.4286068203094173e-06)
LOG2_A_64, LOG2_B_64 = 0.6931471803691238, 1.9082149292705877e-10
HALF_PI_A_32, HALF_PI_B_32 = float32(1.5703125), float32(0.0004837512969970703)
HALF_PI_C_32, HALF_PI_D_32 = float32(7.549533620476723e-08), float32(2.563344151594519e-12)
HALF_PI_A_64, HALF_PI_B_64 = 1.5707963267341256, 6.077100506303966e-11
HALF_PI_C_64, HALF_PI_D_64 = 2.0222662487111665e-21, 8.4784276603689e-32


# exp


@jit
def _exp_core_float32(x):
    """k and eʳ - 1 for x = k log 2 + r. Adding r last keeps eʳ - 1 exact to an ulp where r is small."""
    t = float32(x * float32(1.4426950408889634) + ROUND_32)
    k = t - ROUND_32
    r = (x - k * LOG2_A_32) - k * LOG2_B_32
    p = float32(0.00139262508314976117)
    p = p * r + float32(0.0083632328836826182)
    p = p * r + float32(0.0416665542129841503)
    p = p * r + float32(0.166665766661199283)
    p = p * r + float32(0.5)
    return int32(t.view(int32)) - int32(0x4B400000), r + r * r * p


@jit
def _exp_core_float64(x):
    t = float64(x * 1.4426950408889634 + ROUND_64)
    k = t - ROUND_64
    r = (x - k * LOG2_A_64) - k * LOG2_B_64
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
    return t.view(int64) - ROUND_64_BITS, r + r * r * p


@jit
def _power_of_two_float32(k):
    """2ᵏ for -126 <= k <= 127, by writing k into the exponent's bits."""
    return int32((k + int32(127)) << int32(23)).view(float32)


@jit
def _power_of_two_float64(k):
    return int64((k + 1023) << 52).view(float64)


@jit
def exp_float32(x):
    """eˣ. Where it is subnormal, 2ᵏ has no exponent's bits of its own: take 2ᵏ⁺⁶⁴ and scale down."""
    x = float32(89.0) if x > float32(89.0) else x
    x = float32(-104.0) if x < float32(-104.0) else x
    k, e = _exp_core_float32(x)
    small = x < float32(-86.0)
    scale = _power_of_two_float32(int32(k + (int32(63) if small else int32(-1))))
    y = (float32(2.0) + float32(2.0) * e) * scale  # 2 eʳ · 2ᵏ⁻¹, for k = 128 is one too large
    return y * float32(2.0**-64) if small else y


@jit
def exp_float64(x):
    """eˣ."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    k, e = _exp_core_float64(x)
    small = x < -707.0
    scale = _power_of_two_float64(k + (63 if small else -1))
    y = (2.0 + 2.0 * e) * scale
    return y * 2.0**-64 if small else y


# tanh


@jit
def tanh_float32(x):
    """tanh x: a polynomial up to tanh |x| = ½, from there 1 - 2q / (1 + q): 1, corrected by a little."""
    a = abs(x)
    far = float32(10.0) if a > float32(10.0) else a  # tanh 10 rounds to 1
    k, e = _exp_core_float32(float32(-2.0) * far)
    scale = _power_of_two_float32(k)
    q = scale * e + scale
    z = a * a
    p = float32(-0.00661022783111473451)
    p = p * z + float32(0.0213093886644434738)
    p = p * z + float32(-0.0539094288274605454)
    p = p * z + float32(0.133331137290208719)
    p = p * z + float32(-0.333333320079769797)
    near = a + a * (z * p)
    y = float32(1.0) - float32(2.0) * q / (float32(1.0) + q)
    return math.copysign(near if a < float32(0.5493) else y, x)


@jit
def tanh_float64(x):
    """tanh x."""
    a = abs(x)
    far = 20.0 if a > 20.0 else a
    k, e = _exp_core_float64(-2.0 * far)
    scale = _power_of_two_float64(k)
    q = scale * e + scale
    z = a * a
    p = 0.0000539064201417217689
    p = p * z - 0.00021454222089075103
    p = p * z + 0.000581772440786813127
    p = p * z - 0.00145411804361745828
    p = p * z + 0.0035919044131928018
    p = p * z - 0.00886321766326912305
    p = p * z + 0.0218694877123631834
    p = p * z - 0.0539682539488991439
    p = p * z + 0.133333333333156463
    p = p * z - 0.333333333333333066
    near = a + a * (z * p)
    y = 1.0 - 2.0 * q / (1.0 + q)
    return math.copysign(near if a < 0.5493 else y, x)


# log


@jit
def log_float32(x):
    """log x; -inf at 0, nan below.

    With f = m - 1 and s = f / (2 + f), log m = f - (f²/2 - s (f²/2 + R)), where f is exact and the rest is
    small.
    """
    tiny = x < float32(1.1754944e-38)  # subnormal: its exponent's bits are all 0, so scale it up first
    bits = float32(x * float32(33554432.0) if tiny else x).view(int32)
    offset = int32(bits - int32(0x3F3504F3))  # the bits of √½: so m starts there, and k changes there
    k = float32(int32((offset >> int32(23)) - (int32(25) if tiny else int32(0))))
    f = int32((offset & int32(0x007FFFFF)) + int32(0x3F3504F3)).view(float32) - float32(1.0)
    s = f / (float32(2.0) + f)
    z = s * s
    p = float32(0.29580035478259945)
    p = p * z + float32(0.399887786692058847)
    p = p * z + float32(0.666666850442103241)
    half = float32(0.5) * f * f
    y = k * LOG2_A_32 - ((half - (s * (half + z * p) + k * LOG2_B_32)) - f)
    y = y if x < float32(math.inf) else x  # inf and nan
    y = y if x > float32(0.0) else (float32(-math.inf) if x == float32(0.0) else float32(math.nan))
    return y


@jit
def log_float64(x):
    """log x; -inf at 0, nan below."""
    tiny = x < 2.2250738585072014e-308
    bits = float64(x * 18014398509481984.0 if tiny else x).view(int64)
    offset = bits - 0x3FE6A09E667F3BCD
    k = int64((offset >> 52) - (54 if tiny else 0) + ROUND_64_BITS).view(float64) - ROUND_64
    f = int64((offset & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD).view(float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = 0.146165624221046456
    p = p * z + 0.153317124793813003
    p = p * z + 0.181828893996777199
    p = p * z + 0.222222111310285185
    p = p * z + 0.285714286259985597
    p = p * z + 0.399999999998994536
    p = p * z + 0.666666666666666969
    half = 0.5 * f * f
    y = k * LOG2_A_64 - ((half - (s * (half + z * p) + k * LOG2_B_64)) - f)
    y = y if x < math.inf else x
    y = y if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return y


# sin and cos


@jit
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


@jit
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


@jit
def sin_float32(x):
    """sin x for |x| < SIN_LIMIT['float32']; nan at ±inf. The sign of x goes on last, so sin(-0.0) is -0.0."""
    sign = int32(float32(x).view(int32) & int32(-2147483648))
    return int32(_sin_core_float32(abs(x), int32(0)) ^ sign).view(float32)


@jit
def cos_float32(x):
    """cos x for |x| < SIN_LIMIT['float32']; nan at ±inf."""
    return int32(_sin_core_float32(abs(x), int32(1))).view(float32)


@jit
def sin_float64(x):
    """sin x for |x| < SIN_LIMIT['float64']; nan at ±inf."""
    sign = float64(x).view(int64) & -9223372036854775808
    return int64(_sin_core_float64(abs(x), 0) ^ sign).view(float64)


@jit
def cos_float64(x):
    """cos x for |x| < SIN_LIMIT['float64']; nan at ±inf."""
    return int64(_sin_core_float64(abs(x), 1)).view(float64)


@jit
def sin_float32_any(x):
    """sin x for every x, one element at a time."""
    return float32(math.sin(float64(x)))


@jit
def cos_float32_any(x):
    """cos x for every x, one element at a time."""
    return float32(math.cos(float64(x)))


@jit
def sin_float64_any(x):
    """sin x for every x, one element at a time."""
    return math.sin(x)


@jit
def cos_float64_any(x):
    """cos x for every x, one element at a time."""
    return math.cos(x)


# pow: the C library's, whose many special cases (0 to a negative power, negative to a whole one) are IEEE
# 754's.


@jit
def pow_float32(x, y):
    """x to the power y, rounded from float64."""
    return float32(math.pow(float64(x), float64(y)))


@jit
def pow_float64(x, y):
    """x to the power y."""
    return math.pow(x, y)
