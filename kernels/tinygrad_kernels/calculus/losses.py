"""Losses: how far a prediction x is from a target y, as one number to make small.

The problem. What "far" means is a choice, and each choice is a claim about how targets scatter around predictions: a
loss is -log p(y | x), up to a constant. The squared error belongs to normal noise, the absolute error to noise with
heavy tails, cross-entropy to coins and dice, the Poisson loss to counts.

The idea. One number per element, differentiated with respect to *both* operands: a program may call loss(target,
prediction) as well as the other way round, and a student network is trained on a teacher's output.

    squared error     (x - y)²                   slope grows with the error: outliers rule
    absolute error    |x - y|                    slope ±1: outliers count like all others
    smooth L1, Huber  squared near 0, straight beyond: the best of both
    cross-entropy     -(y log x + (1 - y) log(1 - x))

Where a probability is sigmoid x, take the loss of x itself: log(1 + e⁻ˣ) is exact where sigmoid x has rounded to 0
or 1. What is saturated there keeps a gradient.

Sources: P. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964; C. Bishop,
Pattern recognition and machine learning, 2006, sections 1.2.5 and 4.3; S. Kullback, R. Leibler, On information and
sufficiency, 1951.
"""

from __future__ import annotations

from .core import Elementwise, abs, div, exp, log, log1p, logistic, sign, where


class SquaredError(Elementwise):
    """out = (x - y)²"""

    def forward(x, y):
        return (x - y) * (x - y)

    def backward(g, x, y, out):
        gx = g * (2.0 * (x - y))
        return gx, -gx


class AbsoluteError(Elementwise):
    """out = |x - y|;   the slope at the kink is 0"""

    name = "absolute_error"

    def forward(x, y):
        return abs(x - y)

    def backward(g, x, y, out):
        gx = g * sign(x - y)
        return gx, -gx


class SmoothL1(Elementwise):
    """out = (x - y)² / (2β) where |x - y| < β, else |x - y| - β/2"""

    name, kinds = "smooth_l1", "f"
    parameters = ("beta",)

    def forward(x, y, beta):
        d = abs(x - y)
        return where(d < beta, div(0.5 * d * d, beta), d - 0.5 * beta)

    def backward(g, x, y, beta, out):
        gx = where(abs(x - y) < beta, g * div(x - y, beta), g * direction(x - y))
        return gx, -gx, None


class Huber(Elementwise):
    """out = (x - y)² / 2 where |x - y| < δ, else δ (|x - y| - δ/2): smooth L1 times δ"""

    kinds = "f"
    parameters = ("delta",)

    def forward(x, y, delta):
        d = abs(x - y)
        return where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))

    def backward(g, x, y, delta, out):
        gx = where(abs(x - y) < delta, g * (x - y), g * (delta * direction(x - y)))
        return gx, -gx, None


def direction(d):
    """1 above 0, -1 below; nan for nan."""
    return where(d > 0.0, 1.0, where(d < 0.0, -1.0, d))


class BinaryCrossEntropy(Elementwise):
    """out = -(y log x + (1 - y) log(1 - x)) for a probability x and a target y.

    A logarithm below -100 counts as -100, so that a sure and wrong x gives a large loss, not an infinite one; and
    the divisor x (1 - x) counts as 1e-12 at least.
    """

    floating = True

    def forward(x, y):
        return (y - 1.0) * bounded_log(1.0 - x) - y * bounded_log(x)

    def backward(g, x, y, out):
        variance = x * (1.0 - x)
        gx = div(g * (x - y), where(variance < 1e-12, 1e-12, variance))
        return gx, g * (log(1.0 - x) - log(x))


def bounded_log(x):
    """log x, but -100 where it is less."""
    positive = where(x > 3.8e-44, x, 1.0)  # e⁻¹⁰⁰; where it is not taken, log 1 has a finite derivative
    return where(x > 3.8e-44, log(positive), -100.0)


class LogisticLoss(Elementwise):
    """out = -(w y log s + (1 - y) log(1 - s)), s = sigmoid x: cross-entropy of a logit x; w weighs the positives.

    -log s = log(1 + e⁻ˣ) = max(-x, 0) + log(1 + e^-|x|), and the same with -x for 1 - s: sums of what is positive, so
    no digit is lost. dout/dx = (1 - y) s - w y (1 - s), where 1 - s = sigmoid(-x).
    """

    name, kinds = "logistic_loss", "f"
    parameters = ("weight",)

    def forward(x, y, weight):
        return (1.0 - y) * softplus(x) + weight * y * softplus(-x)

    def backward(g, x, y, weight, out):
        gx = g * ((1.0 - y) * logistic(x) - weight * y * logistic(-x))
        return gx, g * (weight * softplus(-x) - softplus(x)), None


def softplus(x):
    """log(1 + eˣ). Both branches meet at 0 with the slope 1/2 that the function has there."""
    return where(x < 0.0, 0.0, x) + log1p(exp(where(x < 0.0, x, -x)))


class Divergence(Elementwise):
    """out = y (log y - x) for a probability y and a log-probability x (Kullback and Leibler); 0 for y = 0"""

    floating = True

    def forward(x, y):
        return y * log(where(y == 0.0, 1.0, y)) - y * x

    def backward(g, x, y, out):
        return -g * y, g * (log(y) + 1.0 - x)


class LogDivergence(Elementwise):
    """out = eʸ (y - x): the same for a log-probability y"""

    name, floating = "log_divergence", True

    def forward(x, y):
        return exp(y) * (y - x)

    def backward(g, x, y, out):
        return -g * exp(y), g * (exp(y) * (y - x + 1.0))


class PoissonLoss(Elementwise):
    """out = eˣ - y x: minus the logarithm of the probability of a count y, the logarithm of whose rate is x"""

    name, floating = "poisson_loss", True

    def forward(x, y):
        return exp(x) - y * x

    def backward(g, x, y, out):
        return g * (exp(x) - y), -g * x


class GaussianLoss(Elementwise):
    """out = (log v + (x - y)² / v) / 2 for a prediction x of variance v; v counts as ε at least, and has its slope"""

    name, floating = "gaussian_loss", True
    parameters = ("eps",)

    def forward(x, y, variance, eps):
        v = where(variance < eps, eps, variance)
        return 0.5 * (log(v) + div((x - y) * (x - y), v))

    def backward(g, x, y, variance, eps, out):
        v = where(variance < eps, eps, variance)
        gx = g * div(x - y, v)
        return gx, -gx, 0.5 * g * div(1.0 - div((x - y) * (x - y), v), v), None
