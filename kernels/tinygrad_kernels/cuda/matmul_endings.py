"""Endings: what follows a product is computed before it is stored.

The problem. gelu(x W + b) is a product and a loop, and the loop reads from memory what the product has just written:
for 4096 x 4096 elements 128 MB more, and another launch.

The idea. At its end a thread has its elements of C in registers. Before it stores them, it computes a formula of each:
p is the element, y the number at the same place of another array, the *side*. There may be two results, as where a
backward pass needs p itself, or the derivative of an activation.

    out[i, j], second[i, j] = term(p, y)          p = Σ_p A[i, p] B[p, j] + bias[j],  y = side[i, j]

The formula is printed, as elementwise kernels are (codegen.py); its text names the kernel that ends with it. Where the
sum over p is cut into pieces, whoever joins them computes it (matmul_tiles.py).

The stores of a thread are printed one by one. In a loop the compiler would have to unroll 32 copies of the formula,
does not, and then keeps the elements in memory, since registers have no index.

Source: NVIDIA, CUTLASS: Efficient GEMM in CUDA, 2018 (epilogues).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..cache import load_source
from ..codegen import Signature
from ..expr import Formula
from .codegen import header, term

MOST_OPERATIONS = 60  # of a formula: its numbers need registers

PLAIN = '''"""The product, stored as it is."""
from numba import int32
from tinygrad_kernels.cuda.jit import device
from tinygrad_kernels.cuda.vectors import store_up_to_4


@device
def store(out, second, side, i, count, aligned, p0, p1, p2, p3):
    store_up_to_4(out, i, count, aligned, p0, p1, p2, p3)


@device
def store_one(out, second, side, i, p):
    out[i] = p
'''


def print_ending(formula: Formula) -> str:
    """Two functions: store, for up to four neighbours p0 ... p3, and store_one. The formula is one of (p) or (p, y)."""
    inputs = formula.inputs
    results = ("out", "second")[: len(formula.outputs)]
    signature = Signature(["float32"] * len(inputs), ["flat"] * len(inputs), "float32")
    extra = ["from numba import int32", "from tinygrad_kernels.cuda.vectors import load_up_to_4, store_up_to_4"]
    lines = [*header(formula, "float32", extra), *term(formula, signature)]
    lines += ["@device", "def store(out, second, side, i, count, aligned, p0, p1, p2, p3):"]
    if "y" in inputs:
        lines += ["    y0, y1, y2, y3 = load_up_to_4(side, i, count, aligned)"]
    for k in range(4):
        lines += [f"    {', '.join(f'{r}{k}' for r in results)} = term({', '.join(f'{x}{k}' for x in inputs)})"]
    for r in results:
        lines += [f"    store_up_to_4({r}, i, count, aligned, {', '.join(f'{r}{k}' for k in range(4))})"]
    lines += ["", "", "@device", "def store_one(out, second, side, i, p):"]
    given = ", ".join({"p": "p", "y": "side[i]"}[x] for x in inputs)
    lines += [f"    {', '.join(f'{r}[i]' for r in results)} = term({given})"]
    return "\n".join(lines) + "\n"


@cache
def store_one(ending: str) -> Callable:
    """store_one(out, second, side, i, p) of a printed ending: out[i], or out[i] and second[i], from p."""
    return load_source(ending, "ending_cuda").store_one


@cache
def store_all(ending: str, places: tuple[tuple[int, int, int], ...], together: int) -> Callable:
    """store_all(total, out, second, side, batch, row, column, m, n, aligned): the elements of a thread, of a printed
    ending. For each (e, down, right) of `places` number e of `total` belongs `down` rows below and `right` columns
    beside the element (row, column) of the product number `batch`, and the next `together` - 1 on its right."""
    lines = ["@device", "def store_all(total, out, second, side, batch, row, column, m, n, aligned):"]
    for e, down, right in places:
        values = ", ".join(f"total[{e + k if k < together else e}]" for k in range(4))
        lines += [
            f"    count = int32(min(n - (column + {right}), {together}) if row + {down} < m else 0)",
            f"    at = (batch * m + row + {down}) * n + column + {right}",
            f"    store(out, second, side, at, count, aligned, {values})",
        ]
    return load_source("\n".join([ending, "", *lines, ""]), "ending_cuda").store_all
