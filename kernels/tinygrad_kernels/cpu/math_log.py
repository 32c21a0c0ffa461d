"""log and log1p from one core: the logarithm, and the logarithm of 1 + x with all digits near 0.

The problem. softplus is log(1 + eˣ), a binary cross-entropy adds log(1 + e^(-|x|)): where eˣ is small, the sum 1 + eˣ
rounds most of it away, and log cannot bring it back. log(1 + 1e-10) is 0 in float32; log1p(1e-10) is 1e-10.

The idea. x = 2ᵏ m with √½ <= m < √2 gives log x = k log 2 + log m, where k is read off the bits. With f = m - 1,
which is exact, and s = f / (2 + f), log m = log((1 + s) / (1 - s)) is an odd series in s, and

    log m = f - (f²/2 - s (f²/2 + R(s²)))           f is exact, and the rest is small

For log1p, u = 1 + x is rounded, but what is lost, c = (1 + x) - u, can be had exactly from two subtractions, and

    log(1 + x) = log(u + c) = log u + c/u            to the last digit, since c is at most half an ulp of u

so log takes a small number to add to its small terms: c/u for log1p, nothing for log.

    x               1e-10       1e-3         1           1e10
    log(1 + x)      0           0.00099957   0.69314718  23.02585   (float32)
    log1p(x)        1e-10       0.00099950   0.69314718  23.02585

Source: Sun Microsystems, fdlibm: Freely Distributable LIBM, 1993 (e_log.c, s_log1p.c); D. Goldberg, What every computer
scientist should know about floating-point arithmetic, ACM Computing Surveys 23, 1991 (theorem 4).
"""

from __future__ import annotations

import math

from numpy import float32, float64, int32, int64

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math_exp import LOG2_A_32, LOG2_A_64, LOG2_B_32, LOG2_B_64, ROUND_64, ROUND_64_BITS


@jit(inline=True)
def _log_core_float32(x, shift, low):
    """log(x 2⁻ˢʰⁱᶠᵗ) + low for a normal x > 0."""
    offset = int32(float32(x).view(int32) - int32(0x3F3504F3))  # the bits of √½: m starts there, and k changes there
    k = float32(int32((offset >> int32(23)) - shift))
    f = int32((offset & int32(0x007FFFFF)) + int32(0x3F3504F3)).view(float32) - float32(1.0)
    s = f / (float32(2.0) + f)
    z = s * s
    p = float32(0.29580035478259945)
    p = p * z + float32(0.399887786692058847)
    p = p * z + float32(0.666666850442103241)
    half = float32(0.5) * f * f
    return k * LOG2_A_32 - ((half - (s * (half + z * p) + (k * LOG2_B_32 + low))) - f)


@jit(inline=True)
def _log_core_float64(x, shift, low):
    offset = float64(x).view(int64) - 0x3FE6A09E667F3BCD
    k = int64((offset >> 52) - shift + ROUND_64_BITS).view(float64) - ROUND_64
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
    return k * LOG2_A_64 - ((half - (s * (half + z * p) + (k * LOG2_B_64 + low))) - f)


@jit(inline=True)
def log_float32(x):
    """log x; -inf at 0, nan below."""
    tiny = x < float32(1.1754944e-38)  # subnormal: its exponent's bits are all 0, so scale it up first
    y = _log_core_float32(x * float32(2.0**25) if tiny else x, int32(25) if tiny else int32(0), float32(-0.0))
    y = y if x < float32(math.inf) else x  # inf and nan
    return y if x > float32(0.0) else (float32(-math.inf) if x == float32(0.0) else float32(math.nan))


@jit(inline=True)
def log_float64(x):
    """log x; -inf at 0, nan below."""
    tiny = x < 2.2250738585072014e-308
    y = _log_core_float64(x * 2.0**54 if tiny else x, 54 if tiny else 0, -0.0)
    y = y if x < math.inf else x
    return y if x > 0.0 else (-math.inf if x == 0.0 else math.nan)


@jit(inline=True)
def log1p_float32(x):
    """log(1 + x), with all its digits near 0; -inf at -1, nan below."""
    u = float32(1.0) + x
    c = x - (u - float32(1.0)) if x < float32(1.0) else float32(1.0) - (u - x)
    y = _log_core_float32(u, int32(0), c / u)
    y = y if x < float32(math.inf) else x
    y = y if x > float32(-1.0) else (float32(-math.inf) if x == float32(-1.0) else float32(math.nan))
    return x if abs(x) < float32(1e-10) else y  # -0.0


@jit(inline=True)
def log1p_float64(x):
    """log(1 + x); -inf at -1, nan below."""
    u = 1.0 + x
    c = x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)
    y = _log_core_float64(u, 0, c / u)
    y = y if x < math.inf else x
    y = y if x > -1.0 else (-math.inf if x == -1.0 else math.nan)
    return x if abs(x) < 1e-20 else y
