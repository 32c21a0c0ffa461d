"""Chapter 07: a cell of C, with a strip of A, a panel of B, and the tile where they meet."""

from svg import BLUE, GREEN, GREY, INK, RED, Picture

picture = Picture(720, 400)


def sheet(x: float, y: float, width: float, height: float, name: str, color: str = INK) -> None:
    """A matrix: a frame with its name in the upper left corner."""
    picture.line([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)], color)
    picture.text(x + 14, y + 22, name, color, 18)


def band(x: float, y: float, width: float, height: float, color: str) -> None:
    """A filled part of a matrix."""
    picture.line([(x + width / 2, y), (x + width / 2, y + height)], color, width)


A, B, C = (40, 200), (260, 40), (260, 200)  # left upper corners
DEPTH, ROWS, COLUMNS = 160, 150, 240  # a block of p, the rows and the columns of a cell

band(A[0], A[1] + 75, DEPTH, 18, "#cfe0f2")
band(B[0] + 120, B[1], 40, 130, "#cdeed9")
band(C[0] + 120, C[1] + 75, 40, 18, "#f3c4be")
for k in range(1, ROWS // 18 + 1):
    height = A[1] + 18 * k + 3
    picture.line([(A[0], height), (A[0] + DEPTH, height)], GREY, 0.5)
for k in range(1, COLUMNS // 40):
    across = B[0] + 40 * k
    picture.line([(across, B[1]), (across, B[1] + 130)], GREY, 0.5)
    picture.line([(across, C[1]), (across, C[1] + ROWS)], GREY, 0.5)
sheet(*A, DEPTH, ROWS, "A")
sheet(*B, COLUMNS, 130, "B")
sheet(*C, COLUMNS, ROWS, "C")
picture.text(A[0] + DEPTH / 2, A[1] + ROWS + 22, "a block of p", INK, 13)
picture.text(A[0] + DEPTH / 2, A[1] + 89, "strip: 8 rows", BLUE, 13)
picture.text(B[0] + 140, B[1] - 12, "panel: 3 vectors", GREEN, 13)
picture.text(C[0] + 140, C[1] + ROWS + 22, "a cell of C", INK, 13)
picture.arrow((A[0] + DEPTH + 4, A[1] + 84), (C[0] + 114, C[1] + 84), color=BLUE)
picture.arrow((B[0] + 140, B[1] + 134), (C[0] + 140, C[1] + 70), color=GREEN)
picture.arrow((560, C[1] + 84), (C[0] + 166, C[1] + 84), color=RED)
for k, (words, color) in enumerate(
    (("tile: 8 x 3 vectors,", RED), ("in registers while p runs", RED), ("over the whole block", RED))
):
    picture.text(566, C[1] + 70 + 18 * k, words, color, 13, "start")
picture.write(__file__)
