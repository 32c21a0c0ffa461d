"""Chapter 08: four optimizers in the valley (x² + 50 y²) / 2, 60 steps each from the same place."""

from math import cos, pi, sin, sqrt

from svg import BLUE, GREEN, GREY, INK, RED, Picture

STEPS, CURVE = 60, (1.0, 50.0)


def gradient(p: list[float]) -> list[float]:
    return [c * x for c, x in zip(CURVE, p, strict=True)]


def descent(p: list[float], mu: float, lr: float):
    ball = [0.0, 0.0]
    for _ in range(STEPS):
        ball = [mu * b + g for b, g in zip(ball, gradient(p), strict=True)]
        p = [x - lr * b for x, b in zip(p, ball, strict=True)]
        yield p


def scaled(p: list[float], beta1: float, beta2: float, lr: float, hats: bool):
    m, v = [0.0, 0.0], [0.0, 0.0]
    for t in range(1, STEPS + 1):
        g = gradient(p)
        m = [beta1 * a + (1 - beta1) * b for a, b in zip(m, g, strict=True)]
        v = [beta2 * a + (1 - beta2) * b * b for a, b in zip(v, g, strict=True)]
        one, two = (1 - beta1**t, 1 - beta2**t) if hats else (1.0, 1.0)
        p = [x - lr * (a / one) / (sqrt(b / two) + 1e-8) for x, a, b in zip(p, m, v, strict=True)]
        yield p


START = [10.0, 1.0]
PATHS = {
    "SGD, lr 0.03": (GREY, descent(START, 0.0, 0.03)),
    "momentum 0.8": (RED, descent(START, 0.8, 0.03)),
    "RMSprop, lr 0.15": (GREEN, scaled(START, 0.0, 0.99, 0.15, False)),
    "Adam, lr 0.8": (BLUE, scaled(START, 0.9, 0.999, 0.8, True)),
}

picture = Picture(680, 600)
for row, (name, (color, path)) in enumerate(PATHS.items()):
    middle = 80.0 + 145 * row

    def at(p: list[float], middle: float = middle) -> tuple[float, float]:
        return 170 + 44 * p[0], middle - 45 * p[1]

    for radius in (2, 4, 6, 8, 10):
        ring = [at([radius * cos(k * pi / 40), radius / sqrt(50) * sin(k * pi / 40)]) for k in range(-40, 41)]
        picture.line([q for q in ring if q[0] > 15], "#dddddd", 1)
    points = [START, *path]
    picture.line([at(p) for p in points], color, 1.3)
    for p in points:
        picture.dot(*at(p), color, 2)
    picture.dot(*at([0.0, 0.0]), INK, 3)
    picture.text(665, middle - 52, name, color, 14, "end")
picture.write(__file__)
