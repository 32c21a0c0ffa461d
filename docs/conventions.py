"""Writes conventions.md: what the library answers where mathematics has no answer, or more than one.

    python docs/conventions.py

A function has no derivative at a kink, a tie or a pole; a program still has to return a number. The table is computed
by the library itself. tests/test_conventions.py compares it with PyTorch, and with the page in the repository.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tinygrad_edu as tg
from tinygrad_edu.ops.plan import OPERATIONS, apply

inf, nan = math.inf, math.nan
PAGE = Path(__file__).with_name("conventions.md")

# title -> [(name of the operation, as the reader writes it, points, parameters)]
CASES: dict[str, list[tuple[str, str, list[tuple], tuple]]] = {
    "Kinks": [
        ("abs", "abs(x)", [(0.0,), (nan,)], ()),
        ("sign", "sign(x)", [(0.0,), (nan,)], ()),
        ("relu", "relu(x)", [(0.0,), (nan,)], ()),
        ("relu6", "relu6(x)", [(0.0,), (6.0,)], ()),
        ("leaky_relu", "leaky_relu(x, 0.25)", [(0.0,)], (0.25,)),
        ("elu", "elu(x, 1.5)", [(0.0,)], (1.5,)),
        ("celu", "celu(x, 2)", [(0.0,)], (2.0,)),
        ("selu", "selu(x)", [(0.0,)], ()),
        ("hardtanh", "hardtanh(x, -1.5, 2)", [(-1.5,), (2.0,)], (-1.5, 2.0)),
        ("hardsigmoid", "hardsigmoid(x)", [(-3.0,), (3.0,)], ()),
        ("hardswish", "hardswish(x)", [(-3.0,), (3.0,)], ()),
        ("softsign", "softsign(x)", [(0.0,)], ()),
        ("copysign", "copysign(x, y)", [(0.0, -1.0), (2.0, -0.0)], ()),
    ],
    "Ties and bounds": [
        ("maximum", "maximum(x, y)", [(1.0, 1.0), (nan, 1.0), (1.0, nan)], ()),
        ("minimum", "minimum(x, y)", [(1.0, 1.0), (nan, 1.0), (1.0, nan)], ()),
        ("clamp", "clamp(x, low, high)", [(-1.0, -1.0, 2.0), (2.0, -1.0, 2.0), (0.0, 2.0, -1.0), (nan, -1.0, 2.0)], ()),
        ("clamp_min", "clamp(x, min=low)", [(1.0, 1.0), (nan, 1.0)], ()),
        ("clamp_max", "clamp(x, max=high)", [(1.0, 1.0), (nan, 1.0)], ()),
    ],
    "Poles and ends of the domain": [
        ("div", "x / y", [(1.0, 0.0), (1.0, -0.0), (0.0, 0.0), (inf, inf)], ()),
        ("reciprocal", "reciprocal(x)", [(0.0,), (-0.0,), (inf,)], ()),
        ("sqrt", "sqrt(x)", [(0.0,), (-1.0,), (inf,)], ()),
        ("rsqrt", "rsqrt(x)", [(0.0,), (-1.0,)], ()),
        ("log", "log(x)", [(0.0,), (-1.0,)], ()),
        ("log1p", "log1p(x)", [(-1.0,)], ()),
        ("asin", "asin(x)", [(1.0,), (2.0,)], ()),
        ("acosh", "acosh(x)", [(1.0,), (0.0,)], ()),
        ("atanh", "atanh(x)", [(1.0,)], ()),
        ("atan2", "atan2(x, y)", [(0.0, 0.0), (0.0, -0.0), (-0.0, -1.0)], ()),
        ("logaddexp", "logaddexp(x, y)", [(inf, inf), (-inf, 0.0)], ()),
    ],
    "Powers": [
        ("pow", "x ** y", [(0.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.0, 0.5), (-2.0, 3.0), (-2.0, 0.5), (nan, 0.0)], ()),
    ],
    "Steps": [
        ("rint", "round(x)", [(0.5,), (1.5,), (2.5,), (-0.5,)], ()),
        ("floor", "floor(x)", [(-0.5,), (1.0,)], ()),
        ("frac", "frac(x)", [(-1.25,)], ()),
        ("fmod", "fmod(x, y)", [(-7.0, 3.0), (7.0, -3.0), (1.0, 0.0), (1.0, inf)], ()),
        ("remainder", "remainder(x, y)", [(-7.0, 3.0), (7.0, -3.0), (1.0, 0.0), (-1.0, inf)], ()),
        ("divfloor", "div(x, y, rounding_mode='floor')", [(-7.0, 2.0), (1.0, 0.0)], ()),
        ("divtrunc", "div(x, y, rounding_mode='trunc')", [(-7.0, 2.0), (1.0, 0.0)], ()),
    ],
}  # fmt: skip


def answers(name: str, point: tuple, parameters: tuple) -> tuple[float, list[float]]:
    """The value of an operation at a point, and its derivative in each operand."""
    operands = [tg.tensor(x, dtype=tg.float64, requires_grad=True) for x in point]
    out = apply(OPERATIONS[name], *operands, *parameters)
    out.backward()
    return out.item(), [x.grad.item() for x in operands]  # type: ignore[union-attr]


def number(x: Any) -> str:
    return f"{x:.4g}"


def page() -> str:
    """The whole page."""
    lines = [
        "# Conventions: what is answered where there is no answer",
        "",
        "A function has no derivative at a kink, a tie or a pole; a program returns a number there all the same.",
        "Which one is a convention, and this library takes PyTorch's.",
        "This page is printed by [`conventions.py`](conventions.py), from the library itself; a test compares it with",
        "PyTorch.",
        "",
    ]
    for title, cases in CASES.items():
        lines += [f"## {title}", "", "| operation | at | value | derivatives |", "|---|---|---|---|"]
        for name, text, points, parameters in cases:
            for point in points:
                value, slopes = answers(name, point, parameters)
                at, after = (", ".join(map(number, xs)) for xs in (point, slopes))
                lines.append(f"| `{text}` | {at} | {number(value)} | {after} |")
        lines.append("")
    lines += [
        "Whole numbers have no inf and no nan. Dividing them by zero (`//`, `%`, `fmod`, `div` with a rounding mode)",
        "raises `RuntimeError: ZeroDivisionError`; `/` makes floats of them first, and gives inf or nan.",
        "Overflow wraps around.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
