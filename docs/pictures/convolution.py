"""Chapter 12: a window moves over an image, and what one place of the second layer sees of it."""

from svg import BLUE, GREEN, GREY, INK, RED, Picture

CELL = 26
picture = Picture(680, 260)


def grid(left: float, top: float, n: int, name: str) -> None:
    """A square of n by n cells with a name above."""
    for k in range(n + 1):
        picture.line([(left, top + CELL * k), (left + CELL * n, top + CELL * k)], GREY, 0.7)
        picture.line([(left + CELL * k, top), (left + CELL * k, top + CELL * n)], GREY, 0.7)
    picture.text(left + CELL * n / 2, top - 14, name, INK, 13)


def frame(left: float, top: float, row: int, column: int, n: int, color: str) -> None:
    """A thick square around n by n cells."""
    x, y = left + CELL * column, top + CELL * row
    picture.line([(x, y), (x + CELL * n, y), (x + CELL * n, y + CELL * n), (x, y + CELL * n), (x, y)], color, 2.5)


def middle(left: float, top: float, row: float, column: float) -> tuple[float, float]:
    return left + CELL * (column + 0.5), top + CELL * (row + 0.5)


image, first, second = (40.0, 60.0), (300.0, 86.0), (540.0, 112.0)
grid(*image, 5, "x: 5 by 5")
grid(*first, 3, "3 by 3 window: 3 by 3 places")
grid(*second, 1, "again: one place")
for (row, column), color in (((0, 0), BLUE), ((2, 2), RED)):
    frame(*image, row, column, 3, color)
    picture.dot(*middle(*first, row, column), color)
    picture.arrow(middle(*image, row + 1, column + 1), middle(*first, row, column), bend=-12, color=color)
frame(*first, 0, 0, 3, GREEN)
picture.dot(*middle(*second, 0, 0), GREEN)
picture.arrow(middle(*first, 1, 2.6), middle(*second, 0, 0), bend=-12, color=GREEN)
picture.text(340, 235, "the one place of the second layer has seen 5 by 5 pixels, with 18 weights", GREY, 13)
picture.write(__file__)
