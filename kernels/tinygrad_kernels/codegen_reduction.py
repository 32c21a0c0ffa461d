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
accurate than a pairwise sum. Rows are cut into blocks by their length only, and the blocks are added in order whoever
computed them, so one thread and sixteen give the same bits.

The flag that lets the compiler use lanes ('reassoc') must not touch the formula itself, so that has a function of its
own, `term`, unless it only multiplies.

Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974;
N. Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), 1993.
"""

from __future__ import annotations

from .codegen import Signature, body, header, load
from .expr import Expr, Formula, render, walk

ROWS = """
{term}@jit(accumulate=True)
def block_total({arguments}):
    total = {T}(0)
    for i in range({first}.size):
        total += {element}
    return {wide}(total)


@jit
def rows(result, width, divisor, {arguments}):
    for row in range(result.size):
        high, low, end = {zero}, {zero}, (row + 1) * width
        for lo in range(row * width, end, {block}):
            hi = min(lo + {block}, end)
            high, low = add(high, low, block_total({cut}))
        result[row] = finish(high, low, divisor)


@jit(parallel=True)
def rows_parallel(result, width, divisor, {arguments}):
    blocks = (width + {block} - 1) // {block}
    totals = empty(result.size * blocks, {wide})
    for task in prange((totals.size + 63) // 64):
        for k in range(task * 64, min(task * 64 + 64, totals.size)):
            end = (k // blocks + 1) * width
            lo = end - width + k % blocks * {block}
            hi = min(lo + {block}, end)
            totals[k] = block_total({cut})
    for row in prange(result.size):
        high, low = {zero}, {zero}
        for k in range(row * blocks, (row + 1) * blocks):
            high, low = add(high, low, totals[k])
        result[row] = finish(high, low, divisor)
"""

COLUMNS = """
{term}@jit
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
                partial[i] += ({element0} + {element1}) + ({element2} + {element3})
        for row in range(fours, bottom):
            at = row * width + left
{one_row}
            for i in range(n):
                partial[i] += {element0}
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
    operands = list(zip(formula.inputs, signature.access, strict=True))
    flat = [name for name, access in operands if access == "flat"]
    inside = {e.op for e in walk(formula.outputs)} <= {"input", "mul"}  # safe in a loop that may reorder additions
    loads = {name: load(formula, signature, k, name) for k, name in enumerate(formula.inputs)}
    statements, values = body(formula, T, loads)
    function = ["@jit", f"def term({', '.join(formula.inputs)}):", *(f"    {s}" for s in statements)]
    term = "" if inside else "\n".join([*function, f"    return {T}({values[0]})", "", "", ""])

    def element(row: str = "") -> str:  # the formula at step i, from arrays or from their rows
        texts = {"flat": "{}" + row + "[i]", "one": "{}[0]", "number": "{}"}
        each = [texts[access].format(name) for name, access in operands]
        if not inside:
            return f"term({', '.join(each)})"
        read = {name: load(formula, signature, k, each[k]) for k, name in enumerate(formula.inputs)}
        return render(formula.outputs[0], {id(Expr.input(name)): text for name, text in read.items()})

    def row_slices(rows: int) -> str:
        step = {0: "at", 1: "at + width", 2: "at + 2 * width", 3: "at + 3 * width"}
        lines = [f"{n}{k} = {n}[{step[k]}:{step[k]} + n]" for k in range(rows) for n in flat]
        return "\n".join(" " * 12 + line for line in lines)

    text = (COLUMNS if columns else ROWS).format(
        kind="columns" if columns else "rows",
        arguments=", ".join(formula.inputs),
        term=term,
        T=T,
        wide="float64" if floating else "int64",
        zero="0.0" if floating else "0",
        block=1024 if T == "float32" else 512,  # float64 is as wide as the totals: fewer additions without a correction
        first=flat[0],
        element=element(),
        cut=", ".join(f"{n}[lo:hi]" if a == "flat" else n for n, a in operands),
        four_rows=row_slices(4),
        one_row=row_slices(1),
        **{f"element{k}": element(str(k)) for k in range(4)},
    )
    helpers = "add, finish" if floating else "add_int as add, finish_int as finish"
    extra = [f"from tinygrad_kernels.cpu.reduction import {helpers}"]
    lines = header(formula, T, ["from numpy import empty, float64, int64", "", *extra])
    return "\n".join(lines).rstrip() + "\n\n" + text
