"""A few lines of SVG: what the pictures of the chapters are drawn with.

An SVG picture is text: shapes with their places, x to the right and y *down*, as on a screen. So a script can write
one without any library, and it comes out the same, byte for byte, on every machine (numbers are rounded to a tenth).

A picture is made by the script of its name, which the tests run: `python docs/pictures/ladder.py` writes
docs/pictures/ladder.svg, and `python docs/pictures/ladder.py FOLDER` writes it into another folder.

Source: W3C, Scalable Vector Graphics (SVG) 1.1, 2nd edition, 2011.
"""

import sys
from html import escape
from math import hypot
from pathlib import Path

INK, BLUE, RED, GREEN, GREY = "#222222", "#1f5fa8", "#c0392b", "#2e8b57", "#999999"


class Picture:
    """Shapes on a white sheet of `width` by `height`."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.shapes: list[str] = []

    def line(self, points: list[tuple[float, float]], color: str = INK, width: float = 1.5, dash: str = "") -> None:
        """Straight from point to point."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.shapes.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashed}/>')

    def dot(self, x: float, y: float, color: str = INK, radius: float = 4) -> None:
        self.shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')

    def text(self, x: float, y: float, words: str, color: str = INK, size: int = 14, anchor: str = "middle") -> None:
        """Words whose baseline is at y; `anchor` says which end of them is at x: start, middle or end."""
        self.shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def box(self, x: float, y: float, lines: list[str], color: str = INK, width: float = 90) -> None:
        """A rounded box around lines of text, with its centre at (x, y)."""
        height = 18 * len(lines) + 12
        self.shapes.append(
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
            f'fill="#ffffff" stroke="{color}" stroke-width="1.5"/>'
        )
        for k, words in enumerate(lines):
            self.text(x, y - height / 2 + 20 + 18 * k, words, color if k == 0 else INK)

    def arrow(self, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0, color: str = INK) -> None:
        """A curve from start to end with a head; `bend` is how far its middle lies off the straight line."""
        (x, y), (to_x, to_y) = start, end
        length = hypot(to_x - x, to_y - y)
        aside_x, aside_y = -(to_y - y) / length, (to_x - x) / length
        middle_x, middle_y = (x + to_x) / 2 + 2 * bend * aside_x, (y + to_y) / 2 + 2 * bend * aside_y
        self.shapes.append(
            f'<path d="M {x:.1f} {y:.1f} Q {middle_x:.1f} {middle_y:.1f} {to_x:.1f} {to_y:.1f}" fill="none" '
            f'stroke="{color}" stroke-width="1.5"/>'
        )
        reach = hypot(to_x - middle_x, to_y - middle_y)
        along_x, along_y = (to_x - middle_x) / reach, (to_y - middle_y) / reach
        corners = [
            (to_x, to_y),
            (to_x - 9 * along_x - 4 * along_y, to_y - 9 * along_y + 4 * along_x),
            (to_x - 9 * along_x + 4 * along_y, to_y - 9 * along_y - 4 * along_x),
        ]
        head = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
        self.shapes.append(f'<polygon points="{head}" fill="{color}"/>')

    def write(self, script: str) -> None:
        """Into the file named after the script, beside it or in the folder that the command line names."""
        here = Path(script)
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="Helvetica, Arial, sans-serif">',
            f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>',
            *self.shapes,
            "</svg>",
        ]
        (folder / f"{here.stem}.svg").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


class Axes:
    """A frame in a picture, and the way from numbers to places in it."""

    def __init__(self, picture: Picture, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.picture, self.x, self.y = picture, x, y
        self.left, self.right, self.top, self.bottom = 75.0, picture.width - 25.0, 25.0, picture.height - 55.0
        corners = [(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)]
        picture.line(corners, width=1)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)

    def ticks(self, xs: dict[float, str], ys: dict[float, str], x_name: str, y_name: str) -> None:
        """Labels at places along both axes, and what the axes mean."""
        for x, words in xs.items():
            place = self.at(x, self.y[0])
            self.picture.line([place, (place[0], place[1] + 5)], width=1)
            self.picture.text(place[0], place[1] + 20, words, size=12)
        for y, words in ys.items():
            place = self.at(self.x[0], y)
            self.picture.line([place, (place[0] - 5, place[1])], width=1)
            self.picture.text(place[0] - 9, place[1] + 4, words, size=12, anchor="end")
        self.picture.text((self.left + self.right) / 2, self.bottom + 42, x_name)
        self.picture.text(self.left, self.top - 9, y_name, anchor="start")
