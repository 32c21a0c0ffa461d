"""erf and erfc: the error function of gelu, and its complement with all digits in the tail.

The problem. gelu(x) = x Φ(x), where Φ(x) = ½ (1 + erf(x/√2)) = ½ erfc(-x/√2) is the share of a normal distribution
below x. Written with erf, gelu has no correct digit at x = -6: 1 + erf(-4.2) cancels. erfc is what remains of 1, and is
computed without ever forming erf.

    erf x = 2/√π ∫₀ˣ e^(-t²) dt        erfc x = 1 - erf x

    x        erf x            erfc x
    0        0                1
    1        0.84             0.16
    5        1 - 1.5e-12      1.5e-12
    -∞, ∞    -1, 1            2, 0

The idea.
- erf, |x| < 1: it is odd, x + x p(x²). From there on 1 - e^(-q(x)), where q = -log erfc x is nearly a parabola and an
  easy polynomial. An error of q is multiplied by e^(-q) <= 0.16, so it hardly shows.
- erfc x = e^(-x²) R(x) for x >= 0, where R falls slowly, about as 1/x. In t = (x - K) / (x + K), which maps [0, ∞) to
  [-1, 1), R(x) (1 + 2x) is a polynomial. For x < 0, erfc x = 2 - erfc(-x).
- e^(-x²): x² has twice the digits of x, and at x = 26 the rounding of x² is 300 ulps of its exponential. So
  x = h + l with h the first half of its bits: h² is exact, and l (x + h), the rest of x², goes into the reduction of
  exp. In float32 no such care is needed: erfc is computed in float64 and rounded, at 2.5 times the cost of erf.

Source: W. J. Cody, Rational Chebyshev approximations for the error function, Mathematics of Computation 23, 1969;
M. Shepherd and J. Laframboise, Chebyshev approximation of (1 + 2x) exp(x²) erfc x, Mathematics of Computation 36, 1981.
The coefficients are minimax fits by the algorithm of Remez (E. Remez, 1934), in mpmath with 50 digits.
"""

from __future__ import annotations

import math

from numpy import float32, float64, int64

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math_exp import (
    ROUND_64,
    ROUND_64_BITS,
    _exp_core_exact_float64,
    _exp_core_float32,
    _exp_core_float64,
    _exp_tail_float32,
    _power_of_two_float32,
    _power_of_two_float64,
)


@jit(inline=True)
def erf_float32(x):
    """erf x."""
    a = abs(x)
    z = a * a
    p = float32(7.8538498284e-5)
    p = p * z + float32(-0.00080102026993)
    p = p * z + float32(0.0051883304826)
    p = p * z + float32(-0.026853814582)
    p = p * z + float32(0.11283585249)
    p = p * z + float32(-0.37612625837)
    p = p * z + float32(0.12837916573)
    near = a + a * p
    b = float32(4.0) if a > float32(4.0) else a  # erf 4 rounds to 1
    q = float32(-0.00018636275255)
    q = q * b + float32(0.002947497165)
    q = q * b + float32(-0.021837422144)
    q = q * b + float32(0.10310542527)
    q = q * b + float32(0.63814634259)
    q = q * b + float32(1.1270882979)
    q = q * b + float32(0.00034173763932)
    k, e = _exp_core_float32(-q)
    scale = _power_of_two_float32(k)
    far = (float32(1.0) - scale) - scale * e
    return math.copysign(near if a < float32(1.0) else far, x)


@jit(inline=True)
def _erf_near_float64(a):
    """erf a for 0 <= a < 1."""
    z = a * a
    p = -7.779462971761596892e-10
    p = p * z + 1.371098870419052312e-8
    p = p * z - 1.6206318752969209e-7
    p = p * z + 1.644713269978662101e-6
    p = p * z - 0.00001492471243953481411
    p = p * z + 0.0001205529358693694998
    p = p * z - 0.0008548325929766244298
    p = p * z + 0.005223977606130842167
    p = p * z - 0.02686617064311341372
    p = p * z + 0.1128379167094420031
    p = p * z - 0.3761263890318352002
    p = p * z + 0.1283791670955125657
    return a + a * p


