"""More elementary functions: powers of 2 and 10, what stays accurate near 0, angles, areas, and the error function.

The problem. `log(1 + x)` is 0 for x = 1e-20, since 1 + x is 1 before the logarithm sees it. `exp(x) - 1`,
`1 - erf(x)` and `log(eˣ + eʸ)` lose their digits, or overflow, in the same way: where a formula is unusable, the
function that it defines deserves a name and an implementation of its own.

The idea. Each such function is a primitive (its values come from cpu/math.py), and its derivative is written so
that it loses nothing either, at the first order and the second: 1 - x² stays as it is, because in a compiled loop
it is one fused multiply-add, with one rounding, and because its derivative -2x is exact. (1 - x)(1 + x), the
usual advice, has the derivative (1 - x) - (1 + x), which is 0 at 1e-30.

    function      at                  naive             here
    log1p(x)      1e-20               0                 1e-20
    expm1(x)      1e-20               0                 1e-20
    erfc(x)       10                  0                 2.09e-45
    logaddexp     1000, 1000          inf               1000.69

Source: M. Abramowitz, I. Stegun, Handbook of Mathematical Functions, 1964, chapters 4 and 7; W. Kahan, Branch Cuts
for Complex Elementary Functions, 1987, for why expm1 and log1p are needed.
"""

from __future__ import annotations

from . import core
from .core import Elementwise, cosh, div, exp, log1p, logistic, sign, sinh, sqrt, where

LOG_2, LOG_10 = 0.6931471805599453, 2.302585092994046
TWO_OVER_ROOT_PI = 1.1283791670955126


class Exp2(Elementwise):
    """out = 2ˣ,   dout/dx = out log 2"""

    floating = True

    def forward(x):
        return core.exp2(x)

    def backward(g, x, out):
        return g * (out * LOG_2)


class Expm1(Elementwise):
    """out = eˣ - 1,   dout/dx = out + 1"""

    floating = True

    def forward(x):
        return core.expm1(x)

    def backward(g, x, out):
        return g * (out + 1.0)


class Log2(Elementwise):
    """out = log₂ x,   dout/dx = 1 / (x log 2)"""

    floating = True

    def forward(x):
        return core.log2(x)

    def backward(g, x, out):
        return div(g, x * LOG_2)


class Log10(Elementwise):
    """out = log₁₀ x,   dout/dx = 1 / (x log 10)"""

    floating = True

    def forward(x):
        return core.log10(x)

    def backward(g, x, out):
        return div(g, x * LOG_10)


class Log1p(Elementwise):
    """out = log(1 + x),   dout/dx = 1 / (1 + x)"""

    floating = True

    def forward(x):
        return core.log1p(x)

    def backward(g, x, out):
        return div(g, x + 1.0)


class LogAddExp(Elementwise):
    """out = log(eˣ + eʸ) = max(x, y) + log(1 + e^-|x - y|);   the slopes are sigmoids of x - y and of y - x"""

    kinds = "f"

    def forward(x, y):
        gap = where(x == y, 0.0, x - y)  # inf - inf is nan
        return where(x < y, y, x) + log1p(exp(-core.abs(gap)))

    def backward(g, x, y, out):
        return g * logistic(x - y), g * logistic(y - x)


class Rsqrt(Elementwise):
    """out = 1 / √x,   dout/dx = -out³ / 2"""

    floating = True

    def forward(x):
        return div(1.0, sqrt(x))

    def backward(g, x, out):
        return (-0.5 * g) * (out * out * out)


class Reciprocal(Elementwise):
    """out = 1 / x,   dout/dx = -out²"""

    floating = True

    def forward(x):
        return div(1.0, x)

    def backward(g, x, out):
        return -g * out * out


class Abs(Elementwise):
    """out = |x|,   dout/dx = sign x: 0 at the kink"""

    kinds = "if"

    def forward(x):
        return core.abs(x)

    def backward(g, x, out):
        return g * sign(x)


class Sign(Elementwise):
    """out = 1, 0 or -1: constant almost everywhere, so its derivative is 0"""

    def forward(x):
        return sign(x)

    def backward(g, x, out):
        return 0.0


class CopySign(Elementwise):
    """out = |x| with the sign of y,   dout/dx = out / x (0 at 0)"""

    floating = True

    def forward(x, y):
        return core.copysign(x, y)

    def backward(g, x, y, out):
        return where(x == 0.0, 0.0, g * div(out, where(x == 0.0, 1.0, x))), 0.0


