"""Chapter 05: the error of three ways to add n float32 numbers.

Each way is written out in NumPy, so that the order of the additions is the same on every machine. (In the library's
own loop the compiler decides how many totals run side by side: as many as the processor's vector unit has lanes. Here
they are 16.)
"""

from math import log10

import numpy as np
from svg import BLUE, GREEN, RED, Axes, Picture

SIZES = [2**k for k in range(10, 23)]


def running(x):
    return np.cumsum(x)[-1]


def pairwise(x):
    """Halves are added to each other until one number is left."""
    while x.size > 1:
        x = x[: x.size // 2] + x[x.size // 2 :]
    return x[0]


def blocks(x):
    """Blocks of 1024 numbers in 16 lanes, in float32; then the blocks, in float64 (so few need no compensation)."""
    lanes = np.cumsum(x.reshape(-1, 64, 16), axis=1)[:, -1]
    totals = np.cumsum(lanes, axis=1)[:, -1]
    return np.float32(np.cumsum(totals, dtype=np.float64)[-1])


def errors(way):
    """(log10 n, log10 of the relative error), the mean over five arrays."""
    found = []
    for n in SIZES:
        relative = []
        for seed in range(5):
            x = np.random.default_rng(seed).random(n, dtype=np.float32)
            exact = float(np.cumsum(x, dtype=np.float64)[-1])
            relative.append(abs(float(way(x)) - exact) / exact)
        found.append((log10(n), log10(max(sum(relative) / 5, 1e-9))))
    return found


picture = Picture(620, 360)
axes = Axes(picture, (3, 6.8), (-8.5, -4))
axes.ticks(
    {k: f"1e{k}" for k in range(3, 7)},
    {k: f"1e{k}" for k in range(-8, -3)},
    "how many numbers",
    "relative error of the sum",
)
for way, color, name, place in (
    (running, RED, "one running total", (5.0, -4.6)),
    (pairwise, GREEN, "pairs of pairs", (5.9, -7.05)),
    (blocks, BLUE, "blocks, then a float64 total", (5.95, -8.1)),
):
    picture.line([axes.at(*point) for point in errors(way)], color, 2.5)
    picture.text(*axes.at(*place), name, color)
picture.write(__file__)
