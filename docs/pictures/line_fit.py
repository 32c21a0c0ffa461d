"""Chapter 01: a line walks towards four points, as in the chapter's loop."""

from svg import BLUE, GREY, RED, Axes, Picture

from tinygrad_edu import Value

POINTS = [(0.0, 1.1), (1.0, 2.9), (2.0, 5.2), (3.0, 6.8)]
SHOWN = [0, 1, 2, 5, 200]

picture = Picture(560, 340)
axes = Axes(picture, (-0.3, 3.5), (-0.5, 8.0))
axes.ticks({x: f"{x}" for x in range(4)}, {y: f"{y}" for y in range(0, 9, 2)}, "x", "y")
w, v = Value(0.0), Value(0.0)
for step in range(SHOWN[-1] + 1):
    if step in SHOWN:
        last = step == SHOWN[-1]
        ends = [(x, w.data * x + v.data) for x in (0.0, 3.1)]
        picture.line([axes.at(*end) for end in ends], BLUE if last else GREY, 2.5 if last else 1.5)
        x, y = axes.at(*ends[1])
        if step in (0, 1, 2, 200):  # after 5 steps it is too near to the last one for a label of its own
            picture.text(x + 5, y + 4, f"{step} steps" if step != 1 else "1 step", BLUE if last else GREY, 12, "start")
    error = sum(((w * x + v - y) ** 2 for x, y in POINTS), Value(0.0))
    w.grad = v.grad = 0.0
    error.backward()
    w.data -= 0.02 * w.grad
    v.data -= 0.02 * v.grad
for point in POINTS:
    picture.dot(*axes.at(*point), RED, 5)
picture.write(__file__)
