"""Chapter 05: the cubic on its way to the sine, and the loss on its way to that of the best cubic.

In float64, so that the picture is the same wherever it is made; the chapter's loop is otherwise the same.
"""

import math
from math import log10

import numpy as np
from svg import BLUE, GREY, RED, Axes, Picture

import tinygrad_edu as tg

SHOWN = [0, 5, 20, 2000]

u = tg.linspace(-1.0, 1.0, 2000, dtype=tg.float64)
target = tg.sin(math.pi * u)
coefficients = [tg.zeros((), dtype=tg.float64, requires_grad=True) for _ in range(4)]
fits, losses = {}, []
for step in range(SHOWN[-1] + 1):
    a, b, c, d = coefficients
    loss = ((a + b * u + c * u**2 + d * u**3 - target) ** 2).mean()
    losses.append(loss.item())
    if step in SHOWN:
        fits[step] = [p.item() for p in coefficients]
    loss.backward()
    with tg.no_grad():
        for p in coefficients:
            p -= 0.5 * p.grad
            p.grad = None

grid = [k / 50 - 1 for k in range(101)]
left = Picture(430, 330)
axes = Axes(left, (-1.0, 1.0), (-1.3, 1.3))
axes.ticks({-1: "-1", 0: "0", 1: "1"}, {-1: "-1", 0: "0", 1: "1"}, "u", "sin πu, and the cubic")
for step, (a, b, c, d) in fits.items():
    final = step == SHOWN[-1]
    points = [axes.at(x, a + b * x + c * x**2 + d * x**3) for x in grid]
    left.line(points, BLUE if final else GREY, 2.5 if final else 1.2)
left.line([axes.at(x, math.sin(math.pi * x)) for x in grid], RED, 1.8, "5 4")
for k, (words, color) in enumerate((("sine", RED), ("0, 5, 20 steps", GREY), ("2000 steps", BLUE))):
    left.text(*axes.at(-0.93, 1.12 - 0.17 * k), words, color, 13, "start")

powers = np.linspace(-1.0, 1.0, 2000)[:, None] ** np.arange(4)
best = np.linalg.lstsq(powers, np.sin(np.pi * powers[:, 1]), rcond=None)[1][0] / 2000
right = Picture(430, 330)
axes = Axes(right, (0, 200), (-2.6, 0))
axes.ticks({x: f"{x}" for x in range(0, 201, 50)}, {-2: "0.01", -1: "0.1", 0: "1"}, "step", "loss")
right.line([axes.at(0, log10(best)), axes.at(200, log10(best))], RED, 1.8, "5 4")
right.text(*axes.at(198, log10(best) - 0.17), "the best cubic, by least squares", RED, 13, "end")
right.line([axes.at(step, log10(loss)) for step, loss in enumerate(losses[:201])], BLUE, 2.5)

picture = Picture(860, 330)
for across, part in ((0, left), (430, right)):
    picture.shapes += [f'<g transform="translate({across} 0)">', *part.shapes, "</g>"]
picture.write(__file__)
