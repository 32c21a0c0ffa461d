"""Chapter 03: the error of difference quotients of x / (1 + x²) at 0.5 against the step, in float64 and float32.

Only + - * / are used: those are rounded in the same way on every machine, so the picture is the same on each.
"""

from math import log10

import numpy as np
from svg import BLUE, GREEN, GREY, RED, Axes, Picture


def f(x):
    return x / (1 + x * x)


def slope(x):
    return (1 - x * x) / ((1 + x * x) * (1 + x * x))


def forward(x, h):
    return (f(x + h) - f(x)) / h


def central(x, h):
    return (f(x + h) - f(x - h)) / (h + h)


def curve(formula, number, smallest):
    """(log10 h, log10 of the error) for steps that are powers of two, so that x + h differs from x by h exactly.

    Each error is the largest over 16 points around 0.5: at a single one the rounding errors may cancel by luck.
    """
    found = []
    for k in range(1, smallest):
        h = number(2.0**-k)
        points = [number(0.5 + j / 64) for j in range(16)]
        worst = max(abs(float(formula(x, h)) - slope(float(x))) for x in points)
        found.append((log10(2.0**-k), log10(worst)))
    return found


picture = Picture(620, 400)
axes = Axes(picture, (-14, 0), (-12, 0))
exponents = {k: f"1e{k}" for k in range(-14, 1, 2)}
axes.ticks(exponents, {k: f"1e{k}" for k in range(-12, 1, 2)}, "step h", "error")
picture.line([axes.at(-6, -12), axes.at(-6, -0.7)], GREY, 1, "4 4")
picture.text(*axes.at(-6, -0.5), "gradcheck: 1e-6", GREY, 12)
curves = [
    (forward, float, 46, RED, "forward, float64", (-8.3, -5.2)),
    (central, float, 46, BLUE, "central, float64", (-1.9, -8.3)),
    (central, np.float32, 22, GREEN, "central, float32", (-4.0, -1.5)),
]
for formula, number, smallest, color, name, place in curves:
    picture.line([axes.at(*point) for point in curve(formula, number, smallest)], color, 2.5)
    picture.text(*axes.at(*place), name, color)
picture.write(__file__)
