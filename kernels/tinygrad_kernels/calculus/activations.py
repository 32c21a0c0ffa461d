"""Activations: what neural networks put between their linear layers.

The problem. Without something curved in between, a stack of linear layers is one linear layer. Which curve is a
question of gradients: a sigmoid is flat far out, so deep networks of it learn slowly; relu is not, but dead below 0;
the others are attempts at both.

The idea. Most are x times a *gate* between 0 and 1, or the identity above 0 with some exponential below:

    gate          hard, at 0: relu    1/(1 + e⁻ˣ): silu    Φ(x), the normal distribution: gelu    tanh log(1 + eˣ): mish
    below 0       slope x: leaky_relu         α (eˣ - 1): elu, celu, selu             pieces of lines: hard...

What makes a formula good is its tail. Exponentials that overflow stay out of formulas that are differentiated again:
`logistic`. And digits may cancel: gelu far below 0 is x Φ(x), a tiny number, but x (1 + erf(x/√2)) / 2 is a
difference of equal numbers, without a correct digit from x = -6 on in float32. With Φ(x) = erfc(-x/√2) / 2 none would
be lost, at 2.5 times the time. A network adds numbers of size 1 to it, so we take erf, as PyTorch does.

Sources: X. Glorot, A. Bordes, Y. Bengio, Deep sparse rectifier neural networks, 2011 (relu); D.-A. Clevert,
T. Unterthiner, S. Hochreiter, 2016 (elu); G. Klambauer and others, 2017 (selu); J. Barron, 2017 (celu); D. Hendrycks,
K. Gimpel, 2016 (gelu, silu); D. Misra, 2019 (mish); A. Howard and others, Searching for MobileNetV3, 2019 (hardswish);
K. He and others, Delving deep into rectifiers, 2015 (prelu).
"""

from __future__ import annotations

from .core import Elementwise, abs, div, erf, exp, expm1, larger, log1p, logistic, smaller, where

ROOT_HALF = 0.7071067811865476
ROOT_TWO_OVER_PI = 0.7978845608028654
ONE_OVER_ROOT_TWO_PI = 0.3989422804014327
CUBIC = 0.044715  # of the approximation of gelu by tanh


class Relu(Elementwise):
    """out = max(x, 0);   the slope at the kink is 0. `x <= 0` is false for nan, so a nan stays visible."""

    kinds = "if"

    def forward(x):
        return where(x <= 0.0, 0.0, x)

    def backward(g, x, out):
        return where(out <= 0.0, 0.0, g)


class Sigmoid(Elementwise):
    """out = 1 / (1 + e⁻ˣ),   dout/dx = out (1 - out)"""

    floating = True

    def forward(x):
        return 1.0 / (1.0 + exp(-x))

    def backward(g, x, out):
        return g * ((1.0 - out) * out)


def slope_of_logistic(x):
    """s (1 - s) for s = sigmoid x, as e / (1 + e)² with e = e^-|x|: 1 - s would lose its digits where s is near 1."""
    e = exp(where(x < 0.0, x, -x))
    return div(e, (1.0 + e) * (1.0 + e))


class LogSigmoid(Elementwise):
    """out = -log(1 + e⁻ˣ) = min(x, 0) - log(1 + e^-|x|),   dout/dx = 1 - sigmoid x = sigmoid(-x)"""

    kinds = "f"

    def forward(x):
        return where(x < 0.0, x, 0.0) - log1p(exp(-abs(x)))

    def backward(g, x, out):
        return g * logistic(-x)


class Softplus(Elementwise):
    """out = log(1 + e^(βx)) / β, a smooth relu; x itself where βx is above the threshold"""

    kinds = "f"
    parameters = ("beta", "threshold")

    def forward(x, beta, threshold):
        return where(x * beta > threshold, x, div(log1p(exp(x * beta)), beta))

    def backward(g, x, beta, threshold, out):
        return where(x * beta > threshold, g, g * logistic(x * beta)), None, None


class Softsign(Elementwise):
    """out = x / (1 + |x|),   dout/dx = 1 / (1 + |x|)²"""

    kinds = "if"
    floating = True

    def forward(x):
        return div(x, 1.0 + abs(x))

    def backward(g, x, out):
        return div(div(g, 1.0 + abs(x)), 1.0 + abs(x))


class LeakyRelu(Elementwise):
    """out = x above 0, slope x below"""

    name, kinds = "leaky_relu", "f"
    parameters = ("slope",)

    def forward(x, slope):
        return where(x > 0.0, x, x * slope)

    def backward(g, x, slope, out):
        return where(x > 0.0, g, g * slope), None


class PRelu(Elementwise):
    """out = x above 0, w x below, where w is learned"""

    kinds = "f"

    def forward(x, w):
        return where(x > 0.0, x, w * x)

    def backward(g, x, w, out):
        return where(x > 0.0, g, w * g), where(x > 0.0, 0.0, x * g)


class Threshold(Elementwise):
    """out = x above a threshold, a fixed value below;   the slope at the threshold is 0"""

    kinds = "if"
    parameters = ("threshold", "value")

    def forward(x, threshold, value):
        return where(x <= threshold, value, x)

    def backward(g, x, threshold, value, out):
        return where(x <= threshold, 0.0, g), None, None


class Hardshrink(Elementwise):
    """out = x, but 0 between -λ and λ"""

    kinds = "f"
    parameters = ("lambd",)

    def forward(x, lambd):
        return where((x >= -lambd) & (x <= lambd), 0.0, x)

    def backward(g, x, lambd, out):
        return where((x >= -lambd) & (x <= lambd), 0.0, g), None


