"""Chapter 02: visits of a backward pass over n lines of x = x + x, by paths (2ⁿ⁺¹ - 1) and sorted (n + 1)."""

from math import log10

from svg import BLUE, RED, Axes, Picture

picture = Picture(560, 320)
axes = Axes(picture, (0, 40), (0, 12))
powers = {0: "1", 3: "thousand", 6: "million", 9: "billion", 12: "trillion"}
axes.ticks({n: f"{n}" for n in range(0, 41, 10)}, powers, "lines of x = x + x", "visits")
by_paths = [axes.at(n, log10(2 ** (n + 1) - 1)) for n in range(39)]
in_order = [axes.at(n, log10(n + 1)) for n in range(41)]
picture.line(by_paths, RED, 2.5)
picture.line(in_order, BLUE, 2.5)
x, y = by_paths[24]
picture.text(x - 10, y - 10, "along every path", RED, anchor="end")
x, y = in_order[26]
picture.text(x, y - 10, "sorted: every node once", BLUE)
picture.write(__file__)
