"""Chapter 13: which letter takes how much from which, as means and as attention."""

from math import exp

from svg import BLUE, GREY, INK, Picture

LETTERS = "a gradient"
VOWELS = "aei"
CELL, TOP = 26, 70


def softmax(scores: list[float]) -> list[float]:
    total = sum(exp(s) for s in scores)
    return [exp(s) / total for s in scores]


def uniform(t: int) -> list[float]:
    return softmax([0.0] * (t + 1))


def looking_for_vowels(t: int) -> list[float]:
    """A query that asks for vowels, and rather for near ones."""
    return softmax([(3.0 if LETTERS[s] in VOWELS else 0.0) - 0.2 * (t - s) for s in range(t + 1)])


picture = Picture(680, 390)
for left, title, weights in (
    (50, "the mean of what came before", uniform),
    (380, "a query for vowels", looking_for_vowels),
):
    picture.text(left + CELL * 5, 24, title)
    for t, letter in enumerate(LETTERS):
        picture.text(left - 14, TOP + CELL * t + 18, letter if letter != " " else "␣", INK, 14)
        picture.text(left + CELL * (t + 0.5), TOP - 8, letter if letter != " " else "␣", INK, 14)
        for s, weight in enumerate(weights(t)):
            x, y = left + CELL * s, TOP + CELL * t
            corners = [(x, y), (x + CELL, y), (x + CELL, y + CELL), (x, y + CELL), (x, y)]
            picture.line([(float(a), float(b)) for a, b in corners], GREY, 0.5)
            picture.dot(x + CELL / 2, y + CELL / 2, BLUE, round(1 + 10.5 * weight**0.5, 1))
    picture.text(left + CELL * 5, TOP + CELL * 10 + 28, "row: who looks; column: at whom; area: how much", GREY, 12)
picture.write(__file__)
