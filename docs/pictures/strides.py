"""Chapter 05: one buffer of six numbers, and the steps that four views take over it."""

from svg import BLUE, GREEN, GREY, INK, RED, Picture

VIEWS = [  # name, shape, strides, offset
    ("x", (2, 3), (3, 1), 0),
    ("x.t()", (3, 2), (1, 3), 0),
    ("x[:, ::2]", (2, 2), (3, 2), 0),
    ("x[:, 1].expand(3, 2)", (3, 2), (0, 3), 1),
]
CELL, LEFT = 40, 60


def step(picture: Picture, start: int, stride: int, y: float, below: bool, color: str, axis: int) -> None:
    """The arrow from one element to the next along an axis."""
    x = LEFT + CELL * (start + 0.5)
    edge = y + (CELL + 2 if below else -2)
    side = 1 if below else -1
    if stride:
        picture.arrow((x, edge), (x + CELL * stride, edge), bend=side * (5 + 3 * stride), color=color)
    words = f"axis {axis}: {'stay' if stride == 0 else f'{stride} on'}"
    picture.text(LEFT + CELL * 6 + 12, y + (CELL - 6 if below else 14), words, color, 13, "start")


picture = Picture(680, 500)
for row, (name, shape, strides, offset) in enumerate(VIEWS):
    y = 45.0 + 120 * row
    touched = {offset + i * strides[0] + j * strides[1] for i in range(shape[0]) for j in range(shape[1])}
    for k in range(6):
        corner = (LEFT + CELL * k, y)
        corners = [corner, (corner[0] + CELL, y), (corner[0] + CELL, y + CELL), (corner[0], y + CELL), corner]
        picture.line(corners, GREY, 1)
        picture.text(corner[0] + CELL / 2, y + 26, str(k + 1), INK if k in touched else "#cccccc", 16)
    step(picture, offset, strides[0], y, False, RED, 0)
    step(picture, offset, strides[1], y, True, BLUE, 1)
    picture.text(430, y + 14, name, GREEN, 14, "start")
    picture.text(430, y + 34, f"strides {strides}, offset {offset}", GREY, 13, "start")
    for i in range(shape[0]):
        for j in range(shape[1]):
            number = str(offset + i * strides[0] + j * strides[1] + 1)
            picture.text(600 + 24 * j, y + 4 + 22 * i + (11 if shape[0] == 2 else 0), number, INK, 16)
picture.write(__file__)