class Tan(Elementwise):
    """out = tan x,   dout/dx = 1 + out²"""

    floating = True

    def forward(x):
        return core.tan(x)

    def backward(g, x, out):
        return g * (1.0 + out * out)


class Asin(Elementwise):
    """out = arcsin x,   dout/dx = 1 / √(1 - x²)"""

    floating = True

    def forward(x):
        return core.asin(x)

    def backward(g, x, out):
        return div(g, sqrt(1.0 - x * x))


class Acos(Elementwise):
    """out = arccos x,   dout/dx = -1 / √(1 - x²)"""

    floating = True

    def forward(x):
        return core.acos(x)

    def backward(g, x, out):
        return div(-g, sqrt(1.0 - x * x))


class Atan(Elementwise):
    """out = arctan x,   dout/dx = 1 / (1 + x²)"""

    floating = True

    def forward(x):
        return core.atan(x)

    def backward(g, x, out):
        return div(g, 1.0 + x * x)


class Atan2(Elementwise):
    """out = the angle of the point (y, x), from -π to π,   dout/dx = y / (x² + y²),   dout/dy = -x / (x² + y²)"""

    floating = True

    def forward(x, y):
        return core.atan2(x, y)

    def backward(g, x, y, out):
        square = x * x + y * y
        square = where(square == 0.0, 1.0, square)  # at (0, 0) both slopes are 0
        return g * div(y, square), -g * div(x, square)


class Sinh(Elementwise):
    """out = (eˣ - e⁻ˣ) / 2,   dout/dx = cosh x"""

    floating = True

    def forward(x):
        return core.sinh(x)

    def backward(g, x, out):
        return g * cosh(x)


class Cosh(Elementwise):
    """out = (eˣ + e⁻ˣ) / 2,   dout/dx = sinh x"""

    floating = True

    def forward(x):
        return core.cosh(x)

    def backward(g, x, out):
        return g * sinh(x)


class Asinh(Elementwise):
    """out = the x of sinh,   dout/dx = 1 / √(x² + 1)"""

    floating = True

    def forward(x):
        return core.asinh(x)

    def backward(g, x, out):
        return div(g, sqrt(x * x + 1.0))


class Acosh(Elementwise):
    """out = the x >= 0 of cosh,   dout/dx = 1 / √(x² - 1)"""

    floating = True

    def forward(x):
        return core.acosh(x)

    def backward(g, x, out):
        return div(g, sqrt(x * x - 1.0))


class Atanh(Elementwise):
    """out = the x of tanh,   dout/dx = 1 / (1 - x²)"""

    floating = True

    def forward(x):
        return core.atanh(x)

    def backward(g, x, out):
        return div(g, 1.0 - x * x)


class Erf(Elementwise):
    """out = 2/√π ∫₀ˣ e^(-t²) dt,   dout/dx = 2/√π e^(-x²)"""

    floating = True

    def forward(x):
        return core.erf(x)

    def backward(g, x, out):
        return g * (TWO_OVER_ROOT_PI * exp(-(x * x)))


class Erfc(Elementwise):
    """out = 1 - erf x,   dout/dx = -2/√π e^(-x²)"""

    floating = True

    def forward(x):
        return core.erfc(x)

    def backward(g, x, out):
        return -g * (TWO_OVER_ROOT_PI * exp(-(x * x)))


class Lerp(Elementwise):
    """out = x + weight (y - x), computed from the nearer end,   dout/dweight = y - x"""

    kinds = "f"
    parameters = ("weight",)

    def forward(x, y, weight):
        step = y - x
        return where(core.abs(weight) < 0.5, x + weight * step, y - step * (1.0 - weight))

    def backward(g, x, y, weight, out):
        return g * (1.0 - weight), g * weight, g * (y - x)


class AddScaled(Elementwise):
    """out = x + alpha y"""

    parameters = ("alpha",)

    def forward(x, y, alpha):
        return x + alpha * y

    def backward(g, x, y, alpha, out):
        return g, g * alpha, None


class AddCMul(Elementwise):
    """out = x + value a b"""

    kinds = "if"
    parameters = ("value",)

    def forward(x, a, b, value):
        return x + value * a * b

    def backward(g, x, a, b, value, out):
        return g, g * (b * value), g * (a * value), None


class AddCDiv(Elementwise):
    """out = x + value a / b"""

    kinds = "f"
    parameters = ("value",)

    def forward(x, a, b, value):
        return x + div(value * a, b)

    def backward(g, x, a, b, value, out):
        return g, g * div(value, b), -g * div(div(value * a, b), b), None