class Softshrink(Elementwise):
    """out = x, closer to 0 by λ, and 0 between -λ and λ: what minimises (out - x)²/2 + λ |out|"""

    kinds = "f"
    parameters = ("lambd",)

    def forward(x, lambd):
        return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0.0))

    def backward(g, x, lambd, out):
        return where((x >= -lambd) & (x <= lambd), 0.0, g), None


def exponential_below(x, alpha, sharpness, scale):
    """scale · (x above 0, α (e^(sharpness · x) - 1) below): elu, selu and celu."""
    return scale * where(x <= 0.0, alpha * expm1(sharpness * where(x <= 0.0, x, 0.0)), x)


def slope_of_exponential_below(x, alpha, sharpness, scale):
    return scale * where(x <= 0.0, alpha * sharpness * exp(sharpness * where(x <= 0.0, x, 0.0)), 1.0)


class Elu(Elementwise):
    """out = x above 0, α (eˣ - 1) below"""

    kinds = "f"
    parameters = ("alpha",)

    def forward(x, alpha):
        return exponential_below(x, alpha, 1.0, 1.0)

    def backward(g, x, alpha, out):
        return g * slope_of_exponential_below(x, alpha, 1.0, 1.0), None


class Celu(Elementwise):
    """out = x above 0, α (e^(x/α) - 1) below: elu with a slope of 1 at 0 for every α"""

    kinds = "f"
    parameters = ("alpha",)

    def forward(x, alpha):
        return exponential_below(x, alpha, div(1.0, alpha), 1.0)

    def backward(g, x, alpha, out):
        return g * slope_of_exponential_below(x, alpha, div(1.0, alpha), 1.0), None


class Selu(Elementwise):
    """out = 1.0507 · (x above 0, 1.6733 (eˣ - 1) below): mean 0 and variance 1 reproduce themselves"""

    kinds = "f"

    def forward(x):
        return exponential_below(x, SELU_ALPHA, 1.0, SELU_SCALE)

    def backward(g, x, out):
        return g * slope_of_exponential_below(x, SELU_ALPHA, 1.0, SELU_SCALE)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Gelu(Elementwise):
    """out = x Φ(x),   dout/dx = Φ(x) + x φ(x), the normal distribution and its density"""

    kinds = "f"

    def forward(x):
        return x * (0.5 * (1.0 + erf(x * ROOT_HALF)))

    def backward(g, x, out):
        density = ONE_OVER_ROOT_TWO_PI * exp(-0.5 * (x * x))
        return g * (0.5 * (1.0 + erf(x * ROOT_HALF)) + x * density)


class GeluTanh(Elementwise):
    """out = x (1 + tanh u) / 2 = x sigmoid(2u) with u = √(2/π) (x + 0.044715 x³), close to x Φ(x)"""

    kinds = "f"

    def forward(x):
        return x * logistic(2.0 * ROOT_TWO_OVER_PI * (x + CUBIC * (x * x * x)))

    def backward(g, x, out):
        u = 2.0 * ROOT_TWO_OVER_PI * (x + CUBIC * (x * x * x))
        slope = 2.0 * ROOT_TWO_OVER_PI * (1.0 + 3.0 * CUBIC * (x * x))
        return g * (logistic(u) + x * (slope_of_logistic(u) * slope))


class Silu(Elementwise):
    """out = x sigmoid x,   dout/dx = s + x s (1 - s), s = sigmoid x"""

    kinds = "f"

    def forward(x):
        return div(x, 1.0 + exp(-x))

    def backward(g, x, out):
        return g * (logistic(x) + x * slope_of_logistic(x))


class Mish(Elementwise):
    """out = x tanh(log(1 + eˣ)) = x n / (n + 2) with n = eˣ (eˣ + 2)

    dout/dx = n / (n + 2) + 4 x eˣ (1 + eˣ) / (n + 2)². Above 40 the gate is 1 to the last digit of a float64.
    """

    kinds = "f"

    def forward(x):
        e = exp(where(x > 40.0, 40.0, x))
        n = e * (e + 2.0)
        return x * div(n, n + 2.0)

    def backward(g, x, out):
        e = exp(where(x > 40.0, 40.0, x))
        n = e * (e + 2.0)
        slope = 4.0 * div(e, n + 2.0) * div(1.0 + e, n + 2.0)
        return g * (div(n, n + 2.0) + x * where(x > 40.0, 0.0, slope))


class Hardtanh(Elementwise):
    """out = x between two bounds;   the slope at the bounds is 0"""

    kinds = "if"
    parameters = ("low", "high")

    def forward(x, low, high):
        return smaller(larger(x, low), high)

    def backward(g, x, low, high, out):
        return where((x <= low) | (x >= high), 0.0, g), None, None


class Relu6(Elementwise):
    """out = x between 0 and 6;   the slope at the bounds is 0"""

    kinds = "if"

    def forward(x):
        return where(x <= 0.0, 0.0, where(x > 6.0, 6.0, x))

    def backward(g, x, out):
        return where((x <= 0.0) | (x >= 6.0), 0.0, g)


class Hardsigmoid(Elementwise):
    """out = x/6 + 1/2 between 0 and 1"""

    kinds = "f"

    def forward(x):
        return div(smaller(larger(x + 3.0, 0.0), 6.0), 6.0)

    def backward(g, x, out):
        return where((x > -3.0) & (x < 3.0), div(g, 6.0), 0.0)


class Hardswish(Elementwise):
    """out = x hardsigmoid x"""

    kinds = "f"

    def forward(x):
        return div(x * smaller(larger(x + 3.0, 0.0), 6.0), 6.0)

    def backward(g, x, out):
        return where(x <= -3.0, 0.0, where(x < 3.0, g * (div(x, 3.0) + 0.5), g))
