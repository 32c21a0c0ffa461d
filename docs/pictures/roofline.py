"""Chapter 06: the roofline of one core, with some of our kernels (figures of one machine, kept here).

`python -m benchmarks.roofline --picture FILE` draws that of yours.
"""

from math import log10

from svg import BLUE, GREY, INK, RED, Axes, Picture

PEAK, MEMORY, CACHE = 139.0, 11.0, 59.0  # GFLOP/s of float32; GB/s
KERNELS = [  # the name beside the dot, operations a byte, GFLOP/s
    ("add", 1 / 12, 0.9),
    ("sum", 1 / 4, 2.7),
    ("softmax", 3.25, 16.4),
    ("", 2.75, 27.0),
    ("exp, sigmoid", 3.12, 27.0),
    ("n = 64", 10.7, 78.5),
    ("n = 256", 42.7, 78.9),
    ("n = 1024", 171, 103.4),
]

picture = Picture(720, 420)
axes = Axes(picture, (log10(0.05), log10(600)), (log10(0.5), log10(250)))
axes.ticks(
    {log10(x): f"{x:g}" for x in (0.1, 1, 10, 100)},
    {log10(y): f"{y:g}" for y in (1, 10, 100)},
    "operations a byte",
    "GFLOP/s",
)


def roof(bandwidth: float, color: str, dash: str = "") -> None:
    points = [(0.05, 0.05 * bandwidth), (PEAK / bandwidth, PEAK), (600, PEAK)]
    picture.line([axes.at(log10(x), log10(y)) for x, y in points], color, 2, dash)


roof(CACHE, GREY, "6 4")
roof(MEMORY, INK)
for name, x, y in KERNELS:
    place = axes.at(log10(x), log10(y))
    picture.dot(*place, BLUE)
    picture.text(place[0] + 9, place[1] + 13, name, BLUE, 12, "start")
across, up = axes.at(log10(60), log10(PEAK))
picture.text(across, up - 9, "139 GFLOP/s: the arithmetic", RED, 12)
across, up = axes.at(log10(0.42), log10(3.6))
picture.text(across, up, "from memory, 11 GB/s", INK, 12, "start")
across, up = axes.at(log10(0.8), log10(50))
picture.text(across - 6, up, "from the cache, 59 GB/s", GREY, 12, "end")
picture.text(*axes.at(log10(30), log10(48)), "matmul", BLUE, 12)
picture.write(__file__)