@jit(inline=True)
def erf_float64(x):
    """erf x."""
    a = abs(x)
    near = _erf_near_float64(a)
    b = 6.0 if a > 6.0 else a
    q = 9.177632395302393614e-14
    q = q * b - 4.993040449736716115e-12
    q = q * b + 1.271927646152461164e-10
    q = q * b - 2.01572913623255287e-9
    q = q * b + 2.225676353857495361e-8
    q = q * b - 1.815014145568525852e-7
    q = q * b + 1.128225428601547247e-6
    q = q * b - 5.415895828082310509e-6
    q = q * b + 0.00001993077349220448465
    q = q * b - 0.00005369607500485381817
    q = q * b + 0.0000881640260488118732
    q = q * b + 0.00001514885181343963072
    q = q * b - 0.0006012090259816376506
    q = q * b + 0.001725915932659431506
    q = q * b - 0.0002438610421409867447
    q = q * b - 0.0191021391916164481
    q = q * b + 0.1027589105748498596
    q = q * b + 0.6366245313526801497
    q = q * b + 1.128378165725890485
    q = q * b + 9.683904592839108237e-8
    k, e = _exp_core_float64(-q)
    scale = _power_of_two_float64(k)
    far = (1.0 - scale) - scale * e
    return math.copysign(near if a < 1.0 else far, x)


@jit(inline=True)
def erfc_float32(x):
    """1 - erf x, with all its digits where it is small."""
    a = float64(abs(x))
    a = 10.1 if a > 10.1 else a  # from there on it rounds to 0
    d = 1.0 + 2.0 * a
    w = 1.0 / ((a + 3.0) * d)  # one division for both 1 / (a + 3) and 1 / d
    t = (a - 3.0) * d * w
    p = -0.000268130583268
    p = p * t - 0.000777594112005
    p = p * t + 0.00200180159959
    p = p * t + 0.0025673804991
    p = p * t - 0.0237975216171
    p = p * t + 0.0682957689624
    p = p * t - 0.119270977317
    p = p * t + 0.129646413978
    p = p * t - 0.0475623992981
    p = p * t - 0.135621139268
    p = p * t + 1.25300805912
    z = -a * a
    n = float64(z * 1.4426950408889634 + ROUND_64)
    r = z - (n - ROUND_64) * 0.6931471805599453
    e = r + r * r * _exp_tail_float32(r)  # the short polynomial, in float64 since r is
    y = _power_of_two_float64(n.view(int64) - ROUND_64_BITS) * (p + p * e) * ((a + 3.0) * w)
    return float32(2.0 - y if x < float32(0.0) else y)


@jit(inline=True)
def erfc_float64(x):
    """1 - erf x. The result is computed 2⁶⁴ times too large, so that it is subnormal only at the end."""
    a = abs(x)
    a = 27.4 if a > 27.4 else a
    t = (a - 4.0) / (a + 4.0)
    p = 1.186982932758536442e-9
    p = p * t + 1.638396362867016247e-9
    p = p * t - 1.408759733330336502e-8
    p = p * t - 1.738547978312577112e-8
    p = p * t + 1.104249732201604684e-7
    p = p * t + 7.404124708891361302e-8
    p = p * t - 8.2608900416209136e-7
    p = p * t + 2.941733951166306161e-7
    p = p * t + 5.710279708434172314e-6
    p = p * t - 0.00001122217096401566792
    p = p * t - 0.00002439947523481520622
    p = p * t + 0.0001506217144750020678
    p = p * t - 0.0001992566174646461102
    p = p * t - 0.0007577732964344075667
    p = p * t + 0.005031969963679833552
    p = p * t - 0.01619773405667994025
    p = p * t + 0.03716751553908322085
    p = p * t - 0.0663303658123170856
    p = p * t + 0.09373283499825127821
    p = p * t - 0.1010390660362996473
    p = p * t + 0.06809705425469542994
    p = p * t + 0.01537965210261965479
    p = p * t - 0.139621116840562536
    u = p * t
    p = u + 1.23299511862555251
    low = u - (p - 1.23299511862555251)  # what this last sum rounded away
    h = int64(float64(a).view(int64) & -134217728).view(float64)
    k, e = _exp_core_exact_float64(-h * h, (a - h) * (a + h))
    d = 1.0 + 2.0 * a
    s = 1.0 / d
    e += (1.0 - d * s) - (1.0 - (d - 2.0 * a)) * s  # what the roundings of s and of d lost
    y = p * s
    y = _power_of_two_float64(k + 64) * (y + (y * e + low * s)) * 2.0**-64
    y = 1.0 - _erf_near_float64(a) if a < 0.4 else y  # t near -1 has lost digits of a
    return 2.0 - y if x < 0.0 else y
