"""Prints reductions: a formula summed along an axis while it is computed.

The problem. `((x - y) ** 2).sum()` need not write the squares to memory to read them again; and the gradient of
an operand that was broadcast is a product summed over the broadcast axes. One pass over memory does for both.

The idea. The sum is a loop around the formula (the *prologue*), printed like every other. Any reduction of a
contiguous array is one of two:

    rows      (rows, width) -> (rows,)                       the last axes go; the sum of everything is one row
    columns   (outer, height, width) -> (outer, width)       axes before the last go

How to add a million numbers. One running float32 total loses digits: each addition rounds to the size of the total.
So short blocks are added in the loop's own dtype, in several lanes at once (that is what vectorises); the
blocks are added in float64 with the rounding error of each addition carried along. As fast as the plain loop, and more
accurate than a pairwise sum. Rows are cut into spans by their length only, whatever the number of threads, so one
thread and sixteen give the same bits.

Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974;
N. Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), 1993.
"""

from __future__ import annotations

from .codegen import Signature, body, header, load
from .expr import Formula

ROWS = """
@jit
def term({arguments}):
{term}


@jit(accumulate=True)
def block_total({arguments}):
    total = {T}(0)
    for i in range({first}.size):
        total += term({element})
    return total


@jit
def span_total(start, stop, {arguments}):
    high, low = {zero}, {zero}
    for lo in range(start, stop, {block}):
        hi = min(lo + {block}, stop)
        high, low = add(high, low, block_total({cut}))
    return high, low


@jit
def {kind}(result, width, divisor, {arguments}):
    for row in range(result.size):
        high, low = {zero}, {zero}
        for lo in range(row * width, (row + 1) * width, 65536):
            h, l = span_total(lo, min(lo + 65536, (row + 1) * width), {arguments})
            high, low = add(high, low, h)
            low += l
        result[row] = finish(high, low, divisor)


@jit(parallel=True)
def {kind}_parallel(result, width, divisor, {arguments}):
    spans = (width + 65535) // 65536
    totals = empty((result.size * spans, 2), {wide})
    for task in prange(result.size * spans):
        end = (task // spans + 1) * width
        lo = end - width + task % spans * 65536
        totals[task, 0], totals[task, 1] = span_total(lo, min(lo + 65536, end), {arguments})
    for row in range(result.size):
        high, low = {zero}, {zero}
        for task in range(row * spans, (row + 1) * spans):
            high, low = add(high, low, totals[task, 0])
            low += totals[task, 1]
        result[row] = finish(high, low, divisor)
"""

COLUMNS = """
@jit
def term({arguments}):
{term}


@jit
def tile_totals(totals, start, stop, width, left, {arguments}):
    # Adds rows [start, stop), columns [left, left + totals.size): 32 rows at a time in {T}, then into `totals`.
    n = totals.size
    partial = empty(n, {T})
    totals[:] = 0
    for top in range(start, stop, 32):
        partial[:] = 0
        bottom = min(top + 32, stop)
        fours = top + (bottom - top) // 4 * 4
        for row in range(top, fours, 4):
            at = row * width + left
{four_rows}
            for i in range(n):
                partial[i] += ({term0} + {term1}) + ({term2} + {term3})
        for row in range(fours, bottom):
            at = row * width + left
{one_row}
            for i in range(n):
                partial[i] += {term0}
        for i in range(n):
            totals[i] += partial[i]


@jit
def {kind}(result, height, width, divisor, {arguments}):
    totals, total = empty(min(width, 2048), {wide}), empty(min(width, 2048), {wide})
    for outer in range(result.size // max(width, 1)):
        for left in range(0, width, 2048):
            n = min(2048, width - left)
            total[:] = 0
            for start in range(outer * height, (outer + 1) * height, 1024):
                stop = min(start + 1024, (outer + 1) * height)
                tile_totals(totals[:n], start, stop, width, left, {arguments})
                for i in range(n):
                    total[i] += totals[i]
            for i in range(n):
                result[outer * width + left + i] = finish(total[i], {zero}, divisor)


@jit(parallel=True)
def {kind}_parallel(result, height, width, divisor, {arguments}):
    spans, lefts = (height + 1023) // 1024, (width + 2047) // 2048
    groups = result.size // max(width, 1) * lefts
    totals = empty((groups * spans, min(width, 2048)), {wide})
    for task in prange(groups * spans):
        group, span = task // spans, task % spans
        outer, left = group // lefts, group % lefts * 2048
        start = outer * height + span * 1024
        stop = min(start + 1024, (outer + 1) * height)
        tile_totals(totals[task, : min(2048, width - left)], start, stop, width, left, {arguments})
    for group in prange(groups):
        outer, left = group // lefts, group % lefts * 2048
        for i in range(min(2048, width - left)):
            total = {zero}
            for task in range(group * spans, (group + 1) * spans):
                total += totals[task, i]
            result[outer * width + left + i] = finish(total, {zero}, divisor)
"""


def print_reduction(formula: Formula, signature: Signature, columns: bool) -> str:
    """The sum of a formula over rows (or columns) of contiguous arrays.

    `signature.access` is 'flat', 'one' or 'number' per input, at least one of them 'flat'. Totals of integers
    are int64, of floats float64 until they are stored.

    Printed functions, each with a twin of the same arguments, rows_parallel and columns_parallel:
        rows(result, width, divisor, *inputs)
        columns(result, height, width, divisor, *inputs)
    A total is divided by `divisor` (1.0, or the number of elements for a mean; ignored for integers).
    """
    T, floating = signature.compute, "float" in signature.compute
    loads = {name: load(formula, signature, k, name) for k, name in enumerate(formula.inputs)}
    statements, values = body(formula, T, loads)
    operands = list(zip(formula.inputs, signature.access, strict=True))
    flat = [name for name, access in operands if access == "flat"]

    def elements(row: str = "") -> str:  # the arguments of `term` at step i, from arrays or from their rows
        texts = {"flat": "{}{}[i]", "one": "{}[0]", "number": "{}"}
        return ", ".join(texts[a].format(n, row) if a == "flat" else texts[a].format(n) for n, a in operands)

    def row_slices(rows: int) -> str:
        step = {0: "at", 1: "at + width", 2: "at + 2 * width", 3: "at + 3 * width"}
        lines = [f"{n}{k} = {n}[{step[k]}:{step[k]} + n]" for k in range(rows) for n in flat]
        return "\n".join(" " * 12 + line for line in lines)

    text = (COLUMNS if columns else ROWS).format(
        kind="columns" if columns else "rows",
        arguments=", ".join(formula.inputs),
        term="\n".join(f"    {s}" for s in (*statements, f"return {T}({values[0]})")),
        T=T,
        wide="float64" if floating else "int64",
        zero="0.0" if floating else "0",
        block=1024 if T == "float32" else 512,  # float64 is as wide as the totals: fewer additions without a correction
        first=flat[0],
        element=elements(),
        cut=", ".join(f"{n}[lo:hi]" if a == "flat" else n for n, a in operands),
        four_rows=row_slices(4),
        one_row=row_slices(1),
        **{f"term{k}": f"term({elements(str(k))})" for k in range(4)},
    )
    helpers = "add, finish" if floating else "add_int as add, finish_int as finish"
    extra = [f"from tinygrad_kernels.cpu.reduction import {helpers}"]
    lines = header(formula, T, ["from numpy import empty, float64, int64", "", *extra])
    return "\n".join(lines).rstrip() + "\n\n" + text
